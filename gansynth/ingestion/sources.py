"""What a source of labelled images is, and how to look one over."""

import bz2
import gzip
import hashlib
import lzma
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from gansynth.artifacts import file_digest
from gansynth.errors import SourceError
from gansynth.sections import is_named

LABELS_FILE = "labels.csv"
TORCHVISION_PREFIX = "torchvision:"
ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
}
"""How archives begin, beside those of tar."""
COMPRESSED: dict[bytes, type[gzip.GzipFile] | type[bz2.BZ2File] | type[lzma.LZMAFile]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
"""What opens compressed files, by how they begin."""
TAR_BLOCK, TAR_SUM = 512, slice(148, 156)
"""Bytes of the first block of a tar archive, and where in it their sum is written."""


class Record(NamedTuple):
    """One labelled image as its source holds it.

    Attributes:
        origin: Where it is, for people: a file below the source, or a file and row (rows count from 1).
        label: Name of its class; empty where there is none.
        image: The encoded image, the file that holds it, or a picture.
        is_test: Whether the source sets it apart for testing.
        problem: Why it cannot be used; empty if nothing is known against it.
    """

    origin: str
    label: str
    image: bytes | Path | Image.Image
    is_test: bool
    problem: str = ""


class Source(NamedTuple):
    """What a reader found.

    Attributes:
        class_names: All classes in label order, where the source declares them; else None.
        total: Number of records.
        records: The records, once.
    """

    class_names: tuple[str, ...] | None
    total: int
    records: Iterator[Record]


def choose_format(path: str, wanted: str = "auto") -> str:
    """Return the format of the source at `path`, a key of READERS: the wanted one, or by looking at what is there.

    Raises:
        SourceError: Nothing is there, nothing that a reader knows, or the path does not go with the wanted format.
    """
    is_torchvision = path.startswith(TORCHVISION_PREFIX)
    if wanted != "auto" and is_torchvision != (wanted == "torchvision"):
        raise SourceError(f"source.format: {wanted!r} does not fit the path {path}; use 'auto'")
    if is_torchvision:
        return "torchvision"
    place = Path(path)
    if not place.exists():
        raise SourceError(f"source.path: {path} does not exist; relative paths start at the study file")
    refuse_archive(place)
    if wanted != "auto":
        return wanted
    if place.is_file() and place.suffix == ".parquet":
        return "parquet"
    if (place / LABELS_FILE).is_file():
        return "labels_csv"
    if place.is_dir() and any(place.glob("*.parquet")):
        return "parquet"
    if place.is_dir() and subfolders(place):
        return "image_folder"
    raise SourceError(
        f"source.path: {path} holds no Parquet file, no {LABELS_FILE} and no class folders; see source.format"
    )


def refuse_archive(place: Path) -> None:
    """Refuse an archive, whatever it is called, by how it begins: nothing is unpacked.

    An archive may hold names that lead out of a folder, links, or far more than its size tells.

    Raises:
        SourceError: It is one.
    """
    if not place.is_file():
        return
    try:
        with place.open("rb") as stream:
            start = stream.read(8)
        kind = next((name for magic, name in ARCHIVES.items() if start.startswith(magic)), "")
        kind = kind or ("tar" if _is_tar(place, start) else "")
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return  # it cannot be read, or is no archive but damaged: whoever reads it tells
    if kind:
        raise SourceError(f"{place}: is a {kind} archive; unpack it, and name the folder or file that it holds")


def _is_tar(place: Path, start: bytes) -> bool:
    """Tell by its first block, decompressed if need be, whether a file is a tar archive.

    The tarfile of Python reads on as far as that block says, which may be further than there is memory.
    """
    opened = next((open_as for magic, open_as in COMPRESSED.items() if start.startswith(magic)), None)
    with opened(place) if opened else place.open("rb") as stream:
        block = stream.read(TAR_BLOCK)
    if len(block) < TAR_BLOCK:
        return False
    written = block[TAR_SUM].strip(b" \0")
    # the sum is made with blanks in its own place
    summed = sum(block) - sum(block[TAR_SUM]) + 8 * ord(" ")
    return block[257:].startswith(b"ustar") or (written.isdigit() and written == b"%o" % summed)


def fingerprint(path: str) -> str:
    """Return a SHA-256 of a source's content: the names below it and their bytes; of a dataset of a library, its name.

    Where the source lies and when its files were touched make no difference; that a file cannot be read does. What is
    no file, such as a pipe or a device, is not opened.
    """
    content = hashlib.sha256()
    if is_named(path):
        content.update(path.encode())
        return content.hexdigest()
    root = Path(path)
    files = [root] if root.is_file() else list(files_below(root))
    for file in files:
        try:
            digest = file_digest(file) if file.is_file() else "no file"
        except OSError as error:
            digest = f"unreadable: {error.strerror}"
        content.update(os.fsencode(file.relative_to(root.parent if root.is_file() else root)))
        content.update(f"\0{digest}\n".encode())
    return content.hexdigest()


def natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort names as people do: digits by their value, so that `img2` stands before `img10`."""
    return tuple(sorted(names, key=lambda name: (re.sub(r"[0-9]+", lambda digits: digits[0].zfill(20), name), name)))


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and its subfolders in a fixed order, hidden ones left out.

    Links are followed, also out of the folder, but not to a folder that they lie in.

    Raises:
        OSError: A folder cannot be read.
    """
    # where each folder to come lies, and those that led there
    above: dict[str, tuple[Path, ...]] = {str(folder): (Path(os.path.realpath(folder)),)}
    for parent, folders, names in os.walk(folder, onerror=_fail, followlinks=True):
        holders = above.pop(parent)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in [*folders]:
            real = Path(os.path.realpath(Path(parent, name)))
            if any(holder.is_relative_to(real) for holder in holders):
                folders.remove(name)
            else:
                above[str(Path(parent, name))] = (*holders, real)
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _fail(error: OSError) -> None:
    raise error


def shown(path: Path) -> str:
    """Return a path as text that any file can hold: of a name that is no UTF-8, the other bytes are spelt out."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
