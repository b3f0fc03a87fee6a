"""What a sample is: one package per modality, named in MODALITIES."""

import pyarrow as pa

from gansynth.modalities import image, table
from gansynth.modalities.base import Modality, unchanged
from gansynth.modalities.image import ImageConfig
from gansynth.modalities.table import TableConfig
from gansynth.modalities.table.storage import SCHEMA_KEY

__all__ = ["MODALITIES", "AnyModality", "ImageConfig", "Modality", "TableConfig", "modality_of"]

AnyModality = ImageConfig | TableConfig

MODALITIES = {
    "image": Modality(
        image.Codec,
        image.augment,
        image.build_classifier,
        image.check_classifier,
        image.to_arrow,
        image.from_arrow,
        draw=image.encode_png,
    ),
    "table": Modality(
        table.Codec,
        unchanged,
        table.build_classifier,
        table.check_classifier,
        table.to_arrow,
        table.from_arrow,
    ),
}


def modality_of(stored: pa.Table) -> str:
    """Return the modality of the samples in a table that `to_arrow` made."""
    return "table" if SCHEMA_KEY in (stored.schema.metadata or {}) else "image"
