"""How like held-out real samples the synthetic ones are, measured on an embedding.

No number here predicts what the samples do for a classifier, and none is comparable between embeddings.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from gansynth.errors import EvaluationError
from gansynth.samples import Indices
from gansynth.seeding import numpy_generator

Embeddings = npt.NDArray[np.floating]
Distances = Callable[[Embeddings, Embeddings], Iterator[tuple[slice, npt.NDArray[np.float64]]]]
"""The distances of points to others in blocks of bounded memory, as `distance_blocks` yields them."""

NEIGHBOURS = 5
KID_SUBSET_SIZE = 1000
KID_SUBSETS = 20
BLOCK_DISTANCES = 2**22
RESOLUTION = 1e-6


class Embedded(NamedTuple):
    """Samples as the points they are embedded to.

    Attributes:
        points: float of shape (N, D).
        labels: int of shape (N,); of synthetic samples, the classes that were asked for.
    """

    points: Embeddings
    labels: Indices

    def of_class(self, label: int) -> Embeddings:
        """Return the points of one class."""
        points: Embeddings = self.points[self.labels == label]
        return points


class FidelityRow(NamedTuple):
    """One number of the fidelity table; `class_name` is empty where it speaks of all classes together."""

    metric: str
    class_name: str
    value: float


def match_classes(sets: Sequence[Indices], seed: int) -> list[Indices]:
    """Choose rows to compare: of every class equally many of each set, at random from the larger ones.

    Neither the sizes of the sets nor their class mix then enter a comparison. A class with fewer than two rows in
    any set is left out.

    Args:
        sets: Labels of held-out real samples, labels that synthetic samples were asked for, and of further sets.
        seed: Root of the random draws.

    Returns:
        The chosen positions in each set.

    Raises:
        EvaluationError: No class has two rows in all sets.
    """
    random = numpy_generator(seed, "fidelity")
    chosen: list[list[Indices]] = []
    for label in np.unique(np.concatenate(sets)):
        members = [random.permutation(np.flatnonzero(labels == label)) for labels in sets]
        count = min(len(rows) for rows in members)
        if count >= 2:
            chosen.append([rows[:count] for rows in members])
    if not chosen:
        raise EvaluationError(
            "fidelity: no class has two held-out and two synthetic samples; raise generation.amount or split.test_share"
        )
    return [np.concatenate(rows) for rows in zip(*chosen, strict=True)]


def fidelity_table(real: Embedded, synthetic: Embedded, class_names: tuple[str, ...], seed: int) -> list[FidelityRow]:
    """Compare held-out real samples with as many synthetic ones of every class, over all and class by class.

    Args:
        real: Samples that trained neither the generator nor the embedding.
        synthetic: Samples of the generator, chosen by `match_classes`.
        class_names: The names, in label order.
        seed: Root of the random draws.

    Returns:
        First the rows over all classes (`fid`, `kid`, `precision`, `recall`, `density`, `coverage`), then those of
        each class, without `fid`, which would need more samples than a class has.
    """
    table = [FidelityRow("fid", "", frechet_distance(real.points, synthetic.points))]
    parts = {class_names[label]: (real.of_class(label), synthetic.of_class(label)) for label in np.unique(real.labels)}
    for name, (of_real, of_synthetic) in [("", (real.points, synthetic.points)), *parts.items()]:
        values = {"kid": kernel_distance(of_real, of_synthetic, seed), **manifold_scores(of_real, of_synthetic)}
        table += [FidelityRow(metric, name, value) for metric, value in values.items()]
    return table


def frechet_distance(real: Embeddings, synthetic: Embeddings) -> float:
    """Return the Fréchet distance of the Gaussians fitted to both sets (Heusel 2017), 0 for equal ones.

    Its bias falls with the number of rows: compare only values from equally many, and use the kernel distance below
    about ten times as many rows as dimensions.

    Args:
        real: float of shape (N, D), N at least 2.
        synthetic: float of shape (M, D), M at least 2.
    """
    passthrough = nn.Identity()
    passthrough.num_features = torch.tensor(real.shape[1])
    metric = FrechetInceptionDistance(feature=passthrough)
    metric.update(torch.from_numpy(real.astype(np.float64)), real=True)
    metric.update(torch.from_numpy(synthetic.astype(np.float64)), real=False)
    return float(metric.compute())


def kernel_distance(real: Embeddings, synthetic: Embeddings, seed: int) -> float:
    """Return the unbiased squared maximum mean discrepancy under the kernel (x·y / D + 1)³ (Binkowski 2018).

    It is 0 on average for samples of one distribution and may fall below. All rows enter where both sets have equally
    many, up to 1,000; otherwise it is the mean over 20 random subsets of both.

    Args:
        real: float of shape (N, D), N at least 2.
        synthetic: float of shape (M, D), M at least 2.
        seed: Root of the random draws.
    """
    random = numpy_generator(seed, "kernel_distance")
    size = min(len(real), len(synthetic), KID_SUBSET_SIZE)
    all_enter = size == len(real) == len(synthetic)
    distances = []
    for _ in range(1 if all_enter else KID_SUBSETS):
        of_real = torch.from_numpy(random.permutation(real)[:size].astype(np.float64))
        of_synthetic = torch.from_numpy(random.permutation(synthetic)[:size].astype(np.float64))
        distances.append(float(poly_mmd(of_real, of_synthetic)))
    return float(np.mean(distances))


def manifold_scores(real: Embeddings, synthetic: Embeddings, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """Return `precision`, `recall`, `density` and `coverage` of the synthetic set.

    A set's manifold is the union of balls around its rows, each reaching to the row's k-th neighbour in the set.
    Precision: share of synthetic rows within the real manifold; recall: the reverse (Kynkäänniemi 2019). Density:
    how many real balls hold a synthetic row, divided by k, about 1 for equal distributions, and above 1 where samples
    crowd; coverage: share of real balls that hold a synthetic row (Naeem 2020). All but density lie in 0 to 1.

    Args:
        real: float of shape (N, D), N at least 2.
        synthetic: float of shape (M, D), M at least 2.
        neighbours: k; at most one less than the rows of the smaller set are used.
    """
    k = min(neighbours, len(real) - 1, len(synthetic) - 1)
    real_radii, synthetic_radii = _radii(real, k), _radii(synthetic, k)
    balls_around = np.zeros(len(synthetic), dtype=np.int64)
    is_covered = np.zeros(len(real), dtype=np.bool_)
    is_recalled = np.zeros(len(real), dtype=np.bool_)
    for part, distances in distance_blocks(synthetic, real):
        in_real_ball = distances < real_radii
        balls_around[part] = in_real_ball.sum(axis=1)
        is_covered |= in_real_ball.any(axis=0)
        is_recalled |= (distances < synthetic_radii[part, None]).any(axis=0)
    return {
        "precision": float((balls_around > 0).mean()),
        "recall": float(is_recalled.mean()),
        "density": float(balls_around.mean() / k),
        "coverage": float(is_covered.mean()),
    }


def distance_blocks(rows: Embeddings, reference: Embeddings) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
    """Yield the Euclidean distances of `rows` (N, D) to `reference` (M, D) in blocks of bounded memory.

    Each block is (which rows, distances of shape (rows in the block, M)) and takes about 32 MB. Points closer than a
    millionth of their norm, which is what single precision can tell apart, have the distance 0.
    """
    reference = reference.astype(np.float64)
    reference_norms = np.square(reference).sum(axis=1)
    step = max(1, BLOCK_DISTANCES // len(reference))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        block = rows[part].astype(np.float64)
        norms = np.square(block).sum(axis=1)[:, None] + reference_norms
        squared = norms - 2 * block @ reference.T
        squared[squared < RESOLUTION**2 * norms] = 0
        yield part, np.sqrt(squared)


def _radii(rows: Embeddings, k: int) -> npt.NDArray[np.float64]:
    radii = np.empty(len(rows))
    for part, distances in distance_blocks(rows, rows):
        # a row is its own nearest one, so position k holds its k-th neighbour
        radii[part] = np.partition(distances, k, axis=1)[:, k]
    return radii
