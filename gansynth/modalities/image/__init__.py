"""Images: codec, classical augmentation, downstream classifiers, storage."""

from gansynth.modalities.image.classical import augment
from gansynth.modalities.image.codec import ImageCodec as Codec
from gansynth.modalities.image.config import ImageConfig, Policy
from gansynth.modalities.image.inception import Inception, check_weights
from gansynth.modalities.image.networks import build_classifier, check_classifier
from gansynth.modalities.image.storage import encode_png, from_arrow, to_arrow

__all__ = [
    "Codec",
    "ImageConfig",
    "Inception",
    "Policy",
    "augment",
    "build_classifier",
    "check_classifier",
    "check_weights",
    "encode_png",
    "from_arrow",
    "to_arrow",
]
