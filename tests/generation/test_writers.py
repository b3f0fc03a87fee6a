import csv
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torchvision
from PIL import Image

from gansynth.artifacts import Draft, file_digest
from gansynth.cards import render_card
from gansynth.generation import croissant
from gansynth.generation.sampler import Candidates
from gansynth.generation.writers import FORMATS
from gansynth.provenance import DIGITAL_SOURCE_TYPE, Origin

HOSTILE = ("../../x", "CON", "=cmd()", "", "🦉", "test", "None", "a" * 300, "caf\u00e9", "cafe\u0301", "cat")


def origin(class_names: tuple[str, ...] = HOSTILE) -> Origin:
    return Origin(study="tiny", seed=5, licence="MIT", model_digest="d" * 64, class_names=class_names)


def blocks(n_classes: int, per_class: int = 3, channels: int = 3) -> list[Candidates]:
    random = np.random.default_rng(0)
    return [
        Candidates(
            label=label,
            indices=np.arange(10, 10 + per_class),
            values=random.integers(0, 256, (per_class, 8, 8, channels)).astype(np.uint8),
            probabilities=random.dirichlet(np.ones(n_classes), per_class).astype(np.float32),
            logits=random.normal(size=per_class).astype(np.float32),
        )
        for label in range(n_classes)
    ]


def write(file_format: str, directory: Path, samples: Iterator[Candidates], origin: Origin) -> None:
    FORMATS[file_format].write(directory / "synthetic-00000-of-00001", samples, origin, 2)
    FORMATS[file_format].finish(directory, origin)


def test_parquet_is_read_by_datasets_with_labels_and_provenance(tmp_path: Path, hugging_face: ModuleType) -> None:
    written = blocks(len(HOSTILE))
    write("parquet", tmp_path, iter(written), origin())
    files = sorted(str(path) for path in tmp_path.glob("*.parquet"))
    assert len(files) == 1
    rows = hugging_face.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert rows.features["label"].names == list(HOSTILE)
    assert rows["label"] == [label for label in range(len(HOSTILE)) for _ in range(3)]
    assert all(rows["synthetic"])
    for row, (block, position) in zip(rows, ((b, i) for b in written for i in range(3)), strict=True):
        np.testing.assert_array_equal(np.asarray(row["image"]), block.values[position])
        assert row["seed_index"] == block.indices[position]
        assert row["teacher_probability"] == pytest.approx(block.probabilities[position, block.label])
        np.testing.assert_allclose(row["teacher_probabilities"], block.probabilities[position], rtol=1e-6)
        assert row["discriminator_logit"] == pytest.approx(block.logits[position])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_is_read_by_datasets_and_torchvision(tmp_path: Path, hugging_face: ModuleType, channels: int) -> None:
    written = blocks(len(HOSTILE), channels=channels)
    out = tmp_path / "out"
    out.mkdir()
    write("folder", out, iter(written), origin())
    classes = json.loads((out / "classes.json").read_text())
    assert [entry["name"] for entry in classes] == list(HOSTILE)
    truth = {entry["folder"]: entry["label"] for entry in classes}

    folder = torchvision.datasets.ImageFolder(out)
    assert sorted(folder.classes) == sorted(truth)
    assert len(folder) == 3 * len(HOSTILE)

    rows = hugging_face.load_dataset("imagefolder", data_dir=str(out), cache_dir=str(tmp_path / "cache"))
    assert list(rows) == ["train"]
    assert len(rows["train"]) == 3 * len(HOSTILE)
    for row, (block, position) in zip(rows["train"], ((b, i) for b in written for i in range(3)), strict=True):
        assert truth[row["label"]] == block.label
        image = np.asarray(row["image"]).reshape(block.values[position].shape)
        np.testing.assert_array_equal(image, block.values[position])


