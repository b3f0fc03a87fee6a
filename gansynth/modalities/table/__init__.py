"""Tables: kinds of columns, cells, codec, downstream classifiers, storage."""

from gansynth.modalities.table.codec import TableCodec as Codec
from gansynth.modalities.table.config import TableConfig
from gansynth.modalities.table.networks import build_classifier, check_classifier
from gansynth.modalities.table.oversampling import smote
from gansynth.modalities.table.storage import from_arrow, to_arrow

__all__ = ["Codec", "TableConfig", "build_classifier", "check_classifier", "from_arrow", "smote", "to_arrow"]
