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

NUMBER = "number"
TIME = "time in ISO 8601"
WHAT = {"numeric": NUMBER, "integer": NUMBER, "datetime": TIME}
"""As what the text of a column is read whose kind is given."""
PLURAL = {NUMBER: "numbers", TIME: "times"}
MOSTLY_NUMBERS = 0.95
FEW_NUMBERS = 20
CODE = re.compile(r"\s*[+-]?(0\d|\d{19,}\s*$)")
"""Digits that start with a zero, or are more than float64 can tell apart."""
THOUSANDS = r"^\s*[+-]?[1-9]\d{0,2}(\.\d{3})+\s*$"
"""What may be a whole number with separators, where the decimal mark is a comma."""
DATE = r"^\d{4}-\d{2}-\d{2}|^\d{1,4}[./]\d{1,2}[./]\d{1,4}"
"""How dates begin: ISO 8601 alone also knows plain years, which are rather numbers."""
LARGEST = 1e300
"""Differences of larger numbers may be infinite."""


class Notation(NamedTuple):
    """How text writes numbers and times: the decimal mark, and formats beside ISO 8601."""

    decimal: str = "."
    times: tuple[str, ...] = ()


PLAIN = Notation()


class Prepared(NamedTuple):
    """A table in which text that stands for numbers or times is numbers or times.

    Attributes:
        table: All rows; NaN is null.
        unusable: Why a row cannot be used, by its position.
        mixed: What was done to text columns that are mostly numbers or times, by name.
    """

    table: pa.Table
    unusable: dict[int, str]
    mixed: dict[str, str]


def prepare(table: pa.Table, config: TableConfig, notation: Notation = PLAIN) -> Prepared:
    """Convert text that stands for numbers or times, and find the rows that cannot be used.

    Unusable is a row without a label, with an infinite number (or one beyond 1e300), with a time beyond 64 bits of
    microseconds, or with a value that is not of the kind that its column was given. Text is read as numbers without
    being asked if at least 95 % of its values are numbers, more than 20 of them distinct, none with a leading zero and
    no whole one of 19 digits or more, for then they are hardly codes; and as times if at least 95 % of its values are
    dates, with a time of day or without, more than 20 of them distinct.
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
        elif is_text(array.type) and (what := WHAT.get(kind, "") if kind else _mostly(array, notation)):
            before = len(unusable)
            array = _convert(array, name, what, notation, unusable)
            if not kind:
                mixed[name] = f"text read as {PLURAL[what]}; {len(unusable) - before} row(s) with other text set aside"
        if kind != "drop":
            _set_aside(unusable, _beyond_microseconds(array), "is a time beyond 64 bits of microseconds", name)
        if pa.types.is_floating(array.type) and kind != "drop":
            values = numbers(array)
            _set_aside(unusable, np.abs(values) > LARGEST, "is infinite, or as good as that", name, values)
            if kind == "integer":
                fractions = np.isfinite(values) & (values != np.rint(values))
                _set_aside(unusable, fractions, "is no whole number", name, values)
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


def _mostly(array: pa.ChunkedArray, notation: Notation) -> str:
    """Return what nearly all values of a text are, numbers or times; empty if neither."""
    counts = plain(array).drop_null().value_counts()
    texts, rows = counts.field("values"), counts.field("counts").to_numpy()

    def are_most(parsed: Mask) -> bool:
        return bool(parsed.sum() > FEW_NUMBERS and rows[parsed].sum() >= MOSTLY_NUMBERS * rows.sum())

    parsed = _as_numbers(texts, notation).notna().to_numpy()
    if are_most(parsed):
        return "" if texts.to_pandas()[parsed].str.match(CODE).any() else NUMBER
    dated = pc.match_substring_regex(texts, DATE).to_numpy(zero_copy_only=False)
    # asking for the pattern first spares other text the search for times
    return TIME if are_most(dated) and are_most(dated & _as_times(texts, notation).notna().to_numpy()) else ""


def _convert(
    array: pa.ChunkedArray, name: str, what: str, notation: Notation, unusable: dict[int, str]
) -> pa.ChunkedArray:
    """Return text as numbers or times; what is neither that nor blank makes its row unusable."""
    texts = plain(array)
    if what == NUMBER:
        converted = pa.array(_as_numbers(texts, notation).to_numpy(dtype=np.float64), from_pandas=True)
    else:
        converted = pa.array(_as_times(texts, notation).dt.tz_localize(None), pa.timestamp("us"), from_pandas=True)
    bad = converted.is_null().to_numpy(zero_copy_only=False) & ~_blank(array)
    _set_aside(unusable, bad, f"is no {what}", name, texts.to_pandas())
    return pa.chunked_array([converted])


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


def _set_aside(unusable: dict[int, str], mask: Mask, problem: str, name: str = "", values: Any = None) -> None:  # noqa: ANN401 of any kind
    """Note what the problem of rows is: of the whole row, or of a column's value, which is told where there is one."""
    place = f"{name}: " if name else ""
    for row in np.flatnonzero(mask).tolist():
        unusable.setdefault(row, place + problem if values is None else f"{place}{_shown(values[row])} {problem}")


def _shown(value: Any) -> str:  # noqa: ANN401 of any kind
    return repr(shortened(value)) if isinstance(value, str) else str(value)
