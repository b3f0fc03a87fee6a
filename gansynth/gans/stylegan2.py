"""StyleGAN2 (arXiv 1912.04958) in plain torch, conditional on the label, without compiled operators.

A mapping network turns latents and label into styles that scale the inputs of every convolution; a skip generator adds
up pictures of growing size; the discriminator is residual. Three departures, so that a sample is a function of its
latents and label alone, whatever else is in its batch: no noise is added to the pixels, the discriminator has no
statistic over the batch, and the randomness of style mixing comes with the latents. Scaling the inputs and outputs of
an ordinary convolution is the same as scaling its weights per sample, and needs no grouped convolutions.
"""

import math
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from gansynth.gans import base
from gansynth.gans.base import GanConfig, LossName, PenaltyName, SampleShape, halvings, widths, with_default

GAIN = math.sqrt(2)  # makes up for what a leaky ReLU takes from the variance


class Sizes(NamedTuple):
    """Channels next to the samples and the most anywhere, width of the styles, layers of the mapping network."""

    channels: int
    most: int
    style: int
    mapping: int


PRESETS = {
    "small": Sizes(channels=16, most=64, style=64, mapping=2),
    "medium": Sizes(channels=64, most=256, style=256, mapping=2),
    "large": Sizes(channels=64, most=512, style=512, mapping=8),
}


class StyleGan2Config(GanConfig):
    """Settings of the StyleGAN2 family."""

    kind: Literal["stylegan2"] = Field(default="stylegan2", description="StyleGAN2, for larger images and GPUs.")
    preset: Literal["small", "medium", "large"] = Field(
        default="small", description="Size of the networks: `small` for processors, `medium` and `large` for GPUs."
    )
    style_mixing: float = Field(
        default=0.5, ge=0, le=1, description="Share of generated samples in training whose later styles are another's."
    )
    loss: LossName = with_default("loss", "non_saturating")
    penalty_kind: PenaltyName = with_default("penalty_kind", "r1")
    learning_rate: float = with_default("learning_rate", 2e-3)


class EqualLinear(nn.Module):
    """A linear layer with weights of unit variance, scaled when used (arXiv 1710.10196)."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.scale = inputs**-0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)


class EqualConv(nn.Module):
    """A convolution with weights of unit variance, scaled when used."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = (inputs * kernel**2) ** -0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding="same")


