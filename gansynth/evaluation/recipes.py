"""What an arm's classifier is trained on and how it decides, made from a run folder: of a repetition, or to deliver."""

from typing import NamedTuple

import numpy as np

from gansynth.arms import ARMS
from gansynth.checkpoints import TrainedModel, load_model
from gansynth.classifiers import Diet, Floats
from gansynth.datasets import load_synthetic, load_teacher_probabilities
from gansynth.errors import EvaluationError
from gansynth.evaluation.arms import (
    Mix,
    build_diet,
    call_committee,
    choose_factors,
    choose_mix,
    copy_rows,
    give_lesson,
    prepare_synthetic,
)
from gansynth.runs import Run
from gansynth.samples import Dataset, Split
from gansynth.seeding import seed_index
from gansynth.study import Study


class Recipe(NamedTuple):
    """How an arm trains and decides.

    Attributes:
        diet: What its classifier is trained on.
        factors: What the class probabilities are multiplied by before the largest one is taken, (K,).
        mix: What was chosen of classical augmentation and synthetic samples.
        losses: What each candidate of that choice lost, in nats; empty if there was none.
        model: The generator and teacher that it needs; None if it needs none.
    """

    diet: Diet
    factors: Floats
    mix: Mix
    losses: dict[Mix, float]
    model: TrainedModel | None


def prepare(study: Study, run: Run, repetition: int | None, arm: str, dataset: Dataset, split: Split) -> Recipe:
    """Return how an arm trains and decides on the training rows of a split, with all that is chosen on them.

    Args:
        study: What is evaluated.
        run: Holds the model and the samples of the repetition.
        repetition: Which one this is; None for the delivered generator and its samples.
        arm: The arm's name.
        dataset: The rows.
        split: Which of them train; it tests nothing here.

    Raises:
        EvaluationError: The model has learnt from other rows, or they are too few for a committee.
    """
    spec, index = ARMS[study.modality.kind][arm], seed_index(repetition)
    real, groups = dataset.samples.take(split.train), dataset.groups[split.train]
    model, synthetic, mix = None, None, Mix(None, 0.0)
    losses: dict[Mix, float] = {}
    if "model" in spec.parents:
        model = load_model(run.model(repetition), study.compute)
        check_rows(model, split)
        mix = Mix(model.policy if spec.augmented else None, 0.0)
    committee = call_committee(study, real, groups, index) if spec.taught else None
    lesson = give_lesson(study, real, committee) if committee else None
    if model is not None and spec.synthetic:
        shards = run.synthetic(repetition)
        made = load_synthetic(shards, model.schema)
        if lesson and spec.copied:
            synthetic = copy_rows(made, real, lesson, study, index)
        else:
            said = lesson.teach(made.values) if lesson else load_teacher_probabilities(shards)
            synthetic = prepare_synthetic(made, said, model, study, index, spec)
        mix, losses = choose_mix(study, spec, model, real, groups, synthetic, index, committee)
    diet = build_diet(spec, mix, real, synthetic, lesson)
    plain = np.ones(len(real.class_names), np.float32)
    factors = choose_factors(study, spec, real, groups, index, committee) if spec.tuned else plain
    return Recipe(diet, factors, mix, losses, model)


def check_rows(model: TrainedModel, split: Split) -> None:
    """Make sure that a model has learnt from the training rows of a split, all of them and no other.

    The split follows from the seed, so this can only fail if another version of a library draws it differently.

    Raises:
        EvaluationError: It has not: test rows could have been learnt from.
    """
    if not np.array_equal(model.training_rows, split.train):
        raise EvaluationError(
            "evaluation: the generator was trained on other rows than this split's training rows, and may know its test"
            " rows; run the study again in a new --run-dir"
        )
