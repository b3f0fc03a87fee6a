"""How an arm is trained: its diet, and the choice of its mix by inner validation."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gansynth.arms import Arm
from gansynth.checkpoints import TrainedModel
from gansynth.classifiers import Diet, Floats, Predictor, fit_classifier
from gansynth.modalities.table.estimators import ESTIMATORS
from gansynth.modalities.table.teachers import Committee
from gansynth.samples import Indices, Samples, Values
from gansynth.seeding import numpy_generator
from gansynth.study import Study
from gansynth.thresholds import tune_factors
from gansynth.validation import choose, out_of_fold


class Synthetic(NamedTuple):
    """Synthetic samples ready for training.

    Attributes:
        samples: The samples.
        targets: Label probabilities, (M, classes).
        nearest: Which training row lies nearest in the teacher's embedding, (M,).
    """

    samples: Samples
    targets: Floats
    nearest: Indices

    def among(self, seen: npt.NDArray[np.bool_]) -> "Synthetic":
        """Return those whose nearest training row is among the ones seen, (N,)."""
        kept = seen[self.nearest]
        return Synthetic(self.samples.take(kept), self.targets[kept], self.nearest[kept])


def prepare_synthetic(
    samples: Samples, teacher_probabilities: Floats, model: TrainedModel, study: Study, repetition: int, arm: Arm
) -> Synthetic:
    """Give synthetic samples their training labels, as the study says, or shuffle them for the negative control."""
    asked = samples.one_hot
    kinds: dict[str, Floats] = {
        "hard": asked,
        "soft": (asked + teacher_probabilities) / np.float32(2),
        "teacher": teacher_probabilities,
    }
    targets = kinds[study.evaluation.labels]
    if arm.shuffled:
        order = numpy_generator(study.seed, "shuffle", repetition).permutation(len(samples))
        samples = replace(samples, labels=samples.labels[order])
        targets = targets[order]
    nearest = _nearest_rows(model.teacher.embed(samples.values), model.training_embeddings)
    return Synthetic(samples, targets, nearest)


class Mix(NamedTuple):
    """What an arm adds to real rows: classical augmentation by a policy or None, and a share of synthetic samples."""

    policy: str | None
    ratio: float


class Lesson(NamedTuple):
    """What a committee of classifiers tells of an arm's rows.

    Attributes:
        targets: Label probabilities of the real training rows, (N, K).
        teach: Gives those of any rows.
    """

    targets: Floats
    teach: Callable[[Values], Floats]

    def among(self, seen: npt.NDArray[np.bool_]) -> "Lesson":
        """Return what is told of the rows seen, (N,)."""
        return Lesson(self.targets[seen], self.teach)


def give_lesson(study: Study, real: Samples, committee: Committee) -> Lesson:
    """Let a committee say half of the label of each real row, unless the study's own classifier knows better."""
    one_hot = real.one_hot
    name = study.evaluation.classifier
    softens = name not in ESTIMATORS or name in committee.surpassed
    return Lesson((one_hot + committee.out_of_fold) / np.float32(2) if softens else one_hot, committee.probabilities)


def build_diet(arm: Arm, mix: Mix, real: Samples, synthetic: Synthetic | None, lesson: Lesson | None = None) -> Diet:
    """Return what an arm's classifier is trained on.

    Without classical augmentation `mix.ratio` of every class's part of a batch is synthetic. With it that is the share
    of the rarest class, and a class that has n times its rows takes less by the square root of n: where real rows
    abound, synthetic ones only take their place.
    """
    diet = Diet(real, arm.balanced, arm.weighted, mix.policy)
    if lesson:
        diet = replace(diet, real_targets=lesson.targets, teach=lesson.teach)
    if synthetic is None or mix.ratio == 0 or len(synthetic.samples) == 0:
        return diet
    counts = real.counts
    rarest = counts[counts > 0].min()  # a fold may have no row of a class whose rows are all duplicates of each other
    rarity = np.sqrt(rarest / counts.clip(min=rarest)) if arm.augmented else np.ones(len(counts))
    shares = (mix.ratio * rarity).astype(np.float32)
    return replace(diet, synthetic=synthetic.samples, synthetic_targets=synthetic.targets, shares=shares)


def fit_arm(study: Study, diet: Diet, repetition: int, model: TrainedModel | None) -> Predictor:
    """Train an arm's final classifier; all arms of a repetition share initial weights and batch seeds.

    The teacher of images has been trained in just this way on real rows with classical augmentation, so it serves an
    arm that trains on them alone.
    """
    of_images = study.modality.kind == "image"
    if of_images and model is not None and diet.synthetic is None and diet.policy == model.policy:
        return model.teacher
    return fit_classifier(study, diet, study.evaluation.steps, repetition, "arm")


def choose_mix(
    study: Study,
    arm: Arm,
    model: TrainedModel,
    real: Samples,
    groups: Indices,
    synthetic: Synthetic,
    repetition: int,
    lesson: Lesson | None = None,
) -> tuple[Mix, dict[Mix, float]]:
    """Choose an arm's policy and its share of synthetic samples together, by inner validation on the training rows.

    The generator has seen the rows that a fold holds out, so each fold leaves out the synthetic samples whose nearest
    training row, in the teacher's embedding, is held out. That does not remove all the generator knows of them, so the
    choice still leans towards synthetic samples. Of equals the smaller share is taken. The losses without synthetic
    samples are known from the choice of the teacher's policy, which was made in the same folds.

    Returns:
        The chosen mix and the loss of every candidate; no losses if there is just one candidate.
    """
    ratios = study.evaluation.ratios_with_classical if arm.augmented else study.evaluation.ratios
    policies: tuple[str | None, ...] = study.modality.classical if arm.augmented else (None,)
    candidates = [Mix(policy, ratio) for ratio in sorted(set(ratios)) for policy in policies]
    known = {Mix(policy, 0.0): loss for policy, loss in model.policy_losses.items()} if arm.augmented else {}

    def diet_of(mix: Mix, seen: npt.NDArray[np.bool_]) -> Diet:
        return build_diet(arm, mix, real.take(seen), synthetic.among(seen), lesson and lesson.among(seen))

    return choose(study, real, groups, repetition, candidates, diet_of, known)


def choose_factors(
    study: Study,
    arm: Arm,
    mix: Mix,
    real: Samples,
    groups: Indices,
    synthetic: Synthetic | None,
    repetition: int,
    lesson: Lesson | None,
) -> Floats:
    """Choose the factors (K,) of the class probabilities with which an arm decides best, on its training rows.

    Each row is judged by classifiers that were trained as the arm's is, but without the rows of its fold.
    """

    def diet_of(seen: npt.NDArray[np.bool_]) -> Diet:
        told = lesson and lesson.among(seen)
        return build_diet(arm, mix, real.take(seen), synthetic and synthetic.among(seen), told)

    predicted = out_of_fold(study, real, groups, repetition, diet_of)
    return tune_factors(real.labels, predicted, study.evaluation.metric)


def _nearest_rows(points: Floats, rows: Floats) -> Indices:
    """Return the index of each point's nearest row, by Euclidean distance, in blocks that bound the memory."""
    row_norms = np.square(rows).sum(1)
    blocks = np.array_split(points, max(1, len(points) // 1024))
    return np.concatenate([(row_norms - 2 * block @ rows.T).argmin(1) for block in blocks]).astype(np.int64)
