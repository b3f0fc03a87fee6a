"""How probable a class must be to be predicted."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from gansynth.thresholds import tune_factors


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
