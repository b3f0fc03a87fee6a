"""Cells between Arrow, as the source has them, and float64, as `Column` describes them."""

import re

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gansynth.errors import SourceError, shortened
from gansynth.samples import Column

Cells = npt.NDArray[np.float64]

MICROSECONDS = pa.timestamp("us")
NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""In each unit of Arrow's times, the coarsest first."""
OF_DAY = r"^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?$"
DICTIONARY = re.compile(r"dictionary<values=(.+), indices=(\w+), ordered=([01])>")
ZONED = re.compile(r"timestamp\[(\w+), tz=(.+)\]")
DECIMAL = re.compile(r"decimal(32|64|128|256)\((\d+), (-?\d+)\)")


def to_cells(table: pa.Table, columns: tuple[Column, ...], *, lenient: bool = False) -> Cells:
    """Return the cells of `columns` as float64 (N, C), as `Column` describes them; NaN is a null.

    Times are exact to a microsecond up to the year 2255, and numbers as far as float64 goes. With `lenient`, a value
    that a column's categories lack has the position behind their last, which no training row has.

    Raises:
        SourceError: A column is missing, or holds a value that its kind does not allow or, unless `lenient`, its
            categories lack.
    """
    cells = np.empty((table.num_rows, len(columns)))
    for position, column in enumerate(columns):
        if column.name not in table.column_names:
            raise SourceError(f"the table has no column {column.name!r}; it has {listed(table.column_names)}")
        cells[:, position] = _read(table[column.name], column, lenient=lenient)
    return cells


def to_arrow(cells: Cells, columns: tuple[Column, ...]) -> pa.Table:
    """Return cells (N, C) as a table with the types, categories, units and zones of the source; NaN becomes null.

    Numbers and times are rounded to what the type can hold; where cells came from `to_cells`, nothing is.
    """
    arrays = [_write(cells[:, position], column) for position, column in enumerate(columns)]
    return pa.table(arrays, names=[column.name for column in columns])


def as_words(cells: Cells, columns: tuple[Column, ...]) -> list[list[str | None]]:
    """Return cells (N, C) as people read them, row by row: numbers with up to seven digits; None is a null."""
    table = to_arrow(cells, columns)
    return [list(row) for row in zip(*(_words(array) for array in table.columns), strict=True)]


def _words(array: pa.ChunkedArray) -> list[str | None]:
    whole = plain(array)
    if pa.types.is_boolean(whole.type):
        whole = whole.cast(pa.string())
    word = "{:.7g}".format if pa.types.is_floating(whole.type) else str
    try:
        values = whole.to_pylist()
    except (OverflowError, KeyError):  # a year that Python does not know, or a time zone: as UTC; or a long duration
        if pa.types.is_duration(whole.type):
            return [one.as_py() and f"{one.as_py()} {whole.type.unit}" for one in whole.cast(pa.string())]
        values = np.datetime_as_string(whole.to_numpy(zero_copy_only=False), timezone="naive").tolist()
        values = [None if value == "NaT" else value for value in values]
    return [None if value is None else word(value) for value in values]


def listed(names: list[str]) -> str:
    """Return up to twenty names as an error may list them."""
    first = ", ".join(repr(shortened(name)) for name in names[:20])
    return first + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def as_text(array: pa.ChunkedArray) -> pa.Array:
    """Return the values of a column as text, as they name its categories."""
    return plain(array).cast(pa.string())


