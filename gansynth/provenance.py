"""Where synthetic samples come from: carried into every file of them."""

from dataclasses import dataclass

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
    """

    study: str
    seed: int
    licence: str
    model_digest: str
    class_names: tuple[str, ...]
