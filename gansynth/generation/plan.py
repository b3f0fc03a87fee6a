"""How many samples of each class are generated."""

import numpy as np
import numpy.typing as npt

from gansynth.errors import StudyError
from gansynth.samples import Indices
from gansynth.study import GenerationConfig


def class_counts(settings: GenerationConfig, training_counts: Indices) -> Indices:
    """Return how many samples of each class the settings ask for.

    Args:
        settings: Gives the rule, `plan`, and its number, `amount`.
        training_counts: Real training rows of each class, of shape (K,).

    Returns:
        int64 of shape (K,), fractions rounded to the nearest whole number.

    Raises:
        StudyError: The plan asks for no sample of any class.
    """
    per_class = {
        "absolute": np.ones_like(training_counts),
        "ratio": training_counts,
        "balance": training_counts.max() - training_counts,
    }[settings.plan]
    counts: Indices = np.floor(settings.amount * per_class + 0.5).astype(np.int64)
    if not counts.any():
        raise StudyError(
            f"generation.plan: {settings.plan!r} with amount {settings.amount:g} asks for no samples of classes with"
            f" {training_counts.min()} to {training_counts.max()} training rows; raise the amount or choose 'absolute'"
        )
    return counts


def split_by_weight(count: int, weights: npt.NDArray[np.float64]) -> Indices:
    """Divide `count` samples over the classes by their weights, of shape (K,), rounding by the largest remainder.

    Of equal remainders the first come first.
    """
    exact = count * weights / weights.sum()
    counts: Indices = np.floor(exact).astype(np.int64)
    short = count - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:short]] += 1
    return counts
