"""Readers of tables: one function per format, named in TABLE_READERS at the bottom.

A reader returns the whole table with the types of its source, and what it could not read.
"""

import hashlib
import re
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from sklearn import datasets

from gansynth.errors import SourceError, first_line
from gansynth.ingestion.parquet import read_table_file, refuse_twice
from gansynth.ingestion.readers import parquet_parts
from gansynth.ingestion.sniffing import Dialect, Expected
from gansynth.ingestion.sources import refuse_archive
from gansynth.ingestion.text_tables import read_text_table
from gansynth.modalities.table.texts import PLAIN, Notation
from gansynth.samples import Indices

SKLEARN_PREFIX = "sklearn:"
OPENML_PREFIX = "openml:"
SKLEARN = {
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
}
CSV_SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".csv.gz", ".csv.bz2")
INDEX = re.compile(r"__index_level_\d+__")


class Part(NamedTuple):
    """Rows of a table that come from one place.

    Attributes:
        name: Of the file or dataset.
        numbers: The number there of each row, from 1.
        is_test: Whether the source sets them apart for testing.
    """

    name: str
    numbers: Indices
    is_test: bool


class TableSource(NamedTuple):
    """What a reader found.

    Attributes:
        table: All rows that could be read.
        parts: Where they are from, in their order.
        quarantine: `source` (where) and `reason` for each row that could not be read.
        notes: What people should know about how it was read.
        dialect: Of a text file of values, how it is written.
    """

    table: pa.Table
    parts: tuple[Part, ...]
    quarantine: list[dict[str, str]]
    notes: list[str]
    dialect: Dialect | None = None

    @property
    def notation(self) -> Notation:
        """How its text writes numbers and times."""
        return self.dialect.notation if self.dialect else PLAIN

    @property
    def is_test(self) -> npt.NDArray[np.bool_]:
        """Of each row, bool of shape (N,): true where the source itself sets the row apart for testing."""
        return np.concatenate([np.full(len(part.numbers), part.is_test) for part in self.parts])

    def origin(self, row: int) -> str:
        """Say where the row at a position of the table is from."""
        for part in self.parts:
            if row < len(part.numbers):
                return f"{part.name} row {part.numbers[row]}"
            row -= len(part.numbers)
        raise IndexError(row)


def choose_table_format(path: str, wanted: str = "auto") -> str:
    """Return the format of the table at `path`, a key of TABLE_READERS: the wanted one, or by its name.

    Raises:
        SourceError: Nothing is there, its name tells of no table, or it does not go with the wanted format.
    """
    named = next((prefix for prefix in (SKLEARN_PREFIX, OPENML_PREFIX) if path.startswith(prefix)), "")
    if not named and not Path(path).exists():
        raise SourceError(f"source.path: {path} does not exist; relative paths start at the study file")
    if not named:
        refuse_archive(Path(path))
    found = named.removesuffix(":") or format_of_files(Path(path))
    if wanted != "auto" and (wanted not in TABLE_READERS or bool(named) != (wanted in {"sklearn", "openml"})):
        raise SourceError(f"source.format: {wanted!r} does not fit the table {path}; use 'auto'")
    if not found and wanted == "auto":
        raise SourceError(f"source.path: {path} is no CSV or Parquet file by its name; say which in source.format")
    return found if wanted == "auto" else wanted


def format_of_files(place: Path) -> str:
    """Return the format of a table in a file or folder by its name; empty if that tells of none."""
    if place.name.lower().endswith(CSV_SUFFIXES):
        return "csv"
    return "parquet" if place.suffix == ".parquet" or (place.is_dir() and any(place.glob("*.parquet"))) else ""


def read_table(path: str, layout: str, label: str = "", expected: Expected | None = None) -> TableSource:
    """Read the table at `path` in a format, a key of TABLE_READERS; what else is known of it helps to read CSV.

    Raises:
        SourceError: It cannot be read.
    """
    return read_csv(path, label, expected) if layout == "csv" else TABLE_READERS[layout](path)


def read_csv(path: str, label: str = "", expected: Expected | None = None) -> TableSource:
    """Read a text file of values, whose dialect is sniffed and noted; a compressed one by its suffix.

    Blanks around a value do not belong to it. Empty values and the usual words for none (NA, null, None, ? and so on)
    are nulls; in the column `label`, only empty values are. Digits are text where some have a leading zero, or stand
    for whole numbers of 2^63 and more. Dates are ISO 8601, 31.12.2020, 31-Dec-2020, 31 December 2020, Dec 31, 2020, or
    31/12/2020 in the order of day and month that the sample tells, or else the expected dialect, with a time of day
    (10:30 or 10:30:59) or without; where all years of a column have two digits, 31.12.20 or 31-Dec-20. Rows with too
    many or too few values are set aside.

    Raises:
        SourceError: It cannot be read, is no text, its rows do not fit its header, or a stray quotation mark takes in
            rows.
    """
    table, ragged, notes, dialect = read_text_table(path, label, expected)
    name = Path(path).name
    numbers = np.setdiff1d(np.arange(1, table.num_rows + len(ragged) + 1), [number for number, _ in ragged])
    width = table.num_columns
    quarantine = [
        {"source": f"{name} row {number}", "reason": f"has {count} values, not {width}"} for number, count in ragged
    ]
    return TableSource(table, (Part(name, numbers, is_test=False),), quarantine, notes, dialect)


