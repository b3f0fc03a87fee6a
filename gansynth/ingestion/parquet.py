"""Parquet files of others: their footers, and their rows, of which a few bytes may tell of very many."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gansynth.errors import SourceError
from gansynth.ingestion.damage import DAMAGE, damaged, find_damage, refuse_pipe
from gansynth.ingestion.footers import values_of_columns

MOST_COLUMNS = 10_000
"""Each is looked at by itself."""
BOMB_CELLS = 1 << 28
BOMB_CELLS_PER_BYTE = 200
"""Of the file. Constant columns take next to no bytes, but labels and other columns beside them do."""
BOMB_BYTES = 1 << 30
BOMB_RATIO = 1000
"""As `sniffing.BOMB_RATIO`, but for columns, where equal values stand together."""
ROWS_AT_ONCE = 256
BYTES_AT_ONCE = 1 << 28


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
    if sum(_group_bytes(footer)) > _most_bytes(file):
        raise _bomb(file, footer)
    return footer


def read_table_file(file: Path) -> pa.Table:
    """Read a whole Parquet file; page checksums are verified where it has them, and views of text become text.

    Raises:
        SourceError: It is damaged, has a column twice, or holds far more than its size tells: over 2^28 cells and 200
            for each of its bytes, or, with its text written out, over 1 GiB and 1,000 times its size.
        ResourceError: The machine cannot read it.
    """
    footer = read_footer(file)
    refuse_twice(str(file), footer.schema.to_arrow_schema().names)
    values = sum(abs(count or 0) for group in values_of_columns(file) for count in group)
    if values > max(BOMB_CELLS, BOMB_CELLS_PER_BYTE * file.stat().st_size):
        raise _bomb(file, footer)
    try:
        if _text_bytes(file, footer) > _most_bytes(file):
            raise _bomb(file, footer)
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            table = opened.read()
        table.validate(full=True)
        return _without_views(table)
    except DAMAGE as error:
        where = find_damage(file)
        what = "not a readable Parquet file" if where is None else f"damaged {where}".rstrip()
        raise damaged(file, what, error) from None


def rows_of(file: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file, one by one, with some of its columns; page checksums are verified.

    A damaged row is met only when its turn comes.

    Raises:
        SourceError: It is damaged, or holds other rows than its footer tells.
        ResourceError: The machine cannot read it.
    """
    row = 0
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            for group, size in enumerate(_group_bytes(opened.metadata)):
                # all rows may hold one value of a dictionary, and the value may be nearly the whole group
                at_once = max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // max(1, size)))
                for batch in opened.iter_batches(at_once, row_groups=[group], columns=list(columns)):
                    for values in batch.to_pylist():
                        row += 1
                        yield values
            if row != opened.metadata.num_rows:
                raise ValueError(f"holds {row:,} rows, not {opened.metadata.num_rows:,}")
    except DAMAGE as error:
        where = f"damaged after row {row} {find_damage(file, columns) or ''}".rstrip()
        raise damaged(file, where, error) from None


def refuse_twice(place: str, names: Sequence[str]) -> None:
    """Refuse a table that has two columns of one name.

    Raises:
        SourceError: It has.
    """
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise SourceError(f"{place}: has the column {twice!r} twice; rename one")


def _most_bytes(file: Path) -> int:
    """Return how many bytes a Parquet file may hold when it is read, to be taken for one of somebody's data."""
    return max(BOMB_BYTES, BOMB_RATIO * file.stat().st_size)


def _bomb(file: Path, footer: pq.FileMetaData) -> SourceError:
    return SourceError(
        f"{file}: its {file.stat().st_size:,} bytes hold {footer.num_rows * footer.num_columns:,} cells, as those of no"
        " table do; if it is one, leave out constant columns and repeated rows"
    )


def _group_bytes(footer: pq.FileMetaData) -> list[int]:
    return [footer.row_group(number).total_byte_size for number in range(footer.num_row_groups)]


def _check_rows(file: Path, footer: pq.FileMetaData) -> None:
    told = [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]
    if min(told, default=0) < 0 or sum(told) != footer.num_rows:
        raise ValueError(f"tells of {footer.num_rows:,} rows, and of {sum(told):,} in its row groups")
    columns = [footer.schema.column(position) for position in range(footer.num_columns)]
    counts = values_of_columns(file)
    if [len(values) for values in counts] != len(told) * [len(columns)]:
        raise ValueError("its row groups have other columns than its schema")
    for rows, values in zip(told, counts, strict=True):
        for column, count in zip(columns, values, strict=True):
            # of lists, a row has any number of values
            if count != rows and not column.max_repetition_level:
                raise ValueError(f"tells of {rows:,} rows in a row group, and of {count} in column {column.path!r}")


def _text_bytes(file: Path, footer: pq.FileMetaData) -> int:
    """Return how many bytes the text of a file takes when it is written out.

    It is read as dictionaries, for each of their texts may stand in a million rows, whatever the footer tells.
    """
    columns = [footer.schema.column(position) for position in range(footer.num_columns)]
    texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
    total = 0
    with pq.ParquetFile(file, page_checksum_verification=True, read_dictionary=texts) as opened:
        for group in range(opened.num_row_groups if texts else 0):
            table = opened.read_row_group(group, columns=texts)
            table.validate(full=True)
            total += sum(_length(chunk) for column in table.columns for chunk in column.chunks)
    return total


def _length(array: pa.Array) -> int:
    """Return how many bytes the values of an array of text, or of lists or structs of it, take without a dictionary."""
    if pa.types.is_dictionary(array.type):
        lengths = pc.binary_length(array.dictionary).cast(pa.int64())
        return int(pc.sum(lengths.take(array.indices)).as_py() or 0)
    if pa.types.is_struct(array.type):
        return sum(_length(field) for field in array.flatten())
    if pa.types.is_nested(array.type):
        return _length(array.flatten())
    return int(array.nbytes)


def _without_views(table: pa.Table) -> pa.Table:
    """Return a table with views of text as text, for which Arrow has more functions."""
    fields = [
        pa.field(field.name, pa.string()) if pa.types.is_string_view(field.type) else field for field in table.schema
    ]
    return table.cast(pa.schema(fields, table.schema.metadata))
