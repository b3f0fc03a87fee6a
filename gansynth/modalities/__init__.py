"""What a sample is: one package per modality, named in MODALITIES."""

import pyarrow as pa

from gansynth.modalities import image
from gansynth.modalities.base import Modality
from gansynth.modalities.image import ImageConfig

__all__ = ["MODALITIES", "AnyModality", "ImageConfig", "Modality", "modality_of"]

AnyModality = ImageConfig

MODALITIES = {
    "image": Modality(
        image.Codec,
        image.augment,
        image.build_classifier,
        image.check_classifier,
        image.to_arrow,
        image.from_arrow,
        image.encode_png,
    ),
}

TABLE_KEY = b"gansynth_schema"


def modality_of(table: pa.Table) -> str:
    """Return the modality of the samples in a table that `to_arrow` made."""
    return "table" if TABLE_KEY in (table.schema.metadata or {}) else "image"
