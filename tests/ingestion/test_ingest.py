import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gansynth.artifacts import read_manifest, verify
from gansynth.datasets import DATASET_FILE, load_dataset
from gansynth.errors import SourceError
from gansynth.ingestion import ingest
from gansynth.ingestion.readers import READERS, read_image_folder
from gansynth.ingestion.sources import Source
from gansynth.modalities.image.storage import IMAGE_TYPE, Pixels, features
from gansynth.runs import Run
from gansynth.study import Study

SIDE = 8


def pictures(count: int, channels: int = 1) -> Pixels:
    return np.random.default_rng(count).integers(0, 256, (count, SIDE, SIDE, channels), dtype=np.uint8)


def png(image: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze()).save(buffer, "PNG")
    return buffer.getvalue()


def folder_of(root: Path, counts: dict[str, int], channels: int = 1) -> Path:
    """Write a folder with `counts` random images per class."""
    images = iter(pictures(sum(counts.values()), channels))
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number}.png").write_bytes(png(next(images)))
    return root


def parquet_of(file: Path, images: Sequence[bytes], labels: Sequence[int], names: Sequence[str]) -> Path:
    column = pa.array([{"bytes": image, "path": None} for image in images], IMAGE_TYPE)
    table = pa.table({"image": column, "label": pa.array(labels, pa.int64())})
    pq.write_table(table.replace_schema_metadata(features(names, {})), file)
    return file


def study_of(path: Path, modality: dict[str, Any] | None = None, **source: Any) -> Study:  # noqa: ANN401 settings of any type
    return Study.model_validate(
        {"name": "s", "source": {"path": str(path), **source}, "modality": {"size": SIDE, **(modality or {})}}
    )


def counts_of(run: Run) -> dict[str, int]:
    return read_manifest(run.dataset).counts


def quarantine_of(run: Run) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = json.loads((run.dataset / "quarantine.json").read_text())
    return entries


