"""What the report, the card and the terminal say of the membership attack."""

import dataclasses
import json
from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from summaries import privacy

from gansynth.privacy import Guarantee, Privacy
from gansynth.reporting import privacy as privacy_report
from gansynth.reporting import report
from gansynth.reporting.findings import read_findings, read_manifests
from gansynth.reporting.machine import render_json
from gansynth.results import SUMMARY_FILE, read_summary
from gansynth.runs import Run
from gansynth.study import Study

MakeRun = Callable[..., tuple[Study, Run]]


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory, make_run: MakeRun) -> tuple[Study, Run]:
    study, run = make_run(tmp_path_factory.mktemp("reported"))
    report(study, run)
    return study, run


def section_of(run: Run) -> BeautifulSoup:
    page = BeautifulSoup((run.report / "index.html").read_text(encoding="utf-8"), "html.parser")
    return page.select_one("#privacy")


def plain(text: str) -> str:
    return " ".join(text.split())


def test_the_page_says_what_an_attacker_could_tell_and_what_that_does_not_prove(reported: tuple[Study, Run]) -> None:
    _, run = reported
    found = read_summary(run.evaluation).privacy.overall
    assert found.auc is not None
    text = plain(section_of(run).get_text(" "))
    assert f"{100 * found.auc.value:.1f} % ({100 * found.auc.low:.1f} to {100 * found.auc.high:.1f})" in text
    assert "So training rows can be told" in text
    assert "it finds 3.0 % (1.0 to 7.0) of the training rows" in text
    assert "60 training rows and 450 held-out rows" in text
    assert "360 held-out rows, which are neither trained on nor scored" in text
    assert "to find no more than guessing proves no privacy" in text


def test_the_rarest_class_is_told_of_and_comes_first_with_each_repetition(reported: tuple[Study, Run]) -> None:
    _, run = reported
    summary = read_summary(run.evaluation)
    fewest = min(summary.train_rows.values())
    rarest = {name for name, rows in summary.train_rows.items() if rows == fewest}
    section = section_of(run)
    rows = [[plain(cell.get_text()) for cell in row(["th", "td"])] for row in section.select("tbody tr")]
    assert rows[0][0] == "All classes"
    assert {row[0] for row in rows[1 : 1 + len(rarest)]} == {plain(name) for name in rarest}
    judged = next(row for row in rows[1:] if row[3] != "too few rows")
    assert len(judged[4].split(", ")) == summary.repetitions
    assert f"the best told of {len(rarest)} classes that all have {fewest} training rows" in plain(
        section.get_text(" ")
    )
    assert "The best of many looks better than it is, by chance" in plain(section.get_text(" "))
    alone = dict.fromkeys(summary.train_rows, 500) | {next(iter(summary.train_rows)): 12}
    findings = read_findings(*reported, read_manifests(*reported))
    told = privacy_report.lines(dataclasses.replace(findings, summary=summary.model_copy(update={"train_rows": alone})))
    assert any(line.startswith("Of the rarest class, ") and "with 12 training rows" in line for line in told)
    assert "## Privacy" in (run.report / "report.md").read_text(encoding="utf-8")


def reported_with(run_folder: tuple[Study, Run], found: Privacy) -> Run:
    study, run = run_folder
    summary = read_summary(run.evaluation).model_copy(update={"privacy": found})
    (run.evaluation / SUMMARY_FILE).write_text(summary.model_dump_json())
    report(study, run)
    return run


def test_too_few_rows_are_said_to_be_too_few(run_folder: tuple[Study, Run]) -> None:
    classes = list(read_summary(run_folder[1].evaluation).train_rows)
    found = privacy(*classes)
    nothing = found.overall.model_copy(update={"auc": None, "tpr": None})
    missed = {name: one.model_copy(update={"auc": None, "tpr": None}) for name, one in found.by_class.items()}
    run = reported_with(run_folder, found.model_copy(update={"overall": nothing, "by_class": missed}))
    text = plain(section_of(run).get_text(" "))
    assert "not measured: needs at least 10 training rows" in text
    assert "can be told" not in text


def test_an_interval_that_holds_one_half_is_called_guessing(run_folder: tuple[Study, Run]) -> None:
    classes = list(read_summary(run_folder[1].evaluation).train_rows)
    found = privacy(*classes)
    assert found.overall.auc is not None
    auc = found.overall.auc.model_copy(update={"low": 0.44})
    overall = found.overall.model_copy(update={"auc": auc, "tpr": None})
    run = reported_with(run_folder, found.model_copy(update={"overall": overall}))
    text = plain(section_of(run).get_text(" "))
    assert "does not do better than guessing, as far as these rows show" in text
    assert "Its best guesses: not measured: needs so many held-out rows that none counts for more than" in text


def test_what_differential_privacy_guarantees_is_told_with_what_it_leaves_out(reported: tuple[Study, Run]) -> None:
    study, run = reported
    found = read_findings(study, run, read_manifests(study, run))
    assert found.guarantees == {}
    numbers = {"delta": 1e-5, "noise_multiplier": 1.2, "max_grad_norm": 1.0, "sampling_rate": 0.01, "steps": 500}
    one, other = Guarantee(epsilon=2.345, **numbers), Guarantee(epsilon=3.456, **numbers)
    labels = {"repetition 1": other, "repetition 2": other, "delivery": one}
    private = dataclasses.replace(found, guarantees=labels)
    told = privacy_report.lines(private)
    assert told[0] == (
        "Generators were trained with differential privacy: repetition 1 and repetition 2, ε = 3.46 at δ = 1e-05;"
        " delivery, ε = 2.35 at δ = 1e-05."
    )
    assert "weights of the generator and its discriminator alone" in told[1]
    assert "the teacher and the probabilities that it gives samples" in told[2]
    assert not any("guarantee" in line for line in privacy_report.lines(found))
    data = json.loads(render_json(private, "2026-01-01", 1.0))
    assert data["differential_privacy"]["delivery"] == one.model_dump()
