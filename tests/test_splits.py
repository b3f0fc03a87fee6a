import numpy as np
import pytest
from shapes import draw_shapes

from gansynth.errors import EvaluationError, StudyError
from gansynth.samples import Dataset, Samples, Split
from gansynth.sections import ScarcityConfig, SplitConfig
from gansynth.splits import class_caps, draw_split, inner_folds, shared_rows
from gansynth.study import Study


def dataset(per_class: int = 30, test_per_class: int = 0, groups: np.ndarray | None = None) -> Dataset:
    samples = draw_shapes(per_class + test_per_class)
    place = np.tile(np.arange(per_class + test_per_class), 3)
    return Dataset(samples, place >= per_class, np.arange(len(samples)) if groups is None else groups)


def with_parts(study: Study, **parts: object) -> Study:
    return study.model_copy(update=parts)


def test_repetitions_draw_disjoint_parts_afresh(tiny_study: Study) -> None:
    data = dataset()
    splits = [draw_split(data, tiny_study, r) for r in range(3)]
    for split in splits:
        assert not set(split.train) & set(split.test)
        np.testing.assert_array_equal(data.samples.take(split.test).counts, [6, 6, 6])
        np.testing.assert_array_equal(data.samples.take(split.train).counts, [24, 24, 24])
    assert set(splits[0].test) != set(splits[1].test)
    np.testing.assert_array_equal(splits[0].train, draw_split(data, tiny_study, 0).train)


def test_duplicates_never_straddle_a_split(tiny_study: Study) -> None:
    # every third row of a class shares its group with its neighbours
    groups = np.arange(90) // 3
    for repetition in range(5):
        data = dataset(groups=groups)
        split = draw_split(data, tiny_study, repetition)
        assert not set(groups[split.train]) & set(groups[split.test])
        # whole groups go to one part, so none of their rows is lost to both
        assert sorted([*split.train, *split.test]) == list(range(90))
        np.testing.assert_array_equal(data.samples.take(split.test).counts, [6, 6, 6])


