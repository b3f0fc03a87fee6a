"""Candidates from a trained generator. Each has its own seed, so how many are drawn at a time changes none of them.

The networks' last digits depend on the shape of a batch (some 1e-6 between a batch of 1 and one of 64 on a
processor, enough to move a few pixels in a million by one grey level). So they always run on whole *passes*: pass k
of a class holds the candidates from k * size to (k + 1) * size - 1, and its size is the codec's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import ndtri

from gansynth.checkpoints import TrainedModel
from gansynth.samples import Indices, Values
from gansynth.sections import GenerationConfig
from gansynth.seeding import derive_seed
from gansynth.threads import in_threads

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Candidates:
    """Generated samples of one class, and what the model's networks say of them.

    Attributes:
        label: The class they were asked for.
        indices: int64 of shape (N,), each candidate's number within its class: with the seed, it gives the sample.
        values: As in `Samples`; images are uint8 of shape (N, height, width, channels).
        probabilities: The teacher's probability of every class, of shape (N, K).
        logits: The discriminator's realness for the label, of shape (N,); None if nobody asked for it.
    """

    label: int
    indices: Indices
    values: Values
    probabilities: Floats
    logits: Floats | None

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def agreement(self) -> Floats:
        """The teacher's probability of the label that was asked for, of shape (N,)."""
        return self.probabilities[:, self.label]

    def take(self, positions: Indices | slice) -> "Candidates":
        """Return the candidates at `positions`, in that order."""
        return Candidates(
            self.label,
            self.indices[positions],
            self.values[positions],
            self.probabilities[positions],
            None if self.logits is None else self.logits[positions],
        )

    @classmethod
    def concatenate(cls, parts: "Sequence[Candidates]") -> "Candidates":
        """Join candidates of one class."""
        return cls(
            parts[0].label,
            np.concatenate([part.indices for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            None if parts[0].logits is None else np.concatenate([cast(Floats, part.logits) for part in parts]),
        )


class Sampler:
    """Draws candidates of a trained model under a seed, from latents of a standard deviation of `latent_scale`.

    Passes run on `threads` threads side by side, which changes none of them. The discriminator takes half as long as
    the generator, so it looks at candidates only if a filter asks for its logits.
    """

    def __init__(self, model: TrainedModel, seed: int, settings: GenerationConfig, threads: int = 1) -> None:
        self.model, self.seed, self.threads = model, seed, threads
        self.latent_scale = settings.latent_scale
        self.judged = "discriminator" in settings.active_filters
        self.pass_size = model.codec.pass_size

    def draw(self, label: int, start: int, stop: int) -> Candidates:
        """Return the candidates `start` to `stop - 1` of a class, the same ones in whatever portions they are drawn."""
        first, last = start // self.pass_size, math.ceil(stop / self.pass_size)
        passes = in_threads(partial(self._run, label), range(first, last), self.threads)
        offset = first * self.pass_size
        return Candidates.concatenate(passes).take(slice(start - offset, stop - offset))

    @torch.inference_mode()
    def _run(self, label: int, number: int) -> Candidates:
        model, size = self.model, self.pass_size
        generator = model.generator
        indices = np.arange(number * size, (number + 1) * size, dtype=np.int64)
        normal = latents(self.seed, label, number * size, (number + 1) * size, generator.sampling_dim)
        labels = torch.full((size,), label, device=model.device)
        samples = generator.sample(torch.from_numpy(normal).to(model.device), labels, self.latent_scale)
        values = model.codec.decode(samples)
        logits = model.discriminator(samples, labels).float().cpu().numpy() if self.judged else None
        return Candidates(label, indices, values, model.teacher.probabilities(values), logits)


def latents(seed: int, label: int, start: int, stop: int, latent_dim: int) -> Floats:
    """Return the standard normal latents of the candidates `start` to `stop - 1` of a class.

    The latent of candidate i is a function of (seed, label, i) alone: the Philox counters (Salmon et al. 2011) from
    i * w to (i + 1) * w - 1 under a key for the seed and class, w = latent_dim / 4 rounded up, four words a counter,
    each word's upper 52 bits through the inverse of the normal distribution function.

    Returns:
        float32 of shape (stop - start, latent_dim).
    """
    width = math.ceil(latent_dim / 4)
    stream = np.random.Philox(key=derive_seed(seed, "latent", label), counter=start * width)
    words = stream.random_raw((stop - start) * width * 4).reshape(stop - start, width * 4)
    uniform = ((words[:, :latent_dim] >> np.uint64(12)) + 0.5) * 2.0**-52
    normal: Floats = ndtri(uniform).astype(np.float32)
    return normal
