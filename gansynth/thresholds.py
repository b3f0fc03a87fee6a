"""How probable a class must be to be predicted, chosen on training rows.

What an arm with factors predicts is the class with the largest product of probability and factor. Its probabilities
stay what they are, and so do its ranking and its calibration.
"""

import numpy as np
import numpy.typing as npt

from gansynth.arms import decides_for
from gansynth.samples import Indices

Floats = npt.NDArray[np.floating]
Counts = npt.NDArray[np.integer]
"""Rows by true and by predicted class, (K, K)."""

GRID = np.exp(np.linspace(-4, 4, 81))
ROUNDS = 2


def tune_factors(labels: Indices, probabilities: Floats, metric: str) -> npt.NDArray[np.float32]:
    """Return the factor of each class's probability with which the decisions score best.

    One class after the other is tried with factors from exp(-4) to exp(4) while the others are held, twice around: for
    two classes, that is every threshold worth having. Of equal scores the middle one is taken.

    Args:
        labels: True classes, (N,).
        probabilities: Predicted for rows that did not train the classifier, (N, K).
        metric: What the score is: `balanced_accuracy`, or for any other, macro-F1.

    Returns:
        Factors (K,), their geometric mean 1.
    """
    score = SCORES[decides_for(metric)]
    n_classes = probabilities.shape[1]
    factors = np.ones(n_classes)
    for _ in range(ROUNDS):
        for label in range(len(factors)):
            scores = []
            for factor in GRID:
                factors[label] = factor
                predicted = (probabilities * factors).argmax(1)
                counts = np.bincount(labels * n_classes + predicted, minlength=n_classes**2)
                scores.append(score(counts.reshape(n_classes, n_classes)))
            best = np.flatnonzero(np.isclose(scores, max(scores)))
            factors[label] = GRID[best[len(best) // 2]]
    scaled: npt.NDArray[np.float32] = (factors / np.exp(np.log(factors).mean())).astype(np.float32)
    return scaled


def _macro_f1(counts: Counts) -> float:
    predicted_or_true = counts.sum(0) + counts.sum(1)
    return float((2 * np.diag(counts) / predicted_or_true.clip(min=1))[predicted_or_true > 0].mean())


def _balanced_accuracy(counts: Counts) -> float:
    true = counts.sum(1)
    return float((np.diag(counts) / true.clip(min=1))[true > 0].mean())


SCORES = {"balanced_accuracy": _balanced_accuracy, "macro_f1": _macro_f1}
