"""What meets bytes from outside, each as a function of bytes, with valid bytes to start from.

A target may raise what gansynth raises on purpose, in one line; anything else is a find. The tests feed it from
Hypothesis, `make fuzz` from atheris.
"""

import hashlib
import io
import json
import math
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from gansynth.artifacts import MANIFEST, is_current, publish, read_manifest, verify
from gansynth.checkpoints import DESCRIPTION, TRAINING_ROWS, load_model, read_classes
from gansynth.datasets import DATASET_FILE, load_dataset
from gansynth.errors import GansynthError
from gansynth.gans import MlpConfig
from gansynth.generation.folders import folder_names
from gansynth.ingestion import ingest
from gansynth.ingestion.conversion import convert
from gansynth.ingestion.readers import read_labels_csv
from gansynth.ingestion.rows import read_rows
from gansynth.ingestion.sources import Source
from gansynth.ingestion.unlabelled import read_further_images
from gansynth.markup import csv_cell, escape
from gansynth.modalities import ImageConfig, TableConfig
from gansynth.modalities.image.inception import EXPECTED, check_weights
from gansynth.modalities.image.storage import IMAGE_TYPE, features, to_arrow
from gansynth.modalities.table.storage import SCHEMA_KEY
from gansynth.modalities.table.storage import to_arrow as rows_to_arrow
from gansynth.modalities.table.survey import survey
from gansynth.runs import Run
from gansynth.samples import Samples
from gansynth.sections import ComputeConfig, EvaluationConfig, SourceConfig
from gansynth.study import Study
from gansynth.study_files import load_study, read_study
from gansynth.training import train_repetition

SIDE = 8
IMAGES = ImageConfig(size=SIDE)
TABLE = TableConfig(label="label")
IMAGE_STUDY = Study(name="s", source=SourceConfig(path="photos"), modality=IMAGES)
STUDY = """name = "s"
seed = 3

[source]
path = "photos"  # a folder
max_bad_share = 0.1

[modality]
size = 32

[gan]
kind = "dcgan"
augmentation = ["affine"]
"""
CSV = 'id,x,town,when,label\n1,2.5,"a, ""b""",2020-01-31,yes\n2,NA,Rome,31.12.2020,no\n3,-1e3,=cmd(),,yes\n4,0,é,,no\n'


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


def _random(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 1), dtype=np.uint8)


