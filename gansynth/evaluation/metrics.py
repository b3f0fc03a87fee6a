"""Scores of one classifier on the test rows."""

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, recall_score, roc_auc_score
from torchmetrics.functional.classification import multiclass_calibration_error

from gansynth.errors import EvaluationError
from gansynth.samples import Indices

Probabilities = npt.NDArray[np.floating]

SMALLEST_PROBABILITY = 1e-15
CALIBRATION_BINS = 15


def score(labels: Indices, probabilities: Probabilities, predicted: Indices, minority: int) -> dict[str, float]:
    """Score predictions against the true labels.

    Means over classes go over the classes that occur in `labels`. A class that does not occur there counts only
    through the rows that are wrongly given to it.

    Args:
        labels: int of shape (N,), N at least 1, each an index into the K classes.
        probabilities: float of shape (N, K).
        predicted: The predicted classes, int of shape (N,): the most probable ones, unless thresholds were chosen.
        minority: The class with the fewest training rows.

    Returns:
        Of the predicted classes `balanced_accuracy` (mean recall), `accuracy` and `macro_f1` (mean F1); of the ranking
        by probability `average_precision` and `roc_auc` (means over classes, each against the rest) and
        `minority_average_precision` (of that class alone): all in 0 to 1 and better when higher. Of the probabilities
        `log_loss` in nats, where a probability below 1e-15 counts as 1e-15, and `calibration_error` (expected
        calibration error of the most probable class in 15 bins, arXiv 1706.04599), 0 to 1: both better when lower. What
        needs rows of a class, or of others, is NaN without them.

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
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    precisions = {label: average_precision_score(labels == label, probabilities[:, label]) for label in present}
    areas = [roc_auc_score(labels == label, probabilities[:, label]) for label in present if len(present) > 1]
    calibration = multiclass_calibration_error(
        torch.tensor(probabilities), torch.tensor(labels), probabilities.shape[1], n_bins=CALIBRATION_BINS
    )
    return {
        "balanced_accuracy": float(np.nanmean(per_class_recall(labels, predicted, probabilities.shape[1]))),
        "accuracy": float(accuracy_score(labels, predicted)),
        "macro_f1": float(f1_score(labels, predicted, labels=present, average="macro", zero_division=0)),
        "average_precision": float(np.mean(list(precisions.values()))),
        "minority_average_precision": float(precisions.get(minority, np.nan)),
        "roc_auc": float(np.mean(areas)) if areas else float("nan"),
        "log_loss": float(-np.log(of_truth.clip(SMALLEST_PROBABILITY, 1)).mean()),
        "calibration_error": float(calibration),
    }


def per_class_recall(labels: Indices, predicted: Indices, n_classes: int) -> npt.NDArray[np.float64]:
    """Return the share of each class's rows that are recognised: shape (K,), 0 to 1, NaN for a class without rows."""
    recall = recall_score(labels, predicted, labels=np.arange(n_classes), average=None, zero_division=np.nan)
    return np.asarray(recall, dtype=np.float64)
