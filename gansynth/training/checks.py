"""What is looked at before a training and after it: whether it can be done, and whether it has come to a sound end."""

from pathlib import Path

from gansynth.detectors import find_normal
from gansynth.errors import StudyError, TrainingError
from gansynth.modalities import MODALITIES
from gansynth.modalities.base import Shape
from gansynth.modalities.image import check_weights
from gansynth.study import Study
from gansynth.training.private import check_private
from gansynth.training.resume import Counters

MOST_SETBACKS = 3


def check_study(study: Study, class_names: tuple[str, ...], rows: int, shape: Shape, processes: int) -> None:
    """Make sure, before hours of training, that what follows can be done.

    Args:
        study: What is asked for.
        class_names: Those of the training rows.
        rows: How many training rows there are.
        shape: What the networks see of a sample.
        processes: How many train together.

    Raises:
        StudyError: The study asks for something that cannot be done.
    """
    if study.gan.batch_size % processes:
        raise StudyError(
            f"gan.batch_size: {processes} processes cannot share {study.gan.batch_size} samples evenly; set it"
            f" to a multiple of {processes}"
        )
    check_private(study, rows, processes)
    modality = MODALITIES[study.modality.kind]
    modality.check_classifier(study.evaluation.classifier, shape, len(class_names))
    if study.evaluation.inception_weights:  # told now rather than after hours of training
        check_weights(Path(study.evaluation.inception_weights))
    if study.evaluation.anomaly is not None:
        find_normal(class_names, study.evaluation.anomaly, "evaluation.anomaly")


def most_setbacks(study: Study) -> int:
    """Return how often a training may be rolled back; a private one never is, for steps taken again cost privacy."""
    return MOST_SETBACKS if study.gan.privacy is None else 0


def check_sound(study: Study, counters: Counters) -> None:
    """Make sure that training has come to a sound end.

    Raises:
        TrainingError: It went wrong too often.
    """
    if len(counters.setbacks) <= most_setbacks(study):
        return
    if study.gan.privacy is not None:
        raise TrainingError(
            f"gan: {counters.setbacks[-1]}, and with gan.privacy no step is taken again, for it would cost privacy;"
            " lower gan.learning_rate or gan.privacy.noise_multiplier"
        )
    raise TrainingError(
        f"gan: {counters.setbacks[-1]}, and a lower learning rate did not help {MOST_SETBACKS} times; lower"
        " gan.learning_rate, raise gan.penalty or give more rows"
    )
