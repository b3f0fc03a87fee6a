"""Adversarial losses and gradient penalties: pure functions of logits and gradients."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Loss(NamedTuple):
    """The two sides of an adversarial loss; each maps paired logits (real, fake), both (N,), to a scalar."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]


def _relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(fake - real).mean()


def _relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(real - fake).mean()


def _non_saturating_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def _non_saturating_generator(real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG001  # one signature for all losses
    return F.softplus(-fake).mean()


def gradient_penalty(logits: Tensor, samples: Tensor) -> Tensor:
    """Return the mean squared norm of the discriminator's gradient at `samples`: R1 on real, R2 on generated ones.

    Mescheder et al. 2018, "Which Training Methods for GANs do actually Converge?" (arXiv 1801.04406).

    Args:
        logits: (N,), computed from `samples`, which require gradients.
        samples: (N, ...).
    """
    (gradient,) = torch.autograd.grad(logits.sum(), samples, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


LOSSES = {
    # Jolicoeur-Martineau 2018 (arXiv 1807.00734) in the paired form of R3GAN (arXiv 2501.05441)
    "relativistic": Loss(_relativistic_discriminator, _relativistic_generator),
    # Goodfellow et al. 2014 (arXiv 1406.2661)
    "non_saturating": Loss(_non_saturating_discriminator, _non_saturating_generator),
}
