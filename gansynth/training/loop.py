"""The adversarial loop: one for every family, no file and no path in it."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor

from gansynth import processes
from gansynth.drawing import RowsByClass
from gansynth.gans import FAMILIES, GanConfig
from gansynth.gans.augmentation import augment
from gansynth.gans.base import LARGEST_SHARE, Discriminator, Generator
from gansynth.gans.losses import LOSSES, distance_from_slope_one, feature_matching, lecam
from gansynth.modalities.base import Codec, Shape
from gansynth.samples import Samples
from gansynth.seeding import BatchRandom, derive_seed, seeded_globally
from gansynth.training.judge import Judge

# of ADA: steps between changes, the share of the budget in which it can go from 0 to 1, and its target
ADAPT_EVERY, ADAPT_SHARE, ADAPT_TARGET = 4, 0.25, 0.6
ANCHOR_DECAY = 0.99
AUXILIARY_RAMP = 300
"""Steps over which the auxiliary classifier gains its weight."""


@dataclass(frozen=True)
class Players:
    """The networks of adversarial training, their optimisers, and what it remembers besides.

    `average` follows the generator's weights. `memory` holds scalars: `augmentation`, the share of samples that is
    augmented, and `real` and `fake`, moving averages of the logits.
    """

    generator: Generator
    discriminator: Discriminator
    average: Generator
    generator_optimiser: torch.optim.Adam
    discriminator_optimiser: torch.optim.Adam
    memory: dict[str, Tensor]


def build_players(config: GanConfig, family: str, shape: Shape, n_classes: int, seed: int) -> Players:
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
    start = {"augmentation": config.augmentation_probability, "real": 0.0, "fake": 0.0}
    memory = {name: torch.tensor(value) for name, value in start.items()}
    return Players(generator, discriminator, average, optimisers[0], optimisers[1], memory)


class AdversarialLoop:
    """Trains the players on real samples, one step at a time.

    All randomness of step n comes from a generator seeded with (seed, n), so that a loop resumed at step n
    continues exactly as an uninterrupted one. Where several processes train together, each takes an equal part of the
    rows that one process would, with the same random numbers: they end as one does, but for rounding.

    So does one process that computes a batch in `parts`, one after another, to need less memory. The generator still
    makes the whole batch at once, since its normalisation may look at all of it; what judges it, which takes most of
    the memory, does not. `parts.py` tells for which trainings that holds.
    """

    def __init__(
        self,
        config: GanConfig,
        players: Players,
        samples: Samples,
        codec: Codec,
        fabric: Fabric,
        seed: int,
        parts: int = 1,
    ) -> None:
        self.config, self.fabric, self.seed, self.codec, self.players = config, fabric, seed, codec, players
        self.generator, self.generator_optimiser = fabric.setup(players.generator, players.generator_optimiser)
        self.judge, self.discriminator_optimiser = fabric.setup(
            Judge(players.discriminator), players.discriminator_optimiser
        )
        self.average = players.average.to(fabric.device)
        for name, value in players.memory.items():
            players.memory[name] = value.to(fabric.device)
        self.rate_share = 1.0
        self.latent_dim = players.generator.latent_dim
        self.total_steps = max(1, round(config.kimg * 1000 / config.batch_size))
        self.batch = config.batch_size // fabric.world_size
        self.parts, self.rows = parts, self.batch // parts
        self.loss = LOSSES[config.loss]
        # real samples come first, then generated ones, then what lies between
        places = {"r1_r2": slice(None), "r1": slice(self.rows), "interpolated": slice(-self.rows, None)}
        self.penalised = places[config.penalty_kind]
        self.augmentation_step = ADAPT_EVERY * config.batch_size / (ADAPT_SHARE * config.kimg * 1000)
        generator = torch.Generator(device=fabric.device)
        self.random = BatchRandom(generator, self.batch, fabric.global_rank, fabric.world_size)
        self.values = codec.hold(samples.values).to(fabric.device)
        self.labels = torch.tensor(samples.labels).to(fabric.device)
        self.by_class = RowsByClass(samples.labels, samples.counts, fabric.device)
        self.n_classes = len(samples.class_names)

    def step(self, number: int) -> Mapping[str, Tensor]:
        """Take one step of both networks; return the losses and mean logits of its process, still on the device."""
        # 0 for the first process, whichever this is
        self.random.generator.manual_seed(derive_seed(self.seed, "step", number, 0))
        self._schedule(number)
        real, labels = self._draw_real()
        fake = self.generator(self.random.normal(self.batch, self.latent_dim), labels)
        penalise = self.config.penalty > 0 and number % self.config.penalty_every == 0
        metrics, logits_real = self._train_discriminator(real, fake.detach(), labels, penalise=penalise)
        metrics["g_loss"] = self._train_generator(fake, real, labels, logits_real, number)
        metrics["augmentation"] = self.players.memory["augmentation"].clone()
        if self.config.augmentation_control == "adaptive" and number % ADAPT_EVERY == 0:
            self._adapt_augmentation(metrics)
        self._update_average(number)
        return metrics

    def _train_discriminator(
        self, real: Tensor, fake: Tensor, labels: Tensor, *, penalise: bool
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Update the discriminator; return metrics and its logits of the real samples before the update."""
        self.discriminator_optimiser.zero_grad()
        found: list[dict[str, Tensor]] = []
        logits: list[Tensor] = []
        for own in self._in_parts():
            loss, metrics, logits_real = self._judge_real_and_fake(real[own], fake[own], labels[own], penalise=penalise)
            self.fabric.backward(loss / self.parts)
            found.append({name: value.detach() for name, value in metrics.items()})
            logits.append(logits_real.detach())
        self.discriminator_optimiser.step()
        if self.parts == 1:
            return found[0], logits[0]
        return {name: torch.stack([one[name] for one in found]).mean(0) for name in found[0]}, torch.cat(logits)

    def _judge_real_and_fake(
        self, real: Tensor, fake: Tensor, labels: Tensor, *, penalise: bool
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Return the discriminator's loss, metrics, and its logits of the real samples."""
        seen = self._augment(torch.cat([real, fake]))
        if penalise and self.config.penalty_kind == "interpolated":
            seen = torch.cat([seen, self._between(*seen.chunk(2))])
        seen.requires_grad_(penalise)
        penalised = self.penalised if penalise else None
        classified = real if self.config.auxiliary > 0 else None
        logits, squared, classes = self.judge(seen, labels.repeat(len(seen) // len(labels)), penalised, classified)
        logits_real, logits_fake = logits[: 2 * len(labels)].chunk(2)
        loss = self.loss.discriminator(logits_real, logits_fake)
        metrics = {
            "d_loss": loss,
            "d_real": logits_real.mean(),
            "d_fake": logits_fake.mean(),
            "d_sign": self._sign(logits_real, logits_fake),
        }
        if squared is not None:
            metrics["penalty"] = self._penalty(squared)
            # lazy regularisation makes up for the steps without
            loss = loss + self.config.penalty * self.config.penalty_every * metrics["penalty"]
        if classes is not None:
            metrics["auxiliary"] = F.cross_entropy(classes.float(), labels)
            loss = loss + metrics["auxiliary"]
        if self.config.lecam > 0:
            loss = loss + self.config.lecam * self._lecam(logits_real, logits_fake)
        return loss, metrics, logits_real

    def _penalty(self, squared: Tensor) -> Tensor:
        """Return the gradient penalty from squared gradients at what the discriminator has seen."""
        if self.config.penalty_kind == "interpolated":
            return distance_from_slope_one(squared[self.penalised])
        return squared.mean()  # over real and generated samples this is half of R1 + R2, or half of R1

    def _between(self, real: Tensor, fake: Tensor) -> Tensor:
        return torch.lerp(real, fake, self.random.uniform(len(real), *[1] * (real.dim() - 1)))

    def _lecam(self, real: Tensor, fake: Tensor) -> Tensor:
        """Let the moving averages of the logits follow, and return how far the logits are from those."""
        memory = self.players.memory
        for name, logits in (("real", real), ("fake", fake)):
            memory[name].lerp_(processes.mean(logits.detach().mean()), 1 - ANCHOR_DECAY)
        return lecam(real, fake, memory["real"], memory["fake"])

    def _sign(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the overfitting heuristic of ADA: the mean sign of real logits, or of their lead in a paired loss."""
        return (real - fake if self.config.loss == "relativistic" else real).sign().mean()

    @torch.no_grad()
    def _adapt_augmentation(self, metrics: Mapping[str, Tensor]) -> None:
        """Augment more if the discriminator overfits, else less (ADA, arXiv 2006.06676)."""
        direction = (processes.mean(metrics["d_sign"]) - ADAPT_TARGET).sign()
        self.players.memory["augmentation"].add_(direction * self.augmentation_step).clamp_(0, LARGEST_SHARE)

    def _train_generator(self, fake: Tensor, real: Tensor, labels: Tensor, logits_real: Tensor, number: int) -> Tensor:
        """Update the generator on the samples that the discriminator has just seen; return its loss."""
        # the bare network: its gradients are not wanted, so no process may wait for another's
        discriminator = self.players.discriminator.requires_grad_(False)
        self.generator_optimiser.zero_grad()
        if self.parts == 1:
            loss = self._judge_fake(fake, real, labels, logits_real, number)
            self.fabric.backward(loss)
        else:
            loss = self._backward_in_parts(fake, real, labels, logits_real, number)
        self.generator_optimiser.step()
        discriminator.requires_grad_(True)
        return loss.detach()

    def _backward_in_parts(
        self, fake: Tensor, real: Tensor, labels: Tensor, logits_real: Tensor, number: int
    ) -> Tensor:
        """Take the loss back to the samples part by part, then from all of them to the generator; return the loss.

        This is the gradient cache of Gao et al. 2021 (arXiv 2101.06983).
        """
        losses, slopes = [], torch.empty_like(fake)
        for own in self._in_parts():
            leaf = fake[own].detach().requires_grad_()
            loss = self._judge_fake(leaf, real[own], labels[own], logits_real[own], number) / self.parts
            (slopes[own],) = torch.autograd.grad(loss, leaf)
            losses.append(loss.detach())
        self.fabric.backward((fake * slopes).sum())  # whose gradient at the samples is the slopes
        return torch.stack(losses).sum()

    def _judge_fake(self, fake: Tensor, real: Tensor, labels: Tensor, logits_real: Tensor, number: int) -> Tensor:
        """Return the generator's loss."""
        discriminator = self.players.discriminator
        with self.fabric.autocast():
            features = discriminator.embed(self._augment(fake))
            logits_fake = discriminator.judge(features, labels).float()
        loss = self.loss.generator(logits_real, logits_fake)
        if self.config.feature_matching > 0:
            with torch.no_grad(), self.fabric.autocast():
                wanted = discriminator.embed(self._augment(real))
            distance = feature_matching(wanted.float(), features.float(), labels, self.n_classes)
            loss = loss + self.config.feature_matching * distance
        if self.config.auxiliary > 0:
            with self.fabric.autocast():
                classes = discriminator.classify(fake).float()
            # by and by, for at first the classifier knows nothing
            weight = self.config.auxiliary * min(1.0, number / AUXILIARY_RAMP)
            loss = loss + weight * F.cross_entropy(classes, labels)
        return loss

    def _in_parts(self) -> Iterator[slice]:
        """Yield the rows of each part of the batch; each part draws those random numbers that are for its rows."""
        if self.parts == 1:
            yield slice(None)
            return
        whole, start = self.random, self.random.generator.get_state()
        for part in range(self.parts):
            self.random.generator.set_state(start)
            self.random = BatchRandom(whole.generator, self.rows, part, self.parts)
            yield slice(part * self.rows, (part + 1) * self.rows)
        self.random = whole

    @torch.no_grad()
    def _update_average(self, number: int) -> None:
        """Let the average follow the generator, with a half-life that grows with what was seen."""
        decay = 0.5 ** (1 / (self.config.ema_share * (number + 1)))
        networks = (self.players.average, self.players.generator)
        averages, currents = ([*net.parameters(), *net.buffers()] for net in networks)
        floating = [(a, c) for a, c in zip(averages, currents, strict=True) if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floating], [c for _, c in floating], 1 - decay)

    def _draw_real(self) -> tuple[Tensor, Tensor]:
        if self.config.class_balanced:
            labels = self.random.integers(self.n_classes)
            rows = self.by_class.pick(labels, self.random.uniform(self.batch))
        else:
            rows = self.random.integers(len(self.labels))
            labels = self.labels[rows]
        return self.codec.inputs(self.values[rows]), labels

    def _augment(self, images: Tensor) -> Tensor:
        fixed = self.config.augmentation_control == "fixed"
        share = self.config.augmentation_probability if fixed else self.players.memory["augmentation"]
        return augment(images, self.config.augmentation, share, self.random)

    def _schedule(self, number: int) -> None:
        """Set the learning rate: linear warm-up, plateau, linear decay to zero."""
        rising = (number + 1) / max(1, self.config.warmup_steps)
        falling = (self.total_steps - number) / max(1.0, self.config.decay_share * self.total_steps)
        rate = self.rate_share * self.config.learning_rate * min(1.0, rising, falling)
        for optimiser in (self.players.generator_optimiser, self.players.discriminator_optimiser):
            for group in optimiser.param_groups:
                group["lr"] = rate
