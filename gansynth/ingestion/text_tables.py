"""Text files of values (CSV) as tables: parsed by their dialect, and looked at again where a type may hide the text."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from gansynth.errors import SourceError, first_line
from gansynth.ingestion.damage import DAMAGE
from gansynth.ingestion.quotes import refuse_stray_quotes
from gansynth.ingestion.second_look import look_again
from gansynth.ingestion.sniffing import NULLS, Dialect, Expected, sniff
from gansynth.modalities.table.cells import is_text


class TextTable(NamedTuple):
    """What a text file of values holds.

    Attributes:
        table: All rows that have as many values as there are columns.
        ragged: Of the others, the number in the file, from 1, and how many values they have.
        notes: What people should know about how it was read.
        dialect: How it is written.
    """

    table: pa.Table
    ragged: list[tuple[int, int]]
    notes: list[str]
    dialect: Dialect


class _Parsed(NamedTuple):
    """A parsed file, and of its ragged rows number, length and text."""

    table: pa.Table
    ragged: list[pa_csv.InvalidRow]


def read_text_table(path: str, label: str = "", expected: Expected | None = None) -> TextTable:
    """Read a text file of values, whose dialect is sniffed and noted, and whose label column has no words for none.

    Raises:
        SourceError: It cannot be read, is no text, its rows do not fit its header, or a stray quotation mark takes in
            rows.
    """
    expected = expected or Expected(names=(label,) if label else ())
    dialect = sniff(path, expected)
    types = dict.fromkeys(dialect.codes, pa.string())
    try:
        table, ragged = _parse(path, dialect, dialect.names, types, NULLS)
    except UnicodeError:
        raise SourceError(f"{path}: its text is neither UTF-8 nor Windows-1252; save it as UTF-8") from None
    except DAMAGE as error:
        refuse_stray_quotes(path, dialect)
        raise SourceError(f"{path}: cannot be read as text of values ({first_line(error)}); mend it") from None
    if any("\n" in row.text or "\r" in row.text for row in ragged) or _has_lines(table):
        refuse_stray_quotes(path, dialect)
    numbers = [(row.number - dialect.header, row.actual_columns) for row in ragged]
    if numbers and not table.num_rows:
        raise SourceError(
            f"{path}: none of its rows has {len(dialect.names)} values like its first, row {numbers[0][0]} has"
            f" {numbers[0][1]}; mend the first row"
        )

    def as_text(columns: list[str]) -> pa.Table:
        return _trimmed(_parse(path, dialect, columns, dict.fromkeys(columns, pa.string()), [""]).table, [""])

    table, notes = look_again(_trimmed(table, NULLS), label, as_text)
    deviations = dialect.deviations(expected.dialect) if expected.dialect else []
    return TextTable(table, numbers, [dialect.note, *notes, *deviations], dialect)


def _parse(
    path: str, dialect: Dialect, columns: Sequence[str], types: Mapping[str, pa.DataType], nulls: Sequence[str]
) -> _Parsed:
    ragged: list[pa_csv.InvalidRow] = []

    def set_aside(row: pa_csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    # row numbers are only known to a single thread
    read = pa_csv.ReadOptions(
        use_threads=False,
        encoding=dialect.encoding.removesuffix("-sig"),
        column_names=dialect.names,
        skip_rows_after_names=int(dialect.header),
    )
    parse = pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=set_aside)
    convert = pa_csv.ConvertOptions(
        include_columns=columns,
        column_types=types,
        decimal_point=dialect.decimal,
        null_values=nulls,
        strings_can_be_null=True,
        timestamp_parsers=[pa_csv.ISO8601, *dialect.notation.times],
    )
    return _Parsed(pa_csv.read_csv(path, read, parse, convert), ragged)


def _has_lines(table: pa.Table) -> bool:
    """Whether any value has several lines."""
    return any(
        pc.any(pc.match_substring_regex(column, r"[\r\n]")).as_py() for column in table.columns if is_text(column.type)
    )


def _trimmed(table: pa.Table, words: Sequence[str]) -> pa.Table:
    """Return a table without blanks around its text, and with words for none that were hidden by them as nulls."""
    nulls = pa.array(words)
    for position, name in enumerate(table.column_names):
        if pa.types.is_string(table[name].type):
            text = pc.utf8_trim_whitespace(table[name])
            text = pc.if_else(pc.is_in(text, nulls), pa.scalar(None, pa.string()), text)
            table = table.set_column(position, name, text)
    return table
