import numpy as np
import pytest
import torch
from prdc import compute_prdc
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from gansynth.errors import EvaluationError
from gansynth.evaluation.fidelity import (
    Embedded,
    FidelityRow,
    distance_blocks,
    fidelity_table,
    frechet_distance,
    kernel_distance,
    manifold_scores,
    match_classes,
)

METRICS = ["kid", "precision", "recall", "density", "coverage"]


def normal(seed: int, rows: int, dimensions: int = 6, shift: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(rows, dimensions)) + shift).astype(np.float32)


def embedded(seed: int, counts: tuple[int, ...], shift: float = 0.0) -> Embedded:
    """Points around one centre per class, the centres 5 apart."""
    points = [normal(seed + label, count, shift=5 * label + shift) for label, count in enumerate(counts)]
    return Embedded(np.concatenate(points), np.repeat(np.arange(len(counts)), counts))


def matched_table(real: Embedded, synthetic: Embedded, names: tuple[str, ...], seed: int) -> list[FidelityRow]:
    chosen = match_classes([real.labels, synthetic.labels], seed)
    parts = [
        Embedded(part.points[rows], part.labels[rows]) for part, rows in zip((real, synthetic), chosen, strict=True)
    ]
    return fidelity_table(parts[0], parts[1], names, seed)


def unbiased_mmd(first: np.ndarray, second: np.ndarray) -> float:
    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return (float(x.astype(np.float64) @ y.astype(np.float64)) / len(x) + 1) ** 3

    n, m = len(first), len(second)
    within_first = sum(kernel(first[i], first[j]) for i in range(n) for j in range(n) if i != j)
    within_second = sum(kernel(second[i], second[j]) for i in range(m) for j in range(m) if i != j)
    between = sum(kernel(x, y) for x in first for y in second)
    return within_first / (n * (n - 1)) + within_second / (m * (m - 1)) - 2 * between / (n * m)


def test_distances_are_euclidean_and_exactly_zero_between_copies() -> None:
    first, second = normal(0, 3000, 50, shift=1.0), normal(1, 2000, 50, shift=1.0)
    second[:100] = first[:100]
    blocks = list(distance_blocks(first, second))
    assert len(blocks) > 1
    distances = np.concatenate([block for _, block in blocks])
    np.testing.assert_allclose(distances, cdist(first, second), rtol=1e-6)
    assert not distances[np.arange(100), np.arange(100)].any()


def test_the_frechet_distance_is_its_closed_form() -> None:
    first, second = normal(0, 200), normal(1, 150, shift=0.4) * np.linspace(0.5, 2, 6, dtype=np.float32)
    covariances = np.cov(first.T.astype(np.float64)), np.cov(second.T.astype(np.float64))
    expected = np.square(first.mean(0) - second.mean(0)).sum() + np.trace(
        covariances[0] + covariances[1] - 2 * sqrtm(covariances[0] @ covariances[1]).real
    )
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-6)


def test_the_kernel_distance_is_the_unbiased_polynomial_mmd() -> None:
    first, second = normal(0, 25), normal(1, 25, shift=0.5)
    assert kernel_distance(first, second, seed=0) == pytest.approx(unbiased_mmd(first, second), rel=1e-5)


def test_the_kernel_distance_of_large_and_of_unequal_sets_is_near_the_full_one() -> None:
    first, second = normal(0, 1500, 4), normal(1, 1300, 4, shift=1.0)
    population = kernel_distance(first[:1000], second[:1000], seed=0)
    assert kernel_distance(first, second, seed=0) == pytest.approx(population, rel=0.1)
    few = first[:12], second[:30]
    assert kernel_distance(*few, seed=0) == pytest.approx(unbiased_mmd(*few), rel=0.5)


@pytest.mark.parametrize(("real", "synthetic", "neighbours"), [(120, 120, 5), (90, 150, 3), (2500, 2000, 5)])
def test_precision_recall_density_and_coverage_are_those_of_prdc(real: int, synthetic: int, neighbours: int) -> None:
    first, second = normal(0, real, 4), normal(1, synthetic, 4, shift=0.3)
    assert manifold_scores(first, second, neighbours) == pytest.approx(compute_prdc(first, second, neighbours))


def test_a_class_of_few_rows_is_scored_with_fewer_neighbours() -> None:
    first, second = normal(0, 4), normal(1, 4)
    assert manifold_scores(first, second) == manifold_scores(first, second, neighbours=3)
    assert manifold_scores(first[:2], first[:2])["coverage"] == 1


def test_a_generator_that_repeats_one_sample_is_precise_and_covers_nothing() -> None:
    real = normal(0, 200)
    middle = np.argmin(np.square(real - real.mean(0)).sum(1))
    scores = manifold_scores(real, real[[middle]] + 1e-3 * normal(1, 200))
    assert scores["precision"] == 1
    assert scores["recall"] < 0.1
    assert scores["coverage"] < 0.3


def test_the_table_has_one_row_per_number_overall_and_for_each_class() -> None:
    table = matched_table(embedded(0, (40, 30)), embedded(9, (60, 50)), ("cat", "dog"), seed=1)
    assert [(row.metric, row.class_name) for row in table] == [
        *[(metric, "") for metric in ("fid", *METRICS)],
        *[(metric, "cat") for metric in METRICS],
        *[(metric, "dog") for metric in METRICS],
    ]


def test_class_mix_does_not_enter() -> None:
    real, synthetic = embedded(0, (400, 400)), embedded(9, (400, 20))
    overall = {
        row.metric: row.value for row in matched_table(real, synthetic, ("cat", "dog"), seed=1) if not row.class_name
    }
    assert overall["fid"] < 1
    assert frechet_distance(real.points, synthetic.points) > 10


def test_a_poor_class_shows_in_its_own_rows() -> None:
    synthetic = embedded(9, (60, 60))
    synthetic.points[60:] += 3
    table = {
        (row.metric, row.class_name): row.value
        for row in matched_table(embedded(0, (60, 60)), synthetic, ("cat", "dog"), 1)
    }
    assert abs(table["kid", "cat"]) < 1 < table["kid", "dog"]
    assert table["coverage", "cat"] > 0.7
    assert table["coverage", "dog"] < 0.2


def test_a_class_with_fewer_than_two_rows_is_left_out() -> None:
    names = ("cat", "dog", "eel")
    table = matched_table(embedded(0, (30, 1, 30)), embedded(9, (30, 30, 0)), names, seed=1)
    assert {row.class_name for row in table} == {"", "cat"}
    assert all(np.isfinite(row.value) for row in table)
    with pytest.raises(EvaluationError, match=r"raise generation\.amount"):
        matched_table(embedded(0, (30, 1, 30)), embedded(9, (1, 30, 0)), names, seed=1)


def test_the_table_depends_on_its_seed_alone() -> None:
    def table(seed: int) -> list[float]:
        return [row.value for row in matched_table(embedded(0, (30, 30)), embedded(9, (50, 50)), ("cat", "dog"), seed)]

    state = torch.random.get_rng_state()
    first = table(1)
    np.random.default_rng().normal()
    torch.rand(3)
    assert table(1) == first != table(2)
    torch.random.set_rng_state(state)
    table(1)
    assert torch.equal(torch.random.get_rng_state(), state)
