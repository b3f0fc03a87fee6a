"""Losses and penalties against closed forms."""

import torch
import torch.nn.functional as F

from gansynth.gans.losses import LOSSES, gradient_penalty


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


def test_gradient_penalty_of_a_linear_map_is_its_squared_norm() -> None:
    weight = torch.randn(12)
    samples = torch.randn(5, 3, 2, 2, requires_grad=True)
    penalty = gradient_penalty(samples.flatten(1) @ weight, samples)
    torch.testing.assert_close(penalty, weight.square().sum())


def test_gradient_penalty_can_be_differentiated_again() -> None:
    weight = torch.randn(4, requires_grad=True)
    samples = torch.randn(5, 4, requires_grad=True)
    gradient_penalty((samples * weight).sum(1).square(), samples).backward()
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0
