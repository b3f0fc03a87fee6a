"""Whether synthetic samples repeat training rows: their distances, compared with those to held-out rows.

This is a measure of similarity, not of privacy: a generator may pass it and still give its training rows away, which
`membership` tries out.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from gansynth.errors import EvaluationError
from gansynth.evaluation.fidelity import Distances, Embedded, Embeddings, distance_blocks
from gansynth.privacy import Similarity
from gansynth.samples import Indices
from gansynth.seeding import numpy_generator

Floats = npt.NDArray[np.float64]

DRAWS = 10
NEGLIGIBLE_DISTANCE = 1e-12


class Pair(NamedTuple):
    """A synthetic sample, the training row of its class nearest to it, and both distances to compare.

    `synthetic` and `training` are positions among the samples that were given.
    """

    synthetic: int
    training: int
    distance: float
    held_out_distance: float


def similarity(
    training: Embedded, held_out: Embedded, synthetic: Embedded, seed: int, distances: Distances = distance_blocks
) -> Similarity:
    """Compare how near synthetic samples lie to training rows and to held-out rows of their class.

    The nearest of many is nearer than the nearest of few, so both references hold equally many rows: the larger one
    is cut to the smaller one's size, 10 times at random, and the numbers go over all draws. A tie counts half.

    `near_copies` uses all rows and a bar per class, the smallest distance between a training and a held-out row.
    `near_copies_by_chance` says how many samples would pass it without copying. `c_t` is the mean of `copying`
    over the classes, weighted by their held-out rows.

    The distance to the closest record and its ratio to that of the second closest are each told by their 5th percentile
    over the samples, since copies are few: below what held-out rows give, samples lie at single training rows.

    Args:
        training: The rows that trained the generator.
        held_out: Rows of the same origin that it never saw.
        synthetic: Its samples. Those of a class without training or held-out rows are not checked.
        seed: Root of the random draws.
        distances: Those of points to others; Euclidean on an embedding.

    Raises:
        EvaluationError: No class has rows of all three kinds.
    """
    nearer, ratios, near_copies, by_chance, checked = [], [], 0, 0.0, 0
    closest: dict[str, list[Floats]] = {"training": [], "held_out": []}
    neighbours: dict[str, list[Floats]] = {"training": [], "held_out": []}
    for label in np.unique(synthetic.labels).tolist():
        of_training, of_held_out = training.of_class(label), held_out.of_class(label)
        samples = synthetic.of_class(label)
        size = min(len(of_training), len(of_held_out))
        if size == 0:
            continue
        random = numpy_generator(seed, "similarity", label)
        to_training, second_training = _nearest_in_draws(samples, of_training, size, random, distances)
        to_held_out, second_held_out = _nearest_in_draws(samples, of_held_out, size, random, distances)
        closest["training"].append(to_training.ravel())
        closest["held_out"].append(to_held_out.ravel())
        if size > 1:
            neighbours["training"].append(_ratios(to_training, second_training))
            neighbours["held_out"].append(_ratios(to_held_out, second_held_out))
        nearer.append(((to_training < to_held_out) + 0.5 * (to_training == to_held_out)).ravel())
        ratios.append(_ratios(to_training, to_held_out))
        bar = _nearest(of_training, of_held_out, distances)[1].min()
        near_copies += int((_nearest(samples, of_training, distances)[1] < bar).sum())
        by_chance += len(samples) / (len(of_held_out) + 1)
        checked += len(samples)
    if checked == 0:
        raise EvaluationError(
            "similarity: no class has training, held-out and synthetic samples; raise generation.amount"
        )
    cells = copying(training, held_out, synthetic, distances)
    weights = [len(held_out.of_class(label)) for label in cells]
    return Similarity(
        c_t=float(np.average(list(cells.values()), weights=weights)),
        share_nearer_to_training=float(np.concatenate(nearer).mean()),
        median_distance_ratio=float(np.median(np.concatenate(ratios))),
        closest_training=_fifth_percentile(closest["training"]),
        closest_held_out=_fifth_percentile(closest["held_out"]),
        neighbour_ratio_training=_fifth_percentile(neighbours["training"]) if neighbours["training"] else None,
        neighbour_ratio_held_out=_fifth_percentile(neighbours["held_out"]) if neighbours["held_out"] else None,
        near_copies=near_copies,
        near_copies_by_chance=by_chance,
        checked=checked,
    )


def copying(
    training: Embedded, held_out: Embedded, synthetic: Embedded, distances: Distances = distance_blocks
) -> dict[int, float]:
    """Return the Z of the data-copying test C_T for each class (Meehan, Chaudhuri and Dasgupta 2020, arXiv 2004.05675).

    It compares, by the Mann-Whitney test, how far synthetic samples lie from the nearest training row with how far
    held-out rows do. The cells of the paper's partition are the classes here. Z is standard normal for a generator
    that draws from the distribution of the rows, and far above 0 for one that misses them. Far below 0 it tells of
    copies, or of samples more typical than the rows, as filters and narrow latents make them.

    Args:
        training: The rows that trained the generator.
        held_out: Rows of the same origin that it never saw.
        synthetic: Its samples.
        distances: Those of points to others; Euclidean on an embedding.

    Returns:
        Z by label, for the classes that have rows of all three kinds.
    """
    found = {}
    for label in np.unique(synthetic.labels).tolist():
        of_training, of_held_out, samples = (part.of_class(label) for part in (training, held_out, synthetic))
        if len(of_training) and len(of_held_out):
            of_samples, of_others = (_nearest(rows, of_training, distances)[1] for rows in (samples, of_held_out))
            found[label] = _rank_sum_z(of_samples, of_others)
    return found


def closest_pairs(
    training: Embedded, held_out: Embedded, synthetic: Embedded, count: int, distances: Distances = distance_blocks
) -> list[Pair]:
    """Return the `count` synthetic samples nearest to a training row of their class, closest first.

    Each synthetic sample appears at most once. All held-out rows are searched, so where they outnumber the training
    rows, `held_out_distance` is small for that reason alone.
    """
    pairs = []
    for label in np.unique(synthetic.labels):
        training_rows = np.flatnonzero(training.labels == label)
        samples = synthetic.of_class(label)
        if len(training_rows) == 0 or label not in held_out.labels:
            continue
        nearest, to_training = _nearest(samples, training.of_class(label), distances)
        _, to_held_out = _nearest(samples, held_out.of_class(label), distances)
        columns = (np.flatnonzero(synthetic.labels == label), training_rows[nearest], to_training, to_held_out)
        pairs += [Pair(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    return sorted(pairs, key=lambda pair: (pair.distance, pair.synthetic))[:count]


def _nearest(rows: Embeddings, reference: Embeddings, distances: Distances) -> tuple[Indices, Floats]:
    """Return, for each row, the position of the nearest reference row and the distance to it."""
    nearest, smallest = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    for part, block in distances(rows, reference):
        nearest[part], smallest[part] = block.argmin(axis=1), block.min(axis=1)
    return nearest, smallest


def _nearest_in_draws(
    rows: Embeddings, reference: Embeddings, size: int, random: np.random.Generator, distances: Distances
) -> Floats:
    """Return the distances of N rows to the nearest and second nearest of `size` random reference rows.

    The shape is (2, draws, N); the second nearest of one row is infinitely far.
    """
    draws = [random.permutation(len(reference))[:size] for _ in range(DRAWS)]
    smallest = np.full((2, DRAWS, len(rows)), np.inf)
    count = min(2, size)
    for part, block in distances(rows, reference):
        for number, draw in enumerate(draws):
            smallest[:count, number, part] = np.partition(block[:, draw], count - 1, axis=1)[:, :count].T
    return smallest


def _ratios(first: Floats, second: Floats) -> Floats:
    """Return the ratios of distances, 1 where both are 0, as one axis."""
    ratios: Floats = ((first + NEGLIGIBLE_DISTANCE) / (second + NEGLIGIBLE_DISTANCE)).ravel()
    return ratios


def _fifth_percentile(values: list[Floats]) -> float:
    return float(np.percentile(np.concatenate(values), 5))


def _rank_sum_z(first: Floats, second: Floats) -> float:
    """Return the Z of the Mann-Whitney test, below 0 where `first` is the smaller; ties share their mean rank."""
    n, m = len(first), len(second)
    ranks = rankdata(np.concatenate([first, second]))
    tied = np.unique(ranks, return_counts=True)[1].astype(np.float64)
    total = n + m
    variance = n * m / 12 * (total + 1 - (tied**3 - tied).sum() / (total * (total - 1)))
    surplus = ranks[:n].sum() - n * (total + 1) / 2
    return float(surplus / np.sqrt(variance)) if variance > 0 else 0.0