def test_the_dataset_holds_what_the_source_held(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder_of(folder / "train", {"cat2": 3, "cat10": 4})
    folder_of(folder / "test", {"cat10": 2})
    run = Run(tmp_path / "run")

    assert ingest(study_of(folder), run) == run.dataset

    verify(run.dataset)
    dataset = load_dataset(run.dataset)
    assert dataset.samples.class_names == ("cat2", "cat10")
    assert dataset.samples.values.shape == (9, SIDE, SIDE, 1)
    assert dataset.samples.values.dtype == np.uint8
    assert sorted(zip(dataset.samples.labels.tolist(), dataset.is_test.tolist(), strict=True)) == (
        [(0, False)] * 3 + [(1, False)] * 4 + [(1, True)] * 2
    )
    first = np.asarray(Image.open(folder / "train" / "cat10" / "0.png"))
    np.testing.assert_array_equal(dataset.samples.values[0, :, :, 0], first)
    assert quarantine_of(run) == []
    assert counts_of(run) == {
        "rows": 9,
        "train": 7,
        "test": 2,
        "classes": 2,
        "quarantined": 0,
        "exact_duplicates": 0,
        "near_duplicates": 0,
        "conflicting_labels": 0,
    }
    assert not (run.progress / "ingest.json").exists()


def test_class_names_of_any_kind_come_through(tmp_path: Path) -> None:
    names = ["../../x", "👗", "a\0b", "", "con", " trailing ", "T-shirt/top", "line\nbreak", '"quoted"', "x" * 300]
    images = [png(image) for image in pictures(30)]
    file = parquet_of(tmp_path / "data.parquet", images, list(range(10)) * 3, names)
    run = Run(tmp_path / "run")
    ingest(study_of(file), run)
    assert load_dataset(run.dataset).samples.class_names == tuple(names)
    assert sorted(path.name for path in run.root.rglob("*")) == [
        ".progress",
        "dataset",
        "manifest.json",
        "quarantine.json",
        "samples.parquet",
        "study.json",
    ]


def test_the_artifact_is_read_by_the_datasets_library(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    ingest(study_of(folder_of(tmp_path / "source", {"cat": 3, "dog": 3})), run)
    loaded = datasets.load_dataset(
        "parquet", data_files=str(run.dataset / DATASET_FILE), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.features["label"].names == ["cat", "dog"]
    np.testing.assert_array_equal(
        np.stack([np.asarray(image) for image in loaded["image"]]), load_dataset(run.dataset).samples.values[:, :, :, 0]
    )


def test_one_coloured_image_makes_all_rgb(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "source", {"cat": 3, "dog": 3})
    grey = np.asarray(Image.open(folder / "cat" / "0.png"))
    Image.fromarray(pictures(1, 3)[0]).save(folder / "dog" / "2.png")
    run = Run(tmp_path / "run")
    ingest(study_of(folder), run)
    values = load_dataset(run.dataset).samples.values
    assert values.shape == (6, SIDE, SIDE, 3)
    np.testing.assert_array_equal(values[0], np.repeat(grey[:, :, None], 3, axis=2))
    np.testing.assert_array_equal(values[5], pictures(1, 3)[0])


def test_rgb_files_without_colour_stay_grey(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "source", {"cat": 3, "dog": 3})
    for file in folder.rglob("*.png"):
        Image.open(file).convert("RGB").save(file)
    run = Run(tmp_path / "run")
    ingest(study_of(folder), run)
    assert load_dataset(run.dataset).samples.values.shape == (6, SIDE, SIDE, 1)
    ingest(study_of(folder, {"channels": "rgb"}), run)
    assert load_dataset(run.dataset).samples.values.shape == (6, SIDE, SIDE, 3)


def test_unusable_samples_are_quarantined_with_their_reason(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "source", {"cat": 5, "dog": 5})
    (folder / "cat" / "bad.png").write_bytes(b"no image")
    (folder / "dog" / "broken.png").write_bytes(png(pictures(1)[0])[:60])
    (folder / "dog" / "gone.png").symlink_to(tmp_path / "nowhere")
    run = Run(tmp_path / "run")
    ingest(study_of(folder, max_bad_share=0.25), run)
    assert quarantine_of(run) == [
        {"source": "cat/bad.png", "reason": "not an image in a known format (PNG, JPEG, BMP, GIF, WEBP, TIFF)"},
        {"source": "dog/broken.png", "reason": "image file is truncated"},
        {"source": "dog/gone.png", "reason": "No such file or directory"},
    ]
    assert (counts_of(run)["rows"], counts_of(run)["quarantined"]) == (10, 3)


def test_missing_labels_and_files_are_quarantined(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "source", {"images": 6})
    rows = [f"images/{number}.png,{'ab'[number % 2]}" for number in range(6)]
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows, "images/0.png,", "images/9.png,a"]))
    run = Run(tmp_path / "run")
    ingest(study_of(folder, max_bad_share=0.5), run)
    assert [entry["reason"] for entry in quarantine_of(run)] == ["has no label", "No such file or directory"]
    assert load_dataset(run.dataset).samples.class_names == ("a", "b")


def test_too_many_unusable_samples_stop_the_run(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "source", {"cat": 5, "dog": 4})
    (folder / "dog" / "bad.png").write_bytes(b"no image")
    run = Run(tmp_path / "run")
    with pytest.raises(SourceError) as caught:
        ingest(study_of(folder), run)
    assert str(caught.value) == (
        f"source.path: 1 of 10 samples of {folder} are unusable, the first is 'dog/bad.png': not an image in a known"
        " format (PNG, JPEG, BMP, GIF, WEBP, TIFF); mend or remove them, or raise source.max_bad_share (0.05)"
    )
    assert not run.dataset.exists()
    ingest(study_of(folder, max_bad_share=0.1), run)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"cat": 3}, "has too few classes: 'cat'; at least two are needed"),
        ({"cat": 3, "dog": 0}, "class 'dog' of .* has 0 usable"),
        ({"cat": 3, "dog": 1}, "class 'dog' of .* has 1 usable"),
        ({"cat": 0, "dog": 0}, "holds no images"),
    ],
)
def test_sources_with_too_little_are_refused(tmp_path: Path, counts: dict[str, int], message: str) -> None:
    folder = folder_of(tmp_path / "source", counts)
    with pytest.raises(SourceError, match=message):
        ingest(study_of(folder), Run(tmp_path / "run"))


def test_a_source_without_any_label_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "source", {"images": 1})
    (folder / "labels.csv").write_text("file,label\nimages/0.png,\n")
    with pytest.raises(SourceError, match="has too few classes: none; at least two are needed"):
        ingest(study_of(folder, max_bad_share=1), Run(tmp_path / "run"))