def plain(array: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece, without its dictionary, and text as such, not as views of it."""
    whole = array.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], whole.type)
    if pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    # for views, Arrow lacks what is done with text
    return whole.cast(pa.string()) if pa.types.is_string_view(whole.type) else whole


def numbers(array: pa.ChunkedArray) -> Cells:
    """Return a column of numbers, times of day or durations as float64, NaN for a null."""
    whole = plain(array)
    if pa.types.is_time(whole.type):
        whole = whole.cast(pa.int32() if pa.types.is_time32(whole.type) else pa.int64())
    elif pa.types.is_duration(whole.type):
        whole = whole.cast(pa.int64())
    return _floats(whole)


def times(array: pa.ChunkedArray) -> Cells:
    """Return a column of dates or timestamps as microseconds since 1970 (UTC), NaN for a null."""
    whole = plain(array)
    zone = getattr(whole.type, "tz", None)
    return _floats(whole.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64()))


def clocks(texts: pa.Array) -> pa.Array:
    """Return text as times of day, in the coarsest unit that holds them all; what is none is null."""
    held = pc.if_else(pc.match_substring_regex(texts, OF_DAY), texts, pa.scalar(None, texts.type))
    held = pc.replace_substring_regex(held, r"^(\d+:\d+)$", r"\1:00").to_pandas()
    spans = pd.to_timedelta(held, errors="coerce").astype("timedelta64[ns]").to_numpy()
    nulls = np.isnat(spans)
    counts = np.where(nulls, 0, spans.astype(np.int64))
    unit, length = next((unit, length) for unit, length in NANOSECONDS.items() if not np.any(counts % length))
    whole = pa.array(counts // length, mask=nulls)
    return whole.cast(pa.int32()).cast(pa.time32(unit)) if unit in {"s", "ms"} else whole.cast(pa.time64(unit))


def arrow_type(dtype: str) -> pa.DataType:
    """Return the Arrow type that is written like this."""
    if match := DICTIONARY.fullmatch(dtype):
        return pa.dictionary(arrow_type(match[2]), arrow_type(match[1]), ordered=match[3] == "1")
    if match := ZONED.fullmatch(dtype):
        return pa.timestamp(match[1], match[2])
    if match := DECIMAL.fullmatch(dtype):
        decimal = {"32": pa.decimal32, "64": pa.decimal64, "128": pa.decimal128, "256": pa.decimal256}[match[1]]
        return decimal(int(match[2]), int(match[3]))
    return pa.type_for_alias(dtype)


def value_type(column: Column) -> pa.DataType:
    """Return the Arrow type of a column's values, with or without a dictionary of them."""
    dtype = arrow_type(column.dtype)
    return dtype.value_type if pa.types.is_dictionary(dtype) else dtype


def is_text(dtype: pa.DataType) -> bool:
    """Whether a type is text, with or without a dictionary."""
    values = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    return bool(pa.types.is_string(values) or pa.types.is_large_string(values) or pa.types.is_string_view(values))


def family_of(dtype: pa.DataType) -> str:
    """Return what a type holds, with or without a dictionary of it; empty if nothing that a column may be."""
    values = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    tests = {
        "boolean": (pa.types.is_boolean,),
        "whole": (pa.types.is_integer,),
        "number": (pa.types.is_floating, pa.types.is_decimal),
        "text": (is_text,),
        "time": (pa.types.is_date, pa.types.is_timestamp),
        "clock": (pa.types.is_time, pa.types.is_duration),
    }
    return next((family for family, types in tests.items() if any(test(values) for test in types)), "")


def is_clock(dtype: pa.DataType) -> bool:
    """Whether a type is that of times of day or durations."""
    return bool(pa.types.is_time(dtype) or pa.types.is_duration(dtype))


def _read(array: pa.ChunkedArray, column: Column, *, lenient: bool) -> Cells:
    try:
        if column.kind == "datetime":
            return times(array)
        if pa.types.is_time(array.type):  # Parquet has no seconds: there they have become milliseconds
            array = pa.chunked_array([plain(array).cast(value_type(column), safe=False)])
        if not column.categories:
            # what float32 or Arrow's own conversion of decimals adds to 0.1 is no digit of the source
            return numbers(array) if column.decimals is None else np.round(numbers(array), column.decimals)
        text = as_text(array)
    except (pa.ArrowException, ValueError) as error:
        raise SourceError(
            f"column {column.name!r}: {array.type} cannot be read as {column.kind} ({error}); its type was"
            f" {column.dtype}"
        ) from None
    positions = pc.index_in(text, pa.array(column.categories, pa.string()))
    is_unknown = pc.and_(pc.is_null(positions), pc.is_valid(text))
    if lenient:
        return _floats(pc.if_else(is_unknown, pa.scalar(len(column.categories), positions.type), positions))
    unknown = is_unknown.to_numpy(zero_copy_only=False)
    if unknown.any():
        row = int(unknown.argmax())
        value = shortened(text[row].as_py())
        raise SourceError(
            f"column {column.name!r}, row {row + 1}: {value!r} is none of its {len(column.categories)}"
            " categories; mend the value, or leave the row out"
        )
    return _floats(positions)


def _floats(array: pa.Array) -> Cells:
    values: Cells = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values


def _write(cells: Cells, column: Column) -> pa.Array:
    dtype, nulls = arrow_type(column.dtype), np.isnan(cells)
    filled = np.where(nulls, 0, cells)
    if column.categories:
        return _categories(pa.array(filled.astype(np.int32), mask=nulls), column.categories, dtype)
    values = value_type(column)
    if column.kind == "datetime":
        zone = getattr(values, "tz", None)
        moments = pa.array(np.rint(filled).astype(np.int64), pa.timestamp("us", zone), mask=nulls)
        array = moments.cast(values, safe=False)
    elif pa.types.is_floating(values):
        array = pa.array(filled, mask=nulls).cast(values, safe=False)
    elif pa.types.is_decimal(values):
        array = _decimals(filled, nulls, values)
    else:
        whole = pa.array(np.rint(filled).astype(np.int64), mask=nulls)
        array = (whole.cast(pa.int32()) if pa.types.is_time32(values) else whole).cast(values)
    return array.dictionary_encode().cast(dtype) if pa.types.is_dictionary(dtype) else array


def _decimals(filled: Cells, nulls: npt.NDArray[np.bool_], dtype: pa.DataType) -> pa.Array:
    # through the wide type: a narrow one cannot hold what float64 adds beyond its scale
    wide = pa.array(np.round(filled, max(dtype.scale, 0)), mask=nulls).cast(pa.decimal256(76, dtype.scale), safe=False)
    return wide.cast(dtype)


def _categories(positions: pa.Array, categories: tuple[str, ...], dtype: pa.DataType) -> pa.Array:
    values = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    names = pa.array(categories, pa.string())
    # Arrow casts no text to these
    if pa.types.is_time(values):
        names = clocks(names)
    elif pa.types.is_duration(values):
        names = names.cast(pa.int64())
    names = names.cast(values)
    if pa.types.is_dictionary(dtype):
        return pa.DictionaryArray.from_arrays(positions.cast(dtype.index_type), names, ordered=dtype.ordered)
    return names.take(positions)
