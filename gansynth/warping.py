"""Random affine maps of image batches: one map per image, differentiable, on any device."""

import torch
import torch.nn.functional as F
from torch import Tensor

DEGREES = 12.0
LOG_SCALE = 0.12
SHEAR = 0.12
SHIFT = 0.10


def random_affine(images: Tensor, random: torch.Generator) -> Tensor:
    """Warp each image by its own random amounts, as `affine` does; the generator is on the images' device."""
    return affine(images, torch.rand(6, len(images), generator=random, device=images.device))


def affine(images: Tensor, uniform: Tensor) -> Tensor:
    """Rotate, scale, shear and shift each image by its own small amount, with reflected borders.

    Ranges: rotation ±12 degrees, logarithms of the scales along both axes ±0.12, shear ±0.12, shift ±10 % of the side.
    They suit small images whose content fills the frame.

    Args:
        images: Float tensor (N, channels, height, width).
        uniform: Where in these ranges each image's amounts lie, from 0 to 1, (6, N).

    Returns:
        The warped images, of the same shape.
    """
    draws = uniform * 2 - 1
    angle = draws[0] * (DEGREES * torch.pi / 180)
    scale_x, scale_y = torch.exp(draws[1] * LOG_SCALE), torch.exp(draws[2] * LOG_SCALE)
    shear = draws[3] * SHEAR
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [
        torch.stack([cos * scale_x, (shear * cos - sin) * scale_y, 2 * SHIFT * draws[4]], dim=1),
        torch.stack([sin * scale_x, (shear * sin + cos) * scale_y, 2 * SHIFT * draws[5]], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid.to(images.dtype), padding_mode="reflection", align_corners=False)
