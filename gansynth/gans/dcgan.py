"""The deep convolutional GAN (arXiv 1511.06434), conditional: plain convolutions without residual paths.

The generator upsamples by transposed convolutions with batch normalisation; the discriminator has none, because its
gradient penalty is taken per sample, and ends in a projection on the label's embedding (arXiv 1802.05637).
"""

from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from gansynth.gans import base
from gansynth.gans.base import (
    BatchNorm,
    GanConfig,
    LossName,
    PenaltyName,
    ProjectionDiscriminator,
    SampleShape,
    halvings,
    widths,
    with_default,
)

WIDEST = 8
"""Channels at the smallest sides, in multiples of those next to the samples."""


class DcganConfig(GanConfig):
    """Settings of the deep convolutional family."""

    kind: Literal["dcgan"] = Field(default="dcgan", description="A deep convolutional GAN, without residual paths.")
    latent_dim: int = Field(default=64, ge=1, description="Dimensions of the latent space.")
    width: int = Field(
        default=24, ge=1, description="Channels next to the samples; they double wherever the side is halved."
    )
    loss: LossName = with_default("loss", "hinge")
    penalty_kind: PenaltyName = with_default("penalty_kind", "r1")
    learning_rate: float = with_default("learning_rate", 4e-4)


class Generator(base.Generator):
    """A linear map of latents and label to the smallest grid, then a transposed convolution for each doubling."""

    def __init__(self, config: DcganConfig, shape: SampleShape, n_classes: int) -> None:
        super().__init__()
        channels, side, _ = shape
        self.latent_dim = config.latent_dim
        self.side, doublings = halvings(side)
        channels_at = widths(config.width, WIDEST * config.width, doublings)
        self.label = nn.Embedding(n_classes, config.latent_dim)
        self.stem = nn.Linear(2 * config.latent_dim, channels_at[-1] * self.side**2)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(reversed(channels_at)):
            upsample = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
            layers += [BatchNorm(inputs), nn.ReLU(), upsample]
        self.layers = nn.Sequential(*layers, BatchNorm(config.width), nn.ReLU())
        self.last = nn.Conv2d(config.width, channels, 3, padding=1)

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        x = self.stem(torch.cat([latents, self.label(labels)], dim=1)).unflatten(1, (-1, self.side, self.side))
        return torch.tanh(self.last(self.layers(x.contiguous(memory_format=torch.channels_last))))


class Discriminator(ProjectionDiscriminator):
    """A strided convolution for each halving, and a projection on the label's embedding."""

    def __init__(self, config: DcganConfig, shape: SampleShape, n_classes: int) -> None:
        super().__init__()
        channels, side, _ = shape
        smallest, levels = halvings(side)
        channels_at = [channels, *widths(config.width, WIDEST * config.width, levels)[1:]]
        self.layers = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(0.2))
                for inputs, outputs in pairwise(channels_at)
            )
        )
        features = channels_at[-1] * smallest**2
        self.realness = nn.Linear(features, 1)
        self.label = nn.Embedding(n_classes, features)
        nn.init.normal_(self.label.weight, std=features**-0.5)

    def embed(self, samples: Tensor) -> Tensor:
        """Map samples to the features of the last convolution."""
        x: Tensor = self.layers(samples.contiguous(memory_format=torch.channels_last))
        return x.flatten(1)
