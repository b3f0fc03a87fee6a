"""What the columns of a table hold, and which of them are left out."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gansynth.errors import SourceError, shortened
from gansynth.modalities.table.cells import Cells, family_of, is_text, listed, numbers, plain
from gansynth.modalities.table.config import ColumnSetting, TableConfig
from gansynth.modalities.table.doubts import ID_ROWS, ID_SHARE, Finding, find_doubt, find_rare, remedy
from gansynth.samples import Column

MOST_CLASSES = 1000
MOST_NUMBER_CLASSES = 100
FEW_CLASSES = 10
RARE_ROWS = 3
MOST_DECIMALS = 8
EXACT = 2.0**53
"""Up to here float64 holds every whole number."""
LARGEST_WHOLE = 2**63 - 1
"""Larger ones cannot be written again: numbers come back through 64 bits with a sign."""
TEXT_WORDS = 4
TEXT_SHARE = 0.5


def infer_label(table: pa.Table, config: TableConfig) -> Column:
    """Return the label column, its classes as categories: numbers by size, other values by their text.

    Raises:
        SourceError: It is missing, holds no labels, more classes than a classifier can learn, or measured numbers.
    """
    name = config.label
    if name not in table.column_names:
        raise SourceError(f"modality.label: the table has no column {name!r}; it has {listed(table.column_names)}")
    array = table[name]
    family = family_of(array.type)
    if family not in {"text", "boolean", "whole", "number"}:
        raise SourceError(f"modality.label: column {name!r} is {array.type}; labels are text, numbers or booleans")
    categories = _categories(array)
    most = MOST_NUMBER_CLASSES if family in {"whole", "number"} else MOST_CLASSES
    if len(categories) > most:
        raise SourceError(
            f"modality.label: column {name!r} has {len(categories)} distinct values, at most {most} classes can be"
            " told apart; name a column of classes, or put its values into bins"
        )
    if family == "number" and len(categories) > FEW_CLASSES and _is_measured(array):
        raise SourceError(
            f"modality.label: column {name!r} holds {len(categories)} distinct numbers such as {categories[0]}, some of"
            " them hardly twice, like a number to be predicted, not classes; name a column of classes, or put its"
            " values into bins"
        )
    return Column(name, "boolean" if family == "boolean" else "categorical", str(array.type), categories)


def _is_measured(array: pa.ChunkedArray) -> bool:
    """Whether numbers are not all whole, and some of them too rare to be a class."""
    held = numbers(array)
    held = held[np.isfinite(held)]
    _, counts = np.unique(held, return_counts=True)
    return bool(np.any(held != np.rint(held)) and counts.min() < RARE_ROWS)


def infer_columns(table: pa.Table, config: TableConfig) -> tuple[tuple[Column, ...], list[Finding]]:
    """Infer what each column but the label holds, and drop those that no model can learn from.

    Dropped are columns that the settings drop, that hold only nulls or one value, ids (text with a value of its own in
    more than 90 % of rows, whole numbers that count the rows), free text, and types that are neither numbers, text
    nor times. A kind that the settings give is taken, except where there is one value or none. Whole numbers with gaps
    of which no two are equal are kept, and told to be ids perhaps; what looks like numbers or times and is not read so
    is told, and so are columns of more categories than `most_categories`.

    Raises:
        SourceError: A setting names no column or does not fit its values, or no column is left.
    """
    settings = {setting.name: setting for setting in config.columns}
    for name in settings:
        if name not in table.column_names:
            raise SourceError(
                f"modality.columns: the table has no column {name!r}; it has {listed(table.column_names)}"
            )
    columns: list[Column] = []
    findings: list[Finding] = []
    for name in table.column_names:
        if name == config.label:
            continue
        found = _infer(name, table[name], settings.get(name))
        if isinstance(found, Column):
            columns.append(found)
            doubt = None if name in settings else find_doubt(table[name], found)
            findings += filter(None, [doubt, find_rare(found, config.most_categories)])
        else:
            findings.append(Finding(name, "dropped", found))
    if not columns:
        reasons = "; ".join(f"{shortened(finding.column)!r} {finding.reason}" for finding in findings[:5])
        raise SourceError(
            f"no column beside the label is left ({reasons or 'there is none'}); give columns their kind in"
            " modality.columns"
        )
    return tuple(columns), findings


def _infer(name: str, array: pa.ChunkedArray, setting: ColumnSetting | None) -> Column | str:
    """Return what a column holds, or why it is dropped."""
    if setting and setting.kind == "drop":
        return "is left out by modality.columns"
    family = family_of(array.type)
    if pa.types.is_null(array.type) or (family and array.null_count == len(array)):
        return "holds only nulls"
    if not family and setting:
        raise SourceError(
            f"modality.columns: column {name!r} is {array.type}, which cannot be {setting.kind}; drop it, or write it"
            " as numbers, text or times"
        )
    if not family:
        return f"is {array.type}, which is neither numbers, text nor times"
    distinct = pc.count_distinct(plain(array), mode="only_valid").as_py()
    if distinct == 0:  # a dictionary may hold a null
        return "holds only nulls"
    if distinct == 1 and array.null_count == 0:
        return f"holds the same value in every row: {str(plain(array)[0].as_py())[:50]!r}"
    return _asked_for(name, array, setting, family) if setting else _unasked(name, array, family, distinct)


def _unasked(name: str, array: pa.ChunkedArray, family: str, distinct: int) -> Column | str:
    if family == "text":
        return _of_text(name, array, distinct)
    if family == "whole":
        return _of_whole_numbers(name, array, distinct)
    return _column(name, array, {"boolean": "boolean", "time": "datetime", "clock": "integer"}.get(family, "numeric"))


FITTING = {
    "numeric": {"whole", "number"},
    "integer": {"whole", "number", "clock"},
    "datetime": {"time"},
}


def _asked_for(name: str, array: pa.ChunkedArray, setting: ColumnSetting, family: str) -> Column:
    kind = setting.kind
    if family not in FITTING.get(kind, {family}):
        raise SourceError(f"modality.columns: column {name!r} is {array.type}, which cannot be {kind}; choose another")
    if family == "whole" and kind in {"integer", "numeric"} and pc.max(plain(array)).as_py() > LARGEST_WHOLE:
        raise SourceError(
            f"modality.columns: column {name!r} holds whole numbers of 2^63 and more, which cannot be {kind}; make it"
            " categorical"
        )
    if kind != "ordinal":
        column = _column(name, array, kind)
        if kind == "boolean" and len(column.categories) > 2:
            raise SourceError(
                f"modality.columns: column {name!r} has {len(column.categories)} values, a boolean one has two; make it"
                " categorical"
            )
        return column
    unknown = set(_categories(array)) - set(setting.order)
    if unknown:
        raise SourceError(
            f"modality.columns: the order of {name!r} lacks its value {shortened(min(unknown))!r}; add it"
        )
    return Column(name, "ordinal", str(array.type), setting.order)


def _of_text(name: str, array: pa.ChunkedArray, distinct: int) -> Column | str:
    if pa.types.is_dictionary(array.type) and array.type.ordered:
        order = array.unify_dictionaries().chunk(0).dictionary.cast(pa.string()).to_pylist()
        return Column(name, "ordinal", str(array.type), tuple(order))
    rows = len(array) - array.null_count
    texts = plain(array).unique().cast(pa.string())
    words = pc.mean(pc.count_substring_regex(texts, r"\S+")).as_py()
    if words >= TEXT_WORDS and distinct > max(TEXT_SHARE * rows, ID_ROWS):
        return f"is free text: {distinct} texts of {words:.0f} words on average in {rows} rows"
    if rows >= ID_ROWS and distinct > ID_SHARE * rows:
        return f"is an id: {distinct} values in {rows} rows; if it is not, {remedy(texts)}"
    return _column(name, array, "categorical")


def _of_whole_numbers(name: str, array: pa.ChunkedArray, distinct: int) -> Column | str:
    rows = len(array) - array.null_count
    bounds = pc.min_max(plain(array)).as_py()
    low, high = int(bounds["min"]), int(bounds["max"])
    counts_rows = high - low + 1 == distinct
    too_large = max(abs(low), abs(high)) > EXACT
    if rows >= ID_ROWS and distinct > ID_SHARE * rows and (counts_rows or too_large):
        return f"is an id: {distinct} numbers in {rows} rows; if it is not, give its kind in modality.columns"
    if too_large:  # rounded they would be other codes
        return _column(name, array, "categorical")
    return _column(name, array, "boolean" if (low, high) == (0, 1) else "integer")


def _column(name: str, array: pa.ChunkedArray, kind: str) -> Column:
    dtype = str(array.type)
    match kind:
        case "numeric":
            return Column(name, "numeric", dtype, decimals=_decimals(array))
        case "integer":
            return Column(name, "integer", dtype)
        case "datetime":
            return Column(name, "datetime", dtype)
        case "boolean":
            return Column(name, "boolean", dtype, _categories(array))
        case _:
            return Column(name, "categorical", dtype, _categories(array))


def _categories(array: pa.ChunkedArray) -> tuple[str, ...]:
    """Return the distinct values as text, in the order of the values."""
    values = plain(array).unique().drop_null()
    if pa.types.is_boolean(values.type):
        return tuple(sorted(values.cast(pa.string()).to_pylist()))
    order = pc.sort_indices(values.cast(pa.string()) if is_text(values.type) else values)
    return tuple(values.take(order).cast(pa.string()).to_pylist())


def _decimals(array: pa.ChunkedArray) -> int | None:
    """Return how many digits after the point all numbers need, None for more than 8."""
    dtype = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_decimal(dtype):
        return max(int(dtype.scale), 0)
    if pa.types.is_integer(dtype):
        return 0
    values = numbers(array)
    values = values[np.isfinite(values)]
    exact = dtype.to_pandas_dtype()
    return next((digits for digits in range(MOST_DECIMALS + 1) if _needs_no_more(values, digits, exact)), None)


def _needs_no_more(values: Cells, digits: int, exact: type[np.floating]) -> bool:
    # most columns fail on their first numbers
    return all(
        bool(np.all(np.round(part, digits).astype(exact) == part.astype(exact))) for part in (values[:100], values)
    )
