"""A table through all stages: from a CSV file to its report and its synthetic rows."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from bs4 import BeautifulSoup

from gansynth.arms import DESCRIPTIONS
from gansynth.artifacts import read_manifest
from gansynth.datasets import load_dataset, load_synthetic
from gansynth.errors import SourceError, StudyError
from gansynth.evaluation import evaluate
from gansynth.generation import Batch, export, generate
from gansynth.ingestion import ingest
from gansynth.ingestion.tables import read_csv
from gansynth.reporting import report
from gansynth.requests import arm_request, fidelity_request
from gansynth.results import read_summary
from gansynth.runs import Run
from gansynth.states import read_state
from gansynth.study import STANDARD_ARMS, Study
from gansynth.study_files import load_study, save_study
from gansynth.training import train

STUDY = """
name = "churn"
source = {path = "churn.csv", licence = "CC0-1.0"}
modality = {kind = "table", label = "left"}
gan = {kimg = 6.4}
generation = {amount = 40}
evaluation = {repetitions = 2, inner_folds = 3, steps = 60, classifier = "logistic_regression", anomaly = "no"}
compute = {accelerator = "cpu"}
"""


def write_customers(folder: Path, rows: int = 160) -> pd.DataFrame:
    """Write customers of whom a quarter left: mostly young ones on the short plan."""
    random = np.random.default_rng(0)
    left = random.random(rows) < 0.25
    frame = pd.DataFrame(
        {
            "id": [f"customer {number}" for number in range(rows)],
            "age": random.normal(np.where(left, 30, 50), 8).round().astype(int),
            "plan": np.where(random.random(rows) < np.where(left, 0.8, 0.3), "short", "long"),
            "paid": random.lognormal(3, 1, rows).round(2),
            "left": np.where(left, "yes", "no"),
        }
    )
    frame.loc[::17, "paid"] = np.nan
    frame.to_csv(folder / "churn.csv", index=False)
    (folder / "churn.toml").write_text(STUDY)
    return frame


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Run]:
    """A study of these customers, run to its end."""
    folder = tmp_path_factory.mktemp("table")
    write_customers(folder)
    study, run = load_study(folder / "churn.toml"), Run(folder / "run")
    save_study(study, run.study_file)
    for stage in (ingest, train, generate, evaluate, report):
        stage(study, run)
    return study, run


def test_what_a_study_of_a_table_leaves_open_is_best_for_tables(churn: tuple[Study, Run]) -> None:
    study, _ = churn
    assert study.gan.kind == "tabular"
    assert study.evaluation.arms == STANDARD_ARMS["table"]
    assert study.evaluation.metric == "average_precision"


def test_columns_are_known_and_ids_are_dropped(churn: tuple[Study, Run]) -> None:
    _, run = churn
    dataset = load_dataset(run.dataset)
    assert [(column.name, column.kind) for column in dataset.samples.columns] == [
        ("age", "integer"),
        ("plan", "categorical"),
        ("paid", "numeric"),
    ]
    assert dataset.samples.class_names == ("no", "yes")
    counts = read_manifest(run.dataset).counts
    assert (counts["rows"], counts["columns"], counts["dropped"], counts["nulls"]) == (160, 3, 1, 10)
    about = json.loads((run.dataset / "columns.json").read_text())
    assert [finding["column"] for finding in about["findings"]] == ["id"]


def test_synthetic_rows_look_like_the_source(churn: tuple[Study, Run]) -> None:
    _, run = churn
    table = pq.read_table(next(run.synthetic(None).glob("*.parquet")))
    real = pd.read_csv(run.root.parent / "churn.csv")
    made = table.to_pandas()
    assert made.columns[:4].tolist() == ["age", "plan", "paid", "left"]
    assert made["age"].dtype == real["age"].dtype
    assert made["left"].value_counts().to_dict() == {"no": 40, "yes": 40}
    assert set(made["plan"]) <= {"short", "long"}
    assert made["age"].between(real["age"].min(), real["age"].max()).all()
    paid = made["paid"].dropna()
    np.testing.assert_allclose(paid, paid.round(2))
    assert made["synthetic"].all()
    assert table.schema.metadata[b"model_digest"].decode() == read_manifest(run.model(None)).digest
    assert load_synthetic(run.synthetic(None)).schema == load_dataset(run.dataset).samples.schema
    card = (run.synthetic(None) / "README.md").read_text()
    assert "# Synthetic rows of the study churn" in card
    assert "tabular-classification" in card
    assert json.loads((run.synthetic(None) / "croissant.json").read_text())["recordSet"][0]["field"][0]["name"] == "age"


def test_the_card_explains_the_arms_of_tables_and_speaks_of_no_images(churn: tuple[Study, Run]) -> None:
    study, run = churn
    card = (run.synthetic(None) / "README.md").read_text()
    for arm in study.evaluation.arms:
        assert f"- `{arm}`: {DESCRIPTIONS['table'][arm]}.\n" in card
    gain = card[card.index("| Arm | average precision") :]
    assert "These rows carry other labels than those that were measured" in gain[: gain.index("Gains are in points")]
    croissant = (run.synthetic(None) / "croissant.json").read_text()
    assert "none is a record of anything" in card
    assert "none is a record of anything" in croissant
    assert not re.search("photograph|image", card + croissant)


def test_reports_say_what_to_learn_from_and_name_metrics_by_their_names(churn: tuple[Study, Run]) -> None:
    _, run = churn
    lines = read_manifest(run.training_set).counts["lines"]
    for place in (run.report / "report.md", run.report / "index.html"):
        assert f"of the run folder: {lines} lines." in place.read_text(encoding="utf-8")
    for place in (run.report / "report.md", run.report / "index.html", run.synthetic(None) / "README.md"):
        text = place.read_text(encoding="utf-8")
        assert "Average precision from synthetic alone" in text
        assert "accuracy score" not in text


def test_what_was_found_in_the_source_is_in_every_form_of_the_report(churn: tuple[Study, Run]) -> None:
    _, run = churn
    about = json.loads((run.dataset / "columns.json").read_text())
    assert json.loads((run.report / "report.json").read_text())["source"] == about
    for name in ("report.md", "index.html"):
        text = (run.report / name).read_text(encoding="utf-8")
        assert "Read as utf-8, comma between values" in text
        assert "id: dropped, is an id: 160 values in 160 rows" in text
    assert "| plan | categorical | 0 | 2 | " in (run.report / "report.md").read_text(encoding="utf-8")


def test_near_duplicates_are_for_images_alone(churn: tuple[Study, Run]) -> None:
    study, run = churn
    markdown = (run.report / "report.md").read_text(encoding="utf-8")
    assert "Rows whose cells are equal, whatever their labels, were grouped first" in markdown
    assert "perceptual" not in markdown
    source = study.source.model_copy(update={"near_duplicate_distance": 2})
    before = read_manifest(run.dataset)
    ingest(study.model_copy(update={"source": source}), run)
    assert read_manifest(run.dataset) == before
    save_study(study, run.study_file)


def test_a_run_that_is_done_stays_done(churn: tuple[Study, Run]) -> None:
    study, run = churn
    stamps = {path: path.stat().st_mtime_ns for path in run.root.rglob("manifest.json")}
    assert read_state(run).words == "reported"
    for stage in (ingest, train, generate, evaluate, report):
        stage(study, run)
    assert {path: path.stat().st_mtime_ns for path in run.root.rglob("manifest.json")} == stamps


def test_every_arm_is_compared_and_tuning_ranks_nothing_anew(churn: tuple[Study, Run]) -> None:
    study, run = churn
    summary = read_summary(run.evaluation)
    assert tuple(summary.arms) == study.evaluation.arms
    # average precision knows no threshold
    assert summary.arms["threshold"].mean == pytest.approx(summary.arms["real"].mean)
    controls = {one.against for one in summary.comparisons if one.arm == "gan"}
    assert {"real", "oversampled", "threshold", "softened", "copies"} <= controls


def test_the_report_tells_of_columns_and_shows_no_pictures(churn: tuple[Study, Run]) -> None:
    _, run = churn
    page = (run.report / "index.html").read_text()
    assert "Columns" in page
    assert "<td>categorical</td>" in page
    assert "Real and synthetic images" not in page
    assert not (run.report / "blinded.html").exists()


def test_columns_and_rows_are_compared_with_held_out_ones_beside_what_real_rows_give(churn: tuple[Study, Run]) -> None:
    _, run = churn
    found = read_summary(run.evaluation).table
    assert found is not None
    assert 0 < found.real.column_distance < found.synthetic.column_distance < 1
    assert found.similarity.checked == 2 * 80
    distances = pd.read_parquet(run.evaluation / "column_distances.parquet")
    assert distances.groupby("repetition")["column"].agg(list).tolist() == [["age", "plan", "paid"]] * 2
    assert found.synthetic.column_distance == pytest.approx(distances["synthetic"].mean())
    closest = pd.read_parquet(run.evaluation / "closest_rows.parquet")
    assert set(closest["synthetic"][closest["column"] == "plan"]) <= {"short", "long"}
    page, data = (run.report / "index.html").read_text(), json.loads((run.report / "report.json").read_text())
    assert "Columns, real and synthetic" in page
    assert "The closest pairs of rows" in page
    assert data["table"]["synthetic"] == found.synthetic.model_dump()
    assert {one["column"] for one in data["table"]["columns"]} == {"age", "plan", "paid"}


def test_old_fidelity_is_measured_again_but_no_arm_is(churn: tuple[Study, Run]) -> None:
    study, _ = churn
    assert "measures" in fidelity_request(study, 0)
    assert "measures" not in arm_request(study, 0, "real")


def test_the_report_tells_of_detectors(churn: tuple[Study, Run]) -> None:
    _, run = churn
    found = read_summary(run.evaluation).anomaly
    assert found is not None
    page = BeautifulSoup((run.report / "index.html").read_text(), "html.parser")
    section = page.select_one("#anomalies")
    shown = [one.get_text() for one in section.select(".values strong")]
    assert shown == [f"{100 * one.mean:.1f}\N{NO-BREAK SPACE}%" for one in found.detectors.values()]
    assert len(section.select(".forest li:not(.scale)")) == 3
    assert len(section.select("svg circle.value")) == 8
    markdown = (run.report / "report.md").read_text()
    assert "## Anomalies" in markdown
    assert "no was called normal" in markdown
    assert json.loads((run.report / "report.json").read_text())["anomaly"] == found.model_dump()


def test_a_batch_of_rows_is_the_same_in_any_shards_and_no_pictures(churn: tuple[Study, Run], tmp_path: Path) -> None:
    _, run = churn
    one = load_synthetic(export(run, tmp_path / "one", Batch(count=60, shard_size=60)))
    assert one.counts.tolist() == [30, 30]
    again = load_synthetic(export(run, tmp_path / "again", Batch(count=60, shard_size=60)))
    np.testing.assert_array_equal(one.values, again.values)
    with pytest.raises(StudyError, match=r"tables are written as parquet or csv \(given: folder\)"):
        export(run, tmp_path / "folder", Batch(count=4, format="folder"))


def test_a_batch_as_csv_holds_what_it_holds_as_parquet(churn: tuple[Study, Run], tmp_path: Path) -> None:
    _, run = churn
    out = export(run, tmp_path / "csv", Batch(count=60, shard_size=30, format="csv"))
    files = sorted(out.glob("*.csv"))
    assert len(files) == 2
    kept = pd.read_parquet(sorted(export(run, tmp_path / "parquet", Batch(count=60, shard_size=30)).glob("*.parquet")))
    made = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    assert made["paid"].isna().sum() == kept["paid"].isna().sum()
    columns = [name for name in kept.columns if name != "teacher_probabilities"]
    assert made.columns.tolist() == columns
    pd.testing.assert_frame_equal(made, kept[columns], check_dtype=False, check_categorical=False)
    assert 'path: "*.csv"' in (out / "README.md").read_text()
    fields = json.loads((out / "croissant.json").read_text())["recordSet"][0]["field"]
    assert [field["name"] for field in fields] == columns
    again = read_csv(str(files[0]))  # gansynth reads what it wrote
    assert again.table.num_rows == 30
    assert again.quarantine == []


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"gan": {"kind": "residual"}}, "gan.kind: 'residual' makes no tables; use tabular"),
        ({"evaluation": {"arms": ["real", "gan", "classical"]}}, "'classical' is no arm for tables"),
        ({"generation": {"format": "folder"}}, "tables are written as parquet or csv"),
        ({"gan": {"augmentation": ["cutout"]}}, "gan.augmentation: is for images"),
    ],
)
def test_settings_of_images_are_refused(settings: dict[str, object], reason: str) -> None:
    data = {"name": "t", "source": {"path": "t.csv"}, "modality": {"kind": "table", "label": "y"}}
    with pytest.raises(ValueError, match=reason):
        Study.model_validate(data | settings)
    with pytest.raises(ValueError, match=r"generation\.format: images are written as parquet or folder or webdataset"):
        Study.model_validate({"name": "t", "source": {"path": "t"}, "generation": {"format": "csv"}})
    with pytest.raises(ValueError, match=r"gan\.kind: 'tabular' makes no images"):
        Study.model_validate({"name": "t", "source": {"path": "t"}, "gan": {"kind": "tabular"}})


def test_a_column_with_a_name_of_ours_is_refused(tmp_path: Path) -> None:
    frame = write_customers(tmp_path).rename(columns={"paid": "synthetic"})
    frame.to_csv(tmp_path / "churn.csv", index=False)
    with pytest.raises(SourceError, match="column 'synthetic' has a name that gansynth gives a column of its own"):
        ingest(load_study(tmp_path / "churn.toml"), Run(tmp_path / "run"))
