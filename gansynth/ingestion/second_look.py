"""Columns of a text file whose type hides what their text says: codes, short years, and words that stand for none."""

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from gansynth.ingestion.sniffing import NULLS
from gansynth.modalities.table.cells import is_text

CODE = r"^0\d+$"
WHOLE = r"^[+-]?\d+$"
SHORT_YEARS = {r"^\d{1,2}\.\d{1,2}\.\d{2}$": "%d.%m.%y", r"^\d{1,2}-[A-Za-z]{3}-\d{2}$": "%d-%b-%y"}
"""How dates with years of two digits look, and their format."""
ANY_SHORT_YEAR = r"^\d{1,3}/\d{1,2}/\d{1,2}( |$)|^\d{1,2}[./]\d{1,2}[./]\d{1,3}( |$)|[A-Za-z,][- ]*\d{1,3}( |$)"
TOO_LARGE = 2.0**63
"""From here, Arrow reads whole numbers as float64, which makes some of them equal."""
FULL_YEARS = -30_610_224_000
"""The first second of the year 1000, from 1970."""
FREQUENT_SHARE = 0.05
FREQUENT_ROWS = 20


class Looked(NamedTuple):
    """What the text of a column says: its values, if they are not those of its type, and what people should know."""

    values: pa.ChunkedArray | None = None
    note: str = ""


def look_again(table: pa.Table, label: str, read: Callable[[list[str]], pa.Table]) -> tuple[pa.Table, list[str]]:
    """Return a table in which no type hides what the text of a column says, and what is to be noted about it.

    Whole numbers of which some have a leading zero, or from 2^63 on, are text; years of two digits are those from 1969
    to 2068; in the label column, words like NA and None are classes.

    Args:
        table: As Arrow infers the types.
        label: The column that holds the classes; empty if there is none.
        read: Reads columns as text without blanks around it, in which only nothing is null.
    """
    doubtful = [name for name in table.column_names if _is_doubtful(table[name], is_label=name == label)]
    if not doubtful:
        return table, []
    texts, notes = read(doubtful), []
    for name in doubtful:
        found = _of_label(texts[name]) if name == label else _of_nulls(table[name], texts[name])
        if found.values is None:
            said = found.note
            found = _of_type(table[name].type, texts[name])
            found = found._replace(note=found.note or said)
        if found.values is not None:
            table = table.set_column(table.column_names.index(name), name, found.values)
        if found.note:
            notes.append(f"{name}: {found.note}")
    return table, notes


def _is_doubtful(array: pa.ChunkedArray, *, is_label: bool) -> bool:
    dtype = array.type
    if array.null_count and (is_label or is_text(dtype)):
        return True
    if pa.types.is_floating(dtype):
        bounds = pc.min_max(array).as_py()
        return any(bound is not None and abs(bound) >= TOO_LARGE for bound in bounds.values())
    if pa.types.is_timestamp(dtype):
        first = pc.min(array.cast(pa.timestamp("s", dtype.tz), safe=False).cast(pa.int64())).as_py()
        return first is not None and first < FULL_YEARS
    return bool(pa.types.is_integer(dtype))


def _of_label(text: pa.ChunkedArray) -> Looked:
    words = _words(text)
    if not words:
        return Looked()
    told = ", ".join(f"{word!r} in {count:,} row(s)" for word, count in words)
    return Looked(text, f"{told} is a class; if it means that there is no label, empty those cells")


def _of_nulls(array: pa.ChunkedArray, text: pa.ChunkedArray) -> Looked:
    words = _words(text) if is_text(array.type) else []
    least = max(FREQUENT_ROWS, FREQUENT_SHARE * len(text))
    told = ", ".join(f"{word!r} in {count:,} row(s)" for word, count in words if count >= least)
    return Looked(note=f"{told} is read as no value; if it is one, give it another name" if told else "")


def _of_type(dtype: pa.DataType, text: pa.ChunkedArray) -> Looked:
    if pa.types.is_integer(dtype):
        zeros = text.filter(pc.starts_with(text, "0"))  # far faster than the pattern alone
        return Looked(_without_words(text) if _any(zeros, CODE) else None)
    text = _without_words(text)
    if pa.types.is_floating(dtype) and _all(text, WHOLE):
        return Looked(text, "whole numbers of 2^63 and more, read as text, so that none are rounded to equal ones")
    if pa.types.is_timestamp(dtype):
        form = next((form for pattern, form in SHORT_YEARS.items() if _all(text, pattern)), "")
        if form:
            return Looked(pc.strptime(text, form, "s"), "years of two digits, read as 1969 to 2068")
        if _any(text, ANY_SHORT_YEAR):
            return Looked(text, "years of less than four digits beside others, read as text; write four digits")
    return Looked()


def _words(text: pa.ChunkedArray) -> list[tuple[str, int]]:
    """Return the words that usually stand for none, and how often each occurs, the most frequent first."""
    counts = text.filter(pc.is_in(text, pa.array(NULLS))).drop_null().value_counts().to_pylist()
    return sorted(((one["values"], one["counts"]) for one in counts), key=lambda one: (-one[1], one[0]))


def _without_words(text: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.is_in(text, pa.array(NULLS)), pa.scalar(None, pa.string()), text)


def _any(text: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())


def _all(text: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(text, pattern)).as_py())
