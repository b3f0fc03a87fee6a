"""Differentiable augmentation of what the discriminator sees (DiffAugment, arXiv 2006.10738)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gansynth.seeding import BatchRandom
from gansynth.warping import affine

CUTOUT_SIDE = 0.4


def _affine(images: Tensor, random: BatchRandom) -> Tensor:
    return affine(images, random.uniform(6, len(images), dim=1))


def _cutout(images: Tensor, random: BatchRandom) -> Tensor:
    """Set a square of 40 % of the side to mid-grey at a random place."""
    count, _, height, width = images.shape
    centre = random.uniform(2, count, 1, 1, dim=1)
    y = torch.arange(height, device=images.device).view(1, height, 1) / height
    x = torch.arange(width, device=images.device).view(1, 1, width) / width
    inside = ((y - centre[0]).abs() < CUTOUT_SIDE / 2) & ((x - centre[1]).abs() < CUTOUT_SIDE / 2)
    return images * (~inside).unsqueeze(1)


def _flip(images: Tensor, random: BatchRandom) -> Tensor:  # noqa: ARG001  # `augment` decides which are flipped
    return images.flip(3)


AUGMENTATIONS: dict[str, Callable[[Tensor, BatchRandom], Tensor]] = {
    "affine": _affine,
    "cutout": _cutout,
    "flip": _flip,
}

# a mirror image or a hole in every sample would only move the data; half of them widens it
_LARGEST_PROBABILITY = {"affine": 1.0, "cutout": 0.5, "flip": 0.5}


def augment(images: Tensor, names: Sequence[str], probability: Tensor | float, random: BatchRandom) -> Tensor:
    """Apply the named augmentations in order, each to a random subset of the images.

    Args:
        images: (N, channels, height, width) in [-1, 1].
        names: Keys of AUGMENTATIONS.
        probability: The share of images that each augmentation reaches, 0 to 1; cutout and flip reach half of it. A
            tensor, which is a scalar, is not brought to the processor.
        random: Numbers for the rows of one batch or several, on the same device.
    """
    for name in names:
        share = probability * _LARGEST_PROBABILITY[name]
        changed = AUGMENTATIONS[name](images, random)
        if isinstance(share, Tensor) or share < 1:
            chosen = random.uniform(len(images), 1, 1, 1) < share
            changed = torch.where(chosen, changed, images)
        images = changed
    return images
