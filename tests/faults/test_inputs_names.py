"""Names from outside: of classes, files and folders, through a whole run."""

import csv
import io
import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from py_mini_racer import MiniRacer
from shapes import write_pictures

from gansynth.artifacts import verify
from gansynth.datasets import load_dataset
from gansynth.errors import GansynthError, SourceError
from gansynth.generation.stage import generate_repetition
from gansynth.ingestion import ingest
from gansynth.markup import csv_cell
from gansynth.modalities.image.storage import encode_png, to_arrow
from gansynth.reporting.blinded import render_blinded
from gansynth.runs import Run
from gansynth.samples import Samples
from gansynth.scoring import score
from gansynth.study import Study
from gansynth.training import train_repetition

CLASSES = (
    "../../x", "CON", "nul\0byte", "\u202egnp.exe", "x" * 300, "caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9"),
    "", "\N{OWL}", "=cmd()", "<script>alert(1)</script>", "new\nline", "@sum", "\ttab",
)  # fmt: skip
FORMULAS = ("=cmd()", "+1+1", "-1+1", "@SUM(A1)", "\ttab", "\rreturn", "plain", "a=b")


FORMULA_STARTS = set("=+-@\t\r\n")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Run]:
    """A run on classes of such names, with its delivered model and samples as folders."""
    place = tmp_path_factory.mktemp("names")
    values = np.random.default_rng(0).integers(0, 256, (6 * len(CLASSES), 8, 8, 1), dtype=np.uint8)
    samples = Samples(values, np.arange(len(values)) % len(CLASSES), CLASSES)
    pq.write_table(to_arrow(samples, {}), place / "photos.parquet")
    study = Study.model_validate(
        {
            "name": "s",
            "source": {"path": str(place / "photos.parquet"), "near_duplicate_distance": -1},
            "modality": {"size": 8},
            "gan": {"kind": "mlp", "kimg": 0.032, "width": 16, "batch_size": 16, "warmup_steps": 1},
            "generation": {"amount": 2, "format": "folder"},
            "evaluation": {"repetitions": 2, "steps": 2, "batch_size": 16, "inner_steps": 2},
            "compute": {"accelerator": "cpu"},
        }
    )
    run = Run(place / "run")
    ingest(study, run)
    train_repetition(study, run, None)
    generate_repetition(study, run, None)
    return study, run


def test_true_names_come_back_from_safe_folders(trained: tuple[Study, Run]) -> None:
    _, run = trained
    assert load_dataset(run.dataset).samples.class_names == CLASSES
    made = run.synthetic(None)
    assert verify(made).counts["kept"] == 2 * len(CLASSES)
    classes = json.loads((made / "classes.json").read_text())
    assert tuple(entry["name"] for entry in classes) == CLASSES
    for entry in classes:
        folder = made / entry["folder"]
        assert folder.resolve().parent == made.resolve()
        assert len(list(folder.glob("*.png"))) == 2
    alike = {unicodedata.normalize("NFKC", entry["folder"]).casefold() for entry in classes}
    assert len(alike) == len(CLASSES)
    everything = {path.relative_to(run.root) for path in run.root.parent.rglob("*") if path.is_relative_to(run.root)}
    assert all(str(path).isprintable() for path in everything)


def test_no_name_is_markup_on_the_card_or_a_formula_in_the_table(trained: tuple[Study, Run]) -> None:
    _, run = trained
    card = (run.synthetic(None) / "README.md").read_text(encoding="utf-8")
    assert "<script" not in card
    with (run.synthetic(None) / "metadata.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2 * len(CLASSES)
    cells = [cell for row in rows for name, cell in row.items() if name != "discriminator_logit"]
    assert not [cell for cell in cells if cell[:1] in FORMULA_STARTS]


def test_scores_of_files_named_like_formulas_are_harmless_in_csv_and_true_in_parquet(
    trained: tuple[Study, Run], tmp_path: Path
) -> None:
    study, run = trained
    names = [f"{name}.png" for name in FORMULAS]
    (tmp_path / "new").mkdir()
    for name in names:
        (tmp_path / "new" / name).write_bytes(encode_png(np.zeros((8, 8, 1), np.uint8)))
    (tmp_path / "new" / "-broken.png").write_bytes(b"no image")
    (tmp_path / os.fsdecode(b"new/\xff.png")).write_bytes(b"no image either")
    for form in ("csv", "parquet"):
        told = score(study, run, str(tmp_path / "new"), tmp_path / f"scores.{form}", "CON")
        assert (told.rows, told.unreadable) == (len(names) + 2, 2)
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert not [row for row in rows if row["source"][:1] in FORMULA_STARTS or row["problem"][:1] in FORMULA_STARTS]
    assert [float(row["score"]) for row in rows if row["score"]]
    held = pd.read_parquet(tmp_path / "scores.parquet")
    assert set(held["source"]) == {*names, "-broken.png", "\\xff.png"}
    assert [row["source"].removeprefix("'") for row in rows] == held["source"].tolist()


@pytest.mark.parametrize("name", FORMULAS)
def test_cells_that_start_like_formulas_get_an_apostrophe(name: str) -> None:
    assert csv_cell(name) == (f"'{name}" if name[0] in FORMULA_STARTS else name)
    # the same in the file that the blinded page saves
    engine = MiniRacer()
    engine.eval(Path(render_blinded.__code__.co_filename).with_name("blinded.js").read_text())
    answer = {"question": 1, "class_name": name, "truth": "real", "answer": "real", "seconds": "1.2"}
    saved = engine.eval(f"toCsv([{json.dumps(answer)}])")
    (row,) = csv.DictReader(io.StringIO(saved, newline=""))
    assert row["class_name"] == csv_cell(name)


def test_a_class_folder_whose_name_is_no_text_is_refused_and_such_a_file_is_told(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 4)
    study = Study.model_validate(
        {"name": "s", "source": {"path": str(tmp_path / "photos"), "max_bad_share": 0.2}, "modality": {"size": 8}}
    )
    (tmp_path / os.fsdecode(b"photos/bar/b\xff.png")).write_bytes(b"no image")
    ingest(study, Run(tmp_path / "run"))
    (entry,) = json.loads((tmp_path / "run" / "dataset" / "quarantine.json").read_text())
    assert entry["source"] == "bar/b\\xff.png"
    (tmp_path / "photos" / "bar").rename(tmp_path / os.fsdecode(b"photos/b\xe4r"))
    with pytest.raises(SourceError, match=r"class 'b\\udce4r' of .* has a name that is no UTF-8; rename it"):
        ingest(study, Run(tmp_path / "run"))


def test_twins_by_normal_form_stay_two_classes(tmp_path: Path) -> None:
    for name in CLASSES[5:7]:
        for number in range(3):
            file = tmp_path / "photos" / name / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), len(name) * 10 + number).save(file)
    study = Study.model_validate({"name": "s", "source": {"path": str(tmp_path / "photos")}, "modality": {"size": 8}})
    run = Run(tmp_path / "run")
    ingest(study, run)
    assert set(load_dataset(run.dataset).samples.class_names) == set(CLASSES[5:7])


def test_a_message_is_one_line_and_steers_no_terminal() -> None:
    message = str(GansynthError("a\nb\r\x1b[31mred\u202eleft\u2028c\udcffd \N{OWL} \N{NO-BREAK SPACE}é"))
    assert message == "a\\nb\\r\\x1b[31mred\\u202eleft\\u2028c\\udcffd \N{OWL} \N{NO-BREAK SPACE}é"
