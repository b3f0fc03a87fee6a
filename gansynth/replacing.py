"""Folders that appear, or are replaced, whole or not at all, whatever ends the process that writes them."""

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from gansynth.errors import ArtifactError, ResourceError, on_one_line
from gansynth.memory import is_out_of_memory
from gansynth.threads import in_threads

FLUSHES_AT_ONCE = 16
NOT_OPENED = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR}
CURRENT_FOLDER, EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux's renameat2(2)."""


@contextmanager
def in_place_of(directory: Path) -> Iterator[Path]:
    """Give a folder to write to, and put it in the place of `directory` when the block ends without an error.

    If `directory` is a link, it becomes a folder, and what the link led to stays as it is.

    Raises:
        ArtifactError: It cannot be written (no room, no permission, a fault of the device), or a file elsewhere that
            the block opens is not there or not allowed to be used.
        ResourceError: Memory ran out in the block.
    """
    partial = _partial(directory)
    try:
        _remove(partial)
        partial.mkdir(parents=True)
        yield partial
        _swap(partial, directory)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        if other := _elsewhere(error, directory):
            raise ArtifactError(f"{directory}: cannot be made ({other}: {reason}); mend that and run again") from error
        raise ArtifactError(
            f"{directory}: cannot be written ({reason}); make room or choose another place, and run again"
        ) from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        reason = on_one_line(error)
        raise ResourceError(
            f"{directory}: memory ran out while it was made ({reason}); lower compute.workers or batch sizes, or take a"
            " machine with more memory, and run again"
        ) from error
    finally:
        _remove(partial)


def clear_attempts(directory: Path) -> None:
    """Remove what attempts to write `directory` have left that were killed. Only its writer may call this."""
    for leftover in (_partial(directory), _old(directory)):
        _remove(leftover)


def flush(directory: Path, flushed: Collection[str]) -> None:
    """Flush all files but those that have been flushed where they come from, and all folders."""
    paths = [path for path in directory.rglob("*") if path.relative_to(directory).as_posix() not in flushed]
    # side by side: file systems write many flushes of one moment together
    in_threads(flush_one, [*paths, directory], FLUSHES_AT_ONCE)


def flush_one(path: Path) -> None:
    """Flush a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _partial(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.partial")


def _old(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.old")


def _elsewhere(error: Exception, directory: Path) -> Path | None:
    """Return the file that an error is about if it could not be opened and lies outside what is written.

    Where room is lacking, or a device fails, that is told of what is written, be it by a file beside it.
    """
    if not isinstance(error, OSError) or error.errno not in NOT_OPENED or not isinstance(error.filename, str):
        return None
    path, own = Path(error.filename), (directory, _partial(directory))
    written = any(path.is_relative_to(place) or place.is_relative_to(path) for place in own)
    return None if written else path


def _remove(path: Path) -> None:
    """Remove a folder with all in it, or a file, or a link but not what it leads to; what cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _swap(partial: Path, directory: Path) -> None:
    """Put `partial` in the place of `directory`; what lay there is removed."""
    if not (directory.exists() or directory.is_symlink()):
        partial.rename(directory)
    elif not _exchange(partial, directory):
        old = _old(directory)
        _remove(old)
        directory.rename(old)
        try:
            partial.rename(directory)
        except OSError:
            old.rename(directory)
            raise
        _remove(old)
    flush_one(directory.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step, so that neither is ever missing; tell whether the system can."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if renameat2 is None:
        return False
    if renameat2(CURRENT_FOLDER, os.fsencode(one), CURRENT_FOLDER, os.fsencode(other), EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:  # this file system cannot
        return False
    raise OSError(number, os.strerror(number), str(other))
