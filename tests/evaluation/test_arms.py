"""How much of an arm's batches is synthetic."""

import numpy as np
from shapes import draw_shapes

from gansynth.arms import ARMS
from gansynth.evaluation.arms import Mix, Synthetic, build_diet, copy_rows
from gansynth.samples import Samples
from gansynth.sections import SourceConfig
from gansynth.study import Study


def made() -> Synthetic:
    samples = draw_shapes(30, seed=1)
    return Synthetic(samples, np.arange(90), samples.one_hot, np.zeros(90, np.int64))


def scarce(*counts: int) -> Samples:
    samples = draw_shapes(40)
    return samples.take(np.concatenate([np.arange(count) + 40 * label for label, count in enumerate(counts)]))


def test_with_classical_augmentation_a_class_takes_the_fewer_samples_the_more_rows_it_has() -> None:
    diet = build_diet(ARMS["image"]["gan+classical"], Mix("affine", 0.9), scarce(40, 20, 4), made())
    assert diet.shares is not None
    np.testing.assert_allclose(diet.shares, 0.9 * np.sqrt([4 / 40, 4 / 20, 1]), rtol=1e-6)


def test_where_no_class_is_rarer_all_take_as_many() -> None:
    for counts in ((10, 10, 10), (39, 40, 40)):
        diet = build_diet(ARMS["image"]["gan+classical"], Mix("affine", 0.9), scarce(*counts), made())
        assert diet.shares is not None
        np.testing.assert_allclose(diet.shares, 0.9, rtol=0.03)


def test_without_classical_augmentation_every_class_takes_as_many() -> None:
    diet = build_diet(ARMS["image"]["gan"], Mix(None, 0.9), scarce(40, 20, 4), made())
    assert diet.shares is not None
    np.testing.assert_allclose(diet.shares, 0.9, rtol=1e-6)


def test_a_share_of_nothing_is_the_arm_without_a_gan() -> None:
    diet = build_diet(ARMS["image"]["gan+classical"], Mix("affine", 0.0), scarce(40, 20, 4), made())
    assert diet.synthetic is None
    assert diet.policy == "affine"


def test_copies_are_training_rows_of_the_classes_of_synthetic_ones() -> None:
    real, synthetic = scarce(40, 20, 4), made().samples.take(np.arange(5, 90))
    copies = copy_rows(synthetic, real, Study(name="s", source=SourceConfig(path="x")), repetition=0)
    np.testing.assert_array_equal(copies.labels, synthetic.labels)
    rows = {(label, values.tobytes()) for label, values in zip(real.labels, real.values, strict=True)}
    assert {(label, values.tobytes()) for label, values in zip(copies.labels, copies.values, strict=True)} <= rows


def test_a_class_that_a_fold_has_no_row_of_counts_as_the_rarest() -> None:
    diet = build_diet(ARMS["image"]["gan+classical"], Mix("affine", 0.5), scarce(0, 20, 5), made())
    assert diet.shares is not None
    np.testing.assert_allclose(diet.shares, [0.5, 0.25, 0.5])