def test_tar_shards_are_read_by_webdataset_and_datasets(tmp_path: Path, hugging_face: ModuleType) -> None:
    webdataset = pytest.importorskip("webdataset")
    written = blocks(len(HOSTILE))
    write("webdataset", tmp_path, iter(written), origin())
    (shard,) = tmp_path.glob("*.tar")
    rows = list(webdataset.WebDataset(str(shard), shardshuffle=False).decode("rgb8"))
    assert len(rows) == 3 * len(HOSTILE)
    for row, (block, position) in zip(rows, ((b, i) for b in written for i in range(3)), strict=True):
        np.testing.assert_array_equal(row["png"], block.values[position])
        assert row["cls"] == block.label
        assert row["json"]["synthetic"] is True
        assert row["json"]["seed_index"] == block.indices[position]
        np.testing.assert_allclose(row["json"]["teacher_probabilities"], block.probabilities[position], atol=1e-6)
        assert row["json"]["discriminator_logit"] == pytest.approx(block.logits[position], abs=1e-6)
        assert row["json"]["digital_source_type"] == DIGITAL_SOURCE_TYPE
    loaded = hugging_face.load_dataset("webdataset", data_files=[str(shard)], cache_dir=str(tmp_path / "cache"))
    assert loaded["train"]["cls"] == [block.label for block in written for _ in range(3)]


