"""Adversarial training in plain torch: what the speed of the real loop is held against, and where settings are tried.

The same networks, loss, penalty, augmentation and size of batches as the default family's, and nothing else: no
balance of the classes, no moving average, no metrics, no schedule, no Fabric.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gansynth.gans import AnyGan
from gansynth.gans.augmentation import augment
from gansynth.modalities.image import Codec, ImageConfig
from gansynth.samples import Samples
from gansynth.seeding import BatchRandom
from gansynth.training.loop import build_players


@dataclass(frozen=True)
class Levers:
    """Settings that change the speed."""

    channels_last: bool = True
    autocast: bool = False
    compiled: bool = False
    fused: bool = True
    penalty_every: int | None = None
    threads: int = 1


class BareLoop:
    """One step of both networks at a time."""

    def __init__(self, config: AnyGan, samples: Samples, levers: Levers) -> None:
        self.config, self.levers = config, levers
        self.codec = Codec.fit(samples, ImageConfig())
        players = build_players(config, config.kind, self.codec.shape, len(samples.class_names), seed=0)
        layout = torch.channels_last if levers.channels_last else torch.contiguous_format
        self.generator = players.generator.to(memory_format=layout)
        self.discriminator = players.discriminator.to(memory_format=layout)
        self.optimisers = [
            torch.optim.Adam(network.parameters(), config.learning_rate, (0.0, config.beta2), fused=levers.fused)
            for network in (self.generator, self.discriminator)
        ]
        if levers.compiled:
            # the discriminator's gradient penalty needs a second derivative, which compiled code has not (torch 2.14)
            self.generator.compile()
        self.values, self.labels = torch.from_numpy(samples.values), torch.from_numpy(samples.labels)
        self.random = torch.Generator().manual_seed(0)
        self.latent_dim = players.generator.latent_dim

    def step(self, number: int) -> None:
        """Update the discriminator, then the generator."""
        torch.set_num_threads(self.levers.threads)
        every = self.levers.penalty_every or self.config.penalty_every
        rows = torch.randint(len(self.labels), (self.config.batch_size,), generator=self.random)
        real, labels = self.codec.inputs(self.values[rows]), self.labels[rows]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.levers.autocast):
            fake = self.generator(torch.randn(len(rows), self.latent_dim, generator=self.random), labels).float()
            seen = self._augment(torch.cat([real, fake.detach()])).requires_grad_(number % every == 0)
            logits = self.discriminator(seen, labels.repeat(2)).float()
        logits_real, logits_fake = logits.chunk(2)
        loss = F.softplus(logits_fake - logits_real).mean()
        if number % every == 0:
            (slope,) = torch.autograd.grad(logits.sum(), seen, create_graph=True)
            loss = loss + self.config.penalty * every * slope.square().sum((1, 2, 3)).mean()
        self._update(1, loss)
        self.discriminator.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.levers.autocast):
            judged = self.discriminator(self._augment(fake), labels).float()
        self._update(0, F.softplus(logits_real.detach() - judged).mean())
        self.discriminator.requires_grad_(True)

    def _augment(self, images: Tensor) -> Tensor:
        random = BatchRandom(self.random, len(images))
        return augment(images, self.config.augmentation, self.config.augmentation_probability, random)

    def _update(self, player: int, loss: Tensor) -> None:
        self.optimisers[player].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types there
        self.optimisers[player].step()
