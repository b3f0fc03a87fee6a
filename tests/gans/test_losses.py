"""Losses and penalties against closed forms."""

import torch
import torch.nn.functional as F

from gansynth.gans.losses import LOSSES, distance_from_slope_one, feature_matching, lecam, squared_gradients


def test_non_saturating_is_binary_cross_entropy() -> None:
    real, fake = torch.randn(8), torch.randn(8)
    expected = F.binary_cross_entropy_with_logits(real, torch.ones(8))
    expected = expected + F.binary_cross_entropy_with_logits(fake, torch.zeros(8))
    torch.testing.assert_close(LOSSES["non_saturating"].discriminator(real, fake), expected)
    expected = F.binary_cross_entropy_with_logits(fake, torch.ones(8))
    torch.testing.assert_close(LOSSES["non_saturating"].generator(real, fake), expected)


def test_relativistic_depends_on_differences_of_pairs_only() -> None:
    real, fake = torch.randn(8), torch.randn(8)
    loss = LOSSES["relativistic"]
    shift = torch.randn(8)
    torch.testing.assert_close(loss.discriminator(real, fake), loss.discriminator(real + shift, fake + shift))
    torch.testing.assert_close(loss.discriminator(real, fake), loss.generator(fake, real))
    expected = F.binary_cross_entropy_with_logits(real - fake, torch.ones(8))
    torch.testing.assert_close(loss.discriminator(real, fake), expected)


def test_hinge_and_wasserstein_by_hand() -> None:
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.25])
    torch.testing.assert_close(LOSSES["hinge"].discriminator(real, fake), torch.tensor(0.25 + 0.625))
    torch.testing.assert_close(LOSSES["wasserstein"].discriminator(real, fake), torch.tensor(-1.375 - 1.25))
    for name in ("hinge", "wasserstein"):
        torch.testing.assert_close(LOSSES[name].generator(real, fake), torch.tensor(1.375))


def test_gradients_of_a_linear_map_are_its_squared_norm() -> None:
    weight = torch.randn(12)
    samples = torch.randn(5, 3, 2, 2, requires_grad=True)
    logits = samples.flatten(1) @ weight
    torch.testing.assert_close(squared_gradients(logits, samples), weight.square().sum().expand(5))
    some = squared_gradients(samples.flatten(1)[:2] @ weight, samples)
    torch.testing.assert_close(some, weight.square().sum() * torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0]))


def test_gradients_can_be_differentiated_again() -> None:
    weight = torch.randn(4, requires_grad=True)
    samples = torch.randn(5, 4, requires_grad=True)
    squared_gradients((samples * weight).sum(1).square(), samples).mean().backward()
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


def test_distance_from_slope_one() -> None:
    torch.testing.assert_close(distance_from_slope_one(torch.tensor([1.0, 4.0, 0.0])), torch.tensor(2 / 3))
    flat = torch.zeros(3, requires_grad=True)
    distance_from_slope_one(flat).backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_lecam_is_zero_at_its_anchors_and_grows_beyond() -> None:
    real, fake = torch.tensor(1.0), torch.tensor(-1.0)
    apart = lecam(torch.full((4,), 1.0), torch.full((4,), -1.0), anchor_real=real, anchor_fake=fake)
    torch.testing.assert_close(apart, torch.tensor(8.0))
    together = lecam(torch.full((4,), -1.0), torch.full((4,), 1.0), anchor_real=real, anchor_fake=fake)
    torch.testing.assert_close(together, torch.tensor(0.0))


def test_feature_matching_compares_the_means_of_each_class() -> None:
    real = torch.tensor([[0.0, 0.0], [2.0, 0.0], [5.0, 5.0]])
    fake = torch.tensor([[1.0, 0.0], [1.0, 0.0], [5.0, 7.0]])
    labels = torch.tensor([0, 0, 2])
    # class 0 has equal means, class 1 no sample, class 2 is 2 apart in one of two features
    torch.testing.assert_close(feature_matching(real, fake, labels, 3), torch.tensor((0 + 2.0) / 2))