def test_a_few_large_groups_leave_rows_for_both_parts(tiny_study: Study) -> None:
    # of each class, half of the rows are equal, and all others come in pairs, some with rows of the next class
    groups = np.concatenate(
        [np.where(np.arange(30) < 15, start, start + 1 + np.arange(30) // 2) for start in (0, 8, 16)]
    )
    for repetition in range(5):
        data = dataset(groups=groups)
        split = draw_split(data, tiny_study, repetition)
        assert not set(groups[split.train]) & set(groups[split.test])
        assert data.samples.take(split.test).counts.max() <= 6
        assert data.samples.take(split.test).counts.min() >= 1
        assert data.samples.take(split.train).counts.min() >= 15


def test_a_provided_test_part_is_used_and_its_duplicates_leave_training(tiny_study: Study) -> None:
    groups = np.arange(120)
    groups[0] = groups[35]  # a training row of class 0 that equals a test row
    data = dataset(30, 10, groups)
    split = draw_split(data, tiny_study, 0)
    assert data.is_test[split.test].all()
    assert not data.is_test[split.train].any()
    assert 0 not in split.train
    delivered = draw_split(data, tiny_study, None)
    assert len(delivered.test) == 0
    assert not data.is_test[delivered.train].any()


def test_scarcity_caps_classes_and_draws_different_rows(tiny_study: Study) -> None:
    scarce = with_parts(tiny_study, scarcity=ScarcityConfig(per_class=12, rare_classes=("dot",), rare_per_class=3))
    data = dataset(30, 10)
    first, second = (draw_split(data, scarce, r).train for r in range(2))
    np.testing.assert_array_equal(data.samples.take(first).counts, [12, 3, 12])
    assert set(first) != set(second)


def test_test_rows_can_be_limited(tiny_study: Study) -> None:
    study = with_parts(tiny_study, split=SplitConfig(test_per_class=4))
    data = dataset(30, 10)
    np.testing.assert_array_equal(data.samples.take(draw_split(data, study, 0).test).counts, [4, 4, 4])


def test_long_tail_is_geometric() -> None:
    caps = class_caps(tuple("abcde"), ScarcityConfig(per_class=160, imbalance=16))
    assert caps == [160, 80, 40, 20, 10]


@pytest.mark.parametrize(
    ("scarcity", "message"),
    [
        (ScarcityConfig(rare_classes=("dog",)), r"scarcity\.rare_classes: no class is called 'dog'"),
        (ScarcityConfig(imbalance=5), r"scarcity\.imbalance: needs scarcity\.per_class"),
    ],
)
def test_impossible_scarcity_is_named(scarcity: ScarcityConfig, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        class_caps(("cat",), scarcity)


def test_a_test_part_that_is_not_there_is_named(tiny_study: Study) -> None:
    study = with_parts(tiny_study, split=SplitConfig(test="provided"))
    with pytest.raises(StudyError, match=r"split\.test"):
        draw_split(dataset(), study, 0)


def test_a_class_without_enough_rows_is_named(tiny_study: Study) -> None:
    samples = draw_shapes(10)
    thin = samples.take(np.r_[0:20, 20:22])
    data = Dataset(thin, np.zeros(22, bool), np.arange(22))
    with pytest.raises(EvaluationError, match="'frame': 1 training row"):
        draw_split(data, tiny_study, 0)


def test_inner_folds_are_stratified_and_keep_groups_together() -> None:
    labels = np.repeat([0, 1], [20, 6]).astype(np.int64)
    groups = np.arange(26)
    groups[3] = groups[4]
    fold = inner_folds(labels, groups, 2, np.random.default_rng(0))
    assert fold[3] == fold[4]
    for label, size in ((0, 20), (1, 6)):
        counts = np.bincount(fold[labels == label], minlength=2)
        assert abs(counts[0] - counts[1]) <= 2
        assert counts.sum() == size


def test_shared_rows_are_those_of_the_class_that_shares_most() -> None:
    data = dataset(10)
    first = Split(train=np.array([0, 1, 10, 11, 20, 21]), test=np.array([5, 15, 25]))
    second = Split(train=np.array([0, 2, 12, 13, 22, 23]), test=np.array([6, 16, 26]))
    third = Split(train=np.array([3, 4, 14, 17, 24, 27]), test=np.array([7, 19, 25]))
    assert shared_rows(data, [first, second]) == (0.5, 0)  # one of two training rows of the first class
    assert shared_rows(data, [first, third]) == (1, 1)  # the only test row of the last class
    assert shared_rows(data, [first, second, third]) == pytest.approx(((0.5 + 1 + 0) / 3, 1 / 3))
    crossed = Split(train=np.array([5, 2, 12, 13, 22, 23]), test=np.array([6, 16, 26]))
    # the first's only test row of a class is one of the other's two training rows: 1 of 1, and 1 of 2
    assert shared_rows(data, [first, crossed]) == (0.75, 0)
    twins = np.arange(30)
    twins[[0, 3]] = 0, 0
    assert shared_rows(dataset(10, groups=twins), [second, third]) == (0.5, 0)


def test_a_test_part_of_its_own_is_halved_and_training_rows_are_redrawn(tiny_study: Study) -> None:
    data, study = dataset(30, 9), with_parts(tiny_study, split=SplitConfig())
    splits = [draw_split(data, study, r) for r in range(3)]
    for split in splits:
        np.testing.assert_array_equal(data.samples.take(split.test).counts, [5, 5, 5])
        np.testing.assert_array_equal(data.samples.take(split.train).counts, [24, 24, 24])
        assert data.is_test[split.test].all()
        assert not data.is_test[split.train].any()
    assert set(splits[0].train) != set(splits[1].train)
    assert set(splits[0].test) != set(splits[1].test)
    whole = draw_split(data, study, None)
    np.testing.assert_array_equal(data.samples.take(whole.train).counts, [30, 30, 30])


def test_what_is_left_over_is_spread_over_the_inner_folds() -> None:
    labels = np.repeat(np.arange(6), 3)
    fold = inner_folds(labels, np.arange(18), 2, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(fold), [9, 9])
    for label in range(6):
        assert set(fold[labels == label]) == {0, 1}


def test_samples_concatenate_and_take() -> None:
    samples = draw_shapes(2)
    both = Samples.concatenate([samples, samples])
    np.testing.assert_array_equal(both.counts, [4, 4, 4])
    assert len(both.take(both.labels == 1)) == 4
