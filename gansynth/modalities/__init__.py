"""What a sample is: one package per modality, named in MODALITIES.

A modality offers `Codec` (stored values to network inputs and back, fitted on training rows), `augment` and `mix`
(its classical augmentation), `build_classifier` and `check_classifier` (its downstream classifiers) and `encode_png`
(a sample as a picture).
"""

from gansynth.modalities import image
from gansynth.modalities.image import ImageConfig

__all__ = ["MODALITIES", "AnyModality", "ImageConfig"]

AnyModality = ImageConfig

MODALITIES = {"image": image}
