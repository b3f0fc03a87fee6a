"""Work in a child process that meets a fault at a chosen point, and what may lie on disk afterwards.

Faults come from outside of what is tested: the parent kills, the operating system limits files or memory, and a system
call fails or is the last one. Children are forked from a process that has imported everything, so each costs
milliseconds.
"""

import errno
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gansynth.artifacts import MANIFEST, read_manifest, verify
from gansynth.errors import GansynthError

PATIENCE_SECONDS = 120
CHANGING = {"os.rename", "os.mkdir", "os.link", "os.remove", "os.rmdir", "shutil.rmtree"}
MAKING = {"os.rename", "os.mkdir", "os.link"}
BESIDE_ARTIFACTS = {"study.json", "workers.log"}

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [f"gansynth.{stage}" for stage in ("ingestion", "training", "generation", "evaluation", "reporting", "scoring")]
)

Arm = Callable[[], None]


@dataclass(frozen=True)
class AtCall:
    """The n-th system call that changes something under a folder is the last one, or fails.

    Calls are those that Python makes: opening files to write, renaming, linking, removing, making folders, flushing.
    Those that tell of progress do not count, for their number depends on time.

    Attributes:
        folder: Where calls count.
        number: Which one meets the fault, from 0; a larger one than there are is never met.
        error: The number of the error that it, and each later one that makes something, raises; None to be killed.
    """

    folder: Path
    number: int
    error: int | None = None

    def arm(self) -> None:
        """Wait for the call."""
        seen = 0

        def meet(event: str, path: object) -> None:
            nonlocal seen
            if not _lies_in(path, self.folder):
                return
            if self.error is None:
                if seen == self.number:
                    os.kill(os.getpid(), signal.SIGKILL)
            elif seen >= self.number and event in {"open", "fsync", *MAKING}:
                raise OSError(self.error, os.strerror(self.error))
            seen += 1

        watch_calls(meet)


@dataclass(frozen=True)
class AtByte:
    """No file may be longer: the write that makes one so is the last thing that the process does, or fails.

    It reaches what Python does not see: Arrow and safetensors write by themselves.
    """

    length: int
    kill: bool = False

    def arm(self) -> None:
        """Limit the length of files."""
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if self.kill else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.length, self.length))


@dataclass(frozen=True)
class Killed:
    """The process is killed after some seconds, or as soon as something has happened."""

    after: float = 0.0
    when: Callable[[], object] | None = None
    by: signal.Signals = signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status, negative after a signal, and what it raised."""

    status: int
    error: str

    @property
    def well(self) -> bool:
        """Whether nothing went wrong."""
        return self.status == 0


def in_child(work: Callable[[], object], fault: AtCall | AtByte | Killed | Arm | None = None) -> Ended:
    """Do some work in a child process that meets a fault.

    Errors of gansynth end the child with status 1, as they end its command line; others with 99.
    """
    reader, writer = _context.Pipe(duplex=False)
    child = _context.Process(target=_do, args=(work, None if isinstance(fault, Killed) else fault, writer))
    child.start()
    writer.close()
    if isinstance(fault, Killed):
        _await(fault, child)
        if child.pid is not None and child.is_alive():
            os.kill(child.pid, fault.by)
    child.join(PATIENCE_SECONDS)
    assert child.exitcode is not None, "the child does not end"
    try:
        error = reader.recv()
    except EOFError:
        error = ""
    return Ended(child.exitcode, error)


def count_calls(work: Callable[[], object], folder: Path) -> int:
    """Return how many system calls some work makes that change something under a folder."""
    note = folder.parent / f"{folder.name}.calls"
    assert in_child(_Counted(work, folder, note)).well
    return int(note.read_text())


def watch_calls(meet: Callable[[str, object], None]) -> None:
    """Call a function with the name and the path of each call of this process that changes files, before it is made."""

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if (isinstance(mode, str) and set(mode) & set("wxa+")) or flags & (os.O_WRONLY | os.O_RDWR):
                meet(event, path)
        elif event in CHANGING:
            path, folder = arguments[0], arguments[-1]
            within = event in {"os.remove", "os.rmdir"} and isinstance(folder, int) and folder >= 0
            meet(event, _opened(folder) / path if within else path)

    sys.addaudithook(look)
    flush = os.fsync

    def watched(descriptor: int) -> None:
        meet("fsync", _opened(descriptor))
        flush(descriptor)

    os.fsync = watched  # which is not audited


def _opened(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def check_sound(root: Path) -> None:
    """Make sure that all that is visible in a run folder is whole: artifacts as their manifests say, and no other."""
    manifests = [path for path in root.rglob(MANIFEST) if not _is_hidden(path.relative_to(root))]
    held = {path.parent / name for path in manifests for name in (*verify(path.parent).files, MANIFEST)}
    there = {path for path in root.rglob("*") if path.is_file() and not _is_hidden(path.relative_to(root))}
    assert there - held <= {root / name for name in BESIDE_ARTIFACTS}


def check_tidy(root: Path) -> None:
    """Make sure that a run folder is sound, and that nothing is left of what was interrupted."""
    check_sound(root)
    hidden = {path.relative_to(root).as_posix() for path in root.rglob("*") if _is_hidden(path.relative_to(root))}
    assert hidden <= {".lock", ".progress"}


def digests(root: Path) -> dict[str, str]:
    """Return the digest of each artifact in a run folder but the report's, which holds dates and times."""
    found = {path.parent.relative_to(root).as_posix(): path.parent for path in root.rglob(MANIFEST)}
    return {name: read_manifest(path).digest for name, path in sorted(found.items()) if name != "report"}


def one_line(error: str) -> bool:
    """Tell whether an error is one of ours: a line that names a place, what was wrong and how to mend it."""
    return bool(error) and "\n" not in error and ": " in error and "; " in error


@dataclass(frozen=True)
class _Counted:
    work: Callable[[], object]
    folder: Path
    note: Path

    def __call__(self) -> None:
        seen = 0

        def count(_event: str, path: object) -> None:
            nonlocal seen
            seen += _lies_in(path, self.folder)

        watch_calls(count)
        self.work()
        self.note.write_text(str(seen))


def _do(work: Callable[[], object], fault: AtCall | AtByte | Arm | None, writer: Any) -> None:  # noqa: ANN401
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal
    if isinstance(fault, (AtCall, AtByte)):
        fault.arm()
    elif fault is not None:
        fault()
    try:
        work()
    except GansynthError as error:
        writer.send(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  # told to the test
        writer.send(f"{type(error).__name__}\n{error}")
        sys.exit(99)


def _await(fault: Killed, child: Any) -> None:  # noqa: ANN401
    if fault.when is None:
        child.join(fault.after)
        return
    until = time.monotonic() + PATIENCE_SECONDS
    while child.is_alive() and not fault.when():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.002)


def _lies_in(path: object, folder: Path) -> bool:
    """Tell whether a path is one in a folder, or beside it with its name in its own; what tells of progress is not."""
    if not isinstance(path, (str, os.PathLike)):
        return False
    text = os.fspath(path)
    return isinstance(text, str) and text.startswith(str(folder)) and ".progress" not in text


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


FULL, BROKEN = errno.ENOSPC, errno.EIO
