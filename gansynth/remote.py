"""Remote storage: folders of objects, named by `s3://` and `gs://` URLs.

The clients are those built into pyarrow. They find credentials where the provider's own tools do: in the environment,
in the user's configuration, on the machine. They repeat a request, after growing pauses, where that can help: the
connection was lost, even in the middle of an object, or the server is busy. What is missing or forbidden is told at
once.
"""

import mimetypes
import os
import re
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

import pyarrow as pa
from pyarrow import fs

from gansynth.errors import RemoteError

ANY_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
URL = re.compile(r"(s3|gs)://([a-z0-9][a-z0-9._-]*)((?:/(?!\.{1,2}(?:/|$))[^/?#]+)*)/?")
AT_ONCE = 16
PIECE_BYTES = 4 * 2**20
ATTEMPTS = 6
"""Of a request to S3; the pauses between them add up to about ten seconds."""
PATIENCE = timedelta(seconds=20)
"""How long Google's client repeats a request."""
READS = 3
"""Of an object that does not come in its size: if a connection breaks amid the headers, it looks like a short one."""
LONGEST_REASON = 240

Item = TypeVar("Item")


class RemoteFile(NamedTuple):
    """An object below a URL.

    Attributes:
        name: Its name below the URL, with `/` between folders; where the URL is that of the object, its last part.
        key: Its full name, from the bucket on.
        size: In bytes.
        modified: When it was written, in nanoseconds since 1970.
    """

    name: str
    key: str
    size: int
    modified: int


def is_url(place: str) -> bool:
    """Tell a URL of any kind from a path."""
    return ANY_URL.match(place) is not None


def split_url(url: str) -> tuple[str, str, str]:
    """Return scheme, bucket and folder of a URL; the folder may be empty.

    Raises:
        ValueError: It is none that gansynth reads. The message leaves it out, for it may hold a password.
    """
    parts = URL.fullmatch(url)
    if parts is None:
        raise ValueError(
            "a URL must be like s3://BUCKET/FOLDER or gs://BUCKET/FOLDER, without credentials or options,"
            " which belong in the environment"
        )
    return parts[1], parts[2], parts[3].strip("/")


def check_url(place: str) -> None:
    """Refuse a URL that gansynth does not read; any path is fine.

    Raises:
        RemoteError: It is one.
    """
    if is_url(place):
        try:
            split_url(place)
        except ValueError as error:
            raise RemoteError(str(error)) from None


class Remote:
    """A folder in remote storage, or a single object there.

    Every method raises RemoteError if the storage cannot be reached or refuses.

    Attributes:
        url: The URL, without a slash at its end.
        root: The same as the key of an object, from the bucket on.
    """

    def __init__(self, url: str) -> None:
        check_url(url)
        self.scheme, bucket, folder = split_url(url)
        self.url = url.rstrip("/")
        self.root = f"{bucket}/{folder}".rstrip("/")
        with self._told(self.url, "reached"):
            self._system = _open_s3(bucket) if self.scheme == "s3" else fs.GcsFileSystem(retry_time_limit=PATIENCE)

    def files(self) -> list[RemoteFile]:
        """Return all objects below the URL, by name; none if nothing is there."""
        with self._told(self.url, "read"):
            itself = self._system.get_file_info(self.root)
            if itself.type == fs.FileType.File:
                return [RemoteFile(itself.base_name, itself.path, itself.size, itself.mtime_ns)]
            # tells a bucket that is not there from a folder that is not, which Google's client cannot
            selector = fs.FileSelector(self.root, recursive=True, allow_not_found=self.scheme == "gs")
            try:
                found = self._system.get_file_info(selector)
            except FileNotFoundError:
                return []
        length = len(self.root) + 1
        files = [one for one in found if one.type == fs.FileType.File]
        return sorted(RemoteFile(one.path[length:], one.path, one.size, one.mtime_ns) for one in files)

    def read(self, file: RemoteFile) -> bytes:
        """Return the content of an object."""
        return b"".join(self._pieces(file))

    def download(self, files: Sequence[RemoteFile], folder: Path, report: Callable[[int], object]) -> None:
        """Copy objects to a local folder, each whole or not at all; those that lie there in their size are left.

        Memory does not grow with their size. `report` is called with the bytes done.

        Raises:
            RemoteError: Also if a name would lead out of the folder; nothing is copied then.
        """
        for file in files:
            if "\0" in file.name or not {"", ".", ".."}.isdisjoint(file.name.split("/")):
                raise RemoteError(
                    f"{self.url}: {file.name!r} cannot be the name of a file; rename or remove that object"
                )
        _side_by_side(lambda file: self._download(file, folder), files, report)

    def upload(self, folder: Path, names: Iterable[str], report: Callable[[int], object]) -> None:
        """Copy files of a local folder here; each replaces the object of its name at once.

        Memory does not grow with their size. `report` is called with the bytes done.
        """
        _side_by_side(lambda name: self._upload(folder / name, name), names, report)

    def _download(self, file: RemoteFile, folder: Path) -> int:
        target = folder / file.name
        if not (target.is_file() and target.stat().st_size == file.size):
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = folder.with_name(f"{folder.name}.{threading.get_ident()}.partial")
            for _ in range(READS):
                with partial.open("wb") as stream:
                    stream.writelines(self._pieces(file))
                if partial.stat().st_size == file.size:
                    break
            else:
                raise RemoteError(f"{self.url}: {file.name!r} changed while it was read; run again")
            partial.replace(target)
        return file.size

    def _upload(self, path: Path, name: str) -> int:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        with (
            path.open("rb") as source,
            self._told(f"{self.url}/{name}", "written"),
            self._system.open_output_stream(f"{self.root}/{name}", metadata={"Content-Type": kind}) as target,
        ):
            while piece := source.read(PIECE_BYTES):
                target.write(piece)
        return path.stat().st_size

    def _pieces(self, file: RemoteFile) -> Iterator[bytes]:
        with self._told(f"{self.url}: {file.name!r}", "read"), self._system.open_input_stream(file.key) as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece

    @contextmanager
    def _told(self, what: str, done: str) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            reason = textwrap.shorten(str(error), LONGEST_REASON, placeholder=" …")
            raise RemoteError(
                f"{what} cannot be {done} ({reason}); check the URL, the credentials in the environment and the"
                " network, then run again"
            ) from None


def _open_s3(bucket: str) -> fs.FileSystem:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return fs.S3FileSystem(
        endpoint_override=endpoint,
        region=region if region or endpoint else fs.resolve_s3_region(bucket),
        background_writes=False,  # which would hold a whole file in memory
        allow_delayed_open=True,  # a small object is a single request
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
    )


def _side_by_side(work: Callable[[Item], int], items: Iterable[Item], report: Callable[[int], object]) -> None:
    """Do pieces of work on threads; the first that fails stops those that have not begun."""
    done = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for size in pool.map(work, items):
            done += size
            report(done)
