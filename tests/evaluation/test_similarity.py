import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm
from sklearn.neighbors import NearestNeighbors

from gansynth.errors import EvaluationError
from gansynth.evaluation.fidelity import Embedded
from gansynth.evaluation.similarity import closest_pairs, copying, similarity


def embedded(seed: int, counts: tuple[int, ...]) -> Embedded:
    """Points around one centre per class, the centres far apart."""
    points = np.random.default_rng(seed).normal(size=(sum(counts), 8)).astype(np.float32)
    labels = np.repeat(np.arange(len(counts)), counts)
    return Embedded(points + 20 * labels[:, None].astype(np.float32), labels)


@pytest.mark.parametrize(
    ("training", "held_out"), [((200, 200), (200, 200)), ((10, 200), (200, 200)), ((200, 200), (30, 9))]
)
def test_independent_samples_lie_as_near_to_training_as_to_held_out_rows(
    training: tuple[int, ...], held_out: tuple[int, ...]
) -> None:
    found = [
        similarity(embedded(seed, training), embedded(seed + 100, held_out), embedded(seed + 200, (300, 300)), seed)
        for seed in range(10)
    ]
    assert np.mean([result.share_nearer_to_training for result in found]) == pytest.approx(0.5, abs=0.04)
    assert np.mean([result.median_distance_ratio for result in found]) == pytest.approx(1, abs=0.03)
    assert all(result.checked == 600 for result in found)
    by_chance = sum(300 / (rows + 1) for rows in held_out)
    assert all(result.near_copies_by_chance == pytest.approx(by_chance) for result in found)
    assert np.mean([result.near_copies for result in found]) < 3 * by_chance


def test_planted_copies_are_counted_and_listed_first() -> None:
    training, held_out, synthetic = embedded(0, (50, 40)), embedded(1, (80, 80)), embedded(2, (60, 60))
    before = similarity(training, held_out, synthetic, seed=0)
    synthetic.points[[5, 70]] = training.points[[12, 66]]
    synthetic.points[100] = training.points[80] + 0.01
    after = similarity(training, held_out, synthetic, seed=0)
    assert after.near_copies >= before.near_copies + 2
    pairs = closest_pairs(training, held_out, synthetic, count=4)
    assert [(pair.synthetic, pair.training) for pair in pairs[:3]] == [(5, 12), (70, 66), (100, 80)]
    assert pairs[0].distance == pairs[1].distance == 0
    assert pairs[2].distance == pytest.approx(0.01 * np.sqrt(8), rel=1e-3)
    assert all(pair.distance < pair.held_out_distance for pair in pairs[:3])


def test_a_generator_that_repeats_its_training_rows_is_caught() -> None:
    training, held_out = embedded(0, (50, 10)), embedded(1, (80, 80))
    copies = np.random.default_rng(2).integers(60, size=300)
    synthetic = Embedded(training.points[copies] + 0.05, training.labels[copies])
    found = similarity(training, held_out, synthetic, seed=0)
    assert found.share_nearer_to_training > 0.95
    assert found.median_distance_ratio < 0.2
    assert found.near_copies == found.checked == 300


def test_pairs_are_the_nearest_neighbours_within_the_class() -> None:
    training, held_out, synthetic = embedded(0, (30, 20)), embedded(1, (25, 25)), embedded(2, (40, 40))
    # in the way of class 0, but of another class
    training.points[45] = synthetic.points[3]
    pairs = closest_pairs(training, held_out, synthetic, count=100)
    assert len(pairs) == 80
    assert [pair.distance for pair in pairs] == sorted(pair.distance for pair in pairs)
    for pair in pairs:
        label = synthetic.labels[pair.synthetic]
        for reference, distance in ((training, pair.distance), (held_out, pair.held_out_distance)):
            search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(reference.of_class(label).astype(float))
            assert distance == pytest.approx(search.kneighbors(synthetic.points[[pair.synthetic]])[0].item(), rel=1e-4)
        assert training.labels[pair.training] == label


def test_rows_on_one_point_are_neither_near_copies_nor_nearer() -> None:
    same = Embedded(np.full((20, 4), 1.7, dtype=np.float32), np.zeros(20, dtype=int))
    found = similarity(same, same, same, seed=0)
    assert (found.share_nearer_to_training, found.median_distance_ratio, found.near_copies) == (0.5, 1, 0)


