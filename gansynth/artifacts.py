"""A stage's output directory: it appears whole or not at all, and says exactly what made it."""

import hashlib
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError, model_validator

from gansynth.errors import ArtifactError, first_line
from gansynth.replacing import clear_attempts, flush, in_place_of

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
LONGEST_NAME, SHOWN_OF_NAME = 255, 40
"""Of a file with its folders, in bytes: our own are far shorter; and how much is shown of others, in characters."""
RECORDED_PACKAGES = ("gansynth", "torch", "torchvision", "numpy", "pandas", "pyarrow", "scikit-learn")


class FileRecord(BaseModel):
    """Size in bytes and SHA-256 of one file."""

    size: int
    sha256: str


class Manifest(BaseModel):
    """What an artifact holds and what made it; stored beside it as `manifest.json`.

    Attributes:
        format_version: Version of the layout of artifacts.
        stage: The stage that wrote it.
        digest: SHA-256 over the names and digests of `files`.
        request: The settings and seeds that determine the content.
        parents: Digests of the artifacts it was made from, by name.
        counts: How many of each thing it holds.
        versions: Versions of Python and the libraries that made it.
        seconds: Wall-clock time it took, with that of interrupted attempts it goes on from and of what it adopted.
        cpu_seconds: Processor time of the process that made it and of those that this started, over all threads, with
            that of what it adopted.
        peak_memory_mb: Largest resident memory of the process while it was made, or of one that it started, in MiB; of
            what was put together from finished parts, of the processes that made these.
        files: Every file except the manifest itself.
    """

    format_version: int
    stage: str
    digest: str
    request: dict[str, Any]
    parents: dict[str, str]
    counts: dict[str, int]
    versions: dict[str, str]
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    files: dict[str, FileRecord]

    @model_validator(mode="after")
    def _check_what_is_used(self) -> "Manifest":
        # files are read, and may be moved, by these names: none may lead out of the artifact
        if "gansynth" not in self.versions:
            raise ValueError("versions do not tell that of gansynth")
        for name in self.files:
            parts = name.split("/")
            if not {"", ".", ".."}.isdisjoint(parts) or "\0" in name or len(os.fsencode(name)) > LONGEST_NAME:
                raise ValueError(f"no file of an artifact is called {name[:SHOWN_OF_NAME]!r}")
        return self


@dataclass
class Draft:
    """An artifact in the making: write files under `path`, and say how many of what in `counts`.

    What was spent on it before goes to `seconds`, `cpu_seconds` and `peak_memory_mb`.
    """

    path: Path
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    records: dict[str, FileRecord] = field(default_factory=dict)
    adopted: set[str] = field(default_factory=set)

    def record(self, name: str) -> FileRecord:
        """Return size and digest of a file that is complete; it is read once."""
        if name not in self.records:
            path = self.path / name
            self.records[name] = FileRecord(size=path.stat().st_size, sha256=file_digest(path))
        return self.records[name]

    def adopt(self, directory: Path) -> Manifest:
        """Take over all files of a finished artifact, with what they cost, and return its manifest.

        The files stay there too, should this artifact not be finished, unless the file system has no hard links.
        """
        manifest = read_manifest(directory)
        for name in manifest.files:
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(directory / name)
            except OSError:
                (directory / name).replace(target)
        self.records |= manifest.files
        self.adopted |= manifest.files.keys()
        self.seconds += manifest.seconds
        self.cpu_seconds += manifest.cpu_seconds
        self.peak_memory_mb = max(self.peak_memory_mb, manifest.peak_memory_mb)
        return manifest


@contextmanager
def publish(directory: Path, stage: str, request: dict[str, Any], parents: dict[str, str]) -> Iterator[Draft]:
    """Write an artifact beside its place, flush it, and rename it to `directory` when the block ends.

    If the block raises, nothing becomes visible and an earlier artifact at `directory` stays.

    Raises:
        ArtifactError: A file cannot be written (no room, no permission).
        ResourceError: Memory ran out in the block.
    """
    started, started_cpu = time.monotonic(), _cpu_seconds()
    _reset_peak_memory()
    with in_place_of(directory) as partial:
        draft = Draft(partial)
        yield draft
        files = {
            name: draft.record(name)
            for path in sorted(partial.rglob("*"))
            if path.is_file() and (name := path.relative_to(partial).as_posix())
        }
        manifest = Manifest(
            format_version=FORMAT_VERSION,
            stage=stage,
            digest=_digest_of(files),
            request=_plain(request),
            parents=parents,
            counts=draft.counts,
            versions=library_versions(),
            seconds=time.monotonic() - started + draft.seconds,
            cpu_seconds=_cpu_seconds() - started_cpu + draft.cpu_seconds,
            peak_memory_mb=draft.peak_memory_mb if draft.adopted else _peak_memory_mb(),
            files=files,
        )
        (partial / MANIFEST).write_text(manifest.model_dump_json(indent=1))
        flush(partial, draft.adopted)