def _encoded(form: str, mode: str = "RGB", **options: int | bool) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(_random(1)[0, :, :, 0]).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def _as_parquet(table: pa.Table, **options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def _image_table(labels: list[int] | list[str]) -> pa.Table:
    blobs = [{"bytes": _encoded("PNG", "L"), "path": None} for _ in labels]
    return pa.table({"image": pa.array(blobs, IMAGE_TYPE), "label": labels})


def _row_table() -> pa.Table:
    return pa.table(
        {
            "x": [1.5, None, float("inf"), -0.0] * 4,
            "town": pa.array(["a", "=b", None, "é"] * 4).dictionary_encode(),
            "when": pa.array(range(16), pa.timestamp("us", "Europe/Berlin")),
            "label": ["yes", "no"] * 8,
        }
    )


def _drain(source: Source) -> None:
    for record in source.records:
        if not record.problem:
            convert(record.image, IMAGES)


def _study(data: bytes, place: Path) -> None:
    file = place / "study.toml"
    file.write_bytes(data)
    load_study(file)


def _setting(data: bytes, place: Path) -> None:
    load_study(place / "valid.toml", data.decode(errors="replace").split("\n"))


def _stored_study(data: bytes, place: Path) -> None:
    (place / "study.json").write_bytes(data)
    read_study(Run(place))


def _seed_studies() -> list[bytes]:
    return [Study(name="s", source=SourceConfig(path="photos")).model_dump_json().encode()]


def _manifest(data: bytes, place: Path) -> None:
    artifact = place / "artifact"
    (artifact / MANIFEST).write_bytes(data)
    manifest = read_manifest(artifact)
    is_current(artifact, manifest.request, manifest.parents)
    verify(artifact)


def _put_artifact(place: Path) -> None:
    (place / "artifact").mkdir()
    (place / "artifact" / "a.txt").write_bytes(b"hello")


def _seed_manifests() -> list[bytes]:
    record = {"size": 5, "sha256": hashlib.sha256(b"hello").hexdigest()}
    manifest = {
        "format_version": 1, "stage": "ingest", "digest": "0" * 64, "request": {"seed": [1, None]}, "parents": {},
        "counts": {"rows": 3}, "versions": {"gansynth": metadata.version("gansynth")}, "seconds": 0.5,
        "cpu_seconds": 0.5, "peak_memory_mb": 10.5, "files": {"a.txt": record},
    }  # fmt: skip
    return [json.dumps(manifest).encode()]


def _image(data: bytes, _place: Path) -> None:
    pixels = convert(data, IMAGES)
    if pixels.shape not in {(SIDE, SIDE, 1), (SIDE, SIDE, 3)} or pixels.dtype != np.uint8:
        raise AssertionError(pixels.shape)


def _seed_images() -> list[bytes]:
    tiff = [_encoded("TIFF", mode) for mode in ("1", "CMYK", "F", "I;16", "LAB")]
    png = [_encoded("PNG", mode) for mode in ("RGBA", "P", "I;16", "1")]
    return [*tiff, *png, _encoded("JPEG"), _encoded("GIF", "P"), _encoded("WEBP", lossless=True), _encoded("BMP")]


def _image_parquet(data: bytes, place: Path) -> None:
    file = place / "train.parquet"
    file.write_bytes(data)
    if place.joinpath("run").exists():
        shutil.rmtree(place / "run")
    ingest(IMAGE_STUDY.model_copy(update={"source": SourceConfig(path=str(file))}), Run(place / "run"))


def _new_images(data: bytes, place: Path) -> None:
    file = place / "new.parquet"
    file.write_bytes(data)
    found = read_further_images(str(file), IMAGES, (1, SIDE, SIDE))
    for part in found.parts:
        if len(part.places) != len(part.problems):
            raise AssertionError(part)


def _seed_image_parquet() -> list[bytes]:
    table = _image_table([0, 1, 1, 0, 1, 0])
    declared = table.replace_schema_metadata(features(["a", "../b"], {}))
    return [_as_parquet(declared, write_page_checksum=True), _as_parquet(_image_table(["a", "b"] * 3))]


def _rows_parquet(data: bytes, place: Path) -> None:
    file = place / "rows.parquet"
    file.write_bytes(data)
    read_rows(str(file), "parquet", TABLE)


def _seed_rows() -> list[bytes]:
    return [_as_parquet(_row_table(), row_group_size=8), _as_parquet(_row_table(), write_page_checksum=True)]


def _csv(data: bytes, place: Path) -> None:
    file = place / "rows.csv"
    file.write_bytes(data)
    read_rows(str(file), "csv", TABLE)


def _seed_csv() -> list[bytes]:
    other = CSV.replace(",", ";").replace("2.5", "2,5")
    return [CSV.encode(), other.encode("cp1252"), CSV.replace(",", "\t").encode("utf-16")]


def _labels_csv(data: bytes, place: Path) -> None:
    (place / "labels.csv").write_bytes(data)
    _drain(read_labels_csv(str(place)))


def _put_picture(place: Path) -> None:
    (place / "a.png").write_bytes(_encoded("PNG"))


def _metadata(data: bytes, place: Path) -> None:
    """Read the dataset of a run whose Parquet declares its classes, or its columns, by these bytes."""
    for key, table in (("huggingface", _image_table([0, 1])), (SCHEMA_KEY.decode(), _row_table())):
        whole = table.append_column("is_test", pa.array([False] * len(table)))
        whole = whole.append_column("group", pa.array(range(len(table))))
        pq.write_table(whole.replace_schema_metadata({key: data}), place / "dataset" / DATASET_FILE)
        try:
            load_dataset(place / "dataset")
        except GansynthError as error:
            refusal = error
        else:
            refusal = None
    if refusal:
        raise refusal


def _put_dataset(place: Path) -> None:
    with publish(place / "dataset", "ingest", {}, {}):
        pass


def _seed_metadata() -> list[bytes]:
    found = survey(_row_table(), TABLE)
    rows = rows_to_arrow(found.samples, {}).schema.metadata[SCHEMA_KEY]
    images = to_arrow(Samples(_random(2), np.arange(2), ("a", "b")), {}).schema.metadata[b"huggingface"]
    return [rows, images]


def _description(data: bytes, place: Path) -> None:
    (place / "model" / DESCRIPTION).write_bytes(data)
    read_classes(place / "model")
    load_model(place / "model", ComputeConfig(accelerator="cpu"))


def _weights(data: bytes, place: Path) -> None:
    for name in ("generator.safetensors", TRAINING_ROWS):
        file = place / "model" / name
        whole = file.read_bytes()
        file.write_bytes(data)
        try:
            load_model(place / "model", ComputeConfig(accelerator="cpu"))
        except GansynthError as error:
            refusal = error
        else:
            refusal = None
        finally:
            file.write_bytes(whole)
    if refusal:
        raise refusal


def _put_model(place: Path) -> None:
    """Train a model as small as they come."""
    study = Study(
        name="s",
        source=SourceConfig(path="photos"),
        modality=ImageConfig(size=SIDE),
        gan=MlpConfig(kimg=0.008, batch_size=8, warmup_steps=1, width=8),
        evaluation=EvaluationConfig(steps=1, batch_size=8, inner_steps=1),
        compute=ComputeConfig(accelerator="cpu"),
    )
    run = Run(place)
    samples = Samples(_random(8), np.arange(8) % 2, ("a", "b"))
    others = {"is_test": pa.array([False] * 8), "group": pa.array(range(8))}
    with publish(run.dataset, "ingest", {}, {}) as draft:
        pq.write_table(to_arrow(samples, others), draft.path / DATASET_FILE)
    train_repetition(study, run, None)


def _seed_model(name: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        with TemporaryDirectory() as place:
            _put_model(Path(place))
            return [(Path(place) / "model" / name).read_bytes()]

    return seeds


def _inception(data: bytes, place: Path) -> None:
    (place / "weights.pth").write_bytes(data)
    check_weights(place / "weights.pth")


def _seed_inception() -> list[bytes]:
    seeds = []
    for zipped in (True, False):
        buffer = io.BytesIO()
        held = {name: torch.zeros(shape) for name, shape in EXPECTED.items() if math.prod(shape) < 10_000}
        torch.save({"more": [1, "a"], **held}, buffer, _use_new_zipfile_serialization=zipped)
        seeds.append(buffer.getvalue())
    return seeds


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
    "study": Target(_study, lambda: [STUDY.encode()]),
    "setting": Target(
        _setting,
        lambda: [b"gan.kimg=200", b'modality={kind="table",label="x"}', b"source.path=s3://a/b"],
        lambda place: (place / "valid.toml").write_text(STUDY) and None,
    ),
    "stored_study": Target(_stored_study, _seed_studies),
    "manifest": Target(_manifest, _seed_manifests, _put_artifact),
    "image": Target(_image, _seed_images),
    "image_parquet": Target(_image_parquet, _seed_image_parquet),
    "new_images": Target(_new_images, _seed_image_parquet),
    "rows_parquet": Target(_rows_parquet, _seed_rows),
    "csv": Target(_csv, _seed_csv),
    "labels_csv": Target(_labels_csv, lambda: [b'file,label,split\na.png,cat,\n"a.png",dog,test\n'], _put_picture),
    "metadata": Target(_metadata, _seed_metadata, _put_dataset),
    "description": Target(_description, _seed_model(DESCRIPTION), _put_model),
    "weights": Target(_weights, _seed_model(TRAINING_ROWS), _put_model),
    "inception": Target(_inception, _seed_inception),
    "class_names": Target(_class_names, lambda: ["../../x\nCON\ncafé\ncafe\u0301\n=cmd()\n<b>".encode(), b"a\nA\n\0"]),
}
