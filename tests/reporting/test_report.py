import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from storage import Bucket

from gansynth.artifacts import amend, verify
from gansynth.errors import ArtifactError
from gansynth.reporting import copy_report, report
from gansynth.reporting.findings import read_findings, read_manifests
from gansynth.reporting.protocol import describe_gan, protocol
from gansynth.results import FIDELITY_FILE, SUMMARY_FILE, read_summary
from gansynth.runs import Run
from gansynth.study import Study

MakeRun = Callable[..., tuple[Study, Run]]
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a | b `c` [d](javascript:e)", "{{ 7*7 }}\nz")


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory, make_run: MakeRun) -> tuple[Study, Run]:
    """A run whose report is made, for tests that only look at it."""
    study, run = make_run(tmp_path_factory.mktemp("reported"))
    assert report(study, run) == run.report
    return study, run


def page_of(run: Run) -> BeautifulSoup:
    return BeautifulSoup((run.report / "index.html").read_text(encoding="utf-8"), "html.parser")


def text_of(page: BeautifulSoup) -> str:
    return " ".join(page.get_text(" ").split())


def data_of(run: Run) -> dict:
    return json.loads((run.report / "report.json").read_text(encoding="utf-8"))


def test_a_report_is_a_page_its_markdown_and_its_json(reported: tuple[Study, Run]) -> None:
    _, run = reported
    names = {path.name for path in run.report.iterdir()}
    assert names == {"index.html", "blinded.html", "report.md", "report.json", "manifest.json"}
    verify(run.report)


def test_json_carries_what_the_evaluation_found(reported: tuple[Study, Run]) -> None:
    study, run = reported
    data, summary = data_of(run), read_summary(run.evaluation)
    assert data["metric"] == "balanced_accuracy"
    assert data["verdict"] == summary.verdict.model_dump()
    assert data["recommended_arm"] == summary.recommended_arm
    assert list(data["arms"]) == list(study.evaluation.arms)
    for name, arm in summary.arms.items():
        assert {field: data["arms"][name][field] for field in arm.model_dump()} == arm.model_dump()
        assert data["arms"][name]["metrics_sd"]["balanced_accuracy"] == pytest.approx(np.std(arm.values, ddof=1))
    assert data["comparisons"] == [one.model_dump() for one in summary.comparisons]
    assert data["similarity"] == summary.similarity.model_dump()
    assert data["privacy"] == summary.privacy.model_dump()
    assert data["fidelity"]["kid"] == summary.fidelity.kid
    assert set(data["fidelity"]["per_class"]) == set(summary.train_rows)
    assert set(data["cost_seconds"]) == {"ingest", "train", "generate", "evaluate", "report"}
    assert all(seconds >= 0 for seconds in data["cost_seconds"].values())
    assert Study.model_validate(data["study"]) == study
    assert data["digests"]["repetitions/01/model"]
    assert data["versions"]["torch"]


def test_cost_sums_the_manifests_of_a_stage(reported: tuple[Study, Run]) -> None:
    _, run = reported
    manifests = [json.loads((run.model(unit) / "manifest.json").read_text()) for unit in (None, 0, 1, 2)]
    cost = data_of(run)["cost"]["train"]
    assert cost["artifacts"] == 4
    assert cost["seconds"] == pytest.approx(sum(one["seconds"] for one in manifests))
    assert cost["peak_memory_mb"] == max(one["peak_memory_mb"] for one in manifests)


