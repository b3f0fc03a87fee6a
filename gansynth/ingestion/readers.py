"""Readers of labelled images: one function per format, named in READERS at the bottom.

A reader looks a source over and returns what it found as a `Source`; its records come lazily, so that only one
image at a time is in memory. Names of classes are data: they are never made into paths here.
"""

import csv
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gansynth.errors import SourceError, first_line, shortened
from gansynth.ingestion.damage import of_machine, refuse_pipe
from gansynth.ingestion.parquet import read_footer, refuse_twice, rows_of
from gansynth.ingestion.sources import (
    LABELS_FILE,
    TORCHVISION_PREFIX,
    Record,
    Source,
    files_below,
    natural_order,
    shown,
    subfolders,
)
from gansynth.memory import is_of_machine
from gansynth.modalities.image.storage import class_names_of
from gansynth.modalities.table.cells import is_text

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
FILE_COLUMNS = ("file", "filename", "path", "image")
IMAGE_BYTES = "image.bytes"
"""Of a column of structs in Parquet, the field that is read."""
TORCHVISION_ROOT = "~/.cache/gansynth/torchvision"
LEAST_ROWS_REFUSED = 1000
"""Fewer images than these are believed, however small the file."""


def read_image_folder(path: str) -> Source:
    """Read a folder with one subfolder of images per class, or `train` and `test` folders that are such folders.

    Files without an image suffix and hidden folders are passed over, and so are other folders beside `train` and
    `test`. A folder called `train` is a part, not a class, if it has subfolders itself.

    Raises:
        SourceError: There are no class folders, or folders stand beside a `train` part that has no `test`.
    """
    root = Path(path)
    files: list[tuple[Path, str, bool]] = []
    names: set[str] = set()
    for part, is_test in _folder_parts(root):
        for folder in subfolders(part):
            names.add(folder.name)
            images = (file for file in files_below(folder) if file.suffix.lower() in IMAGE_SUFFIXES)
            files.extend((file, folder.name, is_test) for file in images)
    if not names:
        raise SourceError(f"source.path: {path} has no class folders; it needs one folder of images per class")
    records = (Record(shown(file.relative_to(root)), name, file, is_test) for file, name, is_test in files)
    return Source(natural_order(names), len(files), records)


def read_parquet(path: str) -> Source:
    """Read Parquet in the Hugging Face convention: `image`, a struct with `bytes`, and `label`, a number or a string.

    Class names come from the schema metadata if it declares them, else from the values. In a folder, files named
    `test*.parquet` are the test part, and those named `train*.parquet` the training part; without any of the
    latter, all others are.

    Raises:
        SourceError: A file is damaged, lacks a column or tells of far more than its size, or the files declare
            different classes.
    """
    root = Path(path)
    files = parquet_parts(root)
    metadata = [_labelled_footer(file) for file, _ in files]
    declared = {class_names_of(entry.schema.to_arrow_schema()) for entry in metadata}
    if len(declared) > 1:
        raise SourceError(f"{path}: its files declare different class names; give them the same schema metadata")
    names = declared.pop()
    if names is not None and len(set(names)) < len(names):
        raise SourceError(f"{path}: declares a class name twice; class names must differ")
    return Source(names, sum(entry.num_rows for entry in metadata), _parquet_records(files, names))


