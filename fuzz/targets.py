"""What meets bytes from outside, each as a function of bytes, with valid bytes to start from.

A target may raise what gansynth raises on purpose, in one line; anything else is a find. The tests feed it from
Hypothesis, `make fuzz` from atheris.
"""

import shutil
from collections.abc import Callable, Iterable
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuzz import seeds
from gansynth.artifacts import MANIFEST, is_current, read_manifest, verify
from gansynth.checkpoints import DESCRIPTION, TRAINING_ROWS, load_model, read_classes
from gansynth.datasets import DATASET_FILE, load_dataset
from gansynth.errors import GansynthError
from gansynth.generation.folders import folder_names
from gansynth.ingestion import ingest
from gansynth.ingestion.conversion import convert
from gansynth.ingestion.readers import read_labels_csv
from gansynth.ingestion.rows import read_rows
from gansynth.ingestion.sources import Source, choose_format, fingerprint
from gansynth.ingestion.tables import choose_table_format
from gansynth.ingestion.unlabelled import read_further_images, read_further_rows
from gansynth.markup import csv_cell, escape
from gansynth.modalities.image.inception import check_weights
from gansynth.runs import Run
from gansynth.sections import ComputeConfig, SourceConfig
from gansynth.study_files import load_study, read_study
from gansynth.training.resume import load_state

PLACES = ("rows", "rows.csv", "rows.csv.gz", "rows.parquet", "in/labels.csv", "in/train.parquet")
"""What a source may be called."""


class Target(NamedTuple):
    """A parser, and what it is fuzzed from.

    Attributes:
        run: Takes bytes, and a folder of its own that `prepare` has prepared.
        seeds: Valid bytes.
        prepare: Puts into an empty folder what the parser needs beside the bytes.
    """

    run: Callable[[bytes, Path], None]
    seeds: Callable[[], list[bytes]]
    prepare: Callable[[Path], None] = lambda _place: None


def feed(target: Target, data: bytes, place: Path) -> bool:
    """Let a target read bytes, and return whether it took them.

    Raises:
        AssertionError: It refused them in more than one line.
        Exception: Whatever it raises that is none of gansynth's own errors.
    """
    try:
        target.run(data, place)
    except GansynthError as error:
        if len(str(error).splitlines()) != 1:
            raise AssertionError(f"not one line: {error!r}") from error
        return False
    return True


def _each(readers: Iterable[Callable[[], object]]) -> None:
    """Let each of several readers read, whatever the others say; if none takes the bytes, raise what the last says."""
    refusals: list[GansynthError] = []
    taken = False
    for read in readers:
        try:
            read()
            taken = True
        except GansynthError as error:
            refusals.append(error)
    if not taken:
        raise refusals[-1]


def _drain(source: Source) -> None:
    for record in source.records:
        if not record.problem:
            convert(record.image, seeds.IMAGES)


def _study(data: bytes, place: Path) -> None:
    file = place / "study.toml"
    file.write_bytes(data)
    load_study(file)


def _setting(data: bytes, place: Path) -> None:
    load_study(place / "valid.toml", data.decode(errors="replace").split("\n"))


def _stored_study(data: bytes, place: Path) -> None:
    (place / "study.json").write_bytes(data)
    read_study(Run(place))


def _manifest(data: bytes, place: Path) -> None:
    artifact = place / "artifact"
    (artifact / MANIFEST).write_bytes(data)
    manifest = read_manifest(artifact)
    is_current(artifact, manifest.request, manifest.parents)
    verify(artifact)


def _image(data: bytes, _place: Path) -> None:
    pixels = convert(data, seeds.IMAGES)
    if pixels.shape not in {(seeds.SIDE, seeds.SIDE, 1), (seeds.SIDE, seeds.SIDE, 3)} or pixels.dtype != np.uint8:
        raise AssertionError(pixels.shape)


def _image_parquet(data: bytes, place: Path) -> None:
    file = place / "train.parquet"
    file.write_bytes(data)
    if place.joinpath("run").exists():
        shutil.rmtree(place / "run")
    ingest(seeds.IMAGE_STUDY.model_copy(update={"source": SourceConfig(path=str(file))}), Run(place / "run"))


def _new_images(data: bytes, place: Path) -> None:
    file = place / "new.parquet"
    file.write_bytes(data)
    found = read_further_images(str(file), seeds.IMAGES, (1, seeds.SIDE, seeds.SIDE))
    for part in found.parts:
        if len(part.places) != len(part.problems):
            raise AssertionError(part)


def _rows_parquet(data: bytes, place: Path) -> None:
    file = place / "rows.parquet"
    file.write_bytes(data)
    read_rows(str(file), "parquet", seeds.TABLE)


def _csv(data: bytes, place: Path) -> None:
    file = place / "rows.csv"
    file.write_bytes(data)
    read_rows(str(file), "csv", seeds.TABLE)


