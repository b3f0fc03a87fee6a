"""A trained model to and from a directory: written by training, read by generation and evaluation.

`generator.safetensors` (moving average of the weights), `discriminator.safetensors` and `teacher.safetensors` hold
weights, `training_rows.safetensors` the teacher's embedding of the training rows, their labels and numbers, and
`model.json` what is needed to rebuild the networks. Nothing is pickled, and nothing that is loaded runs code.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

from gansynth.artifacts import read_manifest
from gansynth.classifiers import Classifier, teacher_name
from gansynth.devices import make_fabric
from gansynth.errors import ArtifactError, ResourceError, first_line
from gansynth.gans import FAMILIES
from gansynth.gans.base import Discriminator, Generator
from gansynth.memory import is_out_of_memory
from gansynth.modalities import MODALITIES
from gansynth.modalities.base import Codec
from gansynth.modalities.table.storage import describe, restore
from gansynth.privacy import Guarantee
from gansynth.runs import GUARANTEE_FILE
from gansynth.samples import Indices, Samples, Schema
from gansynth.sections import ComputeConfig
from gansynth.study import Study

DESCRIPTION = "model.json"
TRAINING_ROWS = "training_rows.safetensors"


@dataclass(frozen=True)
class TrainedModel:
    """A trained generator with what judges and completes its samples. Networks are frozen, in evaluation mode.

    Attributes:
        generator: Maps latents (N, latent_dim) and labels (N,) to network outputs (N, *shape) in [-1, 1].
        discriminator: Maps network inputs and labels to realness logits (N,).
        codec: Stored values to network inputs and back.
        teacher: Classifier trained on the same real rows; of images, with classical augmentation.
        policy: The policy of that augmentation, chosen by inner validation.
        policy_losses: What every candidate policy lost in it, in nats; empty if unknown.
        training_embeddings: (M, features), the teacher's embedding of the real training rows.
        training_labels: (M,).
        training_rows: (M,), where in the dataset these rows are.
        class_names: True names in label order.
        schema: What the columns of a table are; None for images.
        device: Where the networks are.
        guarantee: What differential privacy guarantees of the networks; None if they were trained without.
    """

    generator: Generator
    discriminator: Discriminator
    codec: Codec
    teacher: Classifier
    policy: str
    policy_losses: Mapping[str, float]
    training_embeddings: npt.NDArray[np.float32]
    training_labels: Indices
    training_rows: Indices
    class_names: tuple[str, ...]
    schema: Schema | None
    device: torch.device
    guarantee: Guarantee | None = None


class Networks(NamedTuple):
    """What is saved of a training: the generator's moving average, the discriminator and the teacher."""

    generator: Generator
    discriminator: Discriminator
    teacher: Classifier


def save_model(
    directory: Path,
    study: Study,
    networks: Networks,
    policy: str,
    policy_losses: Mapping[str, float],
    train: Samples,
    rows: Indices,
) -> None:
    """Write a model to `directory`, which exists; `train` is what it was trained on: these `rows` of the dataset."""
    generator, discriminator, teacher = networks
    by_name = {"generator": generator, "discriminator": discriminator, "teacher": teacher.network}
    for name, network in by_name.items():
        tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
        save_file(tensors, directory / f"{name}.safetensors")
    known: dict[str, npt.NDArray[Any]] = {
        "embeddings": teacher.embed(train.values),
        "labels": train.labels,
        "rows": rows,
    }
    save_arrays(known, directory / TRAINING_ROWS)
    description = {
        "gan": study.gan.model_dump(mode="json"),
        "modality": study.modality.model_dump(mode="json"),
        "classifier": teacher_name(study),
        "policy": policy,
        "policy_losses": policy_losses,
        "codec": teacher.codec.describe(),
        "class_names": train.class_names,
        "schema": describe(train.schema) if train.schema else None,
    }
    (directory / DESCRIPTION).write_text(json.dumps(description, indent=1, ensure_ascii=False))


