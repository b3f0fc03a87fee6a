"""Damaged Parquet files: what reading one raises, and where in it the damage is."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

DAMAGE = (OSError, pa.ArrowException, ValueError)


def find_damage(file: Path, columns: Sequence[str] | None = None) -> str | None:
    """Say where a Parquet file is damaged, looking at some columns only if they are given.

    Returns:
        The row group and the column; empty if that cannot be told; None if it cannot be opened at all.
    """
    try:
        opened = pq.ParquetFile(file, page_checksum_verification=True)
        groups, names = opened.num_row_groups, columns or opened.schema_arrow.names
    except DAMAGE:
        return None
    with opened:
        for group in range(groups):
            for name in names:
                try:
                    opened.read_row_group(group, columns=[name]).validate(full=True)
                except DAMAGE:
                    return f"in row group {group + 1} of {groups}, column {name!r}"
    return ""
