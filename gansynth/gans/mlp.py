"""The fully connected conditional GAN of the textbooks (arXiv 1406.2661, 1411.1784): the floor to compare with."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from gansynth.gans import base
from gansynth.gans.base import GanConfig, LossName, SampleShape, with_default


class MlpConfig(GanConfig):
    """Settings of the fully connected family."""

    can_be_private: ClassVar[bool] = True
    kind: Literal["mlp"] = Field(default="mlp", description="A fully connected GAN: the floor.")
    latent_dim: int = Field(default=64, ge=1, description="Dimensions of the latent space.")
    width: int = Field(default=256, ge=1, description="Units of each hidden layer.")
    kimg: float = with_default("kimg", 200)
    loss: LossName = with_default("loss", "non_saturating")
    penalty: float = with_default("penalty", 0.0)
    learning_rate: float = with_default("learning_rate", 2e-4)
    augmentation: tuple[Literal["affine", "cutout", "flip"], ...] = with_default("augmentation", ())


class Generator(base.Generator):
    """Two hidden layers from latents and a label embedding to pixels."""

    def __init__(self, config: MlpConfig, shape: SampleShape, n_classes: int) -> None:
        super().__init__()
        self.latent_dim, self.shape = config.latent_dim, shape
        self.label = nn.Embedding(n_classes, config.latent_dim)
        self.layers = nn.Sequential(
            nn.Linear(2 * config.latent_dim, config.width),
            nn.LeakyReLU(0.2),
            nn.Linear(config.width, 2 * config.width),
            nn.LeakyReLU(0.2),
            nn.Linear(2 * config.width, _size(shape)),
            nn.Tanh(),
        )

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        samples: Tensor = self.layers(torch.cat([latents, self.label(labels)], dim=1))
        return samples.view(-1, *self.shape)


class Discriminator(base.Discriminator):
    """Two hidden layers from pixels, and a last one from these features and a label embedding to a logit."""

    def __init__(self, config: MlpConfig, shape: SampleShape, n_classes: int) -> None:
        super().__init__()
        self.label = nn.Embedding(n_classes, config.latent_dim)
        self.layers = nn.Sequential(nn.Linear(_size(shape), 2 * config.width), nn.LeakyReLU(0.2))
        self.head = nn.Sequential(
            nn.Linear(2 * config.width + config.latent_dim, config.width),
            nn.LeakyReLU(0.2),
            nn.Linear(config.width, 1),
        )

    def embed(self, samples: Tensor) -> Tensor:
        """Map samples to the first hidden layer."""
        features: Tensor = self.layers(samples.flatten(1))
        return features

    def judge(self, features: Tensor, labels: Tensor) -> Tensor:
        """Map features and labels to realness logits."""
        logits: Tensor = self.head(torch.cat([features, self.label(labels)], dim=1))
        return logits.squeeze(1)


def _size(shape: SampleShape) -> int:
    channels, height, width = shape
    return channels * height * width
