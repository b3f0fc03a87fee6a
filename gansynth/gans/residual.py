"""The default family: a small conditional residual GAN that a processor trains in minutes.

Paired relativistic loss with R1 and R2 (R3GAN, arXiv 2501.05441), conditional batch normalisation in the generator
(arXiv 1707.00683), a projection discriminator (arXiv 1802.05637). Widths fall as the side
grows, and the discriminator folds its input to half the side first, since full-resolution convolutions cost the most.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from gansynth.gans import base
from gansynth.gans.base import BatchNorm, GanConfig, ProjectionDiscriminator, SampleShape, halvings

LABEL_FEATURES = 32
SMALLEST_SIDE = 6


class Sizes(NamedTuple):
    """Widths of the networks; `blocks` residual blocks stand at each resolution."""

    generator: int
    discriminator: int
    blocks: int


PRESETS = {
    "small": Sizes(generator=32, discriminator=24, blocks=1),
    "medium": Sizes(generator=128, discriminator=64, blocks=2),
    "large": Sizes(generator=256, discriminator=128, blocks=3),
}


class ResidualConfig(GanConfig):
    """Settings of the residual family."""

    kind: Literal["residual"] = Field(default="residual", description="A small conditional residual GAN: the default.")
    preset: Literal["small", "medium", "large"] = Field(
        default="small",
        description="Size of the networks: `small` for processors, `medium` and `large` for GPUs.",
    )
    latent_dim: int = Field(default=64, ge=1, description="Dimensions of the latent space.")


class ConditionalNorm(nn.Module):
    """Batch normalisation whose scale and shift depend on the label."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = BatchNorm(channels, affine=False)
        self.affine = nn.Linear(condition, 2 * channels)
        nn.init.zeros_(self.affine.weight)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.affine(condition)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(shift, self.norm(x), 1 + scale)


class GeneratorBlock(nn.Module):
    """A residual block: x + conv(relu(norm(x)))."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = ConditionalNorm(channels, condition)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        result: Tensor = x + self.conv(F.relu(self.norm(x, condition)))
        return result


class Upsampling(nn.Module):
    """Halves the channels by a convolution at the small side, then doubles the side: cheap where it is small."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.norm = ConditionalNorm(inputs, condition)
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        x = self.conv(F.relu(self.norm(x, condition)))
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Generator(base.Generator):
    """Latents and a label embedding, through a linear map to the smallest grid, then upsampled by residual stages."""

    def __init__(self, config: ResidualConfig, shape: SampleShape, n_classes: int) -> None:
        super().__init__()
        channels, side, _ = shape
        width, _, blocks = PRESETS[config.preset]
        self.latent_dim = config.latent_dim
        self.side, doublings = halvings(side, SMALLEST_SIDE)
        self.label = nn.Embedding(n_classes, LABEL_FEATURES)
        condition = config.latent_dim + LABEL_FEATURES
        self.stem = nn.Linear(condition, width * self.side**2)
        layers: list[nn.Module] = []
        for _ in range(doublings):
            layers += [GeneratorBlock(width, condition) for _ in range(blocks)]
            layers.append(Upsampling(width, width // 2, condition))
            width //= 2
        self.layers = nn.ModuleList(layers)
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        condition = torch.cat([latents, self.label(labels)], dim=1)
        x = self.stem(condition).unflatten(1, (-1, self.side, self.side))
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = layer(x, condition)
        return torch.tanh(self.last(F.leaky_relu(x, 0.2)))


class DiscriminatorBlock(nn.Module):
    """Halves the side, then adds residual convolutions that start as nothing."""

    def __init__(self, inputs: int, outputs: int, stride: int, extra: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.extra = nn.ModuleList(_silent(nn.Conv2d(outputs, outputs, 3, padding=1)) for _ in range(extra))

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.down(x), 0.2)
        for conv in self.extra:
            x = x + F.leaky_relu(conv(x), 0.2)
        return x


class Discriminator(ProjectionDiscriminator):
    """Convolutions down to the smallest grid, a linear layer, and a projection on the label's embedding."""

    def __init__(self, config: ResidualConfig, shape: SampleShape, n_classes: int) -> None:
        super().__init__()
        channels, side, _ = shape
        _, width, blocks = PRESETS[config.preset]
        doublings = halvings(side, SMALLEST_SIDE)[1]
        layers = [DiscriminatorBlock(channels * 4, width, 1, blocks - 1)]
        side //= 2
        for level in range(doublings):
            layers.append(DiscriminatorBlock(width << level, width << (level + 1), 2, blocks - 1))
            side = (side + 1) // 2
        self.layers = nn.ModuleList(layers)
        self.features = nn.Linear((width << doublings) * side**2, 128)
        self.realness = nn.Linear(128, 1)
        self.label = nn.Embedding(n_classes, 128)
        nn.init.normal_(self.label.weight, std=128**-0.5)

    def embed(self, samples: Tensor) -> Tensor:
        """Map samples to 128 features."""
        x = F.pixel_unshuffle(samples, 2).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = layer(x)
        return F.leaky_relu(self.features(x.flatten(1)), 0.2)


def _silent(conv: nn.Conv2d) -> nn.Conv2d:
    """Set a convolution to zero, so that its residual branch starts as nothing."""
    nn.init.zeros_(conv.weight)
    return conv
