"""Whether adversarial training is still sound: finite, and diverse within every class."""

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gansynth.samples import Indices, Values

COLLAPSED = 0.1
"""A class has collapsed when its samples vary less than this share of what its real rows vary."""


def diversity(values: Values, labels: Indices, real: Values, real_labels: Indices) -> float:
    """Return how much generated samples vary within their class, as a share of how much real rows do.

    Variation is the root of the mean variance over all pixels or columns. Classes of one repeated real row do not
    count.

    Args:
        values: Generated samples, (N, ...), as the codec holds them.
        labels: Their classes, (N,); every class that occurs has two samples or more.
        real: Real training rows, (M, ...), held alike.
        real_labels: Their classes, (M,).

    Returns:
        The share of the class that varies least, 0 or more; 1 if no class counts.
    """
    shares = []
    for label in np.unique(labels):
        spread = _variation(real[real_labels == label])
        if spread > 0:
            shares.append(_variation(values[labels == label]) / spread)
    return min(shares, default=1.0)


EXPLODED = 1e6
"""Logits beyond this say nothing any more: sound ones are of the order of 1 to 100."""


def trouble(lines: list[dict[str, float]]) -> str:
    """Return what is wrong with training, in a few words, from its logged metrics; nothing if it is sound.

    Diversity that has never been there does not count: early samples are alike in every training. Whether it came at
    all is for `ended_alike` to say.
    """
    if not lines:
        return ""
    if not all(map(math.isfinite, lines[-1].values())):
        return "losses are not finite"
    if max(abs(lines[-1].get(name, 0.0)) for name in ("d_real", "d_fake")) > EXPLODED:
        return "the discriminator's logits have exploded"
    if any(before >= COLLAPSED > after for before, after in pairwise(_looks(lines))):
        return "samples of a class have become alike"
    return ""


def ended_alike(lines: list[dict[str, float]]) -> bool:
    """Tell whether the last look at samples, in a training's logged metrics, found those of some class alike."""
    return any(last < COLLAPSED for last in _looks(lines)[-1:])


def _looks(lines: list[dict[str, float]]) -> list[float]:
    """Return the diversity at each look at samples."""
    return [line["diversity"] for line in lines if "diversity" in line]


def _variation(values: npt.NDArray[np.generic]) -> float:
    return float(np.sqrt(values.astype(np.float64).var(0).mean()))
