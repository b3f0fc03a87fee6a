"""The attack finds rows that a generator memorises, and none where it does not; its numbers are those of others."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import gaussian_kde, multivariate_t
from shapes import draw_shapes
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.neighbors import KernelDensity
from tables import draw_rows

from gansynth.evaluation.attacker import View, without_detail
from gansynth.evaluation.membership import attack_membership, density_ratio, fit_bandwidth, log_density
from gansynth.evaluation.roc import Scores, judge
from gansynth.privacy import Privacy
from gansynth.samples import Samples


def attack(training: Samples, held_out: Samples, synthetic: Samples, seed: int = 0) -> Privacy:
    return attack_membership(training, held_out, np.arange(len(held_out)), synthetic, seed)


def resampled(rows: Samples, count: int, noise: float, seed: int = 0) -> Samples:
    """What a generator gives that memorises: rows again, with a little noise on their numbers."""
    random = np.random.default_rng(seed)
    copies = rows.take(random.integers(len(rows), size=count))
    values = copies.values.astype(float)
    if rows.modality == "image":
        values = (values + random.normal(0, noise, values.shape)).clip(0, 255).astype(np.uint8)
    else:
        spread = np.nanstd(rows.values, axis=0)
        for column in (0, 1, 4):  # the numbers
            values[:, column] += random.normal(0, noise, count) * spread[column]
    return dataclasses.replace(copies, values=values)


def test_the_curve_is_that_of_scikit_learn_with_classes_balanced_by_weights() -> None:
    random = np.random.default_rng(0)
    classes = [
        Scores(random.normal(1, 1, 40).round(1), random.normal(0, 1, 300).round(1)),  # many ties
        Scores(random.normal(3, 1, 60).round(1), random.normal(2, 1, 80).round(1)),
    ]
    auc, tpr = judge(classes, np.random.default_rng(1))
    is_member = np.repeat([1, 0, 1, 0], [40, 300, 60, 80])
    scores = np.concatenate([part for one in classes for part in one])
    weights = np.repeat([1, 40 / 300, 1, 60 / 80], [40, 300, 60, 80])
    assert auc.value == pytest.approx(roc_auc_score(is_member, scores, sample_weight=weights))
    false, true, _ = roc_curve(is_member, scores, sample_weight=weights, drop_intermediate=False)
    assert tpr is not None
    assert tpr.value == pytest.approx(true[false <= 0.01 + 1e-9].max())
    assert auc.low < auc.value < auc.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    truth = 0.6914624  # of normal scores half a standard deviation times the root of two apart
    covered = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        auc, _ = judge([Scores(random.normal(0.5**0.5, 1, 60), random.normal(0, 1, 90))], random)
        covered += auc.low <= truth <= auc.high
    assert covered >= 25


def test_a_rate_is_not_told_where_one_row_counts_for_more_than_the_rate() -> None:
    random = np.random.default_rng(0)

    def scores(members: int, others: int) -> Scores:
        return Scores(random.normal(1, 1, members), random.normal(0, 1, others))

    assert judge([scores(50, 100)], random)[1] is not None
    assert judge([scores(50, 99)], random)[1] is None
    # of the second class, each of ten stands for a hundredth of as many members as there are of the first
    assert judge([scores(90, 300), scores(10, 10)], random)[1] is not None
    assert judge([scores(90, 300), scores(20, 10)], random)[1] is None


def test_the_density_is_that_of_scipy_and_scikit_learn() -> None:
    random = np.random.default_rng(0)
    points, rows = random.normal(size=(80, 3)), random.normal(size=(25, 3))
    kernels = [multivariate_t(point, 0.37**2 * np.eye(3), df=10).pdf(rows) for point in points]
    assert log_density(rows, points, 0.37) == pytest.approx(np.log(np.mean(kernels, axis=0)))
    # with ever more degrees of freedom, it is the Gaussian estimate
    gaussian = KernelDensity(bandwidth=0.37).fit(points).score_samples(rows)
    assert log_density(rows, points, 0.37, freedom=1e7) == pytest.approx(gaussian, abs=1e-3)
    # scipy scales its kernel by the covariance, which whitening makes the identity
    white = points @ np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T
    theirs = gaussian_kde(white.T, 0.37).logpdf(rows.T)
    assert log_density(rows, white, 0.37, freedom=1e7) == pytest.approx(theirs, abs=1e-3)


def test_the_attack_ranks_rows_as_the_densities_of_others_do() -> None:
    random = np.random.default_rng(0)
    members = random.normal(size=(40, 3))
    synthetic = np.repeat(members, 5, axis=0) + random.normal(0, 0.1, (200, 3))
    reference, rows = random.normal(size=(150, 3)), np.concatenate([members, random.normal(size=(100, 3))])
    is_member = np.arange(140) < 40
    ours = density_ratio(rows, synthetic, reference)
    parts = (synthetic, reference)
    theirs = [KernelDensity(bandwidth=fit_bandwidth(synthetic)).fit(part).score_samples(rows) for part in parts]
    ours_auc, their_auc = (roc_auc_score(is_member, scores) for scores in (ours, theirs[0] - theirs[1]))
    assert ours_auc > 0.9
    assert their_auc == pytest.approx(ours_auc, abs=0.1)


def test_the_bandwidth_follows_what_the_samples_crowd_around() -> None:
    random = np.random.default_rng(0)
    spread = random.normal(size=(300, 4))
    crowded = np.repeat(spread[:30], 10, axis=0) + random.normal(0, 0.05, (300, 4))
    assert fit_bandwidth(crowded) <= 0.1 < fit_bandwidth(spread)
    # an outlier changes nothing
    assert fit_bandwidth(np.concatenate([crowded, [[50.0] * 4]])) == fit_bandwidth(crowded)


def test_a_generator_of_rows_that_memorises_is_caught_and_one_that_does_not_is_not() -> None:
    training, held_out = draw_rows(120, 0), draw_rows(400, 1)
    caught = attack(training, held_out, resampled(training, 600, 0.05))
    assert caught.overall.auc is not None
    assert caught.overall.tpr is not None
    assert caught.overall.auc.low > 0.85
    assert caught.overall.tpr.low > 0.2
    assert min(one.auc.low for one in caught.by_class.values() if one.auc) > 0.85
    for seed in range(3):
        found = attack(training, held_out, draw_rows(600, 10 + seed), seed)
        assert found.overall.auc is not None
        assert found.overall.tpr is not None
        assert found.overall.auc.value == pytest.approx(0.5, abs=0.08)
        assert found.overall.tpr.value < 0.06


def test_canaries_among_rows_are_found_when_they_are_memorised() -> None:
    training, held_out = draw_rows(200, 0), draw_rows(400, 1)
    canaries = np.arange(20)  # ten of each class: young people who paid a lot
    for part in (training, held_out):
        part.values[canaries, 0] = 3 + canaries / 10
        part.values[canaries, 1] = 5e4 + 1e3 * canaries**2 * (1 + (part is training))
    learnt = resampled(training, 800, 0.01)
    fresh = draw_rows(800, 3)
    found, missed = (attack(training.take(canaries), held_out, samples).overall.auc for samples in (learnt, fresh))
    assert found is not None
    assert missed is not None
    assert found.value > 0.9
    assert found.low > 0.8
    # rows of which the generator shows nothing stand out no more than others that lie as far out
    others = attack(training.take(canaries), held_out.take(canaries), fresh).overall.auc
    assert others is not None
    assert others.low < 0.5 < others.high


def test_marked_images_are_found_when_they_are_memorised() -> None:
    training, held_out = draw_shapes(30, seed=1), draw_shapes(60, seed=2)
    marked = training.take(np.arange(0, 90, 3))
    random = np.random.default_rng(5)
    for picture in marked.values:  # a bright dot, elsewhere in each
        y, x = random.integers(0, 13, 2)
        picture[y : y + 3, x : x + 3] = 255
    learnt = resampled(marked, 300, 8)
    found = attack(marked, held_out, learnt).overall.auc
    missed = attack(marked, held_out, draw_shapes(100, seed=3)).overall.auc
    assert found is not None
    assert missed is not None
    assert found.low > 0.9
    assert missed.value < 0.7


def test_too_few_rows_are_not_judged_and_counted() -> None:
    training, held_out = draw_rows(40, 0), draw_rows(200, 1)
    few = training.take(np.concatenate([np.flatnonzero(training.labels == 0), np.flatnonzero(training.labels)[:9]]))
    found = attack(few, held_out, draw_rows(100, 2))
    assert found.by_class["yes"].auc is None
    assert (found.by_class["yes"].members, found.by_class["yes"].non_members) == (9, 100)
    assert found.by_class["no"].auc is not None
    assert found.overall.members == found.by_class["no"].members == 20
    small = attack(training, held_out.take(np.arange(60)), draw_rows(100, 2))
    assert small.overall.auc is not None
    assert small.overall.tpr is None  # on 60 rows, 1 % is less than one
    none = attack(few.take(np.arange(4)), held_out, draw_rows(100, 2))
    assert (none.overall.auc, none.overall.members) == (None, 0)


def test_sizes_are_told_and_no_row_is_its_own_reference() -> None:
    training, held_out = draw_rows(50, 0), draw_rows(200, 1)
    found = attack(training, held_out, draw_rows(300, 2)).overall
    assert (found.members, found.non_members, found.reference, found.synthetic) == (50, 200, 160, 300)
    # held-out rows that repeat each other do not betray each other as long as they are known for duplicates
    twice = held_out.take(np.repeat(np.arange(200), 2))
    groups = np.repeat(np.arange(200), 2)
    auc = attack_membership(training, twice, groups, draw_rows(300, 2), 0).overall.auc
    assert auc is not None
    assert auc.value == pytest.approx(0.5, abs=0.1)
    careless = attack(training, twice, draw_rows(300, 2)).overall.auc
    assert careless is not None
    assert careless.value > auc.value + 0.1


def test_the_numbers_depend_on_the_seed_alone() -> None:
    parts = draw_rows(40, 0), draw_rows(120, 1), draw_rows(100, 2)
    assert attack(*parts, seed=3) == attack(*parts, seed=3) != attack(*parts, seed=4)


def test_the_view_knows_no_member_and_takes_any_size_of_image() -> None:
    large = draw_shapes(6, size=80)
    small = without_detail(large)
    assert small.values.shape == (18, 1, 32, 32)
    assert small.values.mean() == pytest.approx(large.values.mean(), rel=0.1)
    view = View(small, small, np.random.default_rng(0))
    points = view.points(small)
    assert points.shape == (18, 7)  # a component for every five of 36 rows
    assert np.isfinite(points).all()
    same = Samples(np.full_like(small.values, 3), small.labels, small.class_names)
    assert View(same, same, np.random.default_rng(0)).points(same).shape == (18, 0)
