"""What reading a source raises: damaged Parquet files, where in them the damage is, and troubles of the machine."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gansynth.errors import GansynthError, ResourceError, SourceError, first_line, on_one_line
from gansynth.memory import is_of_machine, is_out_of_memory

DAMAGE = (OSError, pa.ArrowException, ValueError)


def refuse_pipe(file: Path) -> None:
    """Refuse what is there but no file, such as a pipe, which would be waited for.

    Raises:
        SourceError: It is none.
    """
    if file.exists() and not file.is_file():
        raise SourceError(f"{file}: is no file; leave it out, or put a file in its place")


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


def damaged(file: Path, what: str, error: BaseException) -> GansynthError:
    """Return what to raise for an error in reading a Parquet file: `what` it is, unless the machine is to blame."""
    if isinstance(error, OSError) and is_of_machine(error):
        return of_machine(str(file), error)
    # damaged lengths ask for more memory than there is, and so may whole files
    remedy = ", or give it more memory if it is whole" if is_out_of_memory(error) else ""
    return SourceError(f"{file}: {what} ({first_line(error)}); fetch it again{remedy}")


def of_machine(place: str, error: BaseException) -> ResourceError:
    """Return what to raise for an error of the machine in reading what lies at a place."""
    return ResourceError(
        f"{place}: cannot be read on this machine now ({on_one_line(error)}); see to its memory, open files and disk,"
        " or leave it out, and run again"
    )