class StyledConv(nn.Module):
    """A convolution whose inputs a style scales; `demodulate` brings its outputs back to unit variance."""

    def __init__(self, inputs: int, outputs: int, kernel: int, style: int, *, demodulate: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.style = EqualLinear(style, inputs, bias=1.0)
        self.scale = (inputs * kernel**2) ** -0.5
        self.demodulate = demodulate

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scales = self.style(style)
        weight = self.weight * self.scale
        x = F.conv2d(x * scales[:, :, None, None], weight, padding="same")
        if self.demodulate:
            variance = scales.square() @ weight.square().sum((2, 3)).T
            x = x * torch.rsqrt(variance + 1e-8)[:, :, None, None]
        return x + self.bias[:, None, None]


class Stage(nn.Module):
    """Two styled convolutions at one side, the first after doubling it, and what they add to the picture."""

    def __init__(self, inputs: int, outputs: int, channels: int, style: int) -> None:
        super().__init__()
        self.first = StyledConv(inputs, outputs, 3, style, demodulate=True)
        self.second = StyledConv(outputs, outputs, 3, style, demodulate=True)
        self.picture = StyledConv(outputs, channels, 1, style, demodulate=False)

    def forward(self, x: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        x = _activate(self.first(_double(x), style))
        x = _activate(self.second(x, style))
        return x, self.picture(x, style)


class Generator(base.Generator):
    """Latents and a label to styles, and styles to a picture that grows from a learnt constant.

    The latents of a sample are three parts: its own, those of the sample it is mixed with in training, and one number
    that decides from which stage on. Outside training only the first part counts.
    """

    def __init__(self, config: StyleGan2Config, shape: SampleShape, n_classes: int) -> None:
        super().__init__()
        channels, side, _ = shape
        sizes = PRESETS[config.preset]
        smallest, doublings = halvings(side)
        channels_at = widths(sizes.channels, sizes.most, doublings)
        self.width, self.mixing = sizes.style, config.style_mixing
        self.latent_dim = 2 * self.width + 1
        self.label = nn.Embedding(n_classes, self.width)
        self.mapping = nn.ModuleList(
            EqualLinear(self.width * (2 if layer == 0 else 1), self.width) for layer in range(sizes.mapping)
        )
        self.start = nn.Parameter(torch.randn(1, channels_at[-1], smallest, smallest))
        self.stages = nn.ModuleList(
            Stage(inputs, outputs, channels, sizes.style) for inputs, outputs in pairwise(reversed(channels_at))
        )

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        styles = self._styles(latents, labels)
        x = self.start.expand(len(latents), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        picture = torch.zeros(1, device=x.device)
        for number, (stage, style) in enumerate(zip(self.stages, styles, strict=True)):
            x, addition = stage(x, style)
            picture = _double(picture) + addition if number else addition
        return torch.tanh(picture)

    def _styles(self, latents: Tensor, labels: Tensor) -> list[Tensor]:
        """Return the style of each stage, (N, style) each."""
        own = self._map(latents[:, : self.width], labels)
        if not self.training or self.mixing == 0:
            return [own] * len(self.stages)
        other = self._map(latents[:, self.width : 2 * self.width], labels)
        uniform = torch.special.ndtr(latents[:, -1:]) / self.mixing  # from 1 on: not mixed
        return [torch.where(uniform < stage / len(self.stages), other, own) for stage in range(len(self.stages))]

    def _map(self, latents: Tensor, labels: Tensor) -> Tensor:
        # latents are not normalised, unlike the original's: wider ones then give more diverse samples
        style = torch.cat([latents, _normalise(self.label(labels))], dim=1)
        for layer in self.mapping:
            style = F.leaky_relu(layer(style), 0.2) * GAIN
        return style


class Halving(nn.Module):
    """A residual block that halves the side."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualConv(inputs, inputs, 3)
        self.second = EqualConv(inputs, outputs, 3)
        self.shortcut = EqualConv(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.avg_pool2d(_activate(self.second(_activate(self.first(x)))), 2)
        result: Tensor = (inner + self.shortcut(F.avg_pool2d(x, 2))) / GAIN
        return result


class Discriminator(base.Discriminator):
    """Residual blocks down to the smallest grid, a linear layer, and a projection on the label's embedding."""

    def __init__(self, config: StyleGan2Config, shape: SampleShape, n_classes: int) -> None:
        super().__init__()
        channels, side, _ = shape
        sizes = PRESETS[config.preset]
        smallest, levels = halvings(side)
        channels_at = widths(sizes.channels, sizes.most, levels)
        self.first = EqualConv(channels, channels_at[0], 1)
        self.blocks = nn.Sequential(*(Halving(inputs, outputs) for inputs, outputs in pairwise(channels_at)))
        self.features = EqualLinear(channels_at[-1] * smallest**2, channels_at[-1])
        self.realness = EqualLinear(channels_at[-1], 1)
        self.label = nn.Embedding(n_classes, channels_at[-1])

    def embed(self, samples: Tensor) -> Tensor:
        """Map samples to features, as many as the widest convolution has channels."""
        x = self.blocks(_activate(self.first(samples.contiguous(memory_format=torch.channels_last))))
        return F.leaky_relu(self.features(x.flatten(1)), 0.2) * GAIN

    def judge(self, features: Tensor, labels: Tensor) -> Tensor:
        """Map features and labels to realness logits."""
        projection = (features * self.label(labels)).sum(1) * features.shape[1] ** -0.5
        logits: Tensor = self.realness(features).squeeze(1) + projection
        return logits


def _activate(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2) * GAIN


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _normalise(x: Tensor) -> Tensor:
    """Scale each row to a mean square of 1."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)
