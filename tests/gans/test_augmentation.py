import pytest
import torch

from gansynth.gans.augmentation import AUGMENTATIONS, augment
from gansynth.seeding import BatchRandom
from gansynth.warping import random_affine


def seeded(rows: int) -> BatchRandom:
    return BatchRandom(torch.Generator().manual_seed(5), rows)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_augmentation_passes_gradients_and_repeats_with_its_seed(name: str) -> None:
    images = torch.rand(16, 3, 12, 12).requires_grad_()
    changed = augment(images, [name], torch.tensor(1.0), seeded(16))
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)
    torch.testing.assert_close(changed, augment(images, [name], torch.tensor(1.0), seeded(16)))
    changed.square().sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_probability_zero_changes_nothing() -> None:
    images = torch.rand(4, 1, 8, 8)
    assert torch.equal(augment(images, list(AUGMENTATIONS), torch.tensor(0.0), seeded(4)), images)


def test_cutout_reaches_about_half_of_the_images() -> None:
    images = torch.ones(400, 1, 10, 10)
    touched = (augment(images, ["cutout"], torch.tensor(1.0), seeded(400)) == 0).flatten(1).any(1).float().mean()
    assert 0.4 < touched < 0.6


def test_affine_moves_each_image_its_own_way_but_not_far() -> None:
    image = torch.zeros(1, 1, 28, 28)
    image[:, :, 12:16, 12:16] = 1
    warped = random_affine(image.repeat(50, 1, 1, 1), torch.Generator().manual_seed(5))
    grid = torch.arange(28).float()
    mass = warped.sum((1, 2, 3))
    centre_x = (warped.sum((1, 2)) * grid).sum(1) / mass
    assert centre_x.std() > 0.5
    # 10 % shift plus what rotation and shear add near the centre
    assert (centre_x - 13.5).abs().max() < 28 * 0.16
