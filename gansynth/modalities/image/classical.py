"""Classical augmentation of image batches: the baseline that a GAN has to beat."""

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms import v2

from gansynth.modalities.image.config import ImageConfig
from gansynth.seeding import seeded_globally
from gansynth.warping import random_affine

Policy = Callable[[Tensor, torch.Generator], Tensor]


def augment(images: Tensor, config: ImageConfig, random: torch.Generator) -> Tensor:
    """Augment each image (N, channels, height, width), in [-1, 1], by its own random draw of the configured policy."""
    if config.flip:
        chosen = torch.rand(len(images), 1, 1, 1, generator=random, device=images.device) < 0.5
        images = torch.where(chosen, images.flip(3), images)
    return POLICIES[config.classical](images, random)


def mix(images: Tensor, targets: Tensor, config: ImageConfig, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Apply MixUp (arXiv 1710.09412) or CutMix (arXiv 1905.04899) to a batch and its targets (N, classes)."""
    if config.mixing == "none":
        return images, targets
    transform = v2.MixUp() if config.mixing == "mixup" else v2.CutMix()
    with seeded_globally(_draw_seed(random)):
        mixed, mixed_targets = transform(images, targets)
    return mixed, mixed_targets


def _trivial_augment(images: Tensor, random: torch.Generator) -> Tensor:
    """Apply TrivialAugment (arXiv 2103.10158) to each image."""
    transform = v2.TrivialAugmentWide()
    pixels = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    with seeded_globally(_draw_seed(random)):
        changed = torch.stack([transform(image) for image in pixels])
    return changed.to(images.dtype) / 127.5 - 1


def _draw_seed(random: torch.Generator) -> int:
    return int(torch.randint(2**62, (1,), generator=random, device=random.device).item())


POLICIES: dict[str, Policy] = {
    "affine": random_affine,
    "trivialaugment": _trivial_augment,
}
