"""What every adversarial family shares: the settings of the loop and the shape of its networks."""

import copy
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import Field
from torch import Tensor, nn

from gansynth.settings import Settings

SampleShape = tuple[int, int, int]
"""Channels, height, width."""


class GanConfig(Settings):
    """Settings of adversarial training that every family has; a family may have other defaults."""

    kimg: float = Field(
        default=40, gt=0, description="Training budget in thousands of real samples shown to the discriminator."
    )
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Stop adversarial training after this many seconds even if `kimg` is not reached."
        " Results then depend on the speed of the machine.",
    )
    batch_size: int = Field(
        default=32, ge=2, description="Real samples, and as many generated ones, in each optimiser step."
    )
    loss: Literal["relativistic", "non_saturating"] = Field(
        default="relativistic",
        description="Adversarial loss: `relativistic` pairs each real sample with a generated one of its class,"
        " `non_saturating` is the one of the first GAN paper.",
    )
    penalty: float = Field(
        default=0.2, ge=0, description="Weight of the R1 and R2 gradient penalties; 0 switches them off."
    )
    penalty_every: int = Field(
        default=8, ge=1, description="Apply the penalties at every n-th step, scaled by n (lazy regularisation)."
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="Peak learning rate of both Adam optimisers.")
    beta2: float = Field(default=0.99, gt=0, lt=1, description="Second-moment decay of Adam; the first is 0.")
    warmup_steps: int = Field(
        default=50, ge=0, description="Optimiser steps over which the learning rate rises to its peak."
    )
    decay_share: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="Last share of training over which the learning rate falls linearly to 0.",
    )
    ema_share: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Half-life of the generator's moving average of weights, as a share of the samples seen so far.",
    )
    class_balanced: bool = Field(
        default=True, description="Draw every class equally often, however rare; off: as often as it occurs."
    )
    augmentation: tuple[Literal["affine", "cutout", "flip"], ...] = Field(
        default=("affine", "cutout"),
        description="Differentiable augmentations of what the discriminator sees, real and generated.",
    )
    augmentation_probability: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of samples that `affine` reaches; `cutout` and `flip` reach half of it.",
    )


class Generator(Protocol):
    """Maps latents (N, latent_dim) and labels (N,) to samples (N, *shape) in [-1, 1]."""

    latent_dim: int

    def __call__(self, latents: Tensor, labels: Tensor) -> Tensor: ...


def with_default(name: str, value: Any) -> Any:  # noqa: ANN401  # a field's default has the field's type
    """Return the field `name` of GanConfig with another default, for a family that needs one."""
    field = copy.copy(GanConfig.model_fields[name])
    field.default = value
    return field


class Family(NamedTuple):
    """An adversarial family: its settings and its two networks, both built as `Network(config, shape, n_classes)`.

    The generator also satisfies the protocol `Generator`. The discriminator maps samples (N, *shape) in [-1, 1] and
    labels (N,) to realness logits (N,).
    """

    config: type[GanConfig]
    generator: type[nn.Module]
    discriminator: type[nn.Module]
