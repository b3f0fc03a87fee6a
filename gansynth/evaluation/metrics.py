"""Scores of one classifier on the test rows."""

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, recall_score

from gansynth.errors import EvaluationError
from gansynth.samples import Indices

Probabilities = npt.NDArray[np.floating]

SMALLEST_PROBABILITY = 1e-15


def score(labels: Indices, probabilities: Probabilities) -> dict[str, float]:
    """Score predicted class probabilities against the true labels.

    Means over classes go over the classes that occur in `labels`. A class that does not occur there counts only
    through the rows that are wrongly given to it.

    Args:
        labels: int of shape (N,), N at least 1, each an index into the K classes.
        probabilities: float of shape (N, K); the predicted class is the most probable one.

    Returns:
        `balanced_accuracy` (mean recall), `accuracy`, `macro_f1` (mean F1), `average_precision` (mean over classes,
        each against the rest), all in 0 to 1 and better when higher; and `log_loss` in nats, better when lower,
        where a probability below 1e-15 counts as 1e-15.

    Raises:
        EvaluationError: A probability is not finite.
    """
    if not np.isfinite(probabilities).all():
        bad = int((~np.isfinite(probabilities)).any(axis=1).sum())
        raise EvaluationError(
            f"the classifier's probabilities of {bad} of {len(labels)} test rows are not finite numbers;"
            " lower evaluation.learning_rate"
        )
    present = np.unique(labels)
    predicted = probabilities.argmax(axis=1)
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    precisions = [average_precision_score(labels == label, probabilities[:, label]) for label in present]
    return {
        "balanced_accuracy": float(np.nanmean(per_class_recall(labels, probabilities))),
        "accuracy": float(accuracy_score(labels, predicted)),
        "macro_f1": float(f1_score(labels, predicted, labels=present, average="macro", zero_division=0)),
        "average_precision": float(np.mean(precisions)),
        "log_loss": float(-np.log(of_truth.clip(SMALLEST_PROBABILITY, 1)).mean()),
    }


def per_class_recall(labels: Indices, probabilities: Probabilities) -> npt.NDArray[np.float64]:
    """Return the share of each class's rows that are recognised: shape (K,), 0 to 1, NaN for a class without rows."""
    predicted = probabilities.argmax(axis=1)
    classes = np.arange(probabilities.shape[1])
    recall = recall_score(labels, predicted, labels=classes, average=None, zero_division=np.nan)
    return np.asarray(recall, dtype=np.float64)
