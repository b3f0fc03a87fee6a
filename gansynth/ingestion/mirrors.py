"""Remote sources: copied to the run folder before they are read, since readers work on files."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from gansynth.errors import SourceError
from gansynth.progress import Progress
from gansynth.remote import Remote, RemoteFile
from gansynth.runs import Run


class RemoteSource(NamedTuple):
    """What lies at the URL of a source, hidden objects left out."""

    remote: Remote
    files: list[RemoteFile]

    @property
    def fingerprint(self) -> str:
        """A SHA-256 of the names, sizes and times of all objects; S3 tells times in seconds."""
        listing = [(file.name, file.size, file.modified) for file in self.files]
        return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def find_remote(url: str) -> RemoteSource:
    """Look a remote source over.

    Raises:
        SourceError: Nothing lies there.
        RemoteError: The storage cannot be reached, or refuses.
    """
    remote = Remote(url)
    files = [file for file in remote.files() if not any(part.startswith(".") for part in file.name.split("/"))]
    if not files:
        raise SourceError(f"source.path: nothing lies at {url}; check its spelling")
    return RemoteSource(remote, files)


@contextmanager
def mirror(source: RemoteSource, run: Run) -> Iterator[str]:
    """Copy a remote source to `run.mirror`, and yield the path of the copy.

    What an interrupted call has copied is left as it is. Errors that the block raises name the source by its URL.

    Raises:
        RemoteError: An object cannot be read.
    """
    folder = run.mirror / source.fingerprint[:16]
    for other in run.mirror.glob("*"):
        if other != folder:  # of another source, or of another state of this one
            shutil.rmtree(other) if other.is_dir() else other.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(file.size for file in source.files)
    with Progress(run.progress / "ingest.json", "Fetching the source", total) as progress:
        source.remote.download(source.files, folder, progress.update)
    only = source.files[0]
    place = str(folder / only.name if only.key == source.remote.root else folder)
    try:
        yield place
    except SourceError as error:
        raise SourceError(str(error).replace(place, source.remote.url)) from error
