"""How much of an arm's batches is synthetic."""

import numpy as np
from shapes import draw_shapes

from gansynth.arms import ARMS
from gansynth.evaluation.arms import Mix, Synthetic, build_diet, copy_rows, give_lesson
from gansynth.modalities.table.teachers import Committee
from gansynth.samples import Column, Samples, Schema
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


def test_copies_are_training_rows_with_the_words_of_those_who_did_not_see_them() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], [60, 20])
    schema = Schema((Column("x", "numeric", "double"),), Column("y", "categorical", "string", ("no", "yes")))
    real = Samples(random.normal(labels[:, None], 1, (80, 1)), labels, ("no", "yes"), schema)
    asked = np.repeat([0, 1], [30, 50])
    synthetic = Samples(np.zeros((80, 1)), asked, ("no", "yes"), schema)
    parts = {"modality": {"kind": "table", "label": "y"}, "evaluation": {"labels": "teacher"}}
    study = Study.model_validate({"name": "s", "source": {"path": "x"}, **parts})
    committee = Committee(real, np.arange(80) % 4, "hist_gradient_boosting", 0)
    lesson = give_lesson(study, real, committee)
    copies = copy_rows(synthetic, real, lesson, study, repetition=0)
    np.testing.assert_array_equal(copies.samples.labels, asked)
    np.testing.assert_array_equal(copies.samples.values, real.values[copies.nearest])
    np.testing.assert_array_equal(copies.targets, committee.out_of_fold()[copies.nearest])
    assert not np.allclose(copies.targets, lesson.teach(copies.samples.values))
    kept = copies.among(committee.fold_of != 2)
    assert kept.copied
    assert not (committee.fold_of[kept.nearest] == 2).any()


def test_a_class_that_a_fold_has_no_row_of_counts_as_the_rarest() -> None:
    diet = build_diet(ARMS["image"]["gan+classical"], Mix("affine", 0.5), scarce(0, 20, 5), made())
    assert diet.shares is not None
    np.testing.assert_allclose(diet.shares, [0.5, 0.25, 0.5])
