"""How a plan of samples falls into shards, so that any worker can make any of them, in any order.

Shard i takes a proportional part of every class, and candidates whose numbers no other shard takes. So what it holds
follows from the model, the seed, the plan and i alone.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from gansynth.generation.filters import RANKINGS
from gansynth.samples import Indices
from gansynth.sections import GenerationConfig

PATIENCE = 10
"""A class is given up after this many times its planned candidates, when nearly all are near copies."""


@dataclass(frozen=True)
class Shard:
    """A part of a plan.

    Attributes:
        stem: The name of its file, without the ending of the format.
        counts: Samples wanted of each class, of shape (K,).
        first: The number of the first candidate of each class that it may take, of shape (K,).
    """

    stem: str
    counts: Indices
    first: Indices

    @property
    def size(self) -> int:
        """Samples wanted of all classes together."""
        return int(self.counts.sum())


def divide(plan: Indices, settings: GenerationConfig) -> list[Shard]:
    """Divide the samples wanted of each class, of shape (K,), into as many shards as `settings.shard_size` asks for."""
    number = math.ceil(int(plan.sum()) / settings.shard_size)
    upto = [plan * shard // number for shard in range(number + 1)]
    counts = [after - before for before, after in itertools.pairwise(upto)]
    stride = most_candidates(np.max(counts, axis=0), settings)
    return [
        Shard(f"synthetic-{shard:05d}-of-{number:05d}", wanted, shard * stride) for shard, wanted in enumerate(counts)
    ]


def candidates_for(counts: Indices, settings: GenerationConfig) -> Indices:
    """Return how many candidates the filters choose this many samples from, class by class."""
    ranked = RANKINGS.keys() & set(settings.active_filters)
    candidates: Indices = np.ceil(counts * (settings.oversample if ranked else 1.0)).astype(np.int64)
    return candidates


def most_candidates(counts: Indices, settings: GenerationConfig) -> Indices:
    """Return how many candidates are looked at for this many samples, class by class, before a class is given up."""
    return PATIENCE * candidates_for(counts, settings)