def read_classes(directory: Path) -> tuple[tuple[str, ...], Indices]:
    """Return the class names of the model artifact at `directory`, and how many training rows each class had.

    Raises:
        ArtifactError: There is no model, or it is damaged.
    """
    read_manifest(directory)
    try:
        names = tuple(json.loads((directory / DESCRIPTION).read_text())["class_names"])
        labels = _training_rows(directory, len(names))["labels"]
    except Exception as error:  # damaged bytes may hold anything
        raise _damaged(directory, error) from error
    return names, np.bincount(labels, minlength=len(names))


def read_guarantee(directory: Path) -> Guarantee | None:
    """Return what differential privacy guarantees of the model artifact at `directory`; None if trained without.

    Raises:
        ArtifactError: There is no model, or it is damaged.
    """
    if GUARANTEE_FILE not in read_manifest(directory).files:
        return None
    try:
        return Guarantee.model_validate_json((directory / GUARANTEE_FILE).read_text())
    except (OSError, ValueError) as error:
        raise _damaged(directory, error) from error


def load_model(directory: Path, compute: ComputeConfig) -> TrainedModel:
    """Read the model artifact at `directory` onto the device that `compute` names.

    Raises:
        ArtifactError: There is none, or it is damaged.
        ResourceError: There is too little memory.
    """
    read_manifest(directory)
    device = make_fabric(compute).device
    try:
        description = json.loads((directory / DESCRIPTION).read_text())
        class_names = tuple(description["class_names"])
        family = FAMILIES[description["gan"]["kind"]]
        config = family.config.model_validate(description["gan"])
        modality = MODALITIES[description["modality"]["kind"]]
        codec = modality.codec.restore(description["codec"])
        shape = codec.shape
        generator = family.generator(config, shape, len(class_names))
        discriminator = family.discriminator(config, shape, len(class_names))
        teacher = modality.build_classifier(description["classifier"], shape, len(class_names))
        for name, network in (("generator", generator), ("discriminator", discriminator), ("teacher", teacher)):
            network.load_state_dict(load_file(directory / f"{name}.safetensors"))
            network.to(memory_format=torch.channels_last).to(device).eval().requires_grad_(False)
        rows = _training_rows(directory, len(class_names))
        schema = restore(description["schema"]) if description["schema"] else None
        policy = description["policy"]
        policy_losses = description["policy_losses"]
    except Exception as error:  # networks of the sizes that damaged bytes tell fail in all sorts of ways
        if is_out_of_memory(error):
            raise ResourceError(
                f"{directory}: memory does not suffice to load the model ({first_line(error)}); lower compute.workers,"
                " or set compute.accelerator to 'cpu'"
            ) from error
        raise _damaged(directory, error) from error
    return TrainedModel(
        generator=generator,
        discriminator=discriminator,
        codec=codec,
        teacher=Classifier(teacher, codec, device),
        policy=policy,
        policy_losses=policy_losses,
        training_embeddings=rows["embeddings"],
        training_labels=rows["labels"],
        training_rows=rows["rows"],
        class_names=class_names,
        schema=schema,
        device=device,
        guarantee=read_guarantee(directory),
    )


def _training_rows(directory: Path, n_classes: int) -> dict[str, npt.NDArray[Any]]:
    """Return what is known of the training rows; what is not looked at is not read, and takes no memory."""
    known = {name: tensor.numpy() for name, tensor in load_file(directory / TRAINING_ROWS).items()}
    labels, rows, embeddings = known["labels"], known["rows"], known["embeddings"]
    are_rows = labels.dtype.kind == rows.dtype.kind == "i" and labels.shape == rows.shape == embeddings.shape[:1]
    if not (are_rows and embeddings.ndim == 2 and ((labels >= 0) & (labels < n_classes)).all()):
        raise ValueError(f"{TRAINING_ROWS} does not hold a label, a number and an embedding of each training row")
    return known


def _damaged(directory: Path, error: Exception) -> ArtifactError:
    return ArtifactError(f"{directory}: damaged model ({first_line(error)}); delete it and train again")
