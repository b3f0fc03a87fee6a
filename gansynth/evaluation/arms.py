"""How an arm is trained: its diet, and the choice of its mix by inner validation."""

import hashlib
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gansynth.arms import Arm
from gansynth.checkpoints import TrainedModel
from gansynth.classifiers import Diet, Floats, Predictor, fit_classifier
from gansynth.errors import EvaluationError
from gansynth.modalities.table.estimators import ESTIMATORS
from gansynth.modalities.table.teachers import Committee
from gansynth.samples import Indices, Samples, Values
from gansynth.seeding import derive_seed, numpy_generator
from gansynth.study import Study
from gansynth.thresholds import tune_factors
from gansynth.validation import assign_folds, calibrated_log_loss, choose, out_of_fold, plain_log_loss


class Synthetic(NamedTuple):
    """Synthetic samples ready for training.

    Attributes:
        samples: The samples.
        labelled_as: Whose label each has, (M,): its own, unless labels are shuffled.
        targets: Label probabilities, (M, classes).
        nearest: Which training row lies nearest in the teacher's embedding, (M,); of copies, the row itself.
        copied: Whether they are copies of training rows.
    """

    samples: Samples
    labelled_as: Indices
    targets: Floats
    nearest: Indices
    copied: bool = False

    def among(self, seen: npt.NDArray[np.bool_]) -> "Synthetic":
        """Return those whose nearest training row is among the ones seen, (N,)."""
        kept = seen[self.nearest]
        taken = self.samples.take(kept)
        return Synthetic(taken, self.labelled_as[kept], self.targets[kept], self.nearest[kept], self.copied)


def prepare_synthetic(
    samples: Samples, told: Floats, model: TrainedModel, study: Study, repetition: int, arm: Arm
) -> Synthetic:
    """Give synthetic samples their training labels, as the study says, or shuffle them for the negative control.

    Args:
        samples: With the labels that they were asked for.
        told: What their teachers say of them, (M, classes).
        model: What embeds them.
        study: Says which labels to take.
        repetition: Which one this is.
        arm: Says whether labels are shuffled.
    """
    labelled_as = np.arange(len(samples))
    if arm.shuffled:
        labelled_as = numpy_generator(study.seed, "shuffle", repetition).permutation(len(samples))
    nearest = _nearest_rows(model.teacher.embed(samples.values), model.training_embeddings)
    labelled = replace(samples, labels=samples.labels[labelled_as])
    targets = _training_labels(study, labelled.one_hot, told[labelled_as])
    return Synthetic(labelled, labelled_as, targets, nearest)


def _training_labels(study: Study, asked: Floats, told: Floats) -> Floats:
    labels = study.evaluation.labels
    return asked if labels == "hard" else told if labels == "teacher" else (asked + told) / np.float32(2)


class Mix(NamedTuple):
    """What an arm adds to real rows: classical augmentation by a policy or None, and a share of synthetic samples."""

    policy: str | None
    ratio: float


class Lesson(NamedTuple):
    """What a committee of classifiers tells of an arm's rows.

    Attributes:
        committee: The classifiers.
        targets: Label probabilities of the real rows seen, (N, K).
        of_real: What members that did not see a real row say of it, (M, K); nothing that counts, of a row not seen.
        held: The fold whose rows are not seen, neither by the arm nor by who teaches; None if all rows are seen.
    """

    committee: Committee
    targets: Floats
    of_real: Floats
    held: int | None

    def teach(self, values: Values) -> Floats:
        """Return label probabilities of any rows (M, C)."""
        return self.committee.probabilities(values, self.held)


def give_lesson(study: Study, real: Samples, committee: Committee, held: int | None = None) -> Lesson:
    """Let a committee say half of the label of each real row seen, unless the study's own classifier knows better."""
    name = study.evaluation.classifier
    targets, of_real = real.one_hot, committee.out_of_fold(held)
    if name not in ESTIMATORS or name in committee.surpassed:
        targets = (targets + of_real) / np.float32(2)
    return Lesson(committee, targets[committee.fold_of != held], of_real, held)


def copy_rows(made: Samples, real: Samples, lesson: Lesson, study: Study, repetition: int) -> Synthetic:
    """Return a copy of a training row of the same class, drawn at random, for each synthetic sample.

    What helps with them, more rows whose labels a committee gives, is no merit of a generator. As those of real rows,
    their labels are by members that did not see the row; others would repeat what they were told of it.
    """
    random = numpy_generator(study.seed, "copies", repetition)
    rows = np.empty(len(made), dtype=np.int64)
    for label in np.unique(made.labels):
        of_class = made.labels == label
        rows[of_class] = random.choice(np.flatnonzero(real.labels == label), int(of_class.sum()))
    copies = real.take(rows)
    targets = _training_labels(study, copies.one_hot, lesson.of_real[rows])
    return Synthetic(copies, np.arange(len(rows)), targets, rows, copied=True)


_LAST_COMMITTEE: dict[tuple[int, str, str], Committee] = {}
"""The committee that a process has called last, which the next arm of the repetition asks for again."""


