"""Random affine maps of image batches: one map per image, differentiable, on any device."""

import torch
import torch.nn.functional as F
from torch import Tensor

DEGREES = 12.0
LOG_SCALE = 0.12
SHEAR = 0.12
SHIFT = 0.10


def random_affine(images: Tensor, random: torch.Generator) -> Tensor:
    """Rotate, scale, shear and shift each image by its own small random amount, with reflected borders.

    Uniform ranges: rotation ±12 degrees, logarithms of the scales along both axes ±0.12, shear ±0.12, shift ±10 %
    of the side. They suit small images whose content fills the frame.

    Args:
        images: Float tensor (N, channels, height, width).
        random: Generator on the same device.

    Returns:
        The warped images, of the same shape.
    """
    count, device = len(images), images.device
    draws = torch.rand(6, count, generator=random, device=device) * 2 - 1
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
