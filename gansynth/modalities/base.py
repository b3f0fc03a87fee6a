"""What every modality offers."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self

import pyarrow as pa
import torch
from torch import Tensor, nn

from gansynth.samples import Samples, Values

Shape = tuple[int, ...]
"""The shape of one network input: channels, height and width of an image; the widths of a table's blocks."""


class Codec(Protocol):
    """A reversible map between stored values and network inputs, fitted on training rows alone."""

    @property
    def shape(self) -> Any:  # noqa: ANN401  # a Shape, which each modality knows more of
        """The shape of one network input."""

    @property
    def pass_size(self) -> int:
        """How many samples networks make in one pass; it fixes their last digits."""

    @property
    def block_size(self) -> int:
        """How many samples are chosen and written at a time; it bounds the memory."""

    @classmethod
    def fit(cls, samples: Samples, config: Any) -> Self:  # noqa: ANN401  # the modality's own settings
        """Learn the map from training samples."""

    @classmethod
    def restore(cls, description: Mapping[str, Any]) -> Self:
        """Return the map that `describe` described."""

    def describe(self) -> dict[str, Any]:
        """Return what is needed to restore it, as JSON can hold it."""

    def hold(self, values: Values) -> Tensor:
        """Return stored values (N, ...) as training keeps them on its device, to draw from: compact, or encoded."""

    def inputs(self, held: Tensor) -> Tensor:
        """Map what `hold` returned, or rows of it, to network inputs, float32 in [-1, 1]."""

    def decode(self, tensor: Tensor) -> Values:
        """Map network outputs to the nearest stored values."""


class EmbeddingNetwork(nn.Module):
    """A classifier: logits when called, features (N, D) from `embed`."""

    @abstractmethod
    def embed(self, inputs: Tensor) -> Tensor:
        """Map network inputs (N, ...) to features (N, D)."""


def unchanged(
    inputs: Tensor,
    targets: Tensor,
    _policy: str,
    _config: object,
    _random: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Leave a batch as it is: for modalities that augment rows before they are drawn."""
    return inputs, targets


class Modality(NamedTuple):
    """What a sample is. `config` stands for the modality's own settings, which name its policies as `classical`.

    Attributes:
        codec: The class of its codec.
        augment: Augments a batch of network inputs and class probabilities by a policy of classical augmentation:
            `augment(inputs, targets, policy, config, random)`.
        build_classifier: Returns an untrained classifier, or raises StudyError if none has this name:
            `build_classifier(name, shape, n_classes)`.
        check_classifier: Raises StudyError if a classifier cannot be trained on such inputs; takes the same.
        to_arrow: Returns samples as a table that says what it holds, with further columns, the names that files of the
            samples would have, and threads that encode side by side: `to_arrow(samples, others, names, threads)`.
        from_arrow: Returns the samples of such a table, or raises ValueError if it is none.
        draw: Returns a sample as a PNG file; None if samples are nothing to look at.
    """

    codec: type[Codec]
    augment: Callable[[Tensor, Tensor, Any, Any, torch.Generator], tuple[Tensor, Tensor]]
    build_classifier: Callable[[str, Any, int], EmbeddingNetwork]
    check_classifier: Callable[[str, Any, int], None]
    to_arrow: Callable[[Samples, Mapping[str, pa.Array], Sequence[str], int], pa.Table]
    from_arrow: Callable[[pa.Table], Samples]
    draw: Callable[[Values], bytes] | None = None
