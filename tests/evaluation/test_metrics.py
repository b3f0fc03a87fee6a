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


def test_all_scores_are_those_of_scikit_learn() -> None:
    labels, probabilities = predictions(0)
    predicted = probabilities.argmax(axis=1)
    assert score(labels, probabilities) == pytest.approx(
        {
            "balanced_accuracy": reference.balanced_accuracy_score(labels, predicted),
            "accuracy": reference.accuracy_score(labels, predicted),
            "macro_f1": reference.f1_score(labels, predicted, average="macro"),
            "average_precision": reference.average_precision_score(np.eye(4)[labels], probabilities, average="macro"),
            "log_loss": reference.log_loss(labels, probabilities),
        }
    )


def test_a_class_without_test_rows_counts_only_through_the_rows_wrongly_given_to_it() -> None:
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.1, 0.7], [0.0, 1.0, 0.0], [0.3, 0.6, 0.1]])
    scores = score(labels, probabilities)
    assert scores["balanced_accuracy"] == pytest.approx((0.5 + 1) / 2)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    # class 0 finds its rows at ranks 1 and 3, class 1 at ranks 1 and 2
    assert scores["average_precision"] == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    np.testing.assert_array_equal(per_class_recall(labels, probabilities), [0.5, 1.0, np.nan])


def test_a_test_part_of_one_class_is_scored() -> None:
    scores = score(np.zeros(2, dtype=int), np.array([[0.9, 0.1], [0.4, 0.6]]))
    assert scores["balanced_accuracy"] == scores["accuracy"] == 0.5
    assert scores["average_precision"] == 1


def test_the_log_loss_of_a_certain_mistake_is_finite_in_single_precision() -> None:
    loss = score(np.array([0, 1]), np.array([[0, 1], [0, 1]], dtype=np.float32))["log_loss"]
    assert loss == pytest.approx(-np.log(1e-15) / 2)


def test_numbers_that_are_not_finite_are_refused() -> None:
    labels, probabilities = predictions(1)
    probabilities[[3, 5]] = np.nan
    with pytest.raises(EvaluationError, match=r"2 of 200 test rows .* evaluation\.learning_rate"):
        score(labels, probabilities)
