"""Where a batch may go: to a folder or a URL where nothing lies, or nothing but an earlier batch."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gansynth.artifacts import MANIFEST, Manifest, answers, read_manifest, verify
from gansynth.errors import ArtifactError
from gansynth.progress import Progress
from gansynth.remote import Remote

STAGE = "export"


def batch_at(destination: Path) -> Manifest | None:
    """Return the manifest of the batch in a folder, which is as it was written; None if nothing is there.

    Raises:
        ArtifactError: Anything else is there.
    """
    if destination.is_mount():
        raise ArtifactError(f"{destination}: is a mount point, which cannot be replaced; name a folder in it")
    if destination == Path.cwd():
        raise ArtifactError(f"{destination}: is the current folder, which is not replaced; name a folder in it")
    if not destination.exists():
        return None
    if not destination.is_dir():
        raise ArtifactError(f"{destination}: is a file; name a folder for the samples")
    if not any(destination.iterdir()):
        return None
    try:
        manifest = verify(destination) if (destination / MANIFEST).exists() else None
    except ArtifactError as error:
        raise ArtifactError(
            f"{destination}: may hold work of yours ({error}); move it or name another folder"
        ) from None
    if manifest is None or manifest.stage != STAGE:
        raise ArtifactError(f"{destination}: holds other files already; name a new or empty folder")
    known = {
        MANIFEST,
        *manifest.files,
        *(parent.as_posix() for name in manifest.files for parent in Path(name).parents),
    }
    there = {path.relative_to(destination).as_posix() for path in destination.rglob("*")}
    if foreign := there - known:
        raise ArtifactError(
            f"{destination}: holds {min(foreign)!r}, which no export wrote; move it or name another folder"
        )
    return manifest


def check_url_free(remote: Remote, copy: Path, request: dict[str, Any], parents: dict[str, str]) -> None:
    """Refuse a URL where anything lies but what an interrupted call sent there of the batch at `copy`.

    Raises:
        ArtifactError: Something else does.
    """
    ours: set[str] = set()
    if (copy / MANIFEST).exists() and answers(manifest := read_manifest(copy), request, parents):
        ours = set(manifest.files)
    foreign = [file.name for file in remote.files() if file.name not in ours]
    if foreign:
        raise ArtifactError(
            f"{remote.url}: holds {foreign[0]!r}, which is not of this batch; remove what lies there or name another"
            " folder"
        )


def manifest_at(remote: Remote) -> Manifest | None:
    """Return the manifest of the batch that lies whole at a URL, every object in its size; None if none does."""
    files = {file.name: file for file in remote.files()}
    if MANIFEST not in files:
        return None
    try:
        manifest = Manifest.model_validate_json(remote.read(files.pop(MANIFEST)))
    except ValidationError:
        return None
    return manifest if _sizes(manifest) == {name: file.size for name, file in files.items()} else None


def upload(copy: Path, remote: Remote, progress: Path) -> None:
    """Send a batch to a URL: what is missing there, and at last the manifest, which says that all is there.

    Raises:
        ArtifactError: Other objects than those of the batch came to lie there meanwhile.
        RemoteError: The storage cannot be reached, or refuses. The same call goes on with what is missing.
    """
    sizes = _sizes(verify(copy))
    there = {file.name: file.size for file in remote.files()}
    missing = [name for name, size in sizes.items() if there.get(name) != size]
    with Progress(progress, "send", sum(sizes[name] for name in missing)) as shown:
        remote.upload(copy, missing, shown.update)
    if {file.name: file.size for file in remote.files()} != sizes:
        raise ArtifactError(f"{remote.url}: something else was written there meanwhile; name another folder")
    remote.upload(copy, [MANIFEST], lambda _: None)


def _sizes(manifest: Manifest) -> dict[str, int]:
    return {name: record.size for name, record in manifest.files.items()}
