"""The adversarial loop: one for every family, no file and no path in it."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from gansynth.gans import FAMILIES, GanConfig
from gansynth.gans.augmentation import augment
from gansynth.gans.base import Generator, SampleShape
from gansynth.gans.losses import LOSSES, gradient_penalty
from gansynth.modalities.image import Codec
from gansynth.samples import Samples
from gansynth.seeding import derive_seed, seeded_globally


@dataclass(frozen=True)
class Players:
    """The networks of adversarial training and their optimisers. `average` follows the generator's weights."""

    generator: nn.Module
    discriminator: nn.Module
    average: nn.Module
    generator_optimiser: torch.optim.Adam
    discriminator_optimiser: torch.optim.Adam


def build_players(config: GanConfig, family: str, shape: SampleShape, n_classes: int, seed: int) -> Players:
    """Return freshly initialised networks of a family, and their optimisers."""
    with seeded_globally(seed, "weights"):
        generator = FAMILIES[family].generator(config, shape, n_classes)
        discriminator = FAMILIES[family].discriminator(config, shape, n_classes)
    generator = generator.to(memory_format=torch.channels_last)
    discriminator = discriminator.to(memory_format=torch.channels_last)
    optimisers = [
        torch.optim.Adam(network.parameters(), lr=config.learning_rate, betas=(0.0, config.beta2), fused=True)
        for network in (generator, discriminator)
    ]
    average = copy.deepcopy(generator).requires_grad_(False)
    return Players(generator, discriminator, average, optimisers[0], optimisers[1])


class AdversarialLoop:
    """Trains the players on real samples, one step at a time.

    All randomness of step n comes from a generator seeded with (seed, n), so that a loop resumed at step n
    continues exactly as an uninterrupted one.
    """

    def __init__(
        self, config: GanConfig, players: Players, samples: Samples, codec: Codec, fabric: Fabric, seed: int
    ) -> None:
        self.config, self.fabric, self.seed, self.codec, self.players = config, fabric, seed, codec, players
        self.generator, self.generator_optimiser = fabric.setup(players.generator, players.generator_optimiser)
        self.discriminator, self.discriminator_optimiser = fabric.setup(
            players.discriminator, players.discriminator_optimiser
        )
        self.average = players.average.to(fabric.device)
        self.latent_dim = cast(Generator, players.generator).latent_dim
        self.total_steps = max(1, round(config.kimg * 1000 / config.batch_size))
        self.batch = config.batch_size // fabric.world_size
        self.loss = LOSSES[config.loss]
        self.random = torch.Generator(device=fabric.device)
        self.values = torch.tensor(samples.values).to(fabric.device)
        self.labels = torch.tensor(samples.labels).to(fabric.device)
        self.by_class = self.labels.argsort(stable=True)
        self.counts = torch.tensor(samples.counts).to(fabric.device)
        self.starts = self.counts.cumsum(0) - self.counts

    def step(self, number: int) -> Mapping[str, Tensor]:
        """Take one step of both networks; return their losses and mean logits, still on the device."""
        self.random.manual_seed(derive_seed(self.seed, "step", number, self.fabric.global_rank))
        self._schedule(number)
        real, labels = self._draw_real()
        fake = self.generator(self._draw_latents(), labels)
        penalise = self.config.penalty > 0 and number % self.config.penalty_every == 0
        metrics, logits_real = self._train_discriminator(real, fake.detach(), labels, penalise=penalise)
        metrics["g_loss"] = self._train_generator(fake, labels, logits_real)
        self._update_average(number)
        return metrics

    def _train_discriminator(
        self, real: Tensor, fake: Tensor, labels: Tensor, *, penalise: bool
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Update the discriminator; return metrics and its logits of the real samples before the update."""
        seen = self._augment(torch.cat([real, fake]))
        seen.requires_grad_(penalise)
        logits = self.discriminator(seen, labels.repeat(2))
        logits_real, logits_fake = logits.chunk(2)
        loss = self.loss.discriminator(logits_real, logits_fake)
        metrics = {"d_loss": loss, "d_real": logits_real.mean(), "d_fake": logits_fake.mean()}
        if penalise:
            # the mean over real and fake is half of R1 + R2; lazy regularisation makes up for the steps without
            metrics["penalty"] = gradient_penalty(logits, seen)
            loss = loss + self.config.penalty * self.config.penalty_every * metrics["penalty"]
        self.discriminator_optimiser.zero_grad()
        self.fabric.backward(loss)
        self.discriminator_optimiser.step()
        return {name: value.detach() for name, value in metrics.items()}, logits_real.detach()

    def _train_generator(self, fake: Tensor, labels: Tensor, logits_real: Tensor) -> Tensor:
        """Update the generator on the samples that the discriminator has just seen; return its loss."""
        # the bare network: its gradients are not wanted, so no process may wait for another's
        discriminator = self.players.discriminator.requires_grad_(False)
        with self.fabric.autocast():
            logits_fake = discriminator(self._augment(fake), labels).float()
        loss = self.loss.generator(logits_real, logits_fake)
        self.generator_optimiser.zero_grad()
        self.fabric.backward(loss)
        self.generator_optimiser.step()
        discriminator.requires_grad_(True)
        return loss.detach()

    @torch.no_grad()
    def _update_average(self, number: int) -> None:
        """Let the average follow the generator, with a half-life that grows with what was seen."""
        decay = 0.5 ** (1 / (self.config.ema_share * (number + 1)))
        networks = (self.players.average, self.players.generator)
        averages, currents = ([*net.parameters(), *net.buffers()] for net in networks)
        floating = [(a, c) for a, c in zip(averages, currents, strict=True) if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floating], [c for _, c in floating], 1 - decay)

    def _draw_real(self) -> tuple[Tensor, Tensor]:
        device = self.fabric.device
        if self.config.class_balanced:
            labels = torch.randint(len(self.counts), (self.batch,), generator=self.random, device=device)
            place = torch.rand(self.batch, generator=self.random, device=device) * self.counts[labels]
            rows = self.by_class[self.starts[labels] + place.long()]
        else:
            rows = torch.randint(len(self.labels), (self.batch,), generator=self.random, device=device)
            labels = self.labels[rows]
        return self.codec.encode(self.values[rows]), labels

    def _draw_latents(self) -> Tensor:
        return torch.randn(self.batch, self.latent_dim, generator=self.random, device=self.fabric.device)

    def _augment(self, images: Tensor) -> Tensor:
        return augment(images, self.config.augmentation, self.config.augmentation_probability, self.random)

    def _schedule(self, number: int) -> None:
        """Set the learning rate: linear warm-up, plateau, linear decay to zero."""
        rising = (number + 1) / max(1, self.config.warmup_steps)
        falling = (self.total_steps - number) / max(1.0, self.config.decay_share * self.total_steps)
        rate = self.config.learning_rate * min(1.0, rising, falling)
        for optimiser in (self.players.generator_optimiser, self.players.discriminator_optimiser):
            for group in optimiser.param_groups:
                group["lr"] = rate
