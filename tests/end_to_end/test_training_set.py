"""The training set of a table's recommended arm: who learns from it has what was measured."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from test_table_study import write_customers

from gansynth.artifacts import amend, read_manifest
from gansynth.classifiers import fit_classifier
from gansynth.datasets import load_dataset
from gansynth.evaluation import compose_training_set, evaluate
from gansynth.evaluation.recipes import prepare
from gansynth.generation import generate
from gansynth.ingestion import ingest
from gansynth.requests import arm_request, training_set_request
from gansynth.results import DECISION_FILE, SUMMARY_FILE, TRAINING_SET_FILE, read_summary
from gansynth.runs import Run
from gansynth.seeding import seed_index
from gansynth.splits import draw_split
from gansynth.study import Study
from gansynth.study_files import load_study
from gansynth.training import train

README = Path(__file__).parents[2] / "README.md"
COLUMNS = ["age", "plan", "paid"]


@pytest.fixture(scope="module", params=["parquet", pytest.param("csv", marks=pytest.mark.slow)])
def evaluated(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Study, Run]:
    """A study of customers whose samples were delivered in either format, evaluated."""
    folder = tmp_path_factory.mktemp("table")
    write_customers(folder)
    arms = 'evaluation.arms=["real","threshold","smote","gan+smote"]'
    settings = (arms, f"generation.format={request.param}", "evaluation.ratios_with_classical=[0.5]")
    study, run = load_study(folder / "churn.toml", settings), Run(folder / "run")
    for stage in (ingest, train, generate, evaluate):
        stage(study, run)
    return study, run


def training_set(study: Study, run: Run, arm: str) -> tuple[pd.DataFrame, dict[str, object]]:
    """Return the training set, and how to decide, of a run whose evaluation recommends this arm."""
    summary = read_summary(run.evaluation).model_copy(update={"recommended_arm": arm})
    amend(run.evaluation, SUMMARY_FILE, summary.model_dump_json().encode())
    directory = compose_training_set(study, run)
    decision = json.loads((directory / DECISION_FILE).read_text())
    return pd.read_parquet(directory / TRAINING_SET_FILE), decision


def pipeline() -> Pipeline:
    """Return a logistic regression of the customers, as anyone would build it."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    columns = make_column_transformer((numbers, ["age", "paid"]), (OneHotEncoder(), ["plan"]))
    return make_pipeline(columns, LogisticRegression(max_iter=1000))


@pytest.mark.parametrize("arm", ["threshold", "smote", "gan+smote"])
def test_who_learns_from_it_has_the_classifier_of_the_arm(evaluated: tuple[Study, Run], arm: str) -> None:
    study, run = evaluated
    table, decision = training_set(study, run, arm)
    learnt = pipeline().fit(table[COLUMNS], table["left"], logisticregression__sample_weight=table["sample_weight"])
    source = pd.read_csv(run.root.parent / "churn.csv")
    found = learnt.predict_proba(source[COLUMNS])[:, 1]
    dataset = load_dataset(run.dataset)
    recipe = prepare(study, run, None, arm, dataset, draw_split(dataset, study, None))
    classifier = fit_classifier(study, recipe.diet, study.evaluation.steps, seed_index(None), "arm")
    # the two pipelines stop at slightly different points
    np.testing.assert_allclose(found, classifier.probabilities(dataset.samples.values)[:, 1], atol=0.01)
    assert decision["classes"] == ["no", "yes"]
    assert decision["factors"] == recipe.factors.tolist()
    assert (decision["factors"] == [1, 1]) == (arm == "smote")


def test_its_lines_add_up_to_the_rows_and_say_where_they_come_from(evaluated: tuple[Study, Run]) -> None:
    study, run = evaluated
    plain, _ = training_set(study, run, "real")
    assert plain.columns.tolist() == [*COLUMNS, "left", "sample_weight", "sample_origin"]
    pd.testing.assert_frame_equal(
        plain[[*COLUMNS, "left"]], pd.read_csv(run.root.parent / "churn.csv")[[*COLUMNS, "left"]], check_dtype=False
    )
    assert (plain["sample_weight"] == 1).all()
    table, decision = training_set(study, run, "gan+smote")
    weights = table.groupby("sample_origin")["sample_weight"].sum()
    rows = read_manifest(run.training_set).counts["rows"]
    assert weights["real"] == pytest.approx(160, rel=0.01)
    assert weights["synthetic"] / weights.sum() == pytest.approx(0.5, rel=0.01)  # the only candidate
    assert decision["lines_per_row"] == pytest.approx(len(table) / rows)
    assert table.loc[table["sample_origin"] == "synthetic", "sample_weight"].nunique() > 10


def test_the_readme_says_how_any_classifier_learns_from_it(evaluated: tuple[Study, Run]) -> None:
    study, run = evaluated
    training_set(study, run, "gan+smote")
    blocks = [block.split("```")[0] for block in README.read_text(encoding="utf-8").split("```python")[1:]]
    code = next(block for block in blocks if "training_set" in block).replace("runs/churn", str(run.root))
    new_rows = pd.read_csv(run.root.parent / "churn.csv")
    new_rows.loc[0, "plan"] = "one that no training row has"
    names = {"new_rows": new_rows}
    exec(code, names)  # noqa: S102  # our own
    right = pd.Series(names["predicted"] == new_rows["left"]).groupby(new_rows["left"]).mean()
    assert right.min() > 0.6


def test_another_metric_lets_tuned_arms_decide_anew_and_no_other(evaluated: tuple[Study, Run]) -> None:
    study, _ = evaluated
    other = study.evaluation.model_copy(update={"metric": "balanced_accuracy"})
    changed = study.model_copy(update={"evaluation": other})
    asked = {arm: arm_request(study, 0, arm) == arm_request(changed, 0, arm) for arm in study.evaluation.arms}
    assert asked == {"real": True, "threshold": False, "smote": True, "gan+smote": False}
    assert training_set_request(study) != training_set_request(changed)


def test_another_class_behind_the_name_of_the_classifier_is_trained_anew(
    evaluated: tuple[Study, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, _ = evaluated
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").touch()
    asked = []
    for place, name in (("own_classifier.py", "own_classifier"), ("own_package/inner.py", "own_package.inner")):
        named = study.evaluation.model_copy(update={"classifier": f"{name}:Mine"})
        for code in ("class Mine: pass", "class Mine: depth = 3"):
            (tmp_path / place).write_text(code)
            asked.append(arm_request(study.model_copy(update={"evaluation": named}), 0, "real"))
    assert asked[0] != asked[1]
    assert asked[2] != asked[3]
    assert asked[0]["classifier_code"] == hashlib.sha256(b"class Mine: pass").hexdigest() == asked[2]["classifier_code"]


def test_it_is_composed_anew_only_if_something_changed(evaluated: tuple[Study, Run]) -> None:
    study, run = evaluated
    training_set(study, run, "real")
    stamp = (run.training_set / TRAINING_SET_FILE).stat().st_mtime_ns
    training_set(study, run, "real")
    assert (run.training_set / TRAINING_SET_FILE).stat().st_mtime_ns == stamp
    training_set(study, run, "threshold")
    assert json.loads((run.training_set / DECISION_FILE).read_text())["arm"] == "threshold"
