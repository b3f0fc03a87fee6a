"""What every adversarial family shares: the settings of the loop and the shape of its networks."""

import copy
from abc import abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from gansynth import processes
from gansynth.gans.private import DEMANDS, PrivacyConfig
from gansynth.settings import Settings

SampleShape = tuple[int, int, int]
"""Channels, height, width."""

LossName = Literal["relativistic", "non_saturating", "hinge", "wasserstein"]
PenaltyName = Literal["r1_r2", "r1", "interpolated"]


LARGEST_SHARE = 0.8
"""The largest share of augmented samples under adaptive control."""


class GanConfig(Settings):
    """Settings of adversarial training that every family has; a family may have other defaults."""

    has_auxiliary: ClassVar[bool] = False
    can_be_private: ClassVar[bool] = False

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
    loss: LossName = Field(
        default="relativistic",
        description="Adversarial loss: `relativistic` pairs each real sample with a generated one of its class,"
        " `non_saturating` is the one of the first GAN paper, `hinge` that of BigGAN, `wasserstein` that of WGAN-GP.",
    )
    penalty_kind: PenaltyName = Field(
        default="r1_r2",
        description="Penalty on the discriminator's gradient: `r1_r2`, its squared norm at real and generated samples;"
        " `r1`, at real ones alone; `interpolated`, its distance from 1 between the two (WGAN-GP).",
    )
    penalty: float = Field(default=0.2, ge=0, description="Weight of that penalty; 0 switches it off.")
    penalty_every: int = Field(
        default=8, ge=1, description="Apply the penalty at every n-th step, scaled by n (lazy regularisation)."
    )
    lecam: float = Field(
        default=0,
        ge=0,
        description="Weight of LeCam regularisation, which holds the logits near those of earlier steps"
        " (arXiv 2104.03310).",
    )
    feature_matching: float = Field(
        default=0,
        ge=0,
        description="Weight of feature matching: the generator also meets the mean features that the discriminator sees"
        " in real samples of each class (arXiv 1606.03498).",
    )
    auxiliary: float = Field(
        default=0,
        ge=0,
        description="Weight of an auxiliary classifier, which learns from the real samples alone, and by which the"
        " generator has to make what it was asked for (the idea of AC-GAN, arXiv 1610.09585). Only `tabular` has one.",
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
        description="Share of samples that `affine` reaches; `cutout` and `flip` reach half of it. With adaptive"
        " control, the share at the start, 0 unless given.",
    )
    augmentation_control: Literal["fixed", "adaptive"] = Field(
        default="fixed",
        description="`fixed`: that share throughout (DiffAugment); `adaptive`: more while the discriminator overfits,"
        " up to 0.8 (ADA, arXiv 2006.06676).",
    )

    privacy: PrivacyConfig | None = Field(
        default=None,
        description="Train with differential privacy (DP-SGD, arXiv 1607.00133). Its ε holds for the weights of the"
        " generator and the discriminator alone; the report tells what it leaves out. Only `mlp` and `tabular` can, and"
        " without settings and filters that would show rows beside it. Needs `gansynth[privacy]`.",
    )

    @model_validator(mode="before")
    @classmethod
    def _start_adaptive_control_low(cls, data: Any) -> Any:  # noqa: ANN401  # unchecked input
        if isinstance(data, dict) and data.get("augmentation_control") == "adaptive":
            return {"augmentation_probability": 0.0} | data
        return data

    @model_validator(mode="after")
    def _check_augmentation(self) -> "GanConfig":
        if len(set(self.augmentation)) < len(self.augmentation):
            raise ValueError("augmentation must not name the same one twice")
        if self.augmentation_control == "adaptive":
            if not self.augmentation:
                raise ValueError("augmentation_control 'adaptive' needs something in augmentation, such as ['affine']")
            if self.augmentation_probability > LARGEST_SHARE:
                raise ValueError(
                    f"augmentation_probability is where adaptive control starts, and it never exceeds {LARGEST_SHARE};"
                    " set it to 0"
                )
        return self

    @model_validator(mode="after")
    def _check_auxiliary(self) -> "GanConfig":
        if self.auxiliary > 0 and not self.has_auxiliary:
            raise ValueError("auxiliary: this family has no such classifier; leave it at 0")
        return self

    @model_validator(mode="after")
    def _check_privacy(self) -> "GanConfig":
        if self.privacy is None:
            return self
        if not self.can_be_private:
            raise ValueError("privacy: this family cannot be trained with differential privacy; mlp and tabular can")
        wrong = [f"{name} to {told}" for name, value, told in DEMANDS if getattr(self, name) != value]
        if wrong:
            raise ValueError(f"privacy: the guarantee would be lost; set {', '.join(wrong)}")
        return self

    @model_validator(mode="after")
    def _check_pairs(self) -> "GanConfig":
        if self.loss == "wasserstein" and (self.penalty_kind != "interpolated" or self.penalty < 1):
            raise ValueError(
                "loss 'wasserstein' measures a distance only where the gradient has norm 1; set penalty_kind to"
                " 'interpolated' and penalty to 10"
            )
        if self.loss == "relativistic" and self.lecam > 0:
            raise ValueError(
                "lecam holds logits near an anchor, and loss 'relativistic' knows differences of logits alone; set"
                " lecam to 0 or choose another loss"
            )
        return self