def amend(directory: Path, name: str, content: bytes) -> None:
    """Replace one file of an artifact; all else stays, also what its manifest says of how it was made.

    Raises:
        ArtifactError: There is no artifact, or it cannot be written.
    """
    manifest = read_manifest(directory)
    with in_place_of(directory) as partial:
        others = [path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()]
        linked = {other for other in others if other not in (name, MANIFEST) and _link(directory, partial, other)}
        (partial / name).write_bytes(content)
        record = FileRecord(size=len(content), sha256=hashlib.sha256(content).hexdigest())
        files = manifest.files | {name: record}
        amended = manifest.model_copy(update={"files": files, "digest": _digest_of(files)})
        (partial / MANIFEST).write_text(amended.model_dump_json(indent=1))
        flush(partial, linked)


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest of the artifact at `directory`.

    Raises:
        ArtifactError: There is no artifact, its manifest is damaged, or it has another format version.
    """
    path = directory / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_text())
    except FileNotFoundError:
        raise ArtifactError(f"{directory}: nothing there yet; run the stage that makes it first") from None
    except (ValidationError, ValueError, OSError) as error:
        reason = first_line(error)
        raise ArtifactError(f"{path}: damaged ({reason}); delete {directory} and run again") from None
    if manifest.format_version != FORMAT_VERSION:
        raise ArtifactError(
            f"{path}: format version {manifest.format_version}, this gansynth reads {FORMAT_VERSION};"
            " delete the folder and run again"
        )
    return manifest


def answers(manifest: Manifest, request: dict[str, Any], parents: dict[str, str]) -> bool:
    """Tell whether an artifact was made by this request from these parents, by a gansynth that works alike.

    Two versions work alike if they differ in the last place only: 0.4.1 and 0.4.2, but not 0.4 and 0.5.
    """
    maker, ours = (
        version.rsplit(".", 1)[0] for version in (manifest.versions["gansynth"], metadata.version("gansynth"))
    )
    return (manifest.request, manifest.parents, maker) == (_plain(request), parents, ours)


def is_current(directory: Path, request: dict[str, Any], parents: dict[str, str]) -> bool:
    """Tell its writer whether `directory` holds an artifact that answers this request, each file as it was written.

    If it does, what killed attempts to write it have left beside it is removed.
    """
    try:
        current = answers(read_manifest(directory), request, parents) and bool(verify(directory))
    except ArtifactError:
        return False
    if current:
        clear_attempts(directory)
    return current


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(directory: Path) -> Manifest:
    """Check every file of an artifact against its manifest, and return that.

    Raises:
        ArtifactError: There is no artifact, its manifest is damaged, a file is missing or its bytes differ.
    """
    manifest = read_manifest(directory)
    for name, record in manifest.files.items():
        path = directory / name
        if not path.is_file() or file_digest(path) != record.sha256:
            raise ArtifactError(f"{path}: missing or changed since it was written; delete {directory} and run again")
    return manifest


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of Python and the libraries that determine results."""
    versions = {name: metadata.version(name) for name in RECORDED_PACKAGES}
    return {"python": sys.version.split()[0], **versions}


def _digest_of(files: dict[str, FileRecord]) -> str:
    listing = json.dumps({name: record.sha256 for name, record in files.items()}, sort_keys=True)
    return hashlib.sha256(listing.encode()).hexdigest()


def _plain(request: dict[str, Any]) -> dict[str, Any]:
    """Return the request as JSON gives it back, so that stored and fresh ones compare equal."""
    plain: dict[str, Any] = json.loads(json.dumps(request))
    return plain


def _link(directory: Path, partial: Path, name: str) -> bool:
    """Let a file of `directory` lie in `partial` too; copy it where the file system has no hard links."""
    target = partial / name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(directory / name)
    except OSError:
        shutil.copyfile(directory / name, target)
        return False
    return True


def _cpu_seconds() -> float:
    """Return the processor time of this process and of those that it started and that have ended."""
    usages = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _reset_peak_memory() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # not Linux, or not allowed: the peak is then that of the whole process
        return


def _peak_memory_mb() -> float:
    of_started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    try:
        status = Path("/proc/self/status").read_text()
        own = int(status.split("VmHWM:")[1].split()[0])
    except (OSError, IndexError):
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1024**2 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return max(own, of_started) / unit
