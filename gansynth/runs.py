"""The run folder: where each artifact of a study lies, and who may write there."""

import fcntl
import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from filelock import FileLock, Timeout

from gansynth.errors import ArtifactError

# files that one stage leaves in its artifact and another reads
QUARANTINE_FILE = "quarantine.json"
COLUMNS_FILE = "columns.json"
METRICS_FILE = "metrics.jsonl"
SETBACKS_FILE = "setbacks.json"
GUARANTEE_FILE = "guarantee.json"

LOCK_FILE = ".lock"
OWNER_FILE = ".owner"
STUDY_FILE = "study.json"
LOG_FILE = "workers.log"
PROGRESS_FOLDER, MIRROR_FOLDER = ".progress", ".source"
IN_PLACE = (
    *(LOCK_FILE, OWNER_FILE, STUDY_FILE, LOG_FILE, PROGRESS_FOLDER, MIRROR_FOLDER),
    *(".*.partial", ".*.old", ".*.resume"),
)
"""What is written or cleared where it lies, so that a link there would lead to files of others; not the artifacts."""
LOOK_SECONDS = 0.2
"""How long a writer waits for those who only look whether a folder is held, which takes microseconds."""


@dataclass(frozen=True)
class Run:
    """A run folder.

    Artifacts of repetition r lie under `repetitions/RR/`. Those of the generator that is delivered, which is
    fitted on all training rows, lie at the top: there, `repetition` is None.
    """

    root: Path

    @property
    def study_file(self) -> Path:
        """The resolved study, as JSON."""
        return self.root / STUDY_FILE

    @property
    def dataset(self) -> Path:
        """The ingested dataset."""
        return self.root / "dataset"

    @property
    def evaluation(self) -> Path:
        """Scores of all arms and repetitions, and what follows from them."""
        return self.root / "evaluation"

    @property
    def training_set(self) -> Path:
        """Of a table, what the recommended arm's classifier learns from."""
        return self.root / "training_set"

    @property
    def report(self) -> Path:
        """The page, its Markdown and its JSON."""
        return self.root / "report"

    @property
    def progress(self) -> Path:
        """The folder of the small files that tell how far running work is."""
        return self.root / PROGRESS_FOLDER

    @property
    def mirror(self) -> Path:
        """The copy of a remote source, as long as it is read."""
        return self.root / MIRROR_FOLDER

    def outgoing(self, url: str) -> Path:
        """The local copy of a batch, until it has been sent to a URL."""
        return self.root / f"outgoing-{hashlib.sha256(url.encode()).hexdigest()[:16]}"

    def model(self, repetition: int | None) -> Path:
        """A trained generator."""
        return self._unit(repetition) / "model"

    def synthetic(self, repetition: int | None) -> Path:
        """The samples of a trained generator."""
        return self._unit(repetition) / "synthetic"

    def arm(self, repetition: int, arm: str) -> Path:
        """The test predictions of one arm in one repetition."""
        return self._unit(repetition) / "arms" / arm

    def fidelity(self, repetition: int) -> Path:
        """Fidelity, similarity and privacy of one repetition's samples."""
        return self._unit(repetition) / "fidelity"

    def anomaly(self, repetition: int) -> Path:
        """How anomalous detectors find one repetition's test rows."""
        return self._unit(repetition) / "anomaly"

    def _unit(self, repetition: int | None) -> Path:
        return self.root if repetition is None else self.root / "repetitions" / f"{repetition:02d}"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder as its only writer, as `hold_folder` does."""
        with hold_folder(self.root, "choose another --run-dir"):
            yield

    @property
    def holder(self) -> str | None:
        """The process that is writing here, like 'process 12 on a-host'; None if there is none."""
        return _owner(self.root) if _is_held(self.root / LOCK_FILE) else None


@contextmanager
def hold_folder(folder: Path, remedy: str, shown: str | None = None) -> Iterator[None]:
    """Hold a folder as its only writer; the operating system frees it if the process dies.

    A process may take it again while it holds it, as a stage does within the flow of all stages.

    Raises:
        ArtifactError: Another process holds it, the folder cannot be made, or it holds links where gansynth writes;
            `remedy` says what to do, and `shown` is what people call the folder.
    """
    owner = folder / OWNER_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_links(folder)
        # one lock object per folder and process, which counts how often it is held
        path = folder.resolve() / LOCK_FILE
        lock = FileLock(path, timeout=LOOK_SECONDS, is_singleton=True, thread_local=False)
        lock.acquire()
        try:
            owner.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        except OSError:
            lock.release()
            raise
    except Timeout:
        raise ArtifactError(
            f"{shown or folder}: another run is writing here ({_owner(folder)}); wait for it or {remedy}"
        ) from None
    except OSError as error:
        raise ArtifactError(f"{shown or folder}: cannot be written ({error.strerror or error}); {remedy}") from None
    try:
        yield
    finally:
        if lock.lock_counter == 1:
            with suppress(OSError):  # nobody asks for the owner of a folder that is not held
                owner.unlink(missing_ok=True)
        lock.release()


def _refuse_links(folder: Path) -> None:
    """Make sure that what is written or cleared in place lies in the folder: one from elsewhere may hold links.

    Artifacts may be links, to a larger disk say: they are replaced as a whole, which leaves alone where a link leads.

    Raises:
        ArtifactError: There is a link, named in full.
    """
    for place in (folder, *folder.glob("repetitions/*"), *folder.glob("repetitions/*/arms")):
        for path in place.iterdir() if place.is_dir() else ():
            if any(fnmatch(path.name, pattern) for pattern in IN_PLACE) and (link := _first_link(path)):
                raise ArtifactError(f"{link}: is a link, through which other files would be changed; remove it")


def _first_link(path: Path) -> Path | None:
    """Return the path if it is a link, else the first link below it, if there is one."""
    if path.is_symlink():
        return path
    inside = (Path(parent, name) for parent, folders, files in os.walk(path) for name in (*folders, *files))
    return next((below for below in inside if below.is_symlink()), None)


def _owner(folder: Path) -> str:
    try:
        return (folder / OWNER_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "an unknown process"


def _is_held(lock: Path) -> bool:
    """Tell whether a process holds a lock file. It keeps it: the lock that is tried is shared, and let go at once."""
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def repetition_label(repetition: int | None) -> str:
    """Name a repetition for people: 'repetition 3', or 'delivery' for the generator that is delivered."""
    return "delivery" if repetition is None else f"repetition {repetition + 1}"
