"""The data that ship with gansynth, as a user meets them."""

import runpy
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest

from gansynth.artifacts import read_manifest
from gansynth.datasets import load_dataset
from gansynth.ingestion import ingest
from gansynth.runs import Run
from gansynth.splits import draw_split
from gansynth.study_files import load_study

DATA = Path(__file__).parents[2] / "data"
NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("run"))
    ingest(load_study(DATA / "studies" / "fashion_rare.toml"), run)
    return run


def test_the_extract_has_the_counts_of_its_datasheet(run: Run) -> None:
    dataset = load_dataset(run.dataset)
    assert dataset.samples.class_names == NAMES
    assert dataset.samples.values.shape == (5000, 28, 28, 1)
    assert dataset.samples.take(~dataset.is_test).counts.tolist() == [300] * 10
    assert dataset.samples.take(dataset.is_test).counts.tolist() == [200] * 10
    counts = read_manifest(run.dataset).counts
    assert (counts["quarantined"], counts["exact_duplicates"], counts["conflicting_labels"]) == (0, 0, 0)
    assert 2e6 < sum(file.stat().st_size for file in (DATA / "fashion_mnist").iterdir()) < 3e6


def test_the_datasets_library_reads_the_extract(tmp_path: Path, run: Run) -> None:
    files = {part: str(DATA / "fashion_mnist" / f"{part}.parquet") for part in ("train", "test")}
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path))
    assert {part: len(rows) for part, rows in loaded.items()} == {"train": 3000, "test": 2000}
    assert tuple(loaded["train"].features["label"].names) == NAMES
    pixels = load_dataset(run.dataset).samples.values
    np.testing.assert_array_equal(np.asarray(loaded["train"][17]["image"]), pixels[17, :, :, 0])
    np.testing.assert_array_equal(np.asarray(loaded["test"][4]["image"]), pixels[3004, :, :, 0])


@pytest.mark.parametrize(
    ("name", "counts"), [("rare", [200, 200, 10, 10, 200, 10, 10, 200, 200, 10]), ("few", [20] * 10)]
)
def test_the_studies_draw_what_they_say(run: Run, name: str, counts: list[int]) -> None:
    study = load_study(DATA / "studies" / f"fashion_{name}.toml")
    dataset = load_dataset(run.dataset)
    split = draw_split(dataset, study, 0)
    assert dataset.samples.take(split.train).counts.tolist() == counts
    assert dataset.is_test[split.test].all()


def test_the_script_keeps_the_first_rows_of_each_class(tmp_path: Path) -> None:
    make = runpy.run_path(str(DATA / "make_fashion_mnist.py"))["make"]
    make(str(DATA / "fashion_mnist"), tmp_path)
    for part in ("train", "test"):
        shipped, made = (pq.read_table(folder / f"{part}.parquet") for folder in (DATA / "fashion_mnist", tmp_path))
        assert made["label"].equals(shipped["label"])
        assert made.schema.metadata == shipped.schema.metadata
        blobs = [table["image"].combine_chunks().field("bytes") for table in (made, shipped)]
        assert blobs[0].equals(blobs[1])
