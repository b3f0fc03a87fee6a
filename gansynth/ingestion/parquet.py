"""Parquet files of others: their footers, and their rows, of which a few bytes may tell of very many."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gansynth.errors import SourceError
from gansynth.ingestion.damage import DAMAGE, damaged, of_machine, refuse_pipe
from gansynth.ingestion.footers import values_of_columns
from gansynth.modalities.table.cells import family_of, is_text

MOST_COLUMNS = 10_000
"""Each is looked at by itself."""
BOMB_CELLS = 1 << 28
BOMB_CELLS_PER_BYTE = 200
"""Of the file. Constant columns take next to no bytes, but labels and other columns beside them do."""
BOMB_BYTES = 1 << 30
BOMB_RATIO = 1000
"""As `sniffing.BOMB_RATIO`, but for columns, where equal values stand together."""
MOST_TEXT = 2**31 - 1
"""Bytes of text in one column, which Arrow counts in 32 bits."""
ROWS_AT_ONCE = 256
BYTES_AT_ONCE = 1 << 28
NUMBERS_AT_ONCE = 1 << 16
"""Rows of a column whose values have one small size."""


class Unread(pa.ExtensionType):  # type: ignore[misc]  # pyarrow ships no types
    """The type of a column that is not read: nulls, which take no room, under the name of its own type."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(pa.null(), "gansynth.unread")

    def __arrow_ext_serialize__(self) -> bytes:
        return self.name.encode()

    @classmethod
    def __arrow_ext_deserialize__(cls, _storage: pa.DataType, serialized: bytes) -> "Unread":
        return cls(serialized.decode())

    def __str__(self) -> str:
        return self.name


def read_footer(file: Path) -> pq.FileMetaData:
    """Read the footer of a Parquet file, whose numbers of rows must agree, for room is made by them.

    Raises:
        SourceError: It is damaged, or tells of more than 10,000 columns, or of over 1 GiB and 1,000 times its size.
        ResourceError: The machine cannot read it.
    """
    refuse_pipe(file)
    try:
        footer = pq.read_metadata(file)
        footer.schema.to_arrow_schema()
        if footer.num_columns > MOST_COLUMNS:
            raise SourceError(
                f"{file}: has {footer.num_columns:,} columns, at most {MOST_COLUMNS:,} can be read; leave some out"
            )
        _check_rows(file, footer)
    except DAMAGE as error:
        raise damaged(file, "not a readable Parquet file", error) from None
    _refuse_growth(file, sum(_group_bytes(footer)))
    return footer


def read_table_file(file: Path) -> pa.Table:
    """Read a whole Parquet file; page checksums are verified where it has them.

    Columns are nullable, and views of text are text. Columns of a type that no column of a table may have, such as
    lists, are `Unread`.

    Raises:
        SourceError: It is damaged, has a column twice, or more than 10,000 of them, or holds far more than its size
            tells: over 2^28 values and 200 for each of its bytes, or over 1 GiB and 1,000 times its size by its footer
            or by its text, or over 2 GiB of text in one column.
        ResourceError: The machine cannot read it.
    """
    footer = read_footer(file)
    schema = footer.schema.to_arrow_schema()
    refuse_twice(str(file), schema.names)
    values, size = footer.num_rows * footer.num_columns, file.stat().st_size
    if values > max(BOMB_CELLS, BOMB_CELLS_PER_BYTE * size):
        raise SourceError(
            f"{file}: its {size:,} bytes hold {values:,} values, as those of no table do; if it is one, leave out"
            " constant columns and repeated rows"
        )
    held = {field.name: field.type for field in schema if family_of(field.type) or pa.types.is_null(field.type)}
    try:
        _check_texts(file, [name for name, dtype in held.items() if is_text(dtype)])
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            table = opened.read(columns=list(held))
        table.validate(full=True)
    except DAMAGE as error:
        where = _find_damage(file, list(held))
        what = "not a readable Parquet file" if where is None else f"damaged {where}".rstrip()
        raise damaged(file, what, error) from None
    except MemoryError as error:
        raise of_machine(str(file), error) from error
    columns = [
        _without_views(table[field.name])
        if field.name in held
        else pa.ExtensionArray.from_storage(Unread(str(field.type)), pa.nulls(footer.num_rows))
        for field in schema
    ]
    return pa.table(columns, names=schema.names)


