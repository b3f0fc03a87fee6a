"""How a text file of values is written: encoding, delimiter, decimal mark, header, dates."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.csv as pa_csv

from gansynth.errors import SourceError, shortened
from gansynth.ingestion.damage import refuse_pipe
from gansynth.modalities.table.texts import LEAST_NUMBERS, MOSTLY_NUMBERS, NAMED_DATES, Notation, with_times_of_day

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
MARKS = {",": "decimal comma", ".": "decimal point"}
ORDERS = {"%d/%m/%Y": "day first", "%m/%d/%Y": "month first"}
SAMPLE_BYTES = 1 << 20
SAMPLE_ROWS = 1000
BOMB_BYTES = 1 << 26
BOMB_RATIO = 250
"""Text that is longer, and compressed further, than this is no table: values compress 2- to 50-fold."""
NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")
COMMA_NUMBER = re.compile(r"\s*[+-]?\d*,\d+\s*")
POINT_NUMBER = re.compile(r"\s*[+-]?\d*\.\d+\s*")
THREE_DIGITS = re.compile(r"\s*[+-]?[1-9]\d{0,2}[.,]\d{3}\s*")
"""What may be thousands as well as a fraction."""
CODE = re.compile(r"\s*0\d+\s*")
NAME = re.compile(r"\s*[^\W\d]")
"""How a name begins: with a letter or an underscore."""
NULLS = (*pa_csv.ConvertOptions().null_values, "None", "?")
"""What is read as no value. In the label column, only nothing is."""
MARKED = {
    # before UTF-16, whose mark begins one of these
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
"""Encodings by the mark with which their text begins."""
DIGIT = re.compile(r"\d")
SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/\d{4}( \d{1,2}:\d{2}(:\d{2})?)?")


class Dialect(NamedTuple):
    """How a file of values is written.

    Attributes:
        encoding: As Python names it.
        delimiter: What stands between two values.
        decimal: What stands before the digits after the point.
        header: Whether the first row names the columns.
        names: The columns.
        codes: Columns of text that may look like numbers, such as digits of which some begin with a zero.
        slashed: Format of dates like 31/12/2020; empty if there are none, or nothing tells day from month.
    """

    encoding: str
    delimiter: str
    decimal: str
    header: bool
    names: tuple[str, ...]
    codes: tuple[str, ...]
    slashed: str

    @property
    def notation(self) -> Notation:
        """How its text writes numbers, and times that are not in ISO 8601."""
        dates = ["%d.%m.%Y", "%Y/%m/%d", *filter(None, [self.slashed]), *NAMED_DATES]
        return Notation(self.decimal, with_times_of_day(*dates))

    @property
    def note(self) -> str:
        """The dialect in words."""
        mark = MARKS[self.decimal]
        header = "first row names the columns" if self.header else "no header, columns are column_1 and so on"
        dates = f", dates like 31/12/2020 {ORDERS[self.slashed]}" if self.slashed else ""
        return f"read as {self.encoding}, {DELIMITERS[self.delimiter]} between values, {mark}, {header}{dates}"

    def deviations(self, usual: "Dialect") -> list[str]:
        """Say in words where a file is written otherwise than an earlier one."""
        said = []
        if self.delimiter != usual.delimiter:
            said.append(f"{DELIMITERS[self.delimiter]} between values, not {DELIMITERS[usual.delimiter]}")
        if self.decimal != usual.decimal and self.delimiter != ",":
            said.append(f"{MARKS[self.decimal]}, not {MARKS[usual.decimal]}")
        if self.header != usual.header:
            said.append("with a header, not without" if self.header else "without a header, not with one")
        if self.slashed and usual.slashed and self.slashed != usual.slashed:
            said.append(f"dates like 31/12/2020 {ORDERS[self.slashed]}, not {ORDERS[usual.slashed]}")
        return [f"read unlike the training data: {one}" for one in said]

    @classmethod
    def restore(cls, description: Mapping[str, Any]) -> "Dialect":
        """Return a dialect as JSON has held it."""
        lists = {name: tuple(description[name]) for name in ("names", "codes")}
        return cls(**{**description, **lists})


class Expected(NamedTuple):
    """What is known of a file of values before it is read.

    Attributes:
        names: Columns that the first row names, if it names any.
        texts: Columns that hold text, whatever it looks like.
        dialect: How an earlier file of the kind was written: it decides where a file itself does not tell.
    """

    names: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    dialect: Dialect | None = None


NOTHING = Expected()


def sniff(path: str, expected: Expected = NOTHING) -> Dialect:
    """Find out how a text file of values is written: encoding from all of it, the rest from its first megabyte.

    Where the file leaves decimal mark or date order open, or all expected names stand in its first row by the
    delimiter of the expected dialect, that dialect counts.

    Raises:
        SourceError: It cannot be read, is no text, is empty, has one column, or names one twice.
    """
    encoding = _encoding(path)
    rows_of = {delimiter: sample_rows(path, encoding, delimiter) for delimiter in DELIMITERS}
    usual = expected.dialect
    delimiter = max(DELIMITERS, key=lambda one: _fit(rows_of[one]))
    if usual and set(expected.names) <= _stripped(rows_of[usual.delimiter]):
        delimiter = usual.delimiter
    rows = rows_of[delimiter]
    if not rows:
        raise SourceError(f"{path}: is empty; it needs rows of values")
    if _width(rows) < 2:
        known = ", ".join(DELIMITERS.values())
        raise SourceError(f"{path}: no delimiter found, tried {known}; it needs a label and at least one more column")
    decimal = _decimal(rows, delimiter, usual.decimal if usual else ".")
    header = not _stripped(rows).isdisjoint(expected.names) or (_has_header(rows) and (not usual or usual.header))
    names = _names(path, rows[0]) if header else tuple(f"column_{number}" for number in range(1, _width(rows) + 1))
    columns = list(zip(*(row for row in rows[header:] if len(row) == len(names)), strict=True))
    codes = {name for name, cells in zip(names, columns, strict=False) if any(map(CODE.fullmatch, cells))}
    as_text = tuple(name for name in names if name in codes | set(expected.texts))
    slashed = _slashed(columns) or (usual.slashed if usual else "")
    return Dialect(encoding, delimiter, decimal, header, names, as_text, slashed)


def _encoding(path: str) -> str:
    refuse_pipe(Path(path))
    try:
        with _open(path) as stream:
            start = stream.read(4)
        marked = next((name for mark, name in MARKED.items() if start.startswith(mark)), "")
        with _open(path) as stream:
            decoder = codecs.getincrementaldecoder("utf-8")()
            is_utf8 = True
            most, length = max(BOMB_BYTES, BOMB_RATIO * Path(path).stat().st_size), 0
            while block := stream.read(SAMPLE_BYTES):
                length += len(block)
                if length > most:
                    raise SourceError(
                        f"{path}: grows more than {BOMB_RATIO}-fold when it is decompressed, as no table does; if it is"
                        " one, decompress it first"
                    )
                if b"\0" in block and marked not in {"utf-16", "utf-32"}:
                    raise SourceError(f"{path}: is no text, for it holds a zero byte; give a CSV or Parquet file")
                if is_utf8 and not marked:
                    is_utf8 = _decodes(decoder, block)
            return marked or ("utf-8" if is_utf8 and _decodes(decoder, b"", final=True) else "cp1252")
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path}: cannot be read ({error}); mend it, or its permissions") from None


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _open(path: str) -> IO[bytes]:
    """Open a file, decompressed if its name ends like that of a compressed one."""
    stream: IO[bytes] = pa.input_stream(str(Path(path)))
    return stream


def read_text(path: str, encoding: str) -> str:
    """Return all of a file as text, decompressed if its name ends like that of a compressed one."""
    with _open(path) as stream:
        return bytes(stream.read()).decode(encoding, errors="replace")


def sample_rows(path: str, encoding: str, delimiter: str) -> list[list[str]]:
    """Return the rows of the first megabyte of a file, at most 1000 and none that is empty."""
    with _open(path) as stream:
        content = stream.read(SAMPLE_BYTES)
    text = content.decode(encoding, errors="replace")
    if len(content) == SAMPLE_BYTES:  # the last line is cut
        text = text[: text.rfind("\n") + 1]
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) == SAMPLE_ROWS:
                break
    except csv.Error:  # what was read before tells enough
        pass
    return rows


def _width(rows: list[list[str]]) -> int:
    return Counter(map(len, rows)).most_common(1)[0][0]


def _fit(rows: list[list[str]]) -> tuple[bool, float, bool, int]:
    """Rate a delimiter by the rows it gives: alike in width, the first with them, and wide."""
    if not rows:
        return False, 0.0, False, 0
    width = _width(rows)
    return width > 1, round(sum(len(row) == width for row in rows) / len(rows), 2), len(rows[0]) == width, width


def _stripped(rows: list[list[str]]) -> set[str]:
    """Return the values of the first row without blanks around them."""
    return {cell.strip() for cell in rows[0]} if rows else set()


def _decimal(rows: list[list[str]], delimiter: str, usual: str) -> str:
    """Return the decimal mark of most numbers; beside decimal commas, points before three digits part thousands."""
    if delimiter == ",":
        return "."
    cells = [cell for row in rows for cell in row]
    commas = [cell for cell in cells if COMMA_NUMBER.fullmatch(cell)]
    points = [cell for cell in cells if POINT_NUMBER.fullmatch(cell)]
    if usual == "," or not all(map(THREE_DIGITS.fullmatch, commas)):
        points = [cell for cell in points if not THREE_DIGITS.fullmatch(cell)]
    if len(commas) == len(points):
        return usual
    return "," if len(commas) > len(points) else "."


def _has_header(rows: list[list[str]]) -> bool:
    """Whether a word of the first row stands above numbers alone, or no number above another.

    A year may name a column of text, and so may one among words that name columns of numbers.
    """
    if len(rows) == 1:
        return True
    width = len(rows[0])
    for first, *cells in zip(*(row for row in rows if len(row) == width), strict=True):
        held = [cell for cell in cells if cell.strip() not in NULLS]
        if NAME.match(first) and first.strip() not in NULLS and held and all(map(NUMBER.fullmatch, held)):
            return True
    return not any(
        NUMBER.fullmatch(first) and NUMBER.fullmatch(second) for first, second in zip(*rows[:2], strict=False)
    )


def _names(path: str, row: list[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() or f"column_{number}" for number, cell in enumerate(row, start=1))
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise SourceError(f"{path}: its first row names the column {shortened(twice)!r} twice; rename one")
    return names


def _slashed(columns: list[tuple[str, ...]]) -> str:
    """Return the format of dates like 31/12/2020, if those of the sample agree on one.

    They are looked for in columns of which they make up half, and nearly all of what has a digit: words such as
    "unknown" stand beside dates too.
    """
    days_first, months_first = False, False
    for column in columns:
        held = [cell.strip() for cell in column if cell.strip() not in NULLS]
        dates = [date for date in map(SLASHED.fullmatch, held) if date]
        others = [cell for cell in held if DIGIT.search(cell)]
        if dates and len(dates) >= max(LEAST_NUMBERS * len(held), MOSTLY_NUMBERS * len(others)):
            days_first |= any(int(date[1]) > 12 for date in dates)
            months_first |= any(int(date[2]) > 12 for date in dates)
    if days_first == months_first:
        return ""
    return "%d/%m/%Y" if days_first else "%m/%d/%Y"
