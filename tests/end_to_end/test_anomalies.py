"""A fraud table by the template that ships: its detectors in the protocol, and new rows scored by its model."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from gansynth.checkpoints import load_model
from gansynth.datasets import load_dataset
from gansynth.detectors import Detector
from gansynth.errors import ArtifactError, SourceError, StudyError
from gansynth.evaluation import evaluate_anomaly
from gansynth.evaluation.anomaly import neighbour_distance, summarise_anomaly
from gansynth.ingestion import ingest
from gansynth.requests import expected, summary_request
from gansynth.runs import Run
from gansynth.samples import Samples
from gansynth.scoring import score
from gansynth.seeding import derive_seed
from gansynth.splits import draw_split
from gansynth.study import Study
from gansynth.study_files import load_study
from gansynth.training import train, train_repetition

TEMPLATE = Path(__file__).parents[2] / "data" / "studies" / "fraud.toml"
TINY = (
    "evaluation.repetitions=2",
    "evaluation.steps=30",
    "gan.kimg=6.4",
    "compute.accelerator=cpu",
)


def transactions(rows: int = 240) -> pd.DataFrame:
    """Return transactions of which a tenth is fraud: of large amounts, at night, abroad."""
    random = np.random.default_rng(0)
    fraud = np.arange(rows) % 10 == 9
    return pd.DataFrame(
        {
            "id": [f"transaction {number}" for number in range(rows)],
            "amount": random.lognormal(np.where(fraud, 6, 3), 0.6).round(2),
            "hour": np.where(fraud, random.normal(3, 1, rows), random.normal(14, 3, rows)).round(1),
            "country": np.where(random.random(rows) < np.where(fraud, 0.8, 0.1), "abroad", "home"),
            "is_fraud": fraud.astype(int),
        }
    )


@pytest.fixture(scope="module")
def fraud(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Run]:
    """The template, on such a table, trained, and with its detectors."""
    folder = tmp_path_factory.mktemp("fraud")
    transactions().to_csv(folder / "transactions.csv", index=False)
    (folder / "fraud.toml").write_text(TEMPLATE.read_text())
    study, run = load_study(folder / "fraud.toml", TINY), Run(folder / "run")
    ingest(study, run)
    train(study, run)
    for repetition in range(2):
        evaluate_anomaly(study, run, repetition)
    return study, run


def normal_rows(study: Study, run: Run, repetition: int) -> tuple[Samples, Samples]:
    """Return a repetition's normal training rows, and its test rows."""
    dataset = load_dataset(run.dataset)
    split = draw_split(dataset, study, repetition)
    part = dataset.samples.take(split.train)
    return part.take(part.labels == 0), dataset.samples.take(split.test)


def test_a_study_that_names_no_normal_class_asks_what_it_always_asked(fraud: tuple[Study, Run]) -> None:
    study, run = fraud
    without = study.model_copy(update={"evaluation": study.evaluation.model_copy(update={"anomaly": None})})
    assert "anomaly" not in json.dumps([one.request for one in expected(without, run)])
    assert all(one.directory.name != "anomaly" for one in expected(without, run))
    # what the setting changes is the summary, and what comes before it stays
    shared = {one.directory: one.request for one in expected(without, run)}
    asked = {one.directory: one.request for one in expected(study, run)}
    assert {place for place, request in shared.items() if asked[place] != request} == {run.evaluation}
    assert summary_request(study)["evaluation"]["anomaly"] == "0"


def test_detectors_are_compared_by_the_precision_that_scikit_learn_gives(fraud: tuple[Study, Run]) -> None:
    study, run = fraud
    found = summarise_anomaly(study, run, 0.25)
    assert found is not None
    assert list(found.detectors) == ["gan", "isolation_forest", "neighbours", "teacher"]
    ratings = [pd.read_parquet(run.anomaly(repetition) / "ratings.parquet") for repetition in range(2)]
    for name, detector in found.detectors.items():
        precisions = [average_precision_score(one.is_anomaly, one[name]) for one in ratings]
        np.testing.assert_allclose(detector.values, precisions)
        assert detector.mean == pytest.approx(np.mean(precisions))
        assert detector.roc_auc == pytest.approx(np.mean([roc_auc_score(one.is_anomaly, one[name]) for one in ratings]))
    gains = {one.against: one.gain for one in found.comparisons}
    assert gains["isolation_forest"] == pytest.approx(
        found.detectors["gan"].mean - found.detectors["isolation_forest"].mean
    )
    normal = [one[~one.is_anomaly].tail_share for one in ratings]
    assert found.false_alarms == pytest.approx(np.mean([(one <= 0.05).mean() for one in normal]))
    train, test = normal_rows(study, run, 0)
    assert (found.train_rows, found.test_rows) == (len(train), len(test))
    assert found.anomalies == (test.labels != 0).sum()


