"""Adversarial training with differential privacy: no row of the training rows shows much in the networks.

The discriminator is trained by DP-SGD (Abadi et al. 2016, arXiv 1607.00133), and the generator learns of rows through
the discriminator alone, so what holds of one holds of both (Xie et al. 2018, arXiv 1802.06739). Gradients of single
rows, their noise and the accounting of ε are those of Opacus.
"""

import secrets
import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor

from gansynth.errors import StudyError
from gansynth.gans import GanConfig
from gansynth.gans.private import PrivacyConfig
from gansynth.modalities.base import Codec
from gansynth.privacy import Guarantee
from gansynth.samples import Samples
from gansynth.seeding import derive_seed
from gansynth.study import Study
from gansynth.training.loop import AdversarialLoop, Players


def check_private(study: Study, rows: int, processes: int) -> None:
    """Make sure that the guarantee that a study asks for can be given on so many training rows, in so many processes.

    Raises:
        StudyError: It cannot: Opacus is missing, or what is asked for would void it.
    """
    privacy = study.gan.privacy
    if privacy is None:
        return
    _opacus("optimizers")
    if study.gan.batch_size > rows:
        raise StudyError(
            f"gan.batch_size: with gan.privacy, it is how many of the {rows:,} training rows a step takes on average;"
            " lower it, far below their number"
        )
    if privacy.delta >= 1 / rows:
        raise StudyError(
            f"gan.privacy.delta: {privacy.delta:g} would allow one of the {rows:,} training rows to be given away; set"
            f" it well below {1 / rows:.1g}"
        )
    if processes > 1 or study.compute.precision != "32-true":
        raise StudyError(
            "gan.privacy: needs one process, compute.devices = 1 and not torchrun, and compute.precision = '32-true'"
        )


def guarantee_of(config: GanConfig, rows: int, steps: int) -> Guarantee | None:
    """Return what a training of so many steps on so many rows guarantees; None if it was not private.

    Args:
        config: How it was trained.
        rows: How many training rows there were, each of which a step took with a probability of batch_size / rows.
        steps: All that may have been taken, those among them that were lost and taken again.
    """
    if config.privacy is None:
        return None
    accountant = _opacus("accountants").RDPAccountant()
    rate = config.batch_size / rows
    accountant.history = [(config.privacy.noise_multiplier, rate, steps)]
    with warnings.catch_warnings():  # beyond the orders that it looks at the bound would be tighter; it holds anyway
        warnings.filterwarnings("ignore", "Optimal order")
        epsilon = float(accountant.get_epsilon(config.privacy.delta))
    return Guarantee(
        epsilon=epsilon,
        delta=config.privacy.delta,
        noise_multiplier=config.privacy.noise_multiplier,
        max_grad_norm=config.privacy.max_grad_norm,
        sampling_rate=rate,
        steps=steps,
    )


class PrivateLoop(AdversarialLoop):
    """Trains the players on real samples without showing any of them to more than a noisy, clipped gradient.

    Each step takes every training row with the same probability, whatever its class, and adds noise to the sum of the
    clipped gradients. Which rows and what noise is drawn from the operating system's entropy, for who knew the seed
    could take the noise away: so trainings of one study differ, and a resumed one goes on with other numbers.

    Generated samples have random classes, and no number that is returned has met a real row without noise.
    """

    def __init__(
        self, config: GanConfig, players: Players, samples: Samples, codec: Codec, fabric: Fabric, seed: int
    ) -> None:
        super().__init__(config, players, samples, codec, fabric, seed)
        privacy = cast(PrivacyConfig, config.privacy)
        self.rate = config.batch_size / len(samples)
        self.secret = torch.Generator(device=fabric.device)
        self.watched: Any = _opacus("grad_sample").GradSampleModule(players.discriminator, loss_reduction="sum")
        self.private_optimiser: Any = _opacus("optimizers").DPOptimizer(
            players.discriminator_optimiser,
            noise_multiplier=privacy.noise_multiplier,
            max_grad_norm=privacy.max_grad_norm,
            expected_batch_size=config.batch_size,
            generator=self.secret,
        )

    def step(self, number: int) -> Mapping[str, Tensor]:
        """Take one step of both networks; return the generator's loss and mean logit, still on the device."""
        self.random.generator.manual_seed(derive_seed(self.seed, "step", number, 0))
        self.secret.manual_seed(secrets.randbits(63))  # at every step, for on a processor half of these bits count
        self._schedule(number)
        labels = self.random.integers(self.n_classes)
        fake = self.generator(self.random.normal(self.batch, self.latent_dim), labels)
        self._train_private(fake.detach(), labels)
        metrics = self._train_by_discriminator(fake, labels)
        self._update_average(number)
        return metrics

    def _train_private(self, fake: Tensor, labels: Tensor) -> None:
        """Update the discriminator on some real rows, perhaps none, and on generated ones."""
        rows = torch.rand(len(self.labels), generator=self.secret, device=self.secret.device) < self.rate
        real = self.codec.inputs(self.values[rows])
        self.private_optimiser.zero_grad()
        logits = self.watched(torch.cat([real, fake]), torch.cat([self.labels[rows], labels]))
        # non-saturating: a sum of one term for each sample
        loss = torch.cat([F.softplus(-logits[: len(real)]), F.softplus(logits[len(real) :])]).sum()
        with warnings.catch_warnings():  # labels have no gradient, which torch finds worth a word to Opacus
            warnings.filterwarnings("ignore", "Full backward hook")
            loss.backward()  # type: ignore[no-untyped-call]
        self.private_optimiser.step()

    def _train_by_discriminator(self, fake: Tensor, labels: Tensor) -> dict[str, Tensor]:
        self.watched.disable_hooks()  # gradients pass through the discriminator, and none of a row is wanted
        discriminator = self.players.discriminator.requires_grad_(False)
        logits = discriminator(fake, labels)
        loss = self.loss.generator(logits, logits)
        self.generator_optimiser.zero_grad()
        self.fabric.backward(loss)
        self.generator_optimiser.step()
        discriminator.requires_grad_(True)
        self.watched.enable_hooks()
        return {"g_loss": loss.detach(), "d_fake": logits.mean().detach()}


def _opacus(module: str) -> Any:  # noqa: ANN401  # a library that need not be there
    try:
        return import_module(f"opacus.{module}")
    except ImportError as error:
        raise StudyError("gan.privacy: needs the library opacus; pip install 'gansynth[privacy]'") from error
