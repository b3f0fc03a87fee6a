"""Detection of anomalies in the protocol of the study: the GAN's detector beside others, on the same rows.

Every detector is fitted on the normal training rows of a repetition and rates its test rows. The networks behind two of
them have met more: generator and discriminator, and the teacher, were trained on the training rows of all classes. So
the neighbours on the teacher's embedding are the control for what the labels of a few anomalies give without a GAN.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from gansynth.artifacts import is_current, publish
from gansynth.checkpoints import load_model
from gansynth.datasets import load_dataset
from gansynth.detectors import Detector, find_normal
from gansynth.errors import EvaluationError
from gansynth.evaluation.statistics import corrected_t_test, holm, verdict_word
from gansynth.modalities.table.estimators import row_encoder
from gansynth.requests import anomaly_parents, anomaly_request
from gansynth.results import RATINGS_FILE, AnomalySummary, Comparison, DetectorSummary
from gansynth.runs import Run
from gansynth.samples import Samples, Values
from gansynth.seeding import derive_seed
from gansynth.splits import draw_split
from gansynth.study import Study

Floats = npt.NDArray[np.float64]

GAN = "gan"
ISOLATION_FOREST = "isolation_forest"
NEIGHBOURS = "neighbours"
TEACHER = "teacher"
DETECTORS = (GAN, ISOLATION_FOREST, NEIGHBOURS, TEACHER)
NEIGHBOUR_COUNT = 5
ALARM_SHARE = 0.05


def evaluate_anomaly(study: Study, run: Run, repetition: int) -> Path:
    """Rate the test rows of one repetition by every detector, and publish the ratings.

    They lie in `ratings.parquet`: `row` in the dataset, `is_anomaly`, a column for each detector, higher for rows that
    it finds more anomalous, and the `tail_share` by the GAN's.

    Raises:
        StudyError: There is no class of the name that `evaluation.anomaly` gives.
    """
    directory = run.anomaly(repetition)
    request, parents = anomaly_request(study, repetition), anomaly_parents(study, run, repetition)
    if is_current(directory, request, parents):
        return directory
    dataset = load_dataset(run.dataset)
    normal = find_normal(dataset.samples.class_names, study.evaluation.anomaly or "", "evaluation.anomaly")
    split = draw_split(dataset, study, repetition)
    train, test = dataset.samples.take(split.train), dataset.samples.take(split.test)
    train = train.take(train.labels == normal)
    with publish(directory, "evaluate", request, parents) as draft:
        model = load_model(run.model(repetition), study.compute)
        rated = Detector(model, train, normal).rate(test.values)
        rows, others = _encoded(train, test)
        forest = IsolationForest(random_state=derive_seed(study.seed, "isolation forest", repetition) % 2**32)
        scaler = StandardScaler().fit(known := model.teacher.embed(train.values))
        ratings = {
            GAN: rated.score,
            ISOLATION_FOREST: -forest.fit(rows).score_samples(others),
            NEIGHBOURS: neighbour_distance(rows, others),
            TEACHER: neighbour_distance(scaler.transform(known), scaler.transform(model.teacher.embed(test.values))),
        }
        frame = pd.DataFrame({"row": split.test, "is_anomaly": test.labels != normal, **ratings})
        frame.assign(tail_share=rated.tail_share).to_parquet(draft.path / RATINGS_FILE, index=False)
        draft.counts.update(train=len(train), test=len(test), anomalies=int(frame.is_anomaly.sum()))
    return directory


def neighbour_distance(known: Floats, rows: Floats, count: int = NEIGHBOUR_COUNT) -> Floats:
    """Return the mean Euclidean distance of rows (N, D) to their `count` nearest known ones, fewer if there are."""
    nearest = NearestNeighbors(n_neighbors=min(count, len(known))).fit(known)
    distances: Floats = nearest.kneighbors(rows)[0].mean(axis=1)
    return distances


def _encoded(train: Samples, test: Samples) -> tuple[Floats, Floats]:
    """Return normal training rows and test rows as detectors of scikit-learn take them, fitted on the former.

    Numbers of tables are standardised and categories one-hot; images are their pixels, 0 to 1.
    """
    if train.schema is None:
        return _flat(train.values), _flat(test.values)
    encoder = row_encoder(train.columns).fit(train.values)
    return _dense(encoder.transform(train.values)), _dense(encoder.transform(test.values))


def _flat(images: Values) -> Floats:
    pixels: Floats = images.reshape(len(images), -1) / 255
    return pixels


def _dense(rows: Any) -> Floats:  # noqa: ANN401  # scikit-learn gives sparse ones where most entries are zero
    dense: Floats = rows.toarray() if sparse.issparse(rows) else rows
    return dense


def summarise_anomaly(study: Study, run: Run, correlation: float) -> AnomalySummary | None:
    """Compare the GAN's detector with the others over all repetitions; nothing if the study names no normal class.

    Raises:
        EvaluationError: The test rows hold no anomaly, or nothing else.
    """
    normal = study.evaluation.anomaly
    if normal is None:
        return None
    places = [run.anomaly(repetition) for repetition in range(study.evaluation.repetitions)]
    ratings = [pd.read_parquet(place / RATINGS_FILE) for place in places]
    if any(one.is_anomaly.nunique() < 2 for one in ratings):
        raise EvaluationError(f"evaluation.anomaly: test rows need both {normal!r} and other classes")
    precisions = {name: _over(ratings, name, average_precision_score) for name in DETECTORS}
    detectors = {
        name: DetectorSummary(
            mean=float(values.mean()),
            sd=float(values.std(ddof=1)),
            values=values.tolist(),
            roc_auc=float(_over(ratings, name, roc_auc_score).mean()),
        )
        for name, values in precisions.items()
    }
    first = ratings[0]
    comparisons = _compare(study, precisions, correlation, len(first))
    alarms = [float((one.tail_share[~one.is_anomaly] <= ALARM_SHARE).mean()) for one in ratings]
    return AnomalySummary(
        normal=normal,
        train_rows=_normal_training_rows(study, run),
        test_rows=len(first),
        anomalies=int(first.is_anomaly.sum()),
        detectors=detectors,
        comparisons=comparisons,
        false_alarms=float(np.mean(alarms)),
        sentence=_sentence(detectors, comparisons),
    )


def _over(ratings: list[pd.DataFrame], detector: str, metric: Callable[..., float]) -> Floats:
    """Return a metric of a detector in each repetition, (J,)."""
    return np.array([metric(one.is_anomaly, one[detector]) for one in ratings])


def _normal_training_rows(study: Study, run: Run) -> int:
    dataset = load_dataset(run.dataset)
    train = dataset.samples.take(draw_split(dataset, study, 0).train)
    return int(train.counts[train.class_names.index(study.evaluation.anomaly or "")])


def _compare(study: Study, values: dict[str, Floats], correlation: float, n_test: int) -> list[Comparison]:
    """Test the GAN's detector against each of the others, with Holm's correction among these tests."""
    rule = study.evaluation
    others = [name for name in values if name != GAN]
    tests = [corrected_t_test(values[GAN] - values[name], correlation, n_test, rule.alpha) for name in others]
    corrected = holm([test.p_value for test in tests]).tolist()
    return [
        Comparison(
            arm=GAN,
            against=name,
            gain=test.gain,
            ci_low=max(test.ci_low, -1),
            ci_high=min(test.ci_high, 1),
            p_value=test.p_value,
            p_holm=p_holm,
            verdict=verdict_word(test, p_holm, rule.alpha, rule.smallest_gain),
        )
        for name, test, p_holm in zip(others, tests, corrected, strict=True)
    ]


_NAMES = {
    ISOLATION_FOREST: "an isolation forest",
    NEIGHBOURS: "the nearest neighbours",
    TEACHER: "the nearest neighbours on the teacher's embedding",
}
_ANSWERS = {
    "helps": "better than",
    "harms": "worse than",
    "no evidence": "not told apart from",
    "underpowered": "not told apart from",
}


def _sentence(detectors: dict[str, DetectorSummary], comparisons: list[Comparison]) -> str:
    best = max(comparisons, key=lambda one: detectors[one.against].mean)
    return (
        f"As a detector of anomalies the GAN has an average precision of {100 * detectors[GAN].mean:.1f} %,"
        f" {_ANSWERS[best.verdict]} the best of the others, {_NAMES[best.against]}, with"
        f" {100 * detectors[best.against].mean:.1f} % (difference {100 * best.gain:+z.1f},"
        f" interval {100 * best.ci_low:z.1f} to {100 * best.ci_high:z.1f})."
    )
