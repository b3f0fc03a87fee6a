import numpy as np
import pytest
from sklearn import metrics as reference

from gansynth.errors import EvaluationError
from gansynth.evaluation.metrics import per_class_recall, score


def predictions(seed: int, rows: int = 200, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=rows)
    logits = random.normal(size=(rows, classes)) + 1.5 * np.eye(classes)[labels]
    return labels, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def scored(labels: np.ndarray, probabilities: np.ndarray, minority: int = 0) -> dict[str, float]:
    return score(labels, probabilities, probabilities.argmax(axis=1), minority)


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Compute it as arXiv 1706.04599 defines it: gaps of confidence and accuracy in 15 bins, weighted by their rows."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.ceil(confidence * 15)
    gaps = [np.sum(bins == b) * abs(confidence[bins == b].mean() - right[bins == b].mean()) for b in np.unique(bins)]
    return float(sum(gaps) / len(labels))


def test_all_scores_are_those_of_scikit_learn() -> None:
    labels, probabilities = predictions(0)
    predicted = probabilities.argmax(axis=1)
    assert scored(labels, probabilities, minority=2) == pytest.approx(
        {
            "balanced_accuracy": reference.balanced_accuracy_score(labels, predicted),
            "accuracy": reference.accuracy_score(labels, predicted),
            "macro_f1": reference.f1_score(labels, predicted, average="macro"),
            "average_precision": reference.average_precision_score(np.eye(4)[labels], probabilities, average="macro"),
            "minority_average_precision": reference.average_precision_score(labels == 2, probabilities[:, 2]),
            "roc_auc": reference.roc_auc_score(labels, probabilities, multi_class="ovr"),
            "log_loss": reference.log_loss(labels, probabilities),
            "calibration_error": expected_calibration_error(labels, probabilities),
        }
    )


def test_a_threshold_moves_decisions_and_neither_ranking_nor_calibration() -> None:
    labels, probabilities = predictions(2)
    plain, moved = scored(labels, probabilities), score(labels, probabilities, np.full(200, 3), minority=0)
    changed = {metric for metric, value in moved.items() if value != plain[metric]}
    assert changed == {"balanced_accuracy", "accuracy", "macro_f1"}
    assert moved["balanced_accuracy"] == 0.25


def test_a_class_without_test_rows_counts_only_through_the_rows_wrongly_given_to_it() -> None:
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.1, 0.7], [0.0, 1.0, 0.0], [0.3, 0.6, 0.1]])
    scores = scored(labels, probabilities)
    assert scores["balanced_accuracy"] == pytest.approx((0.5 + 1) / 2)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    # class 0 finds its rows at ranks 1 and 3, class 1 at ranks 1 and 2
    assert scores["average_precision"] == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    np.testing.assert_array_equal(per_class_recall(labels, probabilities.argmax(axis=1), 3), [0.5, 1.0, np.nan])


def test_a_test_part_of_one_class_is_scored() -> None:
    scores = scored(np.zeros(2, dtype=int), np.array([[0.9, 0.1], [0.4, 0.6]]), minority=1)
    assert scores["balanced_accuracy"] == scores["accuracy"] == 0.5
    assert scores["average_precision"] == 1
    assert np.isnan([scores["minority_average_precision"], scores["roc_auc"]]).all()


def test_the_log_loss_of_a_certain_mistake_is_finite_in_single_precision() -> None:
    loss = scored(np.array([0, 1]), np.array([[0, 1], [0, 1]], dtype=np.float32))["log_loss"]
    assert loss == pytest.approx(-np.log(1e-15) / 2)


def test_numbers_that_are_not_finite_are_refused() -> None:
    labels, probabilities = predictions(1)
    probabilities[[3, 5]] = np.nan
    with pytest.raises(EvaluationError, match=r"2 of 200 test rows .* evaluation\.learning_rate"):
        scored(labels, probabilities)
