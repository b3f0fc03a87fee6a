from dataclasses import replace

import numpy as np
import pytest

from gansynth.checkpoints import TrainedModel
from gansynth.generation.filters import CopyDetector, select
from gansynth.generation.sampler import Candidates, Sampler
from gansynth.modalities.image.storage import Pixels
from gansynth.sections import GenerationConfig


def made_up(agreement: list[float], logits: list[float]) -> Candidates:
    wanted = np.array(agreement, dtype=np.float32)
    return Candidates(
        label=0,
        indices=np.arange(len(agreement)) + 100,
        values=np.zeros((len(agreement), 4, 4, 1), dtype=np.uint8),
        probabilities=np.stack([wanted, 1 - wanted], axis=1),
        logits=np.array(logits, dtype=np.float32),
    )


def numbers(candidates: Candidates) -> list[int]:
    return (candidates.indices - 100).tolist()


def test_the_teacher_keeps_those_it_agrees_with() -> None:
    kept, rejected = select(made_up([0.1, 0.9, 0.5, 0.8], [0, 0, 0, 0]), 2, ("teacher",), None)
    assert numbers(kept) == [1, 3]
    assert rejected == {"teacher": 2}


def test_ranks_of_two_filters_are_averaged_and_the_lower_one_is_to_blame() -> None:
    candidates = made_up([0.9, 0.8, 0.7, 0.1], [-9.0, 2.0, 3.0, 1.0])
    kept, rejected = select(candidates, 2, ("teacher", "discriminator"), None)
    assert numbers(kept) == [1, 2]
    assert rejected == {"teacher": 1, "discriminator": 1}


def test_ties_go_to_the_smaller_number() -> None:
    kept, _ = select(made_up([1.0] * 6, [0.0] * 6), 3, ("discriminator", "teacher"), None)
    assert numbers(kept) == [0, 1, 2]


def test_without_filters_the_first_are_kept() -> None:
    kept, rejected = select(made_up([0.1, 0.2, 0.9], [0, 1, 2]), 2, (), None)
    assert numbers(kept) == [0, 1]
    assert not rejected


@pytest.fixture
def candidates(model: TrainedModel) -> Candidates:
    return Sampler(model, 3, GenerationConfig(filters=("discriminator",))).draw(1, 0, 40)


def test_a_copy_of_a_training_row_is_rejected_whatever_its_class(
    model: TrainedModel, candidates: Candidates, training_images: Pixels
) -> None:
    planted = [4, 17]
    candidates.values[planted] = training_images[[13, 30]]
    kept, rejected = select(candidates, 40, ("distance", "teacher"), CopyDetector(model))
    assert rejected["distance"] >= 2
    assert not set(planted) & set(kept.indices.tolist())
    assert len(kept) + rejected.total() == 40


def test_training_rows_are_copies_and_most_unseen_rows_are_not(
    model: TrainedModel, training_images: Pixels, held_out_images: Pixels
) -> None:
    detector = CopyDetector(model)
    assert detector.find(training_images).all()
    assert detector.find(held_out_images).mean() < 0.4


def test_duplicated_training_rows_do_not_blind_the_detector(model: TrainedModel, training_images: Pixels) -> None:
    doubled = replace(
        model,
        training_embeddings=np.repeat(model.training_embeddings, 2, axis=0),
        training_labels=np.repeat(model.training_labels, 2),
    )
    assert CopyDetector(doubled).find(training_images).all()