def test_a_declared_class_without_samples_is_refused(tmp_path: Path) -> None:
    images = [png(image) for image in pictures(6)]
    file = parquet_of(tmp_path / "data.parquet", images, [0, 1, 0, 1, 0, 1], ["a", "b", "c\n"])
    with pytest.raises(SourceError, match=r"class 'c\\n' of .* has 0 usable"):
        ingest(study_of(file), Run(tmp_path / "run"))


@pytest.mark.parametrize(
    ("path", "layout", "message"),
    [
        ("nowhere", "auto", "does not exist"),
        ("nowhere", "parquet", "does not exist"),
        ("torchvision:MNIST", "parquet", "'parquet' does not fit the path"),
        ("nowhere", "torchvision", "'torchvision' does not fit the path"),
    ],
)
def test_a_path_that_does_not_fit_is_refused(tmp_path: Path, path: str, layout: str, message: str) -> None:
    path = path if path.startswith("torchvision") else str(tmp_path / path)
    study = Study.model_validate({"name": "s", "source": {"path": path, "format": layout}})
    with pytest.raises(SourceError, match=message):
        ingest(study, Run(tmp_path / "run"))


def test_duplicates_are_grouped_and_counted(tmp_path: Path) -> None:
    images = [png(image) for image in pictures(6)]
    near = pictures(6)[0].copy()
    near[0, 0] ^= 1
    file = parquet_of(
        tmp_path / "data.parquet", [*images, images[1], images[1], png(near)], [0, 1, 0, 1, 0, 1, 1, 0, 0], ["a", "b"]
    )
    run = Run(tmp_path / "run")
    ingest(study_of(file, near_duplicate_distance=8), run)
    assert load_dataset(run.dataset).groups.tolist() == [0, 1, 2, 3, 4, 5, 1, 1, 0]
    counts = counts_of(run)
    assert (counts["exact_duplicates"], counts["near_duplicates"], counts["conflicting_labels"]) == (2, 1, 3)


def test_an_unchanged_source_is_not_read_again(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "source", {"cat": 3, "dog": 3})
    run = Run(tmp_path / "run")
    ingest(study_of(folder), run)
    before = (run.dataset / "manifest.json").stat().st_mtime_ns
    elsewhere = folder.rename(tmp_path / "moved")
    ingest(study_of(elsewhere).model_copy(update={"seed": 5}), run)
    assert (run.dataset / "manifest.json").stat().st_mtime_ns == before


def test_a_changed_source_or_preparation_is_read_again(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "source", {"cat": 3, "dog": 3})
    run = Run(tmp_path / "run")
    ingest(study_of(folder), run)
    first = read_manifest(run.dataset).digest
    (folder / "cat" / "0.png").write_bytes(png(pictures(50)[49]))
    ingest(study_of(folder), run)
    second = read_manifest(run.dataset).digest
    ingest(study_of(folder, {"size": 12}), run)
    third = read_manifest(run.dataset).digest
    assert len({first, second, third}) == 3
    assert load_dataset(run.dataset).samples.values.shape == (6, 12, 12, 1)


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "source", {"cat": 3, "dog": 3})
    (folder / "cat" / "bad.png").write_bytes(b"no image")
    study = study_of(folder, max_bad_share=0.5)
    ingest(study, Run(tmp_path / "one"))
    ingest(study, Run(tmp_path / "two"))
    assert read_manifest(tmp_path / "one" / "dataset").digest == read_manifest(tmp_path / "two" / "dataset").digest


def test_a_source_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, run = folder_of(tmp_path / "photos", {"cat": 4, "dog": 4}), Run(tmp_path / "run")

    def read(path: str) -> Source:
        (source / "dog" / "new.png").write_bytes(png(pictures(1)[0]))
        return read_image_folder(path)

    with monkeypatch.context() as patch:
        patch.setitem(READERS, "image_folder", read)
        with pytest.raises(SourceError, match=r"photos changed while it was read; run again when nothing writes to it"):
            ingest(study_of(source), run)
    assert not run.dataset.exists()
    ingest(study_of(source), run)
    assert counts_of(run)["rows"] == 9


def test_a_run_may_lie_within_its_source(tmp_path: Path) -> None:
    run = Run(folder_of(tmp_path, {"cat": 4, "dog": 4}) / "runs" / "one")
    table = "".join(f"{name}/{number}.png,{name}\n" for name in ("cat", "dog") for number in range(4))
    (tmp_path / "labels.csv").write_text(f"file,label\n{table}")
    ingest(study_of(tmp_path), run)
    assert counts_of(run)["rows"] == 8