def test_a_file_that_is_written_unlike_the_training_data_is_scored_with_a_note(
    fraud: tuple[Study, Run], tmp_path: Path
) -> None:
    transactions(20).to_csv(tmp_path / "new.csv", index=False, sep=";")
    scored = score(*fraud, str(tmp_path / "new.csv"), tmp_path / "scores.csv")
    assert (scored.rows, scored.unreadable) == (20, 0)
    assert scored.notes == ["read unlike the training data: semicolon between values, not comma"]


def test_other_detectors_know_the_normal_training_rows_alone(fraud: tuple[Study, Run]) -> None:
    study, run = fraud
    train, test = normal_rows(study, run, 1)
    ratings = pd.read_parquet(run.anomaly(1) / "ratings.parquet")
    cells = [np.asarray(part.values) for part in (train, test)]
    scaler = StandardScaler().fit(cells[0][:, :2])
    rows, others = (np.hstack([scaler.transform(part[:, :2]), np.eye(2)[part[:, 2].astype(int)]]) for part in cells)
    np.testing.assert_allclose(ratings.neighbours, neighbour_distance(rows, others))
    forest = IsolationForest(random_state=derive_seed(study.seed, "isolation forest", 1) % 2**32).fit(rows)
    np.testing.assert_allclose(ratings.isolation_forest, -forest.score_samples(others))


def test_the_distance_to_neighbours_is_their_mean() -> None:
    known = np.array([[0.0], [1.0], [2.0], [10.0]])
    np.testing.assert_allclose(neighbour_distance(known, np.array([[0.0], [4.0]]), 2), [0.5, 2.5])
    np.testing.assert_allclose(neighbour_distance(known, np.array([[0.0]])), [13 / 4])


def test_ratings_are_what_their_description_says(fraud: tuple[Study, Run]) -> None:
    study, run = fraud
    train, test = normal_rows(study, run, 0)
    model = load_model(run.model(0), study.compute)
    rated, own = (Detector(model, train, 0).rate(part.values) for part in (test, train))
    features = [model.discriminator.embed(model.codec.hold(part.values)).double().numpy() for part in (train, test)]
    shrunk = LedoitWolf().fit(features[0])
    apart = features[1] - features[0].mean(0)
    squared = np.einsum("ij,jk,ik->i", apart, np.linalg.pinv(shrunk.covariance_), apart)
    np.testing.assert_allclose(rated.distance, np.sqrt(squared), rtol=1e-4)
    spread = [np.subtract(*np.percentile(part, (75, 25))) for part in (own.critic, own.distance)]
    scaled = [
        (part - np.median(known)) / width
        for part, known, width in zip((rated.critic, rated.distance), (own.critic, own.distance), spread, strict=True)
    ]
    np.testing.assert_allclose(rated.score, np.mean(scaled, axis=0))
    # a training row is held against distances by a covariance that did not meet it
    part_of = np.arange(len(train)) % 10
    distances = np.empty(len(train))
    for part in range(10):
        others = LedoitWolf().fit(features[0][part_of != part])
        distances[part_of == part] = np.sqrt(others.mahalanobis(features[0][part_of == part]))
    parts = zip((own.critic, distances), (own.critic, own.distance), spread, strict=True)
    known = np.mean([(part - np.median(of_own)) / width for part, of_own, width in parts], axis=0)
    share = [(np.sum(known >= one) + 1) / (len(train) + 1) for one in rated.score]
    np.testing.assert_allclose(rated.tail_share, share)


