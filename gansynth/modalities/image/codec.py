"""Images between storage (uint8, channels last) and networks (float in [-1, 1], channels first)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageCodec:
    """Reversible map between uint8 images and network inputs; `shape` is (channels, height, width)."""

    shape: tuple[int, int, int]

    @classmethod
    def fit(cls, values: npt.NDArray[np.uint8]) -> "ImageCodec":
        """Learn the shape from training images (N, height, width, channels)."""
        _, height, width, channels = values.shape
        return cls((channels, height, width))

    def encode(self, values: npt.NDArray[np.uint8] | Tensor) -> Tensor:
        """Map uint8 (N, height, width, channels) to float32 (N, channels, height, width) in [-1, 1]."""
        return torch.as_tensor(values).permute(0, 3, 1, 2).float() / 127.5 - 1

    def decode(self, tensor: Tensor) -> npt.NDArray[np.uint8]:
        """Map float (N, channels, height, width), clipped to [-1, 1], to the nearest uint8 values."""
        pixels = ((tensor.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        array: npt.NDArray[np.uint8] = pixels.permute(0, 2, 3, 1).cpu().numpy()
        return array
