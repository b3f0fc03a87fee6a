"""Downstream image classifiers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansynth.errors import StudyError, first_line
from gansynth.modalities.base import EmbeddingNetwork

Shape = tuple[int, int, int]


class ResidualBlock(nn.Module):
    """Two convolutions with batch normalisation around a shortcut; the first may halve the side."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm2(self.second(F.relu(self.norm1(self.first(x)))))
        return F.relu(inner + self.shortcut(x))


class SmallResNet(EmbeddingNetwork):
    """A residual network of about 75,000 parameters for small images."""

    def __init__(self, shape: Shape, n_classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(shape[0] * 4, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(ResidualBlock(16, 32, 2), ResidualBlock(32, 64, 2))
        self.head = nn.Linear(64, n_classes)

    def embed(self, inputs: Tensor) -> Tensor:
        """Map images (N, channels, height, width) to features (N, 64)."""
        x = F.pixel_unshuffle(inputs, 2).contiguous(memory_format=torch.channels_last)
        x = self.blocks(F.relu(self.norm(self.stem(x))))
        features: Tensor = x.mean((2, 3))
        return features

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embed(images))
        return logits


class TorchvisionClassifier(EmbeddingNetwork):
    """Any torchvision classifier by name, untrained; grey images are repeated to three channels."""

    def __init__(self, name: str, shape: Shape, n_classes: int) -> None:
        from torchvision import models  # noqa: PLC0415 - slow to import, and who reads a study does without

        super().__init__()
        self.repeat = 3 if shape[0] == 1 else 1
        self.network = models.get_model(name, weights=None, num_classes=n_classes)

    def embed(self, inputs: Tensor) -> Tensor:
        """Map images to what enters the last linear layer; to the logits where a network has none."""
        linear = [layer for layer in self.network.modules() if isinstance(layer, nn.Linear)]
        seen: list[Tensor] = []
        hooks = [layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])) for layer in linear[-1:]]
        logits = self.forward(inputs)
        for hook in hooks:
            hook.remove()
        return seen[0].flatten(1) if seen else logits

    def forward(self, images: Tensor) -> Tensor:
        output = self.network(images.repeat(1, self.repeat, 1, 1))
        logits: Tensor = output if isinstance(output, Tensor) else output.logits
        return logits


def build_classifier(name: str, shape: Shape, n_classes: int) -> EmbeddingNetwork:
    """Return an untrained classifier that maps images to logits and has `embed`.

    Raises:
        StudyError: There is no classifier of this name.
    """
    if name == "small_resnet":
        return SmallResNet(shape, n_classes)
    from torchvision import models  # noqa: PLC0415 - slow to import, and who reads a study does without

    if name not in models.list_models(module=models):
        raise StudyError(
            f"evaluation.classifier: no classifier is called {name!r}; use small_resnet or a torchvision one,"
            " e.g. resnet18"
        )
    return TorchvisionClassifier(name, shape, n_classes)


def check_classifier(name: str, shape: Shape, n_classes: int) -> None:
    """Find out whether a classifier can be trained on images of this shape, without computing anything.

    Raises:
        StudyError: There is no classifier of this name, or it needs larger images.
    """
    with torch.device("meta"):  # shapes without contents: no weights are drawn
        network = build_classifier(name, shape, n_classes)
        try:
            network(torch.empty(2, *shape))
        except (RuntimeError, ValueError) as error:
            reason = first_line(error)
            raise StudyError(
                f"evaluation.classifier: {name} cannot take images of {shape[1]} pixels ({reason}); raise modality.size"
                " or use small_resnet"
            ) from None
