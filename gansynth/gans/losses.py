"""Adversarial losses and regularisers: pure functions of logits, features and gradients."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gansynth import processes


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


def _hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def _wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return fake.mean() - real.mean()


def _critic_generator(real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG001  # one signature for all losses
    return -fake.mean()


def squared_gradients(logits: Tensor, samples: Tensor) -> Tensor:
    """Return the squared norm of the discriminator's gradient at each sample, (N,), differentiable once more.

    Its mean is R1 at real samples and R2 at generated ones (Mescheder et al. 2018, "Which Training Methods for GANs do
    actually Converge?", arXiv 1801.04406).

    Args:
        logits: Computed from some or all of `samples`, which require gradients; at the others the gradient is 0.
        samples: (N, ...).
    """
    (gradient,) = torch.autograd.grad(logits.sum(), samples, create_graph=True)
    return gradient.flatten(1).square().sum(1)


def distance_from_slope_one(squared: Tensor) -> Tensor:
    """Return the penalty of WGAN-GP (arXiv 1704.00028) from squared gradients between real and generated samples."""
    return ((squared + 1e-12).sqrt() - 1).square().mean()  # a root has no derivative at 0


def lecam(real: Tensor, fake: Tensor, anchor_real: Tensor, anchor_fake: Tensor) -> Tensor:
    """Return the LeCam regulariser (Tseng et al. 2021, arXiv 2104.03310), which keeps the two sides near each other.

    Args:
        real: Logits of real samples, (N,).
        fake: Logits of generated samples, (N,).
        anchor_real: Moving average of the logits of real samples, a scalar.
        anchor_fake: The same of generated samples.
    """
    return F.relu(real - anchor_fake).square().mean() + F.relu(anchor_real - fake).square().mean()


def feature_matching(real: Tensor, fake: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Return the mean squared distance of the class means of two sets of features (Salimans et al. 2016, 1606.03498).

    Where several processes train together, the means are those of the samples of all.

    Args:
        real: Features of real samples, (N, D).
        fake: Features of generated samples of the same labels, (N, D).
        labels: (N,).
        n_classes: How many classes there are; those without a sample do not count.
    """
    one_hot = F.one_hot(labels, n_classes).to(fake.dtype)
    counts = processes.total(one_hot.sum(0))
    means = processes.total(one_hot.T @ (real - fake)) / counts.clamp(min=1).unsqueeze(1)
    return (means.square().mean(1) * (counts > 0)).sum() / (counts > 0).sum()


LOSSES = {
    # Jolicoeur-Martineau 2018 (arXiv 1807.00734) in the paired form of R3GAN (arXiv 2501.05441)
    "relativistic": Loss(_relativistic_discriminator, _relativistic_generator),
    # Goodfellow et al. 2014 (arXiv 1406.2661)
    "non_saturating": Loss(_non_saturating_discriminator, _non_saturating_generator),
    # Lim and Ye 2017 (arXiv 1705.02894), as in BigGAN (arXiv 1809.11096)
    "hinge": Loss(_hinge_discriminator, _critic_generator),
    # Arjovsky et al. 2017 (arXiv 1701.07875)
    "wasserstein": Loss(_wasserstein_discriminator, _critic_generator),
}
