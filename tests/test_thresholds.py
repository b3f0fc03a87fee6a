"""How probable a class must be to be predicted."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from gansynth.thresholds import GRID, ROUNDS, tune_factors


def skewed(rows: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels, a tenth of them positive, and honest probabilities of them."""
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.1).astype(np.int64)
    odds = np.exp(random.normal(0, 1, rows) + 1.5 * labels) * 0.1
    positive = odds / (1 + odds)
    return labels, np.stack([1 - positive, positive], 1)


def test_the_best_threshold_is_found() -> None:
    labels, probabilities = skewed()
    moved = probabilities * tune_factors(labels, probabilities, "macro_f1")
    # as good as the best of all thresholds, which scikit-learn scores one by one
    best = max(f1_score(labels, probabilities[:, 1] >= t, average="macro") for t in np.unique(probabilities[:, 1])[::5])
    assert f1_score(labels, moved.argmax(1), average="macro") >= best - 0.005


def test_classes_that_are_told_apart_already_stay_apart() -> None:
    labels = np.arange(90) % 3
    probabilities = np.full((90, 3), 0.2) + 0.4 * np.eye(3)[labels]
    factors = tune_factors(labels, probabilities, "balanced_accuracy")
    assert ((probabilities * factors).argmax(1) == labels).all()
    assert np.prod(factors) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy"])
def test_scores_are_those_of_scikit_learn(metric: str) -> None:
    random = np.random.default_rng(1)
    labels = random.choice(3, 120, p=[0.7, 0.2, 0.1])
    probabilities = random.dirichlet([2, 1, 1], 120) * 0.6 + 0.4 * np.eye(3)[labels]

    def score(factors: np.ndarray) -> float:
        decided = (probabilities * factors).argmax(1)
        return (
            f1_score(labels, decided, average="macro")
            if metric == "macro_f1"
            else balanced_accuracy_score(labels, decided)
        )

    factors = np.ones(3)
    for _ in range(ROUNDS):
        for label in range(3):
            scores = [score(np.where(np.arange(3) == label, factor, factors)) for factor in GRID]
            best = np.flatnonzero(np.isclose(scores, max(scores)))
            factors[label] = GRID[best[len(best) // 2]]
    np.testing.assert_allclose(
        tune_factors(labels, probabilities, metric), factors / np.exp(np.log(factors).mean()), rtol=1e-6
    )
