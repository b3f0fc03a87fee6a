"""How an arm is trained: its diet, and the choice of its ratio by inner validation."""

from typing import NamedTuple

import numpy as np

from gansynth.arms import Arm
from gansynth.checkpoints import TrainedModel
from gansynth.classifiers import Classifier, Diet, Floats, fit_classifier
from gansynth.evaluation.metrics import score
from gansynth.samples import Indices, Samples
from gansynth.seeding import numpy_generator
from gansynth.splits import inner_folds
from gansynth.study import Study


class Synthetic(NamedTuple):
    """Synthetic samples ready for training: targets (M, classes) are label probabilities, embeddings (M, features)."""

    samples: Samples
    targets: Floats
    embeddings: Floats


def prepare_synthetic(
    samples: Samples, teacher_probabilities: Floats, model: TrainedModel, study: Study, repetition: int, arm: Arm
) -> Synthetic:
    """Give synthetic samples their training labels, hard or soft, or shuffle them for the negative control."""
    asked = np.eye(len(samples.class_names), dtype=np.float32)[samples.labels]
    soft = study.evaluation.labels == "soft"
    targets: Floats = (asked + teacher_probabilities) / np.float32(2) if soft else asked
    if arm.shuffled:
        order = numpy_generator(study.seed, "shuffle", repetition).permutation(len(samples))
        samples = Samples(samples.values, samples.labels[order], samples.class_names)
        targets = targets[order]
    return Synthetic(samples, targets, model.teacher.embed(samples.values))


def build_diet(arm: Arm, real: Samples, synthetic: Synthetic | None, ratio: float) -> Diet:
    """Return what an arm's classifier is trained on, with `ratio` of each batch synthetic."""
    if synthetic is None or ratio == 0 or len(synthetic.samples) == 0:
        return Diet(real, arm.balanced, arm.augmented)
    return Diet(real, arm.balanced, arm.augmented, synthetic.samples, synthetic.targets, ratio)


def fit_arm(study: Study, diet: Diet, repetition: int) -> Classifier:
    """Train an arm's final classifier; all arms of a repetition share initial weights and batch seeds."""
    return fit_classifier(study, diet, study.evaluation.steps, repetition, "arm")


def choose_ratio(
    study: Study, arm: Arm, real: Samples, groups: Indices, synthetic: Synthetic, model: TrainedModel, repetition: int
) -> tuple[float, dict[float, float]]:
    """Choose an arm's share of synthetic samples by cross-validation on the training rows alone.

    The generator has seen the rows that a fold holds out, so each fold leaves out the synthetic samples whose nearest
    training row, in the teacher's embedding, is held out. That does not remove all the generator knows of them, so the
    choice still leans towards synthetic samples. Equal scores go to the smaller share.

    Returns:
        The chosen ratio and the validation score of every candidate; no scores if there is just one candidate.
    """
    settings = study.evaluation
    candidates = sorted(set(settings.ratios_with_classical if arm.augmented else settings.ratios))
    if len(candidates) == 1:
        return candidates[0], {}
    folds = settings.inner_folds
    fold_of = inner_folds(real.labels, groups, folds, numpy_generator(study.seed, "inner", repetition))
    nearest = _nearest_rows(synthetic.embeddings, model.training_embeddings)
    probabilities = {ratio: np.zeros((len(real), len(real.class_names)), np.float32) for ratio in candidates}
    for fold in range(folds):
        inner, held_out = real.take(fold_of != fold), fold_of == fold
        if not held_out.any() or len(inner) == 0:
            continue  # fewer rows than folds
        away = fold_of[nearest] != fold
        visible = Synthetic(synthetic.samples.take(away), synthetic.targets[away], synthetic.embeddings[away])
        for ratio in candidates:
            diet = build_diet(arm, inner, visible, ratio)
            classifier = fit_classifier(study, diet, settings.inner_steps, repetition, "inner", fold)
            probabilities[ratio][held_out] = classifier.probabilities(real.values[held_out])
    scores = {ratio: score(real.labels, predicted)[settings.metric] for ratio, predicted in probabilities.items()}
    return max(candidates, key=lambda ratio: scores[ratio]), scores


def _nearest_rows(points: Floats, rows: Floats) -> Indices:
    """Return the index of each point's nearest row, by Euclidean distance, in blocks that bound the memory."""
    row_norms = np.square(rows).sum(1)
    blocks = np.array_split(points, max(1, len(points) // 1024))
    return np.concatenate([(row_norms - 2 * block @ rows.T).argmin(1) for block in blocks]).astype(np.int64)