def test_new_rows_are_scored_in_their_order_and_none_is_lost(fraud: tuple[Study, Run], tmp_path: Path) -> None:
    study, run = fraud
    fresh = transactions(60).drop(columns="is_fraud").assign(hour=14.0)
    fresh["amount"] = np.random.default_rng(1).lognormal(3, 0.5, 60).round(2)
    fresh["country"] = "home"
    fresh.loc[7, ["amount", "hour", "country"]] = [1e6, -40.0, "moon"]
    fresh.loc[8, ["amount", "country"]] = [np.nan, None]  # as no training row
    fresh.loc[9, "amount"] = np.inf
    fresh.to_csv(tmp_path / "new.csv", index=False)
    lines = (tmp_path / "new.csv").read_text().splitlines()
    (tmp_path / "new.csv").write_text("\n".join([*lines[:5], "1,2", *lines[5:]]) + "\n")
    told = score(study, run, str(tmp_path / "new.csv"), tmp_path / "scores.parquet")
    assert (told.normal, told.rows, told.unreadable) == ("0", 61, 2)
    assert told.notes == ["country: 1 of 59 values are no category that the model knows"]
    scores = pq.read_table(tmp_path / "scores.parquet").to_pandas()
    assert scores.row.tolist() == list(range(1, 62))
    assert scores.source.tolist() == [f"new.csv row {number}" for number in range(1, 62)]
    assert scores.problem.dropna().to_dict() == {
        4: "has 2 values, not 4",
        10: "amount: inf is infinite, or as good as that",
    }
    assert scores.score.isna().tolist() == scores.problem.notna().tolist()
    outlier, others = scores.iloc[8], scores.drop([4, 8, 9, 10])
    assert (outlier.unseen, scores.unseen[9]) == (3, 2)
    assert outlier.tail_share == pytest.approx(1 / (told.train_rows + 1))
    assert outlier.score > others.score.max()
    assert others.tail_share.median() > 0.2
    assert told.alarms["0.01"] == (scores.tail_share <= 0.01).sum()
    # the same as text, and nothing else is left beside
    score(study, run, str(tmp_path / "new.csv"), tmp_path / "scores.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "scores.csv"), scores, check_dtype=False)
    assert {path.name for path in tmp_path.iterdir()} == {"new.csv", "scores.csv", "scores.parquet"}


def test_another_class_may_be_normal(fraud: tuple[Study, Run], tmp_path: Path) -> None:
    study, run = fraud
    transactions().to_parquet(tmp_path / "all.parquet")
    tails = []
    for normal in ("0", "1"):
        told = score(study, run, str(tmp_path / "all.parquet"), tmp_path / "scores.parquet", normal)
        assert told.normal == normal
        scores = pd.read_parquet(tmp_path / "scores.parquet")
        tails.append(scores.tail_share.groupby(transactions().is_fraud).median())
    assert tails[0][0] > tails[0][1]
    assert tails[1][1] > tails[1][0]


def test_what_cannot_be_scored_is_refused_in_a_line(fraud: tuple[Study, Run], tmp_path: Path) -> None:
    study, run = fraud
    new, out = tmp_path / "new.csv", tmp_path / "scores.parquet"
    transactions(20).drop(columns="hour").to_csv(new, index=False)
    out.write_text("earlier")
    wrong = [
        ((str(new), out), SourceError, r"new.csv: lacks the column 'hour', which the model knows; it has 'id', 'am"),
        ((str(tmp_path / "gone.csv"), out), SourceError, r"gone.csv: does not exist"),
        ((str(new), tmp_path / "scores.txt"), ArtifactError, r"scores.txt: is neither a .parquet nor a .csv file"),
        ((str(new), new), ArtifactError, r"new.csv: is the source; name another file"),
        ((str(new), tmp_path / "no" / "scores.csv"), ArtifactError, r"there is no folder .*no; make it first"),
        (("s3://bucket/new.csv", out), SourceError, r"^source: is a URL; .* copy it here first"),
        (("https://user:hush@host/new.csv", out), SourceError, r"^source: is a URL; [^@]*$"),
        ((str(new), out, "fraud"), StudyError, r"normal: no class is called 'fraud'; there are 0, 1"),
    ]
    for arguments, error, reason in wrong:
        with pytest.raises(error, match=reason) as caught:
            score(study, run, *arguments)
        assert "\n" not in str(caught.value)
    transactions(20).assign(hour=pd.Timestamp("2026-01-01")).to_parquet(tmp_path / "new.parquet")
    with pytest.raises(SourceError, match=r"new.parquet: column 'hour': timestamp.* cannot be read as numeric"):
        score(study, run, str(tmp_path / "new.parquet"), out)
    assert out.read_text() == "earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"new.csv", "new.parquet", "scores.parquet"}


def test_a_normal_class_that_is_not_there_is_told_before_training(fraud: tuple[Study, Run]) -> None:
    study, run = fraud
    evaluation = study.evaluation.model_copy(update={"anomaly": "honest"})
    wrong = study.model_copy(update={"evaluation": evaluation, "seed": 5})
    with pytest.raises(StudyError, match=r"evaluation\.anomaly: no class is called 'honest'; there are 0, 1"):
        train_repetition(wrong, run, 0)