def read_labels_csv(path: str) -> Source:
    """Read a folder with `labels.csv`: columns `file` (or `filename`, `path`, `image`), `label`, optionally `split`.

    Files are named relative to the folder and lie in it. `split` is `train` or `test`; empty means `train`.

    Raises:
        SourceError: The table cannot be read or lacks a column.
    """
    root = Path(path)
    table = root / LABELS_FILE
    refuse_pipe(table)
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
            columns = reader.fieldnames or ()
    except (OSError, UnicodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SourceError(f"{table}: cannot be read ({reason}); it must be comma-separated UTF-8 text") from None
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise SourceError(f"{table}: has the column {twice!r} twice; rename one")
    file_column = next((name for name in FILE_COLUMNS if name in columns), None)
    if file_column is None or "label" not in columns:
        found = ", ".join(columns) or "none"
        raise SourceError(f"{table}: needs the columns file and label; found {found}")
    records = (_csv_record(root, number, row, file_column, columns) for number, row in enumerate(rows, start=1))
    return Source(None, len(rows), records)


def read_torchvision(path: str, root: Path | None = None) -> Source:
    """Read a classification dataset of torchvision, given as `torchvision:NAME`; downloads what is not there yet.

    The test part is what `train=False` or `split="test"` gives, where the dataset has such a part. Files lie under
    `root`, by default `~/.cache/gansynth/torchvision`.

    Raises:
        SourceError: There is no such dataset, it cannot be loaded, or it is not one for classification.
    """
    from torchvision import datasets  # noqa: PLC0415 - slow to import, and who reads a study does without

    name = path.removeprefix(TORCHVISION_PREFIX)
    if name not in datasets.__all__:
        raise SourceError(f"source.path: torchvision has no dataset {name!r}; its names are spelt as in torchvision")
    root = Path(TORCHVISION_ROOT).expanduser() if root is None else root
    parts = _torchvision_parts(getattr(datasets, name), name, root)
    names = getattr(parts[0][0], "classes", None) or getattr(parts[0][0], "categories", None)
    # ImageNet names a class by a tuple of synonyms
    class_names = names and tuple(", ".join(entry) if isinstance(entry, tuple) else str(entry) for entry in names)
    records = (
        _torchvision_record(part, name, row, class_names, is_test)
        for part, is_test in parts
        for row in range(len(part))
    )
    return Source(class_names, sum(len(part) for part, _ in parts), records)


def _folder_parts(root: Path) -> list[tuple[Path, bool]]:
    if not root.is_dir():
        raise SourceError(f"source.path: {root} is not a folder; format image_folder needs one")
    folders = {folder.name.lower(): folder for folder in subfolders(root)}
    train, test = folders.get("train"), folders.get("test")
    if train is None or not subfolders(train):
        return [(root, False)]
    if test is not None:
        return [(train, False), (test, True)]
    others = [name for name in folders if name != "train"]
    if others:
        raise SourceError(
            f"source.path: {root} has {others[0]!r} beside train; name it test if it is, or give {train} as the path"
        )
    return [(train, False)]


def parquet_parts(root: Path) -> list[tuple[Path, bool]]:
    """Return the Parquet files of a source, the training part first, and whether each is of the test part.

    Raises:
        SourceError: None is of the training part.
    """
    if root.is_file():
        return [(root, False)]
    files = sorted(root.glob("*.parquet"))
    test = [file for file in files if file.name.startswith("test")]
    rest = [file for file in files if file not in test]
    train = [file for file in rest if file.name.startswith("train")] or rest
    if not train:
        raise SourceError(f"source.path: {root} holds no Parquet file with training rows; name one train.parquet")
    return [(file, False) for file in train] + [(file, True) for file in test]


def image_footer(file: Path) -> pq.FileMetaData:
    """Read the footer of a Parquet file of images.

    Raises:
        SourceError: It is damaged, has no images or two columns of them, or tells of more than such a file holds.
        ResourceError: The machine cannot read it.
    """
    footer = read_footer(file)
    if footer.num_rows > max(LEAST_ROWS_REFUSED, file.stat().st_size):
        raise SourceError(
            f"{file}: tells of {footer.num_rows:,} images, more than it has bytes, so it is damaged; fetch it again"
        )
    schema = footer.schema.to_arrow_schema()
    refuse_twice(str(file), [name for name in schema.names if name in ("image", "label")])
    image = schema.field("image").type if "image" in schema.names else None
    if image is None or not pa.types.is_struct(image) or not any(map(_is_bytes, image)):
        raise SourceError(
            f"{file}: needs a column image that is a struct with binary bytes; it has {', '.join(schema.names)}"
        )
    return footer


def _is_bytes(field: pa.Field) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return field.name == "bytes" and any(test(field.type) for test in tests)


def picture_of(values: dict[str, Any]) -> bytes:
    """Return the bytes of the image in a row of a Parquet file; empty if there are none."""
    return (values["image"] or {}).get("bytes") or b""


def _labelled_footer(file: Path) -> pq.FileMetaData:
    footer = image_footer(file)
    schema = footer.schema.to_arrow_schema()
    label = schema.field("label").type if "label" in schema.names else None
    if label is not None and pa.types.is_dictionary(label):
        label = label.value_type
    if label is None or not (pa.types.is_integer(label) or pa.types.is_boolean(label) or is_text(label)):
        raise SourceError(f"{file}: needs a column label of whole numbers or strings; it has {label or 'none'}")
    return footer


def _parquet_records(files: list[tuple[Path, bool]], names: tuple[str, ...] | None) -> Iterator[Record]:
    for file, is_test in files:
        for row, values in enumerate(rows_of(file, [IMAGE_BYTES, "label"]), start=1):
            name, problem = _label_name(values["label"], names)
            yield Record(f"{file.name} row {row}", name, picture_of(values), is_test, problem)


def _label_name(label: int | str | None, names: tuple[str, ...] | None) -> tuple[str, str]:
    """Return the class that a stored label means, and what is wrong with it."""
    if label is None or label == "" or (names is not None and label == -1):
        return "", "has no label"
    if names is None:
        return str(label), ""
    if isinstance(label, str):
        return (label, "") if label in names else ("", f"label {shortened(label)!r} is none of the declared classes")
    if 0 <= int(label) < len(names):
        return names[int(label)], ""
    return "", f"label {label} is none of the {len(names)} declared classes"


def _csv_record(
    root: Path, number: int, row: dict[str | None, Any], file_column: str, columns: Sequence[str]
) -> Record:
    file = Path(os.path.normpath(root / (row[file_column] or "")))
    split = (row.get("split") or "train").strip().lower()
    problem = ""
    if None in row:  # where the reader puts values beyond the columns
        problem = f"has {len(columns) + len(row[None])} values, not {len(columns)}"
    elif not row["label"]:
        problem = "has no label"
    elif not row[file_column]:
        problem = "names no file"
    elif split not in ("train", "test"):
        problem = f"split {split!r} is neither train nor test"
    elif not Path(os.path.normpath(file.absolute())).is_relative_to(os.path.normpath(root.absolute())):
        problem = f"{row[file_column]} lies outside the source"
    origin = f"{LABELS_FILE} row {number} ({row[file_column] or ''})"
    return Record(origin, row["label"] or "", file, split == "test", problem)


def _torchvision_parts(dataset: type, name: str, root: Path) -> list[tuple[Any, bool]]:
    """Return the training part and, where there is one, the test part."""
    parameters = _parameters(dataset)
    given = {key: value for key, value in {"root": root, "download": True}.items() if key in parameters}
    needed = [key for key, parameter in parameters.items() if _is_required(parameter) and key not in given]
    if needed:
        raise SourceError(f"torchvision:{name}: needs {needed[0]!r}, which a study cannot give; save it as a folder")
    try:
        if "train" in parameters:
            return [(dataset(**given, train=True), False), (dataset(**given, train=False), True)]
        parts = [(dataset(**given), False)]
        if "split" in parameters:
            with suppress(ValueError):  # what a dataset raises that has no such split
                parts.append((dataset(**given, split="test"), True))
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise SourceError(
            f"torchvision:{name}: cannot be loaded ({first_line(error)}); go online, or put its files under {root}"
        ) from error
    return parts


def _parameters(dataset: type) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a class's construction; those of its bases too if it hands keywords on to them."""
    own = inspect.signature(dataset).parameters
    if not any(parameter.kind == parameter.VAR_KEYWORD for parameter in own.values()):
        return own
    return {
        key: value for kind in reversed(dataset.__mro__) for key, value in inspect.signature(kind).parameters.items()
    }


def _is_required(parameter: inspect.Parameter) -> bool:
    named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    return named and parameter.default is parameter.empty


def _torchvision_record(part: Any, name: str, row: int, names: tuple[str, ...] | None, is_test: bool) -> Record:  # noqa: ANN401 torchvision ships no types
    origin = f"{name} {'test' if is_test else 'train'} row {row + 1}"
    try:
        picture, target = part[row]
        label, problem = _label_name(int(target), names)
    except (OSError, ValueError, TypeError, SyntaxError) as error:
        if is_of_machine(error):
            raise of_machine(origin, error) from error
        return Record(origin, "", b"", is_test, f"cannot be loaded as an image and its class ({first_line(error)})")
    return Record(origin, label, picture, is_test, problem)


READERS: dict[str, Callable[[str], Source]] = {
    "image_folder": read_image_folder,
    "parquet": read_parquet,
    "labels_csv": read_labels_csv,
    "torchvision": read_torchvision,
}