def read_parquet(path: str) -> TableSource:
    """Read a Parquet file or a folder of them, of which those named `test*.parquet` are the test part.

    Page checksums are verified where the files have them. The index that pandas stores is left out.

    Raises:
        SourceError: A file is damaged, has more than 10,000 columns or one of them twice, or holds far more than its
            size tells, as `read_table_file` says; or its columns are not those of the first.
        ResourceError: The machine has too few open files, or its disk fails.
    """
    files = parquet_parts(Path(path))
    tables = [read_table_file(file) for file, _ in files]
    for (file, _), table in zip(files, tables, strict=True):
        _check_schema(file, table.schema, files[0][0], tables[0].schema)
    names = tables[0].column_names
    table = pa.concat_tables([one.select(names).replace_schema_metadata(None) for one in tables])
    parts = tuple(
        _part(file.name, len(one), is_test=is_test) for (file, is_test), one in zip(files, tables, strict=True)
    )
    index = [name for name in names if INDEX.fullmatch(name)]
    notes = [f"{name} left out, the index of a pandas frame" for name in index]
    return TableSource(table.drop_columns(index), parts, [], notes)


def read_sklearn(path: str) -> TableSource:
    """Read a dataset that scikit-learn brings, given as `sklearn:NAME`; its label column is `target`, by class names.

    Raises:
        SourceError: There is no such dataset.
    """
    name = path.removeprefix(SKLEARN_PREFIX)
    if name not in SKLEARN:
        raise SourceError(f"source.path: {path}: scikit-learn brings {', '.join(SKLEARN)}; choose one of them")
    found = SKLEARN[name](as_frame=True)
    classes = np.asarray(found.target_names).astype(str)
    return read_frame(found.data.assign(target=classes[found.target]), name)


def read_openml(path: str) -> TableSource:
    """Fetch a dataset of OpenML, given as `openml:NAME` (its active version) or `openml:ID`; needs the network.

    Raises:
        SourceError: It cannot be fetched.
    """
    name = path.removeprefix(OPENML_PREFIX)
    wanted: dict[str, Any] = {"data_id": int(name)} if name.isdecimal() else {"name": name}
    try:
        found = datasets.fetch_openml(**wanted, as_frame=True, parser="auto")
    except (OSError, ValueError, HTTPException) as error:
        raise SourceError(
            f"source.path: {path} cannot be fetched ({first_line(error)}); go online and check its name, or save it as"
            " CSV or Parquet"
        ) from error
    source = read_frame(found.frame, f"openml {found.details['id']}")
    note = f"OpenML dataset {found.details['id']}, version {found.details['version']}"
    return source._replace(notes=[note, *source.notes])


def read_frame(frame: pd.DataFrame, name: str = "frame") -> TableSource:
    """Take a pandas frame without its index; columns of mixed types become text, which is noted.

    Raises:
        SourceError: Two columns have the same name.
    """
    names = [str(column) for column in frame.columns]
    refuse_twice(name, names)
    arrays, notes = [], []
    for position, column in enumerate(names):
        values = frame.iloc[:, position]
        try:
            array = pa.array(values, from_pandas=True)
        except (pa.ArrowException, OverflowError):
            array = pa.array([None if one is None or one is pd.NA or one != one else str(one) for one in values])  # noqa: PLR0124 NaN
            notes.append(f"{column} holds values of several types, read as text")
        arrays.append(array)
    return TableSource(pa.table(arrays, names=names), (_part(name, len(frame), is_test=False),), [], notes)


def digest_of(table: pa.Table) -> str:
    """Return the SHA-256 of a table's types and values."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _part(name: str, rows: int, *, is_test: bool) -> Part:
    return Part(name, np.arange(1, rows + 1), is_test)


def _check_schema(file: Path, schema: pa.Schema, first: Path, expected: pa.Schema) -> None:
    all_found, all_wanted = ({field.name: str(field.type) for field in one} for one in (schema, expected))
    for name in all_wanted | all_found:
        found, wanted = all_found.get(name, ""), all_wanted.get(name, "")
        if not found or not wanted:
            place, other = (file, first) if wanted else (first, file)
            raise SourceError(f"{place}: lacks the column {name!r} that {other.name} has; give both the same columns")
        if found != wanted:
            raise SourceError(f"{file}: column {name!r} is {found}, in {first.name} it is {wanted}; give it one type")


TABLE_READERS: dict[str, Callable[[str], TableSource]] = {
    "csv": read_csv,
    "parquet": read_parquet,
    "sklearn": read_sklearn,
    "openml": read_openml,
}
