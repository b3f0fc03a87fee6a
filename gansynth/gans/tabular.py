"""A conditional GAN for rows of tables: fully connected; the noise that draws categories is part of the latent.

What it takes from CTGAN (arXiv 1907.00503) is the mixture of activations; unlike there, the condition is the label, the
loss relativistic with gradient penalties, and no batch normalisation lets samples depend on each other.
"""

from collections.abc import Callable
from itertools import accumulate
from typing import ClassVar, Literal

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
    per_class: bool = Field(
        default=False,
        description="Give the generator layers of their own for each class, instead of layers that all classes share.",
    )
    has_auxiliary: ClassVar[bool] = True
    can_be_private: ClassVar[bool] = True
    auxiliary: float = with_default("auxiliary", 0.3)
    penalty: float = with_default("penalty", 0.2)
    kimg: float = with_default("kimg", 64)
    batch_size: int = with_default("batch_size", 64)
    penalty_every: int = with_default("penalty_every", 4)
    augmentation: tuple[Literal["affine", "cutout", "flip"], ...] = with_default("augmentation", ())


class ClassLinear(nn.Linear):
    """A linear layer of its own for each of `n_classes` classes, all in one matrix; with 1, all share it."""

    def __init__(self, inputs: int, outputs: int, n_classes: int) -> None:
        super().__init__(inputs, outputs * n_classes)
        self.n_classes = n_classes

    def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:  # type: ignore[override]  # labels choose the layer
        outputs = super().forward(inputs)
        if self.n_classes == 1:
            return outputs
        rows = torch.arange(len(inputs), device=inputs.device)
        return outputs.view(len(rows), self.n_classes, -1)[rows, labels]


class Generator(base.Generator):
    """Hidden layers from latents and a label embedding to the blocks of a row.

    Numbers pass a tanh. One-hot blocks are Gumbel-softmax draws (arXiv 1611.01144), whose noise is the last part of the
    latent: the distribution function of the normal makes it uniform.
    """

    def __init__(self, config: TabularConfig, shape: Widths, n_classes: int) -> None:
        super().__init__()
        self.own_dim, self.temperature = config.latent_dim, config.temperature
        starts = [0, *accumulate(shape)]
        blocks = [range(start, start + width) for start, width in zip(starts, shape, strict=False) if width > 1]
        chosen = [column for block in blocks for column in block]
        self.latent_dim = config.latent_dim + len(chosen)
        self.label = nn.Embedding(n_classes, config.width)
        owners = n_classes if config.per_class else 1
        self.first = ClassLinear(config.latent_dim, config.width, owners)
        self.others = nn.ModuleList(ClassLinear(config.width, config.width, owners) for _ in range(config.depth - 1))
        self.last = ClassLinear(config.width, sum(shape), owners)
        # `places`: one-hot blocks as the rows of a matrix, filled up with their first column
        widest = max(map(len, blocks), default=0)
        members = torch.zeros(len(blocks), sum(shape))
        for block, columns in enumerate(blocks):
            members[block, list(columns)] = 1
        is_number = members.sum(0) == 0
        self.n_blocks = len(blocks)
        held = {
            "places": torch.tensor(
                [[*block, *[block[0]] * (widest - len(block))] for block in blocks], dtype=torch.int64
            ),
            "members": members,
            "is_number": is_number,
            "numbers": is_number.nonzero().squeeze(1),
            # where the noise of a column is; that of numbers is not used
            "noises": (~is_number).cumsum(0).sub(1).clamp(min=0),
            # of one-hot blocks, where they start and end; of columns, in which of them they are
            "starts": torch.tensor([block[0] for block in blocks], dtype=torch.int64),
            "ends": torch.tensor([block[-1] + 1 for block in blocks], dtype=torch.int64),
            "block_of": members.argmax(0) if blocks else torch.zeros(sum(shape), dtype=torch.int64),
        }
        for name, value in held.items():
            self.register_buffer(name, value, persistent=False)

    @property
    def sampling_dim(self) -> int:
        """How many standard normal numbers `sample` takes for a row: one for each one-hot block, besides its own."""
        return self.own_dim + self.n_blocks

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        row = self._logits(latents[:, : self.own_dim], labels)
        return self._assemble(row, self._draw, latents[:, self.own_dim :])

    def sample(self, latents: Tensor, labels: Tensor, scale: float) -> Tensor:
        """As `forward`, with one-hot blocks that are just that.

        The largest entry of a Gumbel-softmax draw is distributed as the softmax says, so a single number can draw it by
        the inverse of its distribution function. Numbers that draw are not scaled.
        """
        row = self._logits(scale * latents[:, : self.own_dim], labels)
        return self._assemble(row, self._choose, latents[:, self.own_dim :])

    def _logits(self, latents: Tensor, labels: Tensor) -> Tensor:
        hidden = F.leaky_relu(self.first(latents, labels) + self.label(labels), 0.2)
        for layer in self.others:
            hidden = F.leaky_relu(layer(hidden, labels), 0.2)
        row: Tensor = self.last(hidden, labels)
        return row

    def _assemble(self, row: Tensor, draw: Callable[[Tensor, Tensor], Tensor], noise: Tensor) -> Tensor:
        if not self.n_blocks:
            return row.tanh()
        numbers = self.get_buffer("numbers")
        return draw(row, noise).index_copy(1, numbers, row.index_select(1, numbers).tanh())

    def _choose(self, row: Tensor, noise: Tensor) -> Tensor:
        """Return every one-hot block of a row of logits with the entry that its noise (N, blocks) chooses."""
        is_number = self.get_buffer("is_number")
        weights = (row - self._largest(row)).exp().masked_fill(is_number, 0)
        summed = F.pad(weights.double().cumsum(1), (1, 0))
        uniform = torch.special.ndtr(noise.double()).clamp(SMALLEST_UNIFORM, 1 - SMALLEST_UNIFORM)
        low, high = (summed.index_select(1, self.get_buffer(name)) for name in ("starts", "ends"))
        wanted = torch.lerp(low, high, uniform).index_select(1, self.get_buffer("block_of"))
        chosen = (summed[:, :-1] <= wanted) & (wanted < summed[:, 1:])
        return chosen.masked_fill(is_number, 0).to(row.dtype)

    def _largest(self, row: Tensor) -> Tensor:
        """Return, in each place of a one-hot block, its largest entry; in that of a number, 0."""
        places = row.index_select(1, self.get_buffer("places").flatten())
        return places.view(len(row), self.n_blocks, -1).amax(2) @ self.get_buffer("members")

    def _draw(self, row: Tensor, noise: Tensor) -> Tensor:
        """Return a Gumbel-softmax draw of every one-hot block of a row of logits; 1 in the places of numbers.

        Sums within blocks are products with the matrix of their members, much faster than to sort columns into blocks.
        """
        members, is_number = self.get_buffer("members"), self.get_buffer("is_number")
        uniform = torch.special.ndtr(noise).clamp(SMALLEST_UNIFORM, 1 - SMALLEST_UNIFORM)
        gumbel = -uniform.log().neg().log().index_select(1, self.get_buffer("noises"))
        noisy = ((row + gumbel) / self.temperature).masked_fill(is_number, 0)
        with torch.no_grad():
            largest = self._largest(noisy)
        drawn: Tensor = (noisy - largest).exp()
        return drawn / ((drawn @ members.T) @ members + is_number)


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