def _new_rows(data: bytes, place: Path, name: str = "new.csv") -> None:
    file = place / name
    file.write_bytes(data)
    found = read_further_rows(str(file), seeds.row_schema(), null_words={"x": ["none"]})
    for part in found.parts:
        if len(part.places) != len(part.problems) or len(part.values) != part.problems.count(""):
            raise AssertionError(part)


def _formats(data: bytes, place: Path) -> None:
    """Look at a source, whatever it is called, before it is read."""
    readers: list[Callable[[], object]] = []
    for name in PLACES:
        file = place / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
        path = str(file.parent if name.startswith("in/") else file)
        readers += [partial(choose, path) for choose in (choose_format, choose_table_format, fingerprint)]
    _each(readers)


def _labels_csv(data: bytes, place: Path) -> None:
    (place / "labels.csv").write_bytes(data)
    _drain(read_labels_csv(str(place)))


def _metadata(data: bytes, place: Path) -> None:
    """Read the dataset of a run whose Parquet declares its classes, or its columns, by these bytes."""
    for key, table in zip(seeds.KEYS, (seeds.image_table([0, 1]), seeds.row_table()), strict=True):
        whole = table.append_column("is_test", pa.array([False] * len(table)))
        whole = whole.append_column("group", pa.array(range(len(table))))
        pq.write_table(whole.replace_schema_metadata({key: data}), place / key / DATASET_FILE)
    _each(partial(load_dataset, place / key) for key in seeds.KEYS)


def _description(data: bytes, place: Path) -> None:
    (place / "model" / DESCRIPTION).write_bytes(data)
    read_classes(place / "model")
    load_model(place / "model", ComputeConfig(accelerator="cpu"))


def _weights(data: bytes, place: Path) -> None:
    _each(partial(_load_with, data, name, place) for name in ("generator.safetensors", TRAINING_ROWS))


def _load_with(data: bytes, name: str, place: Path) -> None:
    file = place / "model" / name
    whole = file.read_bytes()
    file.write_bytes(data)
    try:
        load_model(place / "model", ComputeConfig(accelerator="cpu"))
    finally:
        file.write_bytes(whole)


def _state(data: bytes, place: Path) -> None:
    file = place / "state.safetensors"
    file.write_bytes(data)
    _each(partial(load_state, file, seeds.players(), seeds.REQUEST, counted=counted) for counted in (False, True))


def _inception(data: bytes, place: Path) -> None:
    (place / "weights.pth").write_bytes(data)
    check_weights(place / "weights.pth")


def _class_names(data: bytes, _place: Path) -> None:
    names = list(dict.fromkeys(data.decode("utf-8", "surrogateescape").split("\n")))
    folders = folder_names(names)
    if len({folder.casefold() for folder in folders}) < len(names):
        raise AssertionError(folders)
    for name, folder in zip(names, folders, strict=True):
        if set(folder) & set('/\\:*?"<>|.\0') or not folder or len(folder.encode()) > 255:
            raise AssertionError(folder)
        if csv_cell(name)[:1] in set("=+-@\t\r"):
            raise AssertionError(name)
        _check_markup(escape(name))


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 of the base class
        self.found.append(tag)


def _check_markup(text: str) -> None:
    tags = _Tags()
    tags.feed(text)
    if tags.found or "\n" in text:
        raise AssertionError(text)


TARGETS: dict[str, Target] = {
    "study": Target(_study, lambda: [seeds.STUDY.encode()]),
    "setting": Target(
        _setting,
        lambda: [b"gan.kimg=200", b'modality={kind="table",label="x"}', b"source.path=s3://a/b"],
        lambda place: (place / "valid.toml").write_text(seeds.STUDY) and None,
    ),
    "stored_study": Target(_stored_study, seeds.studies),
    "manifest": Target(_manifest, seeds.manifests, seeds.put_artifact),
    "image": Target(_image, seeds.images),
    "image_parquet": Target(_image_parquet, seeds.image_parquet),
    "new_images": Target(_new_images, seeds.image_parquet),
    "rows_parquet": Target(_rows_parquet, seeds.row_parquet),
    "csv": Target(_csv, seeds.csv_files),
    "new_rows": Target(_new_rows, seeds.csv_files),
    "new_rows_parquet": Target(partial(_new_rows, name="new.parquet"), seeds.row_parquet),
    "formats": Target(_formats, seeds.archives),
    "labels_csv": Target(_labels_csv, lambda: [b'file,label,split\na.png,cat,\n"a.png",dog,test\n'], seeds.put_picture),
    "metadata": Target(_metadata, seeds.metadata_of, seeds.put_dataset),
    "description": Target(_description, seeds.model_file(DESCRIPTION), seeds.put_model),
    "weights": Target(_weights, seeds.model_file(TRAINING_ROWS), seeds.put_model),
    "state": Target(_state, seeds.states),
    "inception": Target(_inception, seeds.inception_weights),
    "class_names": Target(_class_names, lambda: ["../../x\nCON\ncafé\ncafe\u0301\n=cmd()\n<b>".encode(), b"a\nA\n\0"]),
}