def test_page_and_markdown_show_the_numbers_of_the_summary(reported: tuple[Study, Run]) -> None:
    _, run = reported
    page, summary = page_of(run), read_summary(run.evaluation)
    markdown = (run.report / "report.md").read_text(encoding="utf-8")
    rows = {row.th.get_text(): [cell.get_text() for cell in row("td")] for row in page.select("#arms tbody tr")}
    for name, arm in summary.arms.items():
        assert rows[name][0] == f"{100 * arm.mean:.1f} ± {100 * arm.sd:.1f}"
        assert rows[name][0] in markdown
    plotted = page.select("#gain .forest li:not(.scale)")
    assert len(plotted) == len(summary.comparisons)
    for row, test in zip(
        plotted, sorted(summary.comparisons, key=lambda one: list("rco").index(one.against[0])), strict=True
    ):
        assert row.select_one(".arm").get_text() == test.arm
        assert row.strong.get_text().replace("\N{MINUS SIGN}", "-") == f"{100 * test.gain:+.1f}"
        assert test.verdict in row.select_one(".badge").get_text()
    recalls = {row.select_one(".text").get_text(): row for row in page.select("#classes li") if row.select_one(".text")}
    for name, before in summary.arms["real"].recall.items():
        after = summary.arms[summary.verdict.best_with_gan].recall[name]
        assert recalls[name].select_one(".gain").get_text() == f"{100 * before:.0f} → {100 * after:.0f}"
        assert ("rare" in recalls[name].get_text()) == (summary.train_rows[name] == 10)


def test_verdict_stands_first_in_its_own_words(reported: tuple[Study, Run]) -> None:
    _, run = reported
    opening, verdict = page_of(run).select_one("#verdict"), read_summary(run.evaluation).verdict
    sentence = (
        opening.select_one(".sentence").get_text().replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")
    )
    assert sentence == verdict.sentence
    badges = [badge.get_text() for badge in opening.select(".answer .badge")]
    assert [badge[2:] for badge in badges] == [verdict.against_real, verdict.against_best_without_gan]
    assert verdict.best_without_gan in opening.select(".answer")[1].get_text()
    recommended = f"Recommended: {read_summary(run.evaluation).recommended_arm}"
    assert opening.select_one(".recommendation strong").get_text() == recommended
    assert f"**{recommended}**" in (run.report / "report.md").read_text(encoding="utf-8")


def test_pictures_stand_side_by_side_and_closest_pairs_first(reported: tuple[Study, Run]) -> None:
    _, run = reported
    page = page_of(run)
    for kind in ("real", "synthetic"):
        assert [len(cell("img")) for cell in page.select(f"#images .pictures.{kind}")] == [8] * 4
    distances = [float(re.search(r"distance ([\d.]+)", pair.get_text())[1]) for pair in page.select(".pairs > li")]
    assert distances == sorted(distances)
    assert len(distances) == 12


def test_everything_foreign_is_escaped(tmp_path: Path, make_run: MakeRun) -> None:
    study, run = make_run(tmp_path, HOSTILE, licence="<b onload=x>free</b>")
    report(study, run)
    page = page_of(run)
    markdown = (run.report / "report.md").read_text(encoding="utf-8")
    assert not page.find_all(["script", "b", "iframe", "object", "link", "base", "form"])
    assert all("data:" in image["src"] for image in page("img"))
    assert not [name for tag in page(True) for name in tag.attrs if name.startswith("on") or name == "style"]
    for name in HOSTILE:
        assert " ".join(name.split()) in text_of(page)
    assert "broken<1>.png" in text_of(page)
    assert "<script" not in markdown.split("## Study")[0]
    assert "<img" not in markdown.split("## Study")[0]


