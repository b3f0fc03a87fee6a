"""What reading a source raises: damaged Parquet files, pipes, and troubles of the machine."""

from pathlib import Path

import pyarrow as pa

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
