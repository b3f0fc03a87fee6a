"""Whether adversarial training is still sound: finite, and diverse within every class."""

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from gansynth.samples import Indices

ROWS_AT_ONCE = 4096
COLLAPSED = 0.1
"""A class has collapsed when its samples vary less than this share of what its real rows vary."""


def variations(values: Tensor, labels: Indices) -> dict[int, float]:
    """Return how much samples vary within each class that occurs: the root of the mean variance over pixels or columns.

    Args:
        values: Samples, (N, ...), as the codec holds them, on any device; they are looked at in blocks.
        labels: Their classes, (N,).
    """
    found = {}
    for label in np.unique(labels).tolist():
        rows = torch.from_numpy(np.flatnonzero(labels == label))
        mean = sum(block.sum(0) for block in _blocks(values, rows)) / len(rows)
        squared = sum((block - mean).square().sum(0) for block in _blocks(values, rows)) / len(rows)
        found[label] = float(torch.as_tensor(squared).mean().sqrt())
    return found


def diversity(made: Mapping[int, float], real: Mapping[int, float]) -> float:
    """Return how much generated samples vary within their class, as a share of how much real rows do.

    Classes of one repeated real row do not count.

    Args:
        made: The `variations` of generated samples, two or more of every class that occurs.
        real: Those of the real training rows.

    Returns:
        The share of the class that varies least, 0 or more; 1 if no class counts.
    """
    return min((spread / real[label] for label, spread in made.items() if real[label] > 0), default=1.0)


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


def _blocks(values: Tensor, rows: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield values[rows[start : start + ROWS_AT_ONCE].to(values.device)].cpu().double()
