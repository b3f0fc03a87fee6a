"""Where synthetic samples come from: carried into every file of them."""

from dataclasses import dataclass
from typing import Literal

from gansynth.samples import Schema
from gansynth.seeding import derive_seed

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""The IPTC's word for media made by a trained model."""


@dataclass(frozen=True)
class Origin:
    """Where synthetic samples come from.

    Attributes:
        study: Name of the study.
        seed: The seed that, with a sample's label and number, gives the sample.
        licence: Licence of the source.
        model_digest: Digest of the trained model.
        class_names: The true names, in label order.
        modality: What the samples are.
        schema: What the columns of a table are, where samples are written; images have none.
        guarantee: What differential privacy guarantees of the model, in words; empty if it was trained without.
    """

    study: str
    seed: int
    licence: str
    model_digest: str
    class_names: tuple[str, ...]
    modality: Literal["image", "table"] = "image"
    schema: Schema | None = None
    guarantee: str = ""

    @property
    def things(self) -> str:
        """What people call the samples."""
        return {"image": "images", "table": "rows"}[self.modality]


def delivery_seed(root: int, repetition: int | None) -> int:
    """Return the seed of the samples of a repetition's generator (None: the delivered one) under the study's seed."""
    return derive_seed(root, "generation", -1 if repetition is None else repetition)


def batch_seed(root: int) -> int:
    """Return the seed of a batch's samples under the batch's own: they are none of those delivered with the run."""
    return derive_seed(root, "export")