def call_committee(study: Study, real: Samples, groups: Indices, repetition: int) -> Committee:
    """Return a committee of the training rows whose folds are those of the inner validation.

    Raises:
        EvaluationError: There are fewer than three folds, because nearly all rows are duplicates of each other.
    """
    fold_of = assign_folds(study, real.labels, groups, repetition)
    if len(np.unique(fold_of)) < 3:
        raise EvaluationError(
            "evaluation.arms: the training rows are nearly all duplicates of each other, too few for the committee that"
            " teaches the arms softened, copies and gan; give more rows"
        )
    seed = derive_seed(study.seed, "committee", repetition)
    key = (seed, study.evaluation.classifier, _digest(real, fold_of))
    if key not in _LAST_COMMITTEE:
        _LAST_COMMITTEE.clear()  # first, for two of them may take too much memory
        _LAST_COMMITTEE[key] = Committee(real, fold_of, study.evaluation.classifier, seed)
    return _LAST_COMMITTEE[key]


def _digest(real: Samples, fold_of: Indices) -> str:
    digest = hashlib.sha256(repr(real.schema).encode())
    for array in (real.values, real.labels, fold_of):
        digest.update(array.tobytes())
    return digest.hexdigest()


def build_diet(arm: Arm, mix: Mix, real: Samples, synthetic: Synthetic | None, lesson: Lesson | None = None) -> Diet:
    """Return what an arm's classifier is trained on.

    Of rows of tables, `mix.ratio` of all weight is synthetic. Of images, it is that share of every class's part of a
    batch; with classical augmentation, of the rarest class's, and one that has n times its rows takes less by the
    square root of n: where real rows abound, synthetic ones only take their place.
    """
    diet = Diet(real, arm.balanced, arm.weighted, mix.policy)
    if lesson:
        diet = replace(diet, real_targets=lesson.targets, teach=lesson.teach)
    if synthetic is None or mix.ratio == 0 or len(synthetic.samples) == 0:
        return diet
    counts = real.counts
    rarest = counts[counts > 0].min()  # a fold may have no row of a class whose rows are all duplicates of each other
    by_class = arm.augmented and real.modality == "image"
    rarity = np.sqrt(rarest / counts.clip(min=rarest)) if by_class else np.ones(len(counts))
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
    committee: Committee | None = None,
) -> tuple[Mix, dict[Mix, float]]:
    """Choose an arm's policy and its share of synthetic samples together, by inner validation on the training rows.

    The generator has seen the rows that a fold holds out, so each fold leaves out the synthetic samples whose nearest
    training row, in the teacher's embedding, is held out. That does not remove all the generator knows of them, so the
    choice still leans towards synthetic samples. What a committee teaches in a fold comes from members that have not
    seen its rows. Of equals the smaller share is taken. The losses without synthetic samples are known from the choice
    of the teacher's policy, which was made in the same folds.

    Returns:
        The chosen mix and the loss of every candidate; no losses if there is just one candidate.
    """
    ratios = study.evaluation.ratios_with_classical if arm.augmented else study.evaluation.ratios
    policies: tuple[str | None, ...] = study.modality.classical if arm.augmented else (None,)
    candidates = [Mix(policy, ratio) for ratio in sorted(set(ratios)) for policy in policies]
    known = {Mix(policy, 0.0): loss for policy, loss in model.policy_losses.items()} if arm.augmented else {}

    @cache
    def taught(held: int | None) -> tuple[Lesson | None, Synthetic]:
        if committee is None:
            return None, synthetic
        lesson = give_lesson(study, real, committee, held)
        says = lesson.of_real[synthetic.nearest] if synthetic.copied else lesson.teach(synthetic.samples.values)
        told = says[synthetic.labelled_as]
        return lesson, synthetic._replace(targets=_training_labels(study, synthetic.samples.one_hot, told))

    def diet_of(mix: Mix, seen: npt.NDArray[np.bool_]) -> Diet:
        lesson, labelled = taught(None if committee is None else int(committee.fold_of[~seen][0]))
        return build_diet(arm, mix, real.take(seen), labelled.among(seen), lesson)

    loss = plain_log_loss if committee else calibrated_log_loss
    return choose(study, real, groups, repetition, candidates, diet_of, known, loss)


def choose_factors(
    study: Study, arm: Arm, real: Samples, groups: Indices, repetition: int, committee: Committee | None
) -> Floats:
    """Choose the factors (K,) of the class probabilities with which an arm decides best, on its training rows.

    What is taught by a committee speaks on its scale, so its members judge each row that they did not see. The others
    are judged by classifiers that were trained as the arm's is, but without the rows of a fold.
    """

    def diet_of(seen: npt.NDArray[np.bool_]) -> Diet:
        return build_diet(arm, Mix(None, 0.0), real.take(seen), None)

    predicted = committee.out_of_fold() if committee else out_of_fold(study, real, groups, repetition, diet_of)
    return tune_factors(real.labels, predicted, study.evaluation.metric)


def _nearest_rows(points: Floats, rows: Floats) -> Indices:
    """Return the index of each point's nearest row, by Euclidean distance, in blocks that bound the memory."""
    row_norms = np.square(rows).sum(1)
    blocks = np.array_split(points, max(1, len(points) // 1024))
    return np.concatenate([(row_norms - 2 * block @ rows.T).argmin(1) for block in blocks]).astype(np.int64)