def test_a_class_without_a_reference_is_not_checked() -> None:
    training, held_out, synthetic = embedded(0, (20, 20)), embedded(1, (20, 0)), embedded(2, (15, 15))
    assert similarity(training, held_out, synthetic, seed=0).checked == 15
    assert all(pair.synthetic < 15 for pair in closest_pairs(training, held_out, synthetic, count=50))
    with pytest.raises(EvaluationError, match=r"raise generation\.amount"):
        similarity(training, held_out, embedded(2, (0, 15)), seed=0)


def test_the_numbers_depend_on_the_seed_alone() -> None:
    parts = embedded(0, (10, 10)), embedded(1, (60, 60)), embedded(2, (50, 50))
    assert similarity(*parts, seed=3) == similarity(*parts, seed=3) != similarity(*parts, seed=4)


def nearest_distances(rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return NearestNeighbors(n_neighbors=1).fit(reference).kneighbors(rows)[0][:, 0]


def test_the_data_copying_test_is_that_of_mann_and_whitney_class_by_class() -> None:
    training, held_out, synthetic = embedded(0, (30, 20)), embedded(1, (25, 40)), embedded(2, (60, 60))
    synthetic.points[:40] = training.points[:1]  # many ties
    found = copying(training, held_out, synthetic)
    for label in (0, 1):
        reference = training.of_class(label)
        samples, others = (nearest_distances(part.of_class(label), reference) for part in (synthetic, held_out))
        samples[samples < 1e-5] = 0
        test = mannwhitneyu(samples, others, method="asymptotic", use_continuity=False)
        assert abs(found[label]) == pytest.approx(norm.isf(test.pvalue / 2), rel=1e-6)
        assert (found[label] < 0) == (test.statistic < len(samples) * len(others) / 2)
    total = similarity(training, held_out, synthetic, seed=0).c_t
    assert total == pytest.approx((25 * found[0] + 40 * found[1]) / 65)


def test_the_data_copying_test_is_standard_normal_for_fresh_draws_and_far_below_zero_for_copies() -> None:
    fresh = [
        z
        for seed in range(60)
        for z in copying(
            embedded(seed, (20, 50)), embedded(seed + 100, (40, 80)), embedded(seed + 200, (90, 30))
        ).values()
    ]
    assert abs(np.mean(fresh)) < 0.3
    assert np.std(fresh) == pytest.approx(1, abs=0.25)
    training, held_out = embedded(0, (50, 50)), embedded(1, (80, 80))
    copies = Embedded(training.points + 0.05, training.labels)
    assert max(copying(training, held_out, copies).values()) < -5


def test_distances_to_the_closest_records_are_those_of_scikit_learn() -> None:
    training, held_out, synthetic = embedded(0, (40,)), embedded(1, (40,)), embedded(2, (90,))
    found = similarity(training, held_out, synthetic, seed=0)
    for part, closest, ratio in (
        (training, found.closest_training, found.neighbour_ratio_training),
        (held_out, found.closest_held_out, found.neighbour_ratio_held_out),
    ):
        search = NearestNeighbors(n_neighbors=2).fit(part.points)
        distances = np.repeat(search.kneighbors(synthetic.points)[0], 10, axis=0)  # all draws are of all rows
        assert closest == pytest.approx(np.percentile(distances[:, 0], 5), rel=1e-4)
        assert ratio == pytest.approx(np.percentile(distances[:, 0] / distances[:, 1], 5), rel=1e-4)


def test_copies_show_in_the_closest_records_and_their_ratio() -> None:
    training, held_out = embedded(0, (50, 10)), embedded(1, (80, 80))
    synthetic = embedded(2, (100, 100))
    synthetic.points[:20] = training.points[:20] + 0.01
    found = similarity(training, held_out, synthetic, seed=0)
    assert found.closest_training < 0.1 < found.closest_held_out
    assert found.neighbour_ratio_training is not None
    assert found.neighbour_ratio_held_out is not None
    assert found.neighbour_ratio_training < 0.1 < found.neighbour_ratio_held_out
    alone = similarity(embedded(0, (1,)), held_out, embedded(2, (30,)), seed=0)
    assert alone.neighbour_ratio_training is None  # there is no second nearest
