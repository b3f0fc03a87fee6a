"""Readers of further samples of a run's kind, whose labels, if there are any, do not count.

Nothing is left out: a row that cannot be read stands in its place, with the reason.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from gansynth.errors import SourceError
from gansynth.ingestion.conversion import convert
from gansynth.ingestion.parquet import ROWS_AT_ONCE, rows_of
from gansynth.ingestion.readers import IMAGE_BYTES, IMAGE_SUFFIXES, image_footer, picture_of
from gansynth.ingestion.sniffing import Dialect, Expected
from gansynth.ingestion.sources import files_below, refuse_archive, shown
from gansynth.ingestion.tables import TableSource, choose_table_format, format_of_files, read_table
from gansynth.modalities.image.config import ImageConfig
from gansynth.modalities.image.storage import Pixels
from gansynth.modalities.table.cells import is_text, listed, to_cells, value_type
from gansynth.modalities.table.config import ColumnSetting, TableConfig
from gansynth.modalities.table.rows import prepare
from gansynth.samples import Column, Schema, Values
from gansynth.sections import is_named


class Further(NamedTuple):
    """Some rows of a source, in its order.

    Attributes:
        places: Where each of the N rows is from.
        problems: Why each cannot be read; empty if it can.
        values: Those that can, as samples of the run's kind hold them, (M, ...).
    """

    places: list[str]
    problems: list[str]
    values: Values


class FurtherRows(NamedTuple):
    """What a reader found: how many rows altogether, the rows part by part, and what to know about them."""

    total: int
    parts: Iterator[Further]
    notes: list[str]


def read_further_rows(
    path: str, schema: Schema, dialect: Dialect | None = None, null_words: Mapping[str, Sequence[str]] | None = None
) -> FurtherRows:
    """Read a table, CSV or Parquet, with the columns of a schema; others, also the label's, are passed over.

    Cells are read as `Column` says, and CSV like the file of this dialect where its own text leaves open how; where it
    is written otherwise, a note says so. The words that were nulls in a column of the training data are so here, and no
    others. A category that a column lacks has the position behind its last one. A row is set aside with its reason if a
    number is infinite or text where a number or time belongs, or if it has too many or too few values.

    Raises:
        SourceError: There is no such file, it cannot be read, or it lacks a column or has one of another type.
    """
    if not is_named(path) and not Path(path).exists():
        raise SourceError(f"{path}: does not exist; name a CSV or Parquet file")
    if not is_named(path):
        refuse_archive(Path(path))
    if not is_named(path) and not format_of_files(Path(path)):
        raise SourceError(f"{path}: is no CSV or Parquet file by its name; rename it")
    source = _read_table(path, schema, dialect)
    names = [column.name for column in schema.columns]
    missing = [name for name in names if name not in source.table.column_names]
    if missing:
        raise SourceError(
            f"{path}: lacks the column {missing[0]!r}, which the model knows; it has"
            f" {listed(source.table.column_names)}"
        )
    kinds = tuple(ColumnSetting(name=column.name, kind=_kind(column)) for column in schema.columns)
    config = TableConfig(label=schema.label.name, columns=kinds)
    prepared = prepare(source.table.select(names), config, source.notation, null_words or {})
    usable = np.ones(source.table.num_rows, dtype=np.bool_)
    usable[list(prepared.unusable)] = False
    try:
        cells = to_cells(prepared.table.filter(pa.array(usable)), schema.columns, lenient=True)
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from None
    notes = source.dialect.deviations(dialect) if source.dialect and dialect else []
    for position, column in enumerate(schema.columns):
        unknown = int((cells[:, position] == len(column.categories)).sum()) if column.categories else 0
        if unknown:
            notes.append(f"{column.name}: {unknown:,} of {len(cells):,} values are no category that the model knows")
    places, problems = _in_order(source, prepared.unusable)
    return FurtherRows(len(places), iter([Further(places, problems, cells)]), notes)


def _kind(column: Column) -> Literal["numeric", "integer", "datetime", "categorical"]:
    """Return as what a column is prepared: whether its text stands for numbers, times of day or times."""
    match column.kind:
        case "integer" if pa.types.is_time(value_type(column)):
            return "integer"
        case "integer" | "numeric":
            return "numeric"
        case "datetime":
            return "datetime"
        case _:
            return "categorical"


def _read_table(path: str, schema: Schema, dialect: Dialect | None) -> TableSource:
    columns = schema.columns
    expected = Expected(
        names=tuple(column.name for column in columns),
        texts=tuple(column.name for column in columns if column.categories and is_text(value_type(column))),
        dialect=dialect,
    )
    return read_table(path, choose_table_format(path), expected=expected)


def _in_order(source: TableSource, unusable: dict[int, str]) -> tuple[list[str], list[str]]:
    """Return place and problem of each row of a source, also of those that are not in its table."""
    set_aside = {one["source"]: one["reason"] for one in source.quarantine}  # only a single file of text has such rows
    places, problems, position = [], [], 0
    for part in source.parts:
        for number in range(1, len(part.numbers) + len(set_aside) + 1):
            place = f"{part.name} row {number}"
            places.append(place)
            if place in set_aside:
                problems.append(set_aside[place])
            else:
                problems.append(unusable.get(position, ""))
                position += 1
    return places, problems


def read_further_images(path: str, config: ImageConfig, shape: tuple[int, int, int]) -> FurtherRows:
    """Read images: those of a folder and all folders below, or of Parquet with a column `image`, or a single file.

    They are converted as `convert` says, to the channels and side of `shape`: (channels, side, side).

    Raises:
        SourceError: There is no such file or folder, it holds no images, or is damaged.
    """
    place = Path(path)
    if not place.exists():
        raise SourceError(f"{path}: does not exist; name a folder of images or a Parquet file")
    refuse_archive(place)
    channels, side, _ = shape
    config = config.model_copy(update={"size": side, "channels": "rgb" if channels == 3 else "gray"})
    parquet = [place] if place.suffix == ".parquet" else sorted(place.glob("*.parquet")) if place.is_dir() else []
    if parquet:
        total = sum(image_footer(file).num_rows for file in parquet)
        return FurtherRows(total, _converted(_from_parquet(parquet), config, shape), [])
    try:
        files = [place] if place.is_file() else list(files_below(place))
    except OSError as error:
        raise SourceError(f"{error.filename}: cannot be read ({error.strerror}); mend its permissions") from None
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise SourceError(f"{path}: holds no images; name a folder of images or a Parquet file")
    root = place if place.is_dir() else place.parent
    return FurtherRows(len(images), _converted(_from_files(images, root), config, shape), [])


def _from_files(images: list[Path], root: Path) -> Iterator[tuple[str, Path]]:
    return ((shown(file.relative_to(root)), file) for file in images)


def _from_parquet(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    for file in files:
        for row, values in enumerate(rows_of(file, [IMAGE_BYTES]), start=1):
            yield f"{file.name} row {row}", picture_of(values)


def _converted(
    pictures: Iterator[tuple[str, bytes | Path]], config: ImageConfig, shape: tuple[int, int, int]
) -> Iterator[Further]:
    channels, side, _ = shape
    while some := _convert_some(islice(pictures, ROWS_AT_ONCE), config):
        pixels = [pixels for *_, pixels in some if pixels is not None]
        values = np.stack(pixels) if pixels else np.zeros((0, side, side, channels), np.uint8)
        yield Further([place for place, *_ in some], [problem for _, problem, _ in some], values)


def _convert_some(
    pictures: Iterable[tuple[str, bytes | Path]], config: ImageConfig
) -> list[tuple[str, str, Pixels | None]]:
    """Return place, problem and pixels of some pictures, each of which is let go once it is converted."""
    converted: list[tuple[str, str, Pixels | None]] = []
    for place, picture in pictures:
        try:
            converted.append((place, "", convert(picture, config, place)))
        except SourceError as error:
            converted.append((place, str(error), None))
    return converted
