"""A conditional GAN for rows of tables: fully connected; the noise that draws categories is part of the latent.

What it takes from CTGAN (arXiv 1907.00503) is the mixture of activations; unlike there, the condition is the label, the
loss relativistic with gradient penalties, and no batch normalisation lets samples depend on each other.
"""

from itertools import accumulate
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from gansynth.gans import base
from gansynth.gans.base import GanConfig, with_default

SMALLEST_UNIFORM = 1e-6
AUXILIARY_WIDTH = 64
Widths = tuple[int, ...]
"""The blocks of a row: 1 is a number in [-1, 1], more is one-hot."""


class TabularConfig(GanConfig):
    """Settings of the family for tables."""

    kind: Literal["tabular"] = Field(default="tabular", description="Fully connected networks for the rows of tables.")
    latent_dim: int = Field(default=32, ge=1, description="Dimensions of the latent space, besides the Gumbel noise.")
    width: int = Field(default=128, ge=1, description="Units of each hidden layer.")
    depth: int = Field(default=2, ge=1, description="Hidden layers of each network.")
    temperature: float = Field(
        default=0.5,
        gt=0,
        description="Temperature of the categories that are drawn; below 1 they are sharper.",
    )
    has_auxiliary: ClassVar[bool] = True
    auxiliary: float = with_default("auxiliary", 0.3)
    penalty: float = with_default("penalty", 0.05)
    kimg: float = with_default("kimg", 128)
    batch_size: int = with_default("batch_size", 64)
    penalty_every: int = with_default("penalty_every", 4)
    augmentation: tuple[Literal["affine", "cutout", "flip"], ...] = with_default("augmentation", ())


class Generator(nn.Module):
    """Hidden layers from latents and a label embedding to the blocks of a row.

    Numbers pass a tanh. One-hot blocks are Gumbel-softmax draws (arXiv 1611.01144), whose noise is the last part of the
    latent: the distribution function of the normal makes it uniform.
    """

    def __init__(self, config: TabularConfig, shape: Widths, n_classes: int) -> None:
        super().__init__()
        self.own_dim, self.temperature = config.latent_dim, config.temperature
        starts = [0, *accumulate(shape)]
        numbers = [start for start, width in zip(starts, shape, strict=False) if width == 1]
        blocks = [range(start, start + width) for start, width in zip(starts, shape, strict=False) if width > 1]
        chosen = [column for block in blocks for column in block]
        self.latent_dim = config.latent_dim + len(chosen)
        self.label = nn.Embedding(n_classes, config.width)
        self.first = nn.Linear(config.latent_dim, config.width)
        self.others = nn.ModuleList(nn.Linear(config.width, config.width) for _ in range(config.depth - 1))
        self.last = nn.Linear(config.width, sum(shape))
        # one-hot blocks as the rows of a matrix, whose empty places point behind the last logit
        places = [len(chosen)] * (len(blocks) * max(map(len, blocks), default=0))
        widest, place = max(map(len, blocks), default=0), 0
        for row, block in enumerate(blocks):
            places[row * widest : row * widest + len(block)] = range(place, place + len(block))
            place += len(block)
        held = {
            "numbers": numbers,
            "chosen": chosen,
            "places": places,
            "filled": [place for place, logit in enumerate(places) if logit < len(chosen)],
            "order": np.argsort([*numbers, *chosen]).tolist(),
        }
        self.n_blocks = len(blocks)
        for name, value in held.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.int64), persistent=False)

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        hidden = F.leaky_relu(self.first(latents[:, : self.own_dim]) + self.label(labels), 0.2)
        for layer in self.others:
            hidden = F.leaky_relu(layer(hidden), 0.2)
        row = self.last(hidden)
        numbers = row[:, self.get_buffer("numbers")].tanh()
        drawn = self._draw(row[:, self.get_buffer("chosen")], latents[:, self.own_dim :])
        return torch.cat([numbers, drawn], 1)[:, self.get_buffer("order")]

    def _draw(self, logits: Tensor, noise: Tensor) -> Tensor:
        """Return a Gumbel-softmax draw of every one-hot block, side by side as the logits are."""
        if not logits.shape[1]:
            return logits
        uniform = torch.special.ndtr(noise).clamp(SMALLEST_UNIFORM, 1 - SMALLEST_UNIFORM)
        noisy = (logits - uniform.log().neg().log()) / self.temperature
        blocks = F.pad(noisy, (0, 1), value=-torch.inf)[:, self.get_buffer("places")]
        drawn = blocks.view(len(logits), self.n_blocks, -1).softmax(2)
        return drawn.flatten(1)[:, self.get_buffer("filled")]


class Discriminator(base.ProjectionDiscriminator):
    """Hidden layers from a row and a label embedding to features, and a logit of features and label."""

    def __init__(self, config: TabularConfig, shape: Widths, n_classes: int) -> None:
        super().__init__()
        inputs = [sum(shape), *[config.width] * (config.depth - 1)]
        self.layers = nn.ModuleList(nn.Linear(width, config.width) for width in inputs)
        self.realness = nn.Linear(config.width, 1)
        self.label = nn.Embedding(n_classes, config.width)
        nn.init.normal_(self.label.weight, std=config.width**-0.5)
        if config.auxiliary > 0:
            self.classifier = nn.Sequential(
                nn.Linear(sum(shape), AUXILIARY_WIDTH),
                nn.LeakyReLU(0.2),
                nn.Linear(AUXILIARY_WIDTH, AUXILIARY_WIDTH),
                nn.LeakyReLU(0.2),
                nn.Linear(AUXILIARY_WIDTH, n_classes),
            )

    def embed(self, samples: Tensor) -> Tensor:
        """Map rows to the last hidden layer."""
        features = samples
        for layer in self.layers:
            features = F.leaky_relu(layer(features), 0.2)
        return features

    def classify(self, samples: Tensor) -> Tensor:
        """Map rows to logits of their classes."""
        logits: Tensor = self.classifier(samples)
        return logits
