"""Classical augmentation of image batches: the baseline that a GAN has to beat."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from gansynth.modalities.image.config import ImageConfig, Policy
from gansynth.seeding import seeded_globally
from gansynth.warping import random_affine

Batch = tuple[Tensor, Tensor]


def augment(images: Tensor, targets: Tensor, policy: Policy, config: ImageConfig, random: torch.Generator) -> Batch:
    """Augment a batch by a policy, each image by its own random draw; MixUp and CutMix draw once a batch.

    Args:
        images: Float (N, channels, height, width) in [-1, 1].
        targets: Class probabilities (N, classes); policies that mix images mix these too.
        policy: What is done.
        config: Says whether images are flipped as well.
        random: Generator on the same device.

    Returns:
        Images and targets of the same shapes.
    """
    if config.flip:
        images = _flip(images, random)
    return POLICIES[policy](images, targets, random)


def _flip(images: Tensor, random: torch.Generator) -> Tensor:
    chosen = torch.rand(len(images), 1, 1, 1, generator=random, device=images.device) < 0.5
    return torch.where(chosen, images.flip(3), images)


def _mixed(images: Tensor, targets: Tensor, random: torch.Generator, kind: Literal["MixUp", "CutMix"]) -> Batch:
    from torchvision.transforms import v2  # noqa: PLC0415 - slow to import, and who reads a study does without

    with seeded_globally(_draw_seed(random)):
        mixed, mixed_targets = getattr(v2, kind)()(random_affine(images, random), targets)
    return mixed, mixed_targets


def _trivial_augment(images: Tensor, random: torch.Generator) -> Tensor:
    from torchvision.transforms import v2  # noqa: PLC0415 - slow to import, and who reads a study does without

    transform = v2.TrivialAugmentWide()
    pixels = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    with seeded_globally(_draw_seed(random)):
        changed = torch.stack([transform(image) for image in pixels])
    return changed.to(images.dtype) / 127.5 - 1


def _draw_seed(random: torch.Generator) -> int:
    return int(torch.randint(2**62, (1,), generator=random, device=random.device).item())


POLICIES: dict[Policy, Callable[[Tensor, Tensor, torch.Generator], Batch]] = {
    "none": lambda images, targets, _: (images, targets),
    "affine": lambda images, targets, random: (random_affine(images, random), targets),
    "affine+flip": lambda images, targets, random: (random_affine(_flip(images, random), random), targets),
    "affine+mixup": lambda images, targets, random: _mixed(images, targets, random, "MixUp"),
    "affine+cutmix": lambda images, targets, random: _mixed(images, targets, random, "CutMix"),
    "trivialaugment": lambda images, targets, random: (_trivial_augment(images, random), targets),
}