def test_every_png_carries_the_mark_of_generated_media(tmp_path: Path) -> None:
    write("folder", tmp_path, iter(blocks(1)), origin(("cat",)))
    for path in (tmp_path / "cat").iterdir():
        packet = Image.open(path).text["XML:com.adobe.xmp"]
        tree = ET.fromstring(packet)  # noqa: S314 - it is our own text
        mark = tree.find(".//{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
        assert mark is not None
        assert mark.text == DIGITAL_SOURCE_TYPE


def test_no_cell_of_the_table_starts_a_formula(tmp_path: Path) -> None:
    names = ("=cmd()", "+1", "-1", "@x", "\t=1", "cat")
    write("folder", tmp_path, iter(blocks(len(names))), origin(names))
    with (tmp_path / "metadata.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 18
    for row in rows:
        assert row.pop("file_name")[0] not in "=+-@\t"
        assert row.pop("label")[0] not in "=+-@\t"
        float(row.pop("discriminator_logit"))
    assert rows[0]["synthetic"] == "True"


def test_a_sample_that_no_discriminator_judged_has_an_empty_cell(tmp_path: Path) -> None:
    unjudged = [replace(block, logits=None) for block in blocks(1)]
    write("folder", tmp_path, iter(unjudged), origin(("cat",)))
    with (tmp_path / "metadata.csv").open(newline="") as stream:
        assert [row["discriminator_logit"] for row in csv.DictReader(stream)] == [""] * 3


def test_samples_are_written_as_they_come(tmp_path: Path) -> None:
    """The second block is asked for only when the first is on disk, so memory does not grow with the blocks."""
    seen = []

    def stream() -> Iterator[Candidates]:
        for number, block in enumerate(blocks(3)):
            seen.append(len(list(tmp_path.glob("*/*.png"))))
            assert number * 3 == seen[-1]
            yield block

    write("folder", tmp_path, stream(), origin(("a", "b", "c")))
    assert seen == [0, 3, 6]


@pytest.mark.parametrize("file_format", ["parquet", "folder", "webdataset"])
def test_the_card_is_valid_and_shows_hostile_names_harmlessly(
    tmp_path: Path, hugging_face: ModuleType, file_format: str
) -> None:
    names = (*HOSTILE, "<script>alert(1)</script>", "a|b", "new\nline", "[x](http://e.org)")
    write(file_format, tmp_path, iter(blocks(len(names))), origin(names))
    counts = {"kept": 45, "candidates": 60, "rejected_teacher": 15}
    (tmp_path / "README.md").write_text(render_card(origin(names), file_format, counts, None), encoding="utf-8")
    hub = pytest.importorskip("huggingface_hub")
    card = hub.DatasetCard.load(tmp_path / "README.md")
    assert card.data.license == "mit"
    assert card.data.tags == ["synthetic", "gan", "gansynth"]
    assert card.data.annotations_creators == ["machine-generated"]
    assert card.data.size_categories == ["n<1K"]
    assert "<script>" not in card.text
    table = [line for line in card.text.splitlines() if line.startswith("| ")]
    assert len(table) == len(names) + 1
    assert not {"anonymous", "compliant"} & set(card.text.lower().split())
    rows = hugging_face.load_dataset(str(tmp_path), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == 3 * len(names)


def test_an_unusual_licence_is_named_in_full() -> None:
    hub = pytest.importorskip("huggingface_hub")
    unusual = Origin("tiny", 5, 'Own "terms": see page', "d" * 64, ("cat",))
    data = hub.DatasetCard(render_card(unusual, "parquet", {"kept": 2000, "candidates": 2000}, None)).data
    assert (data.license, data.license_name) == ("other", 'Own "terms": see page')
    assert data.size_categories == ["1K<n<10K"]


@pytest.fixture
def mlcroissant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The reference library of Croissant. It keeps what it unpacks by name, so every test gets a folder of its own."""
    library = pytest.importorskip("mlcroissant")
    unpacked = pytest.importorskip("etils.epath").Path(tmp_path / "unpacked")
    monkeypatch.setattr("mlcroissant._src.operation_graph.operations.extract.EXTRACT_PATH", unpacked)
    return library


def describe(directory: Path, file_format: str, samples: list[Candidates], origin: Origin) -> Path:
    """Write samples and their Croissant description, and return where that is."""
    directory.mkdir()
    write(file_format, directory, iter(samples), origin)
    kept = sum(len(block) for block in samples)
    croissant.write_croissant(Draft(directory), origin, file_format, {"kept": kept})
    return directory / croissant.CROISSANT_FILE


def check(mlcroissant: ModuleType, path: Path, caplog: pytest.LogCaptureFixture) -> Any:  # noqa: ANN401 - the library has no types
    """Have a description validated, and return the dataset that it describes."""
    dataset = mlcroissant.Dataset(path)
    assert not dataset.metadata.issues.errors
    (warning,) = dataset.metadata.issues.warnings  # when and by whom it is published is the publisher's to say
    assert "datePublished" in warning
    assert not [record for record in caplog.records if "@context" in record.message]
    return dataset


@pytest.mark.parametrize("file_format", ["parquet", "folder", "webdataset"])
def test_a_croissant_description_is_valid_and_gives_the_samples(
    tmp_path: Path, mlcroissant: ModuleType, caplog: pytest.LogCaptureFixture, file_format: str
) -> None:
    written = blocks(len(HOSTILE))
    path = describe(tmp_path / "out", file_format, written, origin())
    dataset = check(mlcroissant, path, caplog)
    classes = list(dataset.records("classes"))
    assert [entry["classes/name"] for entry in classes] == list(HOSTILE)
    key = "classes/folder" if file_format == "folder" else "classes/label"
    labels = {entry[key]: label for label, entry in enumerate(classes)}
    rows = {}
    for row in dataset.records("samples"):
        asked = row["samples/label"]
        rows[labels[asked.decode() if isinstance(asked, bytes) else asked], row["samples/seed_index"]] = row
    assert len(rows) == 3 * len(HOSTILE)
    for block in written:
        for position, index in enumerate(block.indices):
            row = rows[block.label, index]
            np.testing.assert_array_equal(np.asarray(row["samples/image"]), block.values[position])
            if "samples/teacher_probability" in row:
                assert row["samples/teacher_probability"] == pytest.approx(block.agreement[position], abs=1e-6)
                assert row["samples/synthetic"] is True


def test_a_croissant_description_says_where_samples_come_from_and_what_to_mind(
    tmp_path: Path, mlcroissant: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    path = describe(tmp_path / "out", "parquet", blocks(2), origin(("cat", "dog")))
    found = json.loads(path.read_text())
    assert found["license"] == "https://spdx.org/licenses/MIT"
    assert found["digitalSourceType"] == {"@id": "sc:TrainedAlgorithmicMediaDigitalSource"}
    assert DIGITAL_SOURCE_TYPE in found["keywords"]
    assert "d" * 64 in found["prov:wasGeneratedBy"]["prov:label"]
    (shard,) = (one for one in found["distribution"] if one["@type"] == "cr:FileObject")
    assert shard["sha256"] == file_digest(path.parent / shard["contentUrl"])
    about = check(mlcroissant, path, caplog).metadata
    assert about.data_annotation_protocol == ["Labels are those the generator was asked for; nobody has checked them."]
    own = replace(origin(("cat", "dog")), licence="ask the owner")
    assert json.loads(describe(tmp_path / "own", "parquet", blocks(2), own).read_text())["license"] == "ask the owner"


@pytest.mark.parametrize("file_format", ["parquet", "webdataset"])
def test_the_croissant_description_of_very_many_shards_stays_small(
    tmp_path: Path,
    mlcroissant: ModuleType,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    file_format: str,
) -> None:
    monkeypatch.setattr(croissant, "MOST_LISTED", 0)
    path = describe(tmp_path / "out", file_format, blocks(2), origin(("cat", "dog")))
    assert "sha256" not in path.read_text()
    dataset = check(mlcroissant, path, caplog)
    if file_format == "parquet":  # mlcroissant does not unpack sets of tar files
        assert len(list(dataset.records("samples"))) == 6
