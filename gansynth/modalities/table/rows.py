"""Which rows of a table can be used: labelled, finite, and of the kinds that were asked for."""

import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gansynth.errors import shortened
from gansynth.modalities.table.cells import numbers, plain
from gansynth.modalities.table.config import TableConfig

Mask = npt.NDArray[np.bool_]

MOSTLY_NUMBERS = 0.95
FEW_NUMBERS = 20
CODE = re.compile(r"\s*[+-]?(0\d|\d{19,}\s*$)")
"""Digits that start with a zero, or are more than float64 can tell apart."""
LARGEST = 1e300
"""Differences of larger numbers may be infinite."""


class Prepared(NamedTuple):
    """A table in which text that stands for numbers or times is numbers or times.

    Attributes:
        table: All rows; NaN is null.
        unusable: Why a row cannot be used, by its position.
        mixed: What was done to text columns that are mostly numbers, by name.
    """

    table: pa.Table
    unusable: dict[int, str]
    mixed: dict[str, str]


def prepare(table: pa.Table, config: TableConfig) -> Prepared:
    """Convert text that stands for numbers or times, and find the rows that cannot be used.

    Unusable is a row without a label, with an infinite number (or one beyond 1e300), with a time beyond 64 bits of
    microseconds, or with a value that is not of the kind that its column was given. Text is read as numbers without
    being asked if at least 95 % of its values are numbers, more than 20 of them distinct, none with a leading zero and
    no whole one of 19 digits or more, for then they are hardly codes.
    """
    kinds: dict[str, str] = {column.name: column.kind for column in config.columns}
    unusable: dict[int, str] = {}
    mixed: dict[str, str] = {}
    columns: dict[str, pa.ChunkedArray] = {}
    for name, values_read in zip(table.column_names, table.columns, strict=True):
        array, kind = _without_nan(values_read), kinds.get(name, "")
        if name == config.label:
            if pa.types.is_float16(array.type):  # which Arrow cannot count
                array = array.cast(pa.float32())
            _set_aside(unusable, _blank(array), "has no label")
        elif kind == "datetime" and is_text(array.type):
            array = _convert(array, name, "time in ISO 8601", unusable)
        elif is_text(array.type) and (kind in {"numeric", "integer"} or (not kind and _mostly_numbers(array))):
            before = len(unusable)
            array = _convert(array, name, "number", unusable)
            if not kind:
                mixed[name] = f"text read as numbers; {len(unusable) - before} row(s) with other text set aside"
        if kind != "drop":
            _set_aside(unusable, _beyond_microseconds(array), f"{name}: is a time beyond 64 bits of microseconds")
        if pa.types.is_floating(array.type) and kind != "drop":
            values = numbers(array)
            _set_aside(unusable, np.abs(values) > LARGEST, f"{name}: {{}} is infinite, or as good as that", values)
            if kind == "integer":
                fractions = np.isfinite(values) & (values != np.rint(values))
                _set_aside(unusable, fractions, f"{name}: {{}} is no whole number", values)
        columns[name] = array
    return Prepared(pa.table(columns), unusable, mixed)


def is_text(dtype: pa.DataType) -> bool:
    """Whether a type is text, with or without a dictionary."""
    values = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    return bool(pa.types.is_string(values) or pa.types.is_large_string(values) or pa.types.is_string_view(values))


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


def _mostly_numbers(array: pa.ChunkedArray) -> bool:
    counts = plain(array).drop_null().value_counts()
    texts = counts.field("values").to_pandas()
    parsed = pd.to_numeric(texts, errors="coerce").notna().to_numpy()
    if parsed.sum() <= FEW_NUMBERS or texts[parsed].str.match(CODE).any():
        return False
    rows = counts.field("counts").to_numpy()
    return bool(rows[parsed].sum() >= MOSTLY_NUMBERS * rows.sum())


def _convert(array: pa.ChunkedArray, name: str, what: str, unusable: dict[int, str]) -> pa.ChunkedArray:
    """Return text as numbers or times; what is neither that nor blank makes its row unusable."""
    texts = plain(array).to_pandas()
    if what == "number":
        parsed = pd.to_numeric(texts, errors="coerce")
        converted = pa.array(parsed.to_numpy(dtype=np.float64), from_pandas=True)
    else:
        parsed = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
        converted = pa.array(parsed.dt.tz_localize(None), pa.timestamp("us"), from_pandas=True)
    bad = parsed.isna().to_numpy() & ~_blank(array)
    _set_aside(unusable, bad, f"{name}: {{!r}} is no {what}", texts)
    return pa.chunked_array([converted])


def _set_aside(unusable: dict[int, str], mask: Mask, reason: str, values: Any = None) -> None:  # noqa: ANN401 of any kind
    for row in np.flatnonzero(mask).tolist():
        unusable.setdefault(row, reason if values is None else reason.format(_shown(values[row])))


def _shown(value: Any) -> Any:  # noqa: ANN401 of any kind
    return shortened(value) if isinstance(value, str) else value
