"""Inner validation: what a choice is worth, measured on the training rows alone.

On a handful of rows, the accuracies of two candidates differ by chance more than by merit. The log-loss tells more from
the same rows. Networks are over- and under-confident, which is taken out of it: each is judged at its own best
temperature (arXiv 1706.04599), every class weighing the same. What a committee teaches to classifiers of tables is its
calibration above all, so there the log-loss is taken as it is.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from sklearn.metrics import log_loss

from gansynth.classifiers import Diet, Floats, fit_classifier
from gansynth.samples import Indices, Samples
from gansynth.seeding import numpy_generator
from gansynth.splits import inner_folds
from gansynth.study import Study

Candidate = TypeVar("Candidate", bound=Hashable)
Mask = npt.NDArray[np.bool_]

SMALLEST_PROBABILITY = np.finfo(np.float32).tiny
LARGEST_TEMPERATURE = 20.0


def choose(
    study: Study,
    real: Samples,
    groups: Indices,
    seed_index: int,
    candidates: Sequence[Candidate],
    diet_of: Callable[[Candidate, Mask], Diet],
    known: Mapping[Candidate, float],
    loss: Callable[[Indices, Floats], float],
) -> tuple[Candidate, dict[Candidate, float]]:
    """Choose the candidate with the lowest loss in a cross-validation; the first one of equals.

    Args:
        study: Says how many folds and optimiser steps there are.
        real: The training rows.
        groups: Numbers that duplicates among them share, (N,).
        seed_index: Which repetition this is.
        candidates: What there is to choose from.
        diet_of: Returns what a candidate's classifier is trained on, given which of the rows it may see, (N,).
        known: Losses of candidates that an earlier choice from the same rows, with the same `seed_index`, has measured.
        loss: Judges class probabilities (N, K) by the true labels (N,): `calibrated_log_loss` or `plain_log_loss`.

    Returns:
        The choice, and the loss of every candidate in nats; no losses if there is just one candidate.
    """
    if len(candidates) == 1:
        return candidates[0], {}
    unknown = [candidate for candidate in candidates if candidate not in known]
    measured = {}
    for candidate in unknown:
        found = out_of_fold(study, real, groups, seed_index, partial(diet_of, candidate))
        measured[candidate] = loss(real.labels, found)
    losses = {candidate: (measured if candidate in measured else known)[candidate] for candidate in candidates}
    return min(candidates, key=losses.__getitem__), losses


def out_of_fold(
    study: Study, real: Samples, groups: Indices, seed_index: int, diet_of: Callable[[Mask], Diet]
) -> Floats:
    """Return class probabilities of training rows (N, K) by classifiers that were trained on the others.

    Args:
        study: Says how many folds and optimiser steps there are.
        real: The training rows.
        groups: Numbers that duplicates among them share, (N,).
        seed_index: Which repetition this is.
        diet_of: Returns what a classifier is trained on, given which of the rows it may see, (N,).
    """
    fold_of = assign_folds(study, real.labels, groups, seed_index)
    predicted = np.zeros((len(real), len(real.class_names)), np.float32)
    for fold in range(study.evaluation.inner_folds):
        seen = fold_of != fold
        if seen.all() or not seen.any():
            continue  # fewer rows than folds
        classifier = fit_classifier(study, diet_of(seen), study.evaluation.inner_steps, seed_index, "inner", fold)
        predicted[~seen] = classifier.probabilities(real.values[~seen])
    return predicted


def assign_folds(study: Study, labels: Indices, groups: Indices, seed_index: int) -> Indices:
    """Return the fold of each training row in the inner validation of a repetition, (N,)."""
    random = numpy_generator(study.seed, "inner", seed_index)
    return inner_folds(labels, groups, study.evaluation.inner_folds, random)


def plain_log_loss(labels: Indices, probabilities: Floats) -> float:
    """Return the log-loss in nats, every row weighing the same: labels (N,), predicted probabilities (N, K)."""
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(1, keepdims=True)  # in 32 bits they do not quite add up to one
    return float(log_loss(labels, exact, labels=np.arange(exact.shape[1])))


def calibrated_log_loss(labels: Indices, probabilities: Floats) -> float:
    """Return the log-loss at the temperature that makes it smallest, every class weighing the same.

    Args:
        labels: True classes, (N,).
        probabilities: Predicted, (N, K).

    Returns:
        Nats, 0 or more; at most log K, the loss of the uniform prediction, up to the limit of the temperature.
    """
    logits = np.log(probabilities.astype(np.float64).clip(SMALLEST_PROBABILITY))
    weights = 1 / np.bincount(labels)[labels]
    own = np.arange(len(labels)), labels

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.average(logsumexp(scaled, axis=1) - scaled[own], weights=weights))

    limit = np.log(LARGEST_TEMPERATURE)
    return float(minimize_scalar(loss, bounds=(-limit, limit), method="bounded").fun)
