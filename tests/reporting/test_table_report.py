# ruff: noqa: PD011  # the values of samples are no frame
"""What the report shows of the columns and rows of a table."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from tables import SCHEMA, draw_rows

from gansynth import formats
from gansynth.evaluation.tables import compare_tables, summarise_tables
from gansynth.reporting import report
from gansynth.reporting.column_figures import range_texts
from gansynth.reporting.findings import read_findings, read_manifests
from gansynth.reporting.teaching import arms_of_table, shares
from gansynth.reporting.words import headline
from gansynth.results import SUMMARY_FILE, TableFidelity, read_summary
from gansynth.runs import Run
from gansynth.samples import Samples, Schema
from gansynth.study import Study

MakeRun = Callable[..., tuple[Study, Run]]
HOSTILE = '"><script>alert(1)</script>'


def hostile(rows: Samples) -> Samples:
    """The same rows, with a name of a column that would be code."""
    columns = tuple(replace(column, name=HOSTILE if column.name == "since" else column.name) for column in rows.columns)
    return Samples(rows.values, rows.labels, rows.class_names, Schema(columns, SCHEMA.label))


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory, make_run: MakeRun) -> tuple[Run, TableFidelity]:
    """The report of a run whose generator gives ages that are too high and repeats a row."""
    folder = tmp_path_factory.mktemp("table")
    study, run = make_run(folder / "run", ("no", "yes"), repetitions=2)
    places = []
    for repetition in range(2):
        training, held_out, made = (hostile(draw_rows(120, 10 * repetition + seed)) for seed in range(3))
        made.values[:, 0] += 12
        made.values[40] = training.values[20]
        places.append(folder / str(repetition))
        places[-1].mkdir()
        parts = {"training": training, "held_out": held_out, "synthetic": made}
        compare_tables(hostile(draw_rows(300, 99)), parts, repetition, 3, places[-1])
    found = summarise_tables(places, run.evaluation)
    assert found.rows == 120
    summary = read_summary(run.evaluation).model_copy(update={"table": found})
    (run.evaluation / SUMMARY_FILE).write_text(summary.model_dump_json())
    report(study, run)
    return run, found


def page_of(run: Run) -> BeautifulSoup:
    return BeautifulSoup((run.report / "index.html").read_text(encoding="utf-8"), "html.parser")


def test_figures_of_synthetic_rows_stand_beside_those_of_real_ones(reported: tuple[Run, TableFidelity]) -> None:
    run, found = reported
    rows = {
        row.th.get_text(): [cell.get_text() for cell in row("td")][:2]
        for row in page_of(run).select("#likeness tr")[1:]
    }
    assert rows["Detection (AUC)"] == [f"{found.synthetic.detection_auc:.3f}", f"{found.real.detection_auc:.3f}"]
    assert found.synthetic.detection_auc > 0.8 > found.real.detection_auc
    assert found.synthetic.column_distance > found.real.column_distance
    markdown = (run.report / "report.md").read_text(encoding="utf-8")
    assert f"| Detection (AUC) | {found.synthetic.detection_auc:.3f} | {found.real.detection_auc:.3f} |" in markdown
    data = json.loads((run.report / "report.json").read_text())["table"]
    assert {name: data[name] for name in found.model_dump()} == found.model_dump()


def test_columns_are_drawn_the_worst_first(reported: tuple[Run, TableFidelity]) -> None:
    run, _ = reported
    plots = page_of(run).select("#likeness .plots > li")
    names = [plot.h4.get_text() for plot in plots]
    assert names[0] == "age"
    assert sorted(names) == sorted([*(column.name for column in SCHEMA.columns if column.name != "since"), HOSTILE])
    data = json.loads((run.report / "report.json").read_text())["table"]
    assert [one["column"] for one in data["columns"]] == names
    excess = [one["synthetic"] - one["training"] for one in data["columns"]]
    assert excess == sorted(excess, reverse=True)
    age = plots[0]
    assert len(age.select(".histogram path")) == 2
    plan = next(plot for plot in plots if plot.h4.get_text() == "plan")
    assert [one.get_text() for one in plan.select(".text")] == ["<b>long</b>", "short", "trial", "null"]


def test_associations_are_a_square_with_the_label_and_a_list_of_the_worst_pairs(
    reported: tuple[Run, TableFidelity],
) -> None:
    run, _ = reported
    page = page_of(run)
    assert [name.get_text() for name in page.select("#likeness .names li")][-1] == "left"
    assert len(page.select("#likeness .matrix rect")) == 6 * 5
    data = json.loads((run.report / "report.json").read_text())["table"]
    assert len(data["associations"]) == 15
    frame = pd.read_parquet(run.evaluation / "associations.parquet")
    for one in data["associations"]:
        own = frame[(frame["column"] == one["column"]) & (frame["other"] == one["other"])]
        assert one["difference"] == pytest.approx(np.mean(np.abs(own["synthetic"] - own["held_out"])))


def test_order_and_deviations_are_explained_wherever_they_are_shown(reported: tuple[Run, TableFidelity]) -> None:
    run, _ = reported
    markdown, page = (run.report / "report.md").read_text(encoding="utf-8"), page_of(run)
    for text in (markdown, page.select_one("#likeness").get_text()):
        assert "The worst column is that whose distance exceeds by most what real rows give." in text
        assert "it is no difference of the averages beside it" in text
        assert "Difference of real rows" not in text


def test_the_closest_rows_stand_together_and_their_differing_cells_are_marked(
    reported: tuple[Run, TableFidelity],
) -> None:
    run, _ = reported
    table = page_of(run).select_one("#similarity table.closest")
    pairs = table("tbody")
    assert len(pairs) == 6
    marked = np.zeros(5, int)
    for pair in pairs:
        made, real = (row("td") for row in pair("tr"))
        assert [bool(cell.mark) for cell in made] == [bool(cell.mark) for cell in real]
        differs = [one.get_text() != other.get_text() for one, other in zip(made, real, strict=True)]
        assert [bool(cell.mark) for cell in made] == differs
        marked += differs
    # each generator repeats one row
    assert [bool(pair("mark")) for pair in pairs] == [False, False, True, True, True, True]
    assert marked.tolist() == sorted(marked, reverse=True)
    markdown = (run.report / "report.md").read_text(encoding="utf-8")
    line = next(line for line in markdown.splitlines() if line.startswith("| 3, synthetic"))
    assert line.count("≠ ") == len(pairs[2]("mark")) / 2


def test_names_and_values_of_a_table_are_escaped(reported: tuple[Run, TableFidelity]) -> None:
    run, _ = reported
    page = page_of(run)
    assert not page.find_all(["script", "b"])
    assert HOSTILE in page.get_text()
    text = (run.report / "report.md").read_text(encoding="utf-8").split("## Study")[0]
    assert "<script" not in text
    assert "<b>" not in text
    for figure in page.select("#likeness svg"):
        assert figure.get("aria-label") or figure.get("aria-hidden") == "true" or figure.find_parent("svg")
    assert all(cell.get("scope") for cell in page("th"))


def test_the_protocol_says_how_tables_are_measured(
    reported: tuple[Run, TableFidelity], tmp_path: Path, make_run: MakeRun
) -> None:
    run, _ = reported
    assert re.search("Kolmogorov-Smirnov distance of numbers", page_of(run).select_one("#method").get_text())
    study, images = make_run(tmp_path)
    report(study, images)
    page = page_of(images)
    assert page.select_one("#likeness") is None
    assert "Kolmogorov" not in page.get_text()
    assert "table" not in json.loads((images.report / "report.json").read_text())


@pytest.mark.parametrize(
    ("kind", "low", "high", "told"),
    [
        ("integer", 4, 72, ("4", "72")),
        ("numeric", -3e-17, 0.03125, ("0.00", "0.0312")),
        ("datetime", 1.6e15, 1.7e15, ("2020-09-13", "2023-11-14")),
        ("datetime", 1.6e15, 1.6e15 + 6e7, ("2020-09-13T12:26", "2020-09-13T12:27")),
    ],
)
def test_the_ends_of_a_histogram_are_told_in_words(kind: str, low: float, high: float, told: tuple[str, str]) -> None:
    assert range_texts(pd.DataFrame({"low": [low, high], "high": [low, high]}), kind) == told


@pytest.mark.parametrize(
    ("arms", "beside"),
    [
        (("real", "threshold", "smote", "copies+smote", "copies", "gan+smote"), ["threshold", "copies+smote"]),
        (("real", "smote", "copies", "gan"), ["copies"]),
        (("real", "gan"), ["real"]),
    ],
)
def test_recall_stands_beside_that_of_arms_whose_decisions_are_tuned_too(
    tmp_path: Path, make_run: MakeRun, arms: tuple[str, ...], beside: list[str]
) -> None:
    of_table = {"kind": "table", "label": "left"}
    study, run = make_run(tmp_path, ("no", "yes"), arms=arms, repetitions=2, optional=False, modality=of_table)
    findings = read_findings(study, run, read_manifests(study, run))
    _, value, remark = next(tile for tile in headline(findings) if tile[0] == "Recall of the rare classes")
    recall = {arm: formats.share(findings.summary.arms[arm].recall["yes"]) for arm in arms}
    assert value == recall[arms[-1]]
    assert remark == f"{arms[-1]}; " + ", ".join(f"{recall[arm]} {arm}" for arm in beside)


def table_study(**evaluation: object) -> Study:
    return Study.model_validate(
        {
            "name": "churn",
            "source": {"path": "churn.csv"},
            "modality": {"kind": "table", "label": "left"},
            "evaluation": evaluation,
        }
    )


def test_the_protocol_says_who_taught_and_how_decisions_were_tuned() -> None:
    told = dict(arms_of_table(table_study()))
    assert list(told) == ["Classical augmentation", "Teaching", "Thresholds"]
    smote, teaching, thresholds = told.values()
    assert "In smote, copies+smote and gan+smote, SMOTE fills" in smote
    for part in (
        "Labels in softened, copies, copies+smote, gan and gan+smote come from a committee of 4 classifiers",
        "one of 5 folds",
        "the mean of their probabilities",
        "Half of a real row's label is its class, the other half what members say that did not see the row",
        "unless hist_gradient_boosting alone",
        "In copies and copies+smote, a random training row of the same class takes the place",
    ):
        assert part in teaching
    for part in (
        "threshold, softened, copies, copies+smote, gan and gan+smote predict the class with the largest product",
        "for the highest macro-F1 of training rows, for threshold on what classifiers trained without",
        "for softened, copies, copies+smote, gan and gan+smote on what the committee says",
    ):
        assert part in thresholds


def test_the_protocol_speaks_of_the_arms_that_a_study_has() -> None:
    study = table_study(arms=["real", "gan"], classifier="logistic_regression", metric="balanced_accuracy")
    told = dict(arms_of_table(study))
    assert list(told) == ["Teaching", "Thresholds"]
    assert "the mean of the logarithms of their probabilities" in told["Teaching"]
    assert "SMOTE" not in told["Teaching"]
    assert "random training row" not in told["Teaching"]
    assert "highest balanced accuracy of training rows, for gan on what the committee" in told["Thresholds"]
    assert "unless" not in dict(arms_of_table(table_study(classifier="mlp")))["Teaching"]


def test_shares_of_synthetic_rows_are_told_arm_by_arm() -> None:
    def told(**ratios: list[float]) -> str:
        return shares(table_study(**ratios)).replace("\N{NO-BREAK SPACE}", " ")

    chosen = "by the log-loss in a 5-fold validation on training rows."
    assert told(ratios=[0.4], ratios_with_classical=[0.2, 0]) == (
        "In copies and gan, their share of all weight was 40 %. In copies+smote and gan+smote, their share of all"
        f" weight was chosen from 0 % and 20 % {chosen}"
    )
    assert told() == (
        f"In copies, copies+smote, gan and gan+smote, their share of all weight was chosen from 0 % and 50 % {chosen}"
    )