def rows_of(file: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file, one by one, with some of its columns; page checksums are verified.

    A damaged row is met only when its turn comes.

    Args:
        file: The file.
        columns: Their names; of a struct, `NAME.FIELD` is one of its fields.

    Raises:
        SourceError: It is damaged, or holds other rows than its footer tells.
        ResourceError: The machine cannot read it.
    """
    row = 0
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            for group in range(opened.num_row_groups):
                for batch in _batches(opened, group, columns):
                    for values in batch.to_pylist():
                        row += 1
                        yield values
            if row != opened.metadata.num_rows:
                raise ValueError(f"holds {row:,} rows, not {opened.metadata.num_rows:,}")
    except DAMAGE as error:
        where = f"damaged after row {row} {_find_damage(file, columns) or ''}".rstrip()
        raise damaged(file, where, error) from None
    except MemoryError as error:
        raise of_machine(str(file), error) from error


def refuse_twice(place: str, names: Sequence[str]) -> None:
    """Refuse a table that has two columns of one name.

    Raises:
        SourceError: It has.
    """
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise SourceError(f"{place}: has the column {twice!r} twice; rename one")


def _refuse_growth(file: Path, grown: int) -> None:
    size = file.stat().st_size
    if grown > max(BOMB_BYTES, BOMB_RATIO * size):
        raise SourceError(
            f"{file}: its {size:,} bytes become {grown:,} or more when they are read, as those of no data do; if they"
            " are data, leave out repeated rows and long values"
        )


def _group_bytes(footer: pq.FileMetaData) -> list[int]:
    return [footer.row_group(number).total_byte_size for number in range(footer.num_row_groups)]


def _check_rows(file: Path, footer: pq.FileMetaData) -> None:
    told = [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]
    if min(told, default=0) < 0 or sum(told) != footer.num_rows:
        raise ValueError(f"tells of {footer.num_rows:,} rows, and of {sum(told):,} in its row groups")
    if min(_group_bytes(footer), default=0) < 0:
        raise ValueError("tells of less than no bytes in a row group")
    columns = [footer.schema.column(position) for position in range(footer.num_columns)]
    counts = values_of_columns(file)
    if [len(values) for values in counts] != len(told) * [len(columns)]:
        raise ValueError("its row groups have other columns than its schema")
    for rows, values in zip(told, counts, strict=True):
        for column, count in zip(columns, values, strict=True):
            # of lists, a row has any number of values
            if count != rows and not column.max_repetition_level:
                raise ValueError(f"tells of {rows:,} rows in a row group, and of {count} in column {column.path!r}")


def _check_texts(file: Path, names: Sequence[str]) -> None:
    """Refuse a file whose text takes too much when it is written out, whatever its footer tells.

    It is read as dictionaries, for each of their texts may stand in a million rows; where Arrow cannot, few rows at a
    time.
    """
    lengths = dict.fromkeys(names, 0)
    with pq.ParquetFile(file, page_checksum_verification=True, read_dictionary=list(names)) as opened:
        for groups in _together(_group_bytes(opened.metadata)) if names else ():
            try:
                found = opened.read_row_groups(groups, columns=list(names))
                found.validate(full=True)
                tables = iter([found])
            except DAMAGE:  # not as dictionaries; if it is damaged, this meets it again
                tables = _few_rows(file, groups, names)
            for table in tables:
                for name in names:
                    lengths[name] += sum(map(_length, table[name].chunks))
                _refuse_growth(file, sum(lengths.values()))
    longest = max(names, key=lengths.__getitem__, default="")
    if longest and lengths[longest] > MOST_TEXT:
        raise SourceError(
            f"{file}: column {longest!r} holds more than 2 GiB of text, which cannot be read; leave it out"
        )


def _few_rows(file: Path, groups: Sequence[int], names: Sequence[str]) -> Iterator[pa.Table]:
    with pq.ParquetFile(file, page_checksum_verification=True) as opened:
        batches = chain.from_iterable(_batches(opened, group, names) for group in groups)
        yield from (pa.Table.from_batches([batch]) for batch in batches)


def _together(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Yield the numbers of row groups of these sizes that may be read at once."""
    groups: list[int] = []
    held = 0
    for group, size in enumerate(sizes):
        if groups and held + size > BYTES_AT_ONCE:
            yield groups
            groups, held = [], 0
        groups.append(group)
        held += size
    if groups:
        yield groups


def _batches(opened: pq.ParquetFile, group: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a row group, as many at once as have room."""
    size = opened.metadata.row_group(group).total_byte_size
    # all rows may hold one value of a dictionary, and the value may be nearly the whole group
    at_once = max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // max(1, size)))
    yield from opened.iter_batches(at_once, row_groups=[group], columns=list(columns))


def _length(array: pa.Array) -> int:
    """Return how many bytes an array of text takes without a dictionary."""
    if not pa.types.is_dictionary(array.type):
        return int(array.nbytes)
    lengths = pc.binary_length(array.dictionary).cast(pa.int64())
    return int(pc.sum(lengths.take(array.indices)).as_py() or 0)


def _find_damage(file: Path, columns: Sequence[str]) -> str | None:
    """Say where in some of its columns a Parquet file is damaged.

    Returns:
        The row group and the column; empty if that cannot be told; None if it cannot be opened at all.
    """
    try:
        opened = pq.ParquetFile(file, page_checksum_verification=True)
    except DAMAGE:
        return None
    with opened:
        names, leaves = set(opened.schema_arrow.names), map(opened.schema.column, range(opened.metadata.num_columns))
        long = {leaf.path for leaf in leaves if leaf.physical_type in {"BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"}}
        for group in range(opened.num_row_groups):
            for name in columns:
                try:
                    batches = (
                        _batches(opened, group, [name])
                        if name in long
                        else opened.iter_batches(NUMBERS_AT_ONCE, row_groups=[group], columns=[name])
                    )
                    for batch in batches:
                        batch.validate(full=True)
                except (*DAMAGE, MemoryError):
                    known = name if name in names else name.partition(".")[0]
                    return f"in row group {group + 1} of {opened.num_row_groups}, column {known!r}"
    return ""


def _without_views(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with views of text as text, for which Arrow has more functions."""
    return column.cast(pa.string()) if pa.types.is_string_view(column.type) else column
