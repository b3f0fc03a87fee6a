"""Valid bytes to fuzz from, and what the parsers need beside them."""

import bz2
import gzip
import hashlib
import io
import json
import math
import shutil
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from gansynth.artifacts import publish
from gansynth.datasets import DATASET_FILE
from gansynth.gans import MlpConfig
from gansynth.modalities import ImageConfig, TableConfig
from gansynth.modalities.image.inception import EXPECTED
from gansynth.modalities.image.storage import IMAGE_TYPE, features, to_arrow
from gansynth.modalities.table.storage import SCHEMA_KEY, schema_of
from gansynth.modalities.table.storage import to_arrow as rows_to_arrow
from gansynth.modalities.table.survey import survey
from gansynth.runs import Run
from gansynth.samples import Samples, Schema
from gansynth.sections import ComputeConfig, EvaluationConfig, SourceConfig
from gansynth.study import Study
from gansynth.training import train_repetition
from gansynth.training.loop import Players, build_players
from gansynth.training.resume import Counters, save_state

SIDE = 8
REQUEST = "a training"
KEYS = ("huggingface", SCHEMA_KEY.decode())
"""Of metadata that declare classes, and columns."""
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


def random_pixels(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 1), dtype=np.uint8)


def encoded(form: str, mode: str = "RGB", **options: int | bool) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(random_pixels(1)[0, :, :, 0]).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def as_parquet(table: pa.Table, **options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def image_table(labels: list[int] | list[str]) -> pa.Table:
    blobs = [{"bytes": encoded("PNG", "L"), "path": None} for _ in labels]
    return pa.table({"image": pa.array(blobs, IMAGE_TYPE), "label": labels})


def row_table() -> pa.Table:
    return pa.table(
        {
            "x": [1.5, None, float("inf"), -0.0] * 4,
            "town": pa.array(["a", "=b", None, "é"] * 4).dictionary_encode(),
            "when": pa.array(range(16), pa.timestamp("us", "Europe/Berlin")),
            "label": ["yes", "no"] * 8,
        }
    )


def studies() -> list[bytes]:
    return [Study(name="s", source=SourceConfig(path="photos")).model_dump_json().encode()]


def put_artifact(place: Path) -> None:
    (place / "artifact").mkdir()
    (place / "artifact" / "a.txt").write_bytes(b"hello")


def manifests() -> list[bytes]:
    record = {"size": 5, "sha256": hashlib.sha256(b"hello").hexdigest()}
    manifest = {
        "format_version": 1, "stage": "ingest", "digest": "0" * 64, "request": {"seed": [1, None]}, "parents": {},
        "counts": {"rows": 3}, "versions": {"gansynth": metadata.version("gansynth")}, "seconds": 0.5,
        "cpu_seconds": 0.5, "peak_memory_mb": 10.5, "files": {"a.txt": record},
    }  # fmt: skip
    return [json.dumps(manifest).encode()]


def images() -> list[bytes]:
    tiff = [encoded("TIFF", mode) for mode in ("1", "CMYK", "F", "I;16", "LAB")]
    png = [encoded("PNG", mode) for mode in ("RGBA", "P", "I;16", "1")]
    return [*tiff, *png, encoded("JPEG"), encoded("GIF", "P"), encoded("WEBP", lossless=True), encoded("BMP")]


def image_parquet() -> list[bytes]:
    table = image_table([0, 1, 1, 0, 1, 0])
    declared = table.replace_schema_metadata(features(["a", "../b"], {}))
    more = image_table([0, 1])
    fields = [*more["image"].combine_chunks().flatten(), pa.array([1, 2], pa.timestamp("s"))]
    images = pa.StructArray.from_arrays(fields, names=["bytes", "path", "when"])
    return [
        as_parquet(declared, write_page_checksum=True),
        as_parquet(image_table(["a", "b"] * 3)),
        as_parquet(more.set_column(0, "image", images)),
    ]


def row_parquet() -> list[bytes]:
    odd = {
        "map": pa.array([[("a", "b")]] * 16, pa.map_(pa.string(), pa.string())),
        "list": pa.array([["a"], None] * 8, pa.list_(pa.string_view())),
        "fixed": pa.array([b"ab"] * 16, pa.binary(2)),
        "amount": pa.array(range(16), pa.decimal128(10, 2)),
        "view": pa.array(["a", "b"] * 8, pa.string_view()),
    }
    table = row_table()
    for name, column in odd.items():
        table = table.append_column(name, column)
    delta = {
        "use_dictionary": False,
        "column_encoding": {"label": "DELTA_BYTE_ARRAY", "view": "DELTA_LENGTH_BYTE_ARRAY"},
    }
    return [
        as_parquet(row_table(), row_group_size=8),
        as_parquet(row_table(), write_page_checksum=True),
        as_parquet(table, row_group_size=8),
        as_parquet(table.drop_columns(["town"]), **delta),
    ]


def csv_files() -> list[bytes]:
    other = CSV.replace(",", ";").replace("2.5", "2,5")
    return [CSV.encode(), other.encode("cp1252"), CSV.replace(",", "\t").encode("utf-16")]


def put_picture(place: Path) -> None:
    (place / "a.png").write_bytes(encoded("PNG"))


def put_dataset(place: Path) -> None:
    for key in KEYS:
        with publish(place / key, "ingest", {}, {}):
            pass


@cache
def row_schema() -> Schema:
    return schema_of(survey(row_table(), TABLE).samples)


def archives() -> list[bytes]:
    with TemporaryDirectory() as place:
        file = Path(place) / "rows.csv"
        file.write_text(CSV)
        packed = [shutil.make_archive(f"{place}/packed", form, place, "rows.csv") for form in ("zip", "tar", "gztar")]
        contents = [Path(archive).read_bytes() for archive in packed]
    return [*contents, gzip.compress(CSV.encode()), bz2.compress(CSV.encode()), CSV.encode(), *image_parquet()]


def metadata_of() -> list[bytes]:
    found = survey(row_table(), TABLE)
    rows = rows_to_arrow(found.samples, {}).schema.metadata[SCHEMA_KEY]
    pixels = Samples(random_pixels(2), np.arange(2), ("a", "b"))
    return [rows, to_arrow(pixels, {}).schema.metadata[b"huggingface"]]


def put_model(place: Path) -> None:
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
    samples = Samples(random_pixels(8), np.arange(8) % 2, ("a", "b"))
    others = {"is_test": pa.array([False] * 8), "group": pa.array(range(8))}
    with publish(run.dataset, "ingest", {}, {}) as draft:
        pq.write_table(to_arrow(samples, others), draft.path / DATASET_FILE)
    train_repetition(study, run, None)


def model_file(name: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        with TemporaryDirectory() as place:
            put_model(Path(place))
            return [(Path(place) / "model" / name).read_bytes()]

    return seeds


def players() -> Players:
    return build_players(MlpConfig(width=4), "mlp", (1, SIDE, SIDE), 2, seed=0)


def states() -> list[bytes]:
    with TemporaryDirectory() as place:
        file = Path(place) / "state.safetensors"
        save_state(file, players(), Counters(step=3, history=[{"step": 1.0}]), REQUEST)
        return [file.read_bytes()]


def inception_weights() -> list[bytes]:
    seeds = []
    for zipped in (True, False):
        buffer = io.BytesIO()
        held = {name: torch.zeros(shape) for name, shape in EXPECTED.items() if math.prod(shape) < 10_000}
        torch.save({"more": [1, "a"], **held}, buffer, _use_new_zipfile_serialization=zipped)
        seeds.append(buffer.getvalue())
    return seeds
