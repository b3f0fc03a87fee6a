"""Which rows of a table can be used: labelled, finite, and of the kinds that were asked for."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gansynth.errors import shortened
from gansynth.formats import listed, plural
from gansynth.modalities.table.cells import is_text, numbers, plain
from gansynth.modalities.table.config import TableConfig
from gansynth.modalities.table.texts import (
    CLOCK,
    NUMBER,
    PLAIN,
    TIME,
    WHAT,
    Mask,
    Notation,
    Reading,
    given_reading,
    infer_reading,
    parse,
    trimmed,
)

PLURAL = {NUMBER: "numbers", TIME: "times", CLOCK: "times of day"}
IF_VALUE = "if such a word is a value, make the column categorical in modality.columns"
LARGEST = 1e300
"""Differences of larger numbers may be infinite."""


class Prepared(NamedTuple):
    """A table in which text that stands for numbers or times is numbers or times.

    Attributes:
        table: All rows; NaN is null.
        unusable: Why a row cannot be used, by its position.
        mixed: What was done to text columns that are mostly numbers or times, by name.
        words: By name, the texts of such columns that are nulls.
    """

    table: pa.Table
    unusable: dict[int, str]
    mixed: dict[str, str]
    words: dict[str, tuple[str, ...]]


def prepare(
    table: pa.Table,
    config: TableConfig,
    notation: Notation = PLAIN,
    words: Mapping[str, Sequence[str]] | None = None,
) -> Prepared:
    """Convert text that stands for numbers or times, and find the rows that cannot be used.

    Unusable is a row without a label, with an infinite number (or one beyond 1e300), with a time beyond 64 bits of
    microseconds, or with a value that is not of the kind that its column was given. Text is read as numbers or times
    without being asked where `infer_reading` says so. In text that is read so, asked or not, words such as "unknown"
    that recur are nulls.

    Args:
        table: As it was read.
        config: Its label, and the kinds that are given.
        notation: How its text writes numbers and times.
        words: The nulls among the text of columns whose kind is given, by name, where they need not be found.
    """
    kinds: dict[str, str] = {column.name: column.kind for column in config.columns}
    prepared = Prepared(table, {}, {}, {})
    unusable = prepared.unusable
    columns: dict[str, pa.ChunkedArray] = {}
    for name, values_read in zip(table.column_names, table.columns, strict=True):
        array, kind = _without_nan(values_read), kinds.get(name, "")
        if name == config.label:
            if pa.types.is_float16(array.type):  # which Arrow cannot count
                array = array.cast(pa.float32())
            _set_aside(unusable, _blank(array), "has no label")
        elif is_text(array.type) and (not kind or kind in WHAT):
            texts = trimmed(array)
            known = None if words is None else words.get(name, ())
            reading = given_reading(texts, kind, notation, known) if kind else infer_reading(texts, notation)
            if reading:
                array = _convert(texts, name, reading, notation, prepared, is_asked=bool(kind))
        if kind != "drop":
            _set_aside(unusable, _beyond_microseconds(array), "is a time beyond 64 bits of microseconds", name)
        if pa.types.is_floating(array.type) and kind != "drop":
            values = numbers(array)
            _set_aside(unusable, np.abs(values) > LARGEST, "is infinite, or as good as that", name, values)
            if kind == "integer":
                fractions = np.isfinite(values) & (values != np.rint(values))
                _set_aside(unusable, fractions, "is no whole number", name, values)
        columns[name] = array
    return prepared._replace(table=pa.table(columns))


def _without_nan(array: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(array.type):
        return array
    return pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)


def _blank(array: pa.ChunkedArray) -> Mask:
    whole = plain(array)
    blank = pc.is_null(whole)
    if is_text(whole.type):
        blank = pc.or_(blank, pc.fill_null(pc.equal(pc.utf8_trim_whitespace(whole.cast(pa.string())), ""), False))
    mask: Mask = blank.to_numpy(zero_copy_only=False)
    return mask


def _beyond_microseconds(array: pa.ChunkedArray) -> Mask:
    """Tell which values are times that `times` cannot hold: of years beyond 292,000, or as early."""
    whole = plain(array)
    per_unit = _microseconds(whole.type)
    if per_unit < 2:
        return np.zeros(len(whole), dtype=np.bool_)
    whole = whole.cast(pa.int32() if pa.types.is_date32(whole.type) else pa.int64())
    counts = pc.fill_null(whole.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    most = np.iinfo(np.int64).max // per_unit
    mask: Mask = (counts > most) | (counts < -most)
    return mask


def _microseconds(dtype: pa.DataType) -> int:
    """Return the unit of a type of times; none for others, and for finer ones."""
    if pa.types.is_date32(dtype):
        return 86_400_000_000
    if pa.types.is_date64(dtype):
        return 1_000
    return {"s": 1_000_000, "ms": 1_000}.get(dtype.unit, 0) if pa.types.is_timestamp(dtype) else 0


def _convert(
    texts: pa.Array, name: str, reading: Reading, notation: Notation, prepared: Prepared, *, is_asked: bool
) -> pa.ChunkedArray:
    """Return text by its reading; what is neither read, nor blank, nor a word for none makes its row unusable."""
    converted = parse(texts, reading.what, notation)
    is_null = pc.or_kleene(texts.is_null(), pc.is_in(texts, pa.array(reading.words, pa.string())))
    converted = pc.if_else(is_null, pa.scalar(None, converted.type), converted)
    bad = pc.and_(converted.is_null(), pc.invert(is_null)).to_numpy(zero_copy_only=False)
    before = len(prepared.unusable)
    _set_aside(prepared.unusable, bad, f"is no {reading.what}", name, texts.to_pandas())
    odd = len(prepared.unusable) - before
    if reading.words:
        prepared.words[name] = tuple(reading.words)
    if reading.words or not is_asked:
        prepared.mixed[name] = _told(reading, odd, is_asked=is_asked)
    return pa.chunked_array([converted])


def _told(reading: Reading, odd: int, *, is_asked: bool) -> str:
    told = [f"text read as {PLURAL[reading.what]}"]
    if reading.words:
        nulls = [f"{shortened(word)!r} ({plural(rows, 'row')})" for word, rows in reading.words.items()]
        told += [f"{listed(nulls)} read as null", *([] if is_asked else [IF_VALUE])]
    if odd:
        told.append(f"{odd} row(s) with other text set aside")
    return "; ".join(told)


def _set_aside(unusable: dict[int, str], mask: Mask, problem: str, name: str = "", values: Any = None) -> None:  # noqa: ANN401 of any kind
    """Note what the problem of rows is: of the whole row, or of a column's value, which is told where there is one."""
    place = f"{name}: " if name else ""
    for row in np.flatnonzero(mask).tolist():
        unusable.setdefault(row, place + problem if values is None else f"{place}{_shown(values[row])} {problem}")


def _shown(value: Any) -> str:  # noqa: ANN401 of any kind
    return repr(shortened(value)) if isinstance(value, str) else str(value)