def test_page_refers_to_nothing_outside_its_folder(reported: tuple[Study, Run]) -> None:
    _, run = reported
    page = page_of(run)
    anchors = {tag["id"] for tag in page(id=True)}
    links = [link["href"] for link in page("a")]
    assert all(link[1:] in anchors if link[0] == "#" else (run.report / link).is_file() for link in links)
    assert "blinded.html" in links
    assert not re.search(r"https?://|@import|url\(", str(page))
    policy = page.select_one('meta[http-equiv="Content-Security-Policy"]')["content"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    digest = base64.b64encode(hashlib.sha256(page.style.string.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy


def test_page_is_accessible(reported: tuple[Study, Run]) -> None:
    _, run = reported
    page = page_of(run)
    assert page.html["lang"] == "en"
    assert all(cell.get("scope") for cell in page("th"))
    for figure in page.select("svg.figure"):
        assert figure.get("aria-label") or figure.get("aria-hidden") == "true"
    assert all(image.find_parent(attrs={"role": "img", "aria-label": True}) for image in page("img"))
    assert [heading.name for heading in page(["h1", "h2"])][:2] == ["h1", "h2"]
    assert len(page("h1")) == 1


def test_two_classes_and_real_as_the_only_rival(tmp_path: Path, make_run: MakeRun) -> None:
    study, run = make_run(tmp_path, ("benign", "malignant"), arms=("real", "gan", "shuffled"), repetitions=2)
    report(study, run)
    page = page_of(run)
    assert len(page.select(".answer")) == 1
    assert len(page.select("#gain .forest")) == 1
    assert "negative control" in page.select_one("#gain .legend").get_text()


def test_a_hundred_classes_of_colour_pictures_stay_readable_and_light(tmp_path: Path, make_run: MakeRun) -> None:
    def noise(label: int, kind: str, index: int) -> np.ndarray:
        return np.random.default_rng([label, kind == "real", index]).integers(0, 256, (32, 32, 3), np.uint8)

    classes = [f"class {label:03d}" for label in range(100)]
    study, run = make_run(tmp_path, classes, draw=noise, arms=("real", "classical", "gan"))
    report(study, run)
    page = page_of(run)
    assert (run.report / "index.html").stat().st_size < 3_000_000
    assert [tag.get_text() for tag in page.select(".recalls.many .text")] == classes
    assert len(page.select("#images .pictures.synthetic img")) >= 100


def test_large_pictures_are_made_small(tmp_path: Path, make_run: MakeRun) -> None:
    def large(label: int, kind: str, index: int) -> np.ndarray:
        return np.random.default_rng([label, kind == "real", index]).integers(0, 256, (200, 200, 3), np.uint8)

    study, run = make_run(tmp_path, draw=large)
    report(study, run)
    assert (run.report / "index.html").stat().st_size < 3_000_000


def test_what_is_absent_is_left_out(tmp_path: Path, make_run: MakeRun) -> None:
    study, run = make_run(tmp_path, optional=False)
    report(study, run)
    page, data = page_of(run), data_of(run)
    assert page.select_one("#training") is None
    assert "could not be used" not in text_of(page)
    assert data["cost_seconds"]["train"] is None
    assert data["cost_seconds"]["evaluate"] > 0
    assert data["quarantine"] == []


def test_learning_curves_show_whatever_was_recorded(tmp_path: Path, make_run: MakeRun) -> None:
    study, run = make_run(tmp_path)
    for unit in (0, 1, 2, None):
        lines = [{"step": step, "critic_gap": 0.1 * step, "note": "text"} for step in range(5)]
        (run.model(unit) / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    report(study, run)
    charts = page_of(run).select("#training figure")
    assert [chart.figcaption.get_text(strip=True) for chart in charts] == ["Critic gap"]
    assert len(charts[0]("polyline")) == 4
    assert "4 steps" in charts[0].get_text()


def test_warnings_tell_of_the_data_and_the_filters(run_folder: tuple[Study, Run]) -> None:
    study, run = run_folder
    manifest = run.synthetic(1) / "manifest.json"
    changed = json.loads(manifest.read_text())
    changed["counts"] |= {"kept": 100, "candidates": 4000, "missing": 300}
    changed["versions"]["torch"] = "0.0.1"
    manifest.write_text(json.dumps(changed))
    report(study, run)
    warnings = " ".join(data_of(run)["warnings"])
    for part in (
        "rests on few training rows",
        "1 sample of the source could not be used",
        "3 rows of the source repeat an earlier one and 11 more resemble one",
        "2 rows of the source occur under more than one class",
        "repetitions/01/synthetic: 300 planned samples",
        "rejected 3,900 of 4,000 candidates",
        "different versions of torch",
    ):
        assert part in warnings
        assert part in text_of(page_of(run))


def test_a_warning_tells_of_samples_that_are_too_typical_of_their_classes(run_folder: tuple[Study, Run]) -> None:
    study, run = run_folder
    summary = read_summary(run.evaluation)
    fidelity = summary.fidelity.model_copy(update={"label_agreement": 0.95, "held_out_agreement": 0.5})
    changed = summary.model_copy(update={"fidelity": fidelity})
    amend(run.evaluation, SUMMARY_FILE, changed.model_dump_json().encode())
    report(study, run)
    told = "The teacher recognises the class of 95.0 % of synthetic samples, but of only 50.0 % of held-out rows"
    assert told in " ".join(data_of(run)["warnings"]).replace("\N{NO-BREAK SPACE}", " ")


def test_warnings_tell_of_trainings_that_went_wrong_or_ended_collapsed(run_folder: tuple[Study, Run]) -> None:
    study, run = run_folder
    for unit, name in ((1, "repetitions/01/model"), (None, "model")):
        manifest = run.model(unit) / "manifest.json"
        changed = json.loads(manifest.read_text())
        if unit is None:
            changed["counts"] |= {"ended_alike": 1}
        else:
            changed["counts"] |= {"setbacks": 2}
            changed["files"]["setbacks.json"] = {"size": 2, "sha256": "0" * 64}
            reasons = ["losses are not finite at step 3", "samples of a class have become alike at step 9"]
            (run.model(unit) / "setbacks.json").write_text(json.dumps(reasons))
        manifest.write_text(json.dumps(changed))
        assert name == manifest.parent.relative_to(run.root).as_posix()
    report(study, run)
    for part in (
        (
            "repetitions/01/model: training went wrong 2 times (losses are not finite at step 3; samples of a class"
            " have become alike at step 9); it was rolled back"
        ),
        "model: the generator ended collapsed",
    ):
        assert part in " ".join(data_of(run)["warnings"])
        assert part in text_of(page_of(run))


@pytest.mark.parametrize(
    ("gan", "told"),
    [
        ({"kind": "residual"}, "relativistic loss and R1 and R2 penalties of 0.2 every 8 steps"),
        ({"kind": "stylegan2"}, "non-saturating loss and an R1 penalty of 0.2 every 8 steps"),
        ({"kind": "mlp"}, "non-saturating loss; 200 thousand"),
        (
            {
                "kind": "dcgan",
                "loss": "wasserstein",
                "penalty_kind": "interpolated",
                "penalty": 10,
                "penalty_every": 1,
                "lecam": 0.1,
                "feature_matching": 0.5,
                "augmentation_control": "adaptive",
            },
            (
                "wasserstein loss, a gradient penalty between real and generated samples of 10 at every step, LeCam"
                " regularisation of 0.1 and feature matching of 0.5; 40 thousand real samples shown in batches of 32;"
                " differentiable augmentation: affine and cutout, adaptive from a share of 0."
            ),
        ),
    ],
)
def test_the_protocol_describes_the_adversarial_training(
    run_folder: tuple[Study, Run], gan: dict[str, object], told: str
) -> None:
    study, _ = run_folder
    described = describe_gan(Study.model_validate({**study.model_dump(), "gan": gan}))
    assert f"Family {gan['kind']}, {told}" in described


def test_numbers_that_do_not_exist_become_null_and_a_dash(run_folder: tuple[Study, Run]) -> None:
    study, run = run_folder
    path = run.evaluation / FIDELITY_FILE
    frame = pd.read_parquet(path)
    frame.loc[frame["class_name"] == "round", "value"] = np.nan
    frame.to_parquet(path)
    report(study, run)
    assert data_of(run)["fidelity"]["per_class"]["round"]["kid"] is None
    row = next(row for row in page_of(run).select("#fidelity .bars tbody tr") if row.th.get_text() == "round")
    assert {cell.get_text() for cell in row("td")} == {"\N{EN DASH}"}


def test_markdown_tables_are_rectangular(tmp_path: Path, make_run: MakeRun) -> None:
    study, run = make_run(tmp_path, HOSTILE)
    report(study, run)
    blocks = (run.report / "report.md").read_text(encoding="utf-8").split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("| ")]
    assert len(tables) >= 8
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def test_a_report_is_made_again_only_if_something_changed(tmp_path: Path, make_run: MakeRun) -> None:
    study, run = make_run(tmp_path)
    report(study, run)
    first = (run.report / "manifest.json").stat().st_mtime_ns
    report(study, run)
    assert (run.report / "manifest.json").stat().st_mtime_ns == first
    other, _ = make_run(tmp_path, classes=("other", "names"))
    with pytest.raises(ArtifactError, match="was made with other settings"):
        report(study, run)
    report(other, run)
    assert (run.report / "manifest.json").stat().st_mtime_ns > first
    assert "other" in text_of(page_of(run))


def test_without_an_evaluation_there_is_no_report(tmp_path: Path, run_folder: tuple[Study, Run]) -> None:
    study, run = run_folder
    with pytest.raises(ArtifactError, match="run the stage that makes it first"):
        report(study, Run(tmp_path / "empty"))
    (run.evaluation / SUMMARY_FILE).write_text('{"metric": 3')
    with pytest.raises(ArtifactError, match="damaged"):
        report(study, run)
    assert not run.report.exists()


def test_a_copy_holds_every_file_and_spares_others(tmp_path: Path, run_folder: tuple[Study, Run]) -> None:
    study, run = run_folder
    destination = tmp_path / "reports" / "shapes"
    with pytest.raises(ArtifactError):
        copy_report(run, str(destination))
    report(study, run)
    destination.mkdir(parents=True)
    (destination / "notes.txt").write_text("keep me")
    (destination / "index.html").write_text("an earlier page")
    copy_report(run, str(destination))
    names = {path.name for path in destination.iterdir()}
    assert names == {"index.html", "blinded.html", "report.md", "report.json", "notes.txt"}
    assert (destination / "index.html").read_bytes() == (run.report / "index.html").read_bytes()


def test_a_copy_may_go_to_a_url_and_opens_as_a_page(run_folder: tuple[Study, Run], bucket: Bucket) -> None:
    study, run = run_folder
    report(study, run)
    copy_report(run, f"{bucket.url}/reports/shapes")
    copy_report(run, f"{bucket.url}/reports/shapes")
    there = {name.removeprefix("reports/shapes/"): content for name, content in bucket.objects().items()}
    assert there.keys() == {"index.html", "blinded.html", "report.md", "report.json"}
    assert there["index.html"] == (run.report / "index.html").read_bytes()
    assert bucket.content_type("reports/shapes/index.html") == "text/html"


def test_the_report_does_not_tell_where_the_source_lies(tmp_path: Path, make_run: MakeRun) -> None:
    study, run = make_run(tmp_path)
    source = study.source.model_copy(update={"path": "/home/someone/photos"})
    folder = report(study.model_copy(update={"source": source}), run)
    evaluation = study.evaluation.model_copy(update={"inception_weights": "/home/someone/w.pth"})
    findings = read_findings(study.model_copy(update={"evaluation": evaluation}), run, read_manifests(study, run))
    assert findings.study.evaluation.inception_weights == "w.pth"
    for name in ("index.html", "report.md", "report.json"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "photos" in text
        assert "/home/someone" not in text


def test_the_protocol_names_all_that_reads_test_rows(run_folder: tuple[Study, Run]) -> None:
    study, run = run_folder
    findings = read_findings(study, run, read_manifests(study, run))
    fixed = dict(protocol(findings))["Fixed beforehand"]
    assert "No generator and no arm learns from test rows" in fixed
    assert fixed.endswith("fidelity, training on synthetic samples alone, similarity and the membership attack.")
    evaluation = study.evaluation.model_copy(update={"anomaly": "round"})
    compared = replace(findings, study=study.model_copy(update={"evaluation": evaluation}))
    assert dict(protocol(compared))["Fixed beforehand"].endswith("and by the comparison of anomaly detectors.")
