"""Images between storage (uint8, channels last) and networks (float in [-1, 1], channels first)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gansynth.modalities.image.config import ImageConfig
from gansynth.samples import Samples

PASS_SIZE = 64
PASS_PIXELS = PASS_SIZE * 64 * 64
BLOCK_SIZE = 1024
BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True)
class ImageCodec:
    """Reversible map between uint8 images and network inputs; `shape` is (channels, height, width)."""

    shape: tuple[int, int, int]

    @property
    def pass_size(self) -> int:
        """How many images networks make in one pass: 64, and fewer of large ones."""
        _, height, width = self.shape
        return min(max(PASS_PIXELS // (height * width), 1), PASS_SIZE)

    @property
    def block_size(self) -> int:
        """How many images are chosen and written at a time: 1024, and fewer of large ones."""
        return min(max(BLOCK_BYTES // math.prod(self.shape), 1), BLOCK_SIZE)

    @classmethod
    def fit(cls, samples: Samples, config: ImageConfig) -> "ImageCodec":  # noqa: ARG003  # one signature for all
        """Learn the shape from training images (N, height, width, channels)."""
        _, height, width, channels = samples.values.shape
        return cls((channels, height, width))

    @classmethod
    def restore(cls, description: Mapping[str, Any]) -> "ImageCodec":
        """Return the map that `describe` described."""
        channels, height, width = description["shape"]
        return cls((channels, height, width))

    def describe(self) -> dict[str, Any]:
        """Return what is needed to restore it."""
        return {"shape": list(self.shape)}

    def hold(self, values: npt.NDArray[np.uint8]) -> Tensor:
        """Return images as they are, uint8 (N, height, width, channels): a quarter of what encoded ones take."""
        return torch.tensor(values)

    def inputs(self, held: Tensor) -> Tensor:
        """Map uint8 (N, height, width, channels) to float32 (N, channels, height, width) in [-1, 1]."""
        return held.permute(0, 3, 1, 2).float() / 127.5 - 1

    def decode(self, tensor: Tensor) -> npt.NDArray[np.uint8]:
        """Map float (N, channels, height, width), clipped to [-1, 1], to the nearest uint8 values."""
        pixels = ((tensor.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        array: npt.NDArray[np.uint8] = pixels.permute(0, 2, 3, 1).cpu().numpy()
        return array
