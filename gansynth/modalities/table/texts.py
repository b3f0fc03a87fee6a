"""Text that stands for numbers or times: how that is found out, and which words among it stand for no value."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gansynth.modalities.table.cells import OF_DAY, clocks, plain

Mask = npt.NDArray[np.bool_]

NUMBER = "number"
TIME = "time in ISO 8601"
CLOCK = "time of day"
WHAT = {"numeric": NUMBER, "integer": NUMBER, "datetime": TIME}
"""As what the text of a column is read whose kind is given; whole numbers may be times of day."""
MOSTLY_NUMBERS = 0.95
FEW_NUMBERS = 20
LEAST_NUMBERS = 0.5
"""Of all values, words for none included."""
MOST_WORDS = 3
LEAST_ROWS_OF_WORD = 2
WORD = r"^\P{Nd}+$"
"""What may stand for no value. With a digit in it, it rather is a number that was mistyped."""
CODE = re.compile(r"\s*[+-]?(0\d|\d{19,}\s*$)")
"""Digits that start with a zero, or are more than float64 can tell apart."""
THOUSANDS = r"^\s*[+-]?[1-9]\d{0,2}(\.\d{3})+\s*$"
"""What may be a whole number with separators, where the decimal mark is a comma."""
MONTH = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
NAMED = rf"\d{{1,2}}[- ]{MONTH}[- ]\d{{2,4}}|{MONTH} \d{{1,2}}, ?\d{{2,4}}"
"""A date whose month has its English name."""
DATE = rf"^\d{{4}}-\d{{2}}-\d{{2}}|^\d{{1,4}}[./]\d{{1,2}}[./]\d{{1,4}}|^({NAMED})"
"""How dates begin: ISO 8601 alone also knows plain years, which are rather numbers."""


NAMED_DATES = ("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
TIMES_OF_DAY = ("", " %H:%M", " %H:%M:%S")


def with_times_of_day(*dates: str) -> tuple[str, ...]:
    """Return formats of dates with a time of day and without."""
    return tuple(f"{date}{time}" for date in dates for time in TIMES_OF_DAY)


class Notation(NamedTuple):
    """How text writes numbers and times: the decimal mark, and formats beside ISO 8601."""

    decimal: str = "."
    times: tuple[str, ...] = with_times_of_day(*NAMED_DATES)


PLAIN = Notation()


class Reading(NamedTuple):
    """As what the text of a column is read.

    Attributes:
        what: NUMBER, TIME or CLOCK.
        words: Texts that stand for no value, and in how many rows each does.
    """

    what: str
    words: dict[str, int]


class _Counted(NamedTuple):
    """The distinct texts of a column, and how often each occurs."""

    texts: pa.Array
    rows: npt.NDArray[np.int64]


def trimmed(array: pa.ChunkedArray) -> pa.Array:
    """Return a column of text without blanks around its values; one of blanks alone is null."""
    text = pc.utf8_trim_whitespace(plain(array).cast(pa.string()))
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def infer_reading(texts: pa.Array, notation: Notation) -> Reading | None:
    """Find out what nearly all of some trimmed texts are; None if neither numbers nor times.

    They are if more than 20 distinct ones can be read, in at least half of the rows and in 95 % of those that hold no
    word for none, as `Reading` has them: at most three texts without a digit, each in two rows or more. Codes, digits
    of which some start with a zero or are 19 and more, are no numbers.
    """
    counted = _count(texts)
    parsed = _valid(parse(counted.texts, NUMBER, notation))
    if reading := _mostly(counted, parsed, NUMBER):
        return None if counted.texts.to_pandas()[parsed].str.match(CODE).any() else reading
    for what, pattern in ((TIME, DATE), (CLOCK, OF_DAY)):
        # asking for the pattern first spares other text the search for times
        alike = pc.match_substring_regex(counted.texts, pattern).to_numpy(zero_copy_only=False)
        if _mostly(counted, alike, what):
            return _mostly(counted, alike & _valid(parse(counted.texts, what, notation)), what)
    return None


def given_reading(texts: pa.Array, kind: str, notation: Notation, known: Sequence[str] | None = None) -> Reading:
    """Return the reading of trimmed texts whose kind is given, a key of WHAT.

    Words for none are those that are known, or as `Reading` has them if more distinct texts can be read than are words.
    """
    counted, what = _count(texts), WHAT[kind]
    parsed = _valid(parse(counted.texts, what, notation))
    if kind == "integer" and (are_clocks := _valid(clocks(counted.texts))).sum() > parsed.sum():
        what, parsed = CLOCK, are_clocks
    if known is not None:
        is_word = pc.is_in(counted.texts, pa.array(known, pa.string())).to_numpy(zero_copy_only=False)
        return Reading(what, _as_words(counted, is_word))
    words = _words(counted, parsed)
    return Reading(what, words if parsed.sum() > len(words) else {})


def parse(texts: pa.Array, what: str, notation: Notation) -> pa.Array:
    """Return texts as float64, as microseconds since 1970 or as times of day; what is none of them is null."""
    if what == NUMBER:
        return pa.array(_as_numbers(texts, notation).to_numpy(dtype=np.float64), from_pandas=True)
    if what == CLOCK:
        return clocks(texts)
    return pa.array(_as_times(texts, notation).dt.tz_localize(None), pa.timestamp("us"), from_pandas=True)


def _count(texts: pa.Array) -> _Counted:
    counts = texts.drop_null().value_counts()
    return _Counted(counts.field("values"), counts.field("counts").to_numpy())


def _valid(array: pa.Array) -> Mask:
    valid: Mask = array.is_valid().to_numpy(zero_copy_only=False)
    return valid


def _mostly(counted: _Counted, parsed: Mask, what: str) -> Reading | None:
    words = _words(counted, parsed)
    read, rows = int(counted.rows[parsed].sum()), int(counted.rows.sum())
    told = rows - sum(words.values())
    is_most = parsed.sum() > FEW_NUMBERS and read >= LEAST_NUMBERS * rows and read >= MOSTLY_NUMBERS * told
    return Reading(what, words) if is_most else None


def _words(counted: _Counted, parsed: Mask) -> dict[str, int]:
    """Return the texts without a digit that recur; none if they are too many for words that stand for nothing."""
    is_word = pc.match_substring_regex(counted.texts, WORD).to_numpy(zero_copy_only=False)
    is_word &= ~parsed & (counted.rows >= LEAST_ROWS_OF_WORD)
    return _as_words(counted, is_word) if is_word.sum() <= MOST_WORDS else {}


def _as_words(counted: _Counted, is_word: Mask) -> dict[str, int]:
    """Return texts with their number of rows, the most frequent first."""
    found = zip(counted.texts.filter(pa.array(is_word)).to_pylist(), counted.rows[is_word].tolist(), strict=True)
    return dict(sorted(found, key=lambda one: (-one[1], one[0])))


def _as_numbers(texts: pa.Array, notation: Notation) -> Any:  # noqa: ANN401 a pandas series
    if notation.decimal == ",":
        # 5.123 may be thousands: to leave it out is told, to read it wrong is not
        grouped = pc.match_substring_regex(texts, THOUSANDS)
        texts = pc.if_else(grouped, pa.scalar(None, texts.type), pc.replace_substring(texts, ",", "."))
    return pd.to_numeric(texts.to_pandas(), errors="coerce")


def _as_times(texts: pa.Array, notation: Notation) -> Any:  # noqa: ANN401 a pandas series
    held = texts.to_pandas()
    parsed = pd.to_datetime(held, errors="coerce", format="ISO8601", utc=True)
    for form in notation.times:
        if (missing := parsed.isna() & held.notna()).any():
            parsed[missing] = pd.to_datetime(held[missing], errors="coerce", format=form, utc=True)
    return parsed
