"""The teacher: the classifier that filters, labels and embeds synthetic samples, and the classical arm's as well."""

from typing import NamedTuple

from gansynth.classifiers import Classifier, Diet, fit_network, teacher_name
from gansynth.samples import Indices, Samples
from gansynth.study import Study
from gansynth.validation import calibrated_log_loss, choose


class Teacher(NamedTuple):
    """A classifier trained with classical augmentation, its policy, and what every policy lost in inner validation."""

    classifier: Classifier
    policy: str
    losses: dict[str, float]


def fit_teacher(study: Study, samples: Samples, groups: Indices, seed_index: int) -> Teacher:
    """Choose the policy of classical augmentation by inner validation, and train a classifier with it.

    Args:
        study: Names the candidate policies.
        samples: The training rows.
        groups: Numbers that duplicates among them share, (N,).
        seed_index: Which repetition this is.
    """
    policies: tuple[str, ...] = study.modality.classical
    policy, losses = choose(
        study,
        samples,
        groups,
        seed_index,
        policies,
        lambda candidate, seen: Diet(samples.take(seen), policy=candidate),
        known={},
        loss=calibrated_log_loss,
    )
    # of images, trained just as the arms are: it is the classifier of the classical arm
    of_images = study.modality.kind == "image"
    diet = Diet(samples, policy=policy) if of_images else Diet(samples, balanced=False)
    name = teacher_name(study)
    classifier = fit_network(study, name, diet, study.evaluation.steps, seed_index, "arm")
    return Teacher(classifier, policy, losses)