class Generator(nn.Module):
    """Maps latents (N, latent_dim) and labels (N,) to samples (N, *shape) in [-1, 1]."""

    latent_dim: int

    @property
    def sampling_dim(self) -> int:
        """How many standard normal numbers `sample` takes for a sample."""
        return self.latent_dim

    def sample(self, latents: Tensor, labels: Tensor, scale: float) -> Tensor:
        """Map standard normal latents (N, sampling_dim), scaled, and labels (N,) to samples; no gradient is needed."""
        samples: Tensor = self(scale * latents, labels)
        return samples


def with_default(name: str, value: Any) -> Any:  # noqa: ANN401  # a field's default has the field's type
    """Return the field `name` of GanConfig with another default, for a family that needs one."""
    field = copy.copy(GanConfig.model_fields[name])
    field.default = value
    return field


class Discriminator(nn.Module):
    """Maps samples (N, *shape) in [-1, 1] and labels (N,) to realness logits (N,), by way of features."""

    @abstractmethod
    def embed(self, samples: Tensor) -> Tensor:
        """Map samples (N, *shape) to features (N, D)."""

    @abstractmethod
    def judge(self, features: Tensor, labels: Tensor) -> Tensor:
        """Map features (N, D) and labels (N,) to logits (N,)."""

    def classify(self, samples: Tensor) -> Tensor:
        """Map samples (N, *shape) to logits of their classes (N, K), by a network that shares nothing with the rest."""
        raise NotImplementedError

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        return self.judge(self.embed(samples), labels)


class ProjectionDiscriminator(Discriminator):
    """A discriminator whose logit has a part that depends on the features alone, and their product with the label.

    Miyato and Koyama 2018 (arXiv 1802.05637). A family's class sets both layers: `realness` maps features (N, D) to
    (N, 1), and `label` embeds labels in (N, D).
    """

    realness: nn.Module
    label: nn.Embedding

    def judge(self, features: Tensor, labels: Tensor) -> Tensor:
        """Map features (N, D) and labels (N,) to logits (N,)."""
        logits: Tensor = self.realness(features).squeeze(1) + (features * self.label(labels)).sum(1)
        return logits


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation of which several processes, each with its part of a batch, make the same as one with all."""

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or processes.count() == 1:
            return super().forward(x)
        wide = x.to(self.running_mean.dtype)
        mean = processes.mean(wide.mean((0, 2, 3), keepdim=True))
        centred = wide - mean
        variance = processes.mean(centred.square().mean((0, 2, 3), keepdim=True))
        self._remember(mean.detach().flatten(), variance.detach().flatten(), processes.count() * x[:, 0].numel())
        normal = centred * torch.rsqrt(variance + self.eps)
        if self.affine:
            normal = torch.addcmul(self.bias[:, None, None], normal, self.weight[:, None, None])
        return normal.to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, values: int) -> None:
        """Let what is used outside training follow; `values` is the number of values in a channel of the batch."""
        unbiased = variance * values / (values - 1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased, self.momentum)
        self.num_batches_tracked.add_(1)


def halvings(side: int, smallest: int = 4) -> tuple[int, int]:
    """Return the side of the smallest grid, and how often `side` is halved to reach it, at least once.

    Halving stops at an odd side or before one below `smallest`: 28 gives (7, 2), 32 gives (4, 3).
    """
    count = 1
    side //= 2
    while side % 2 == 0 and side // 2 >= smallest:
        side, count = side // 2, count + 1
    return side, count


def widths(first: int, most: int, count: int) -> list[int]:
    """Return the channels at each side, largest side first, over `count` halvings: they double until `most`."""
    return [min(first * 2**level, most) for level in range(count + 1)]


class Family(NamedTuple):
    """An adversarial family: its settings and its two networks, both built as `Network(config, shape, n_classes)`.

    `modality` is what its samples are.
    """

    config: type[GanConfig]
    generator: type[Generator]
    discriminator: type[Discriminator]
    modality: Literal["image", "table"] = "image"
