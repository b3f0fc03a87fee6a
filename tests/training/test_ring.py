"""Which modes of a distribution survive: a ring of eight Gaussians, as pictures of one pixel with two channels."""

import numpy as np
import torch

from gansynth.devices import make_fabric
from gansynth.gans import MlpConfig
from gansynth.modalities.image import Codec, ImageConfig
from gansynth.samples import Samples
from gansynth.sections import ComputeConfig
from gansynth.training.loop import AdversarialLoop, build_players

MODES = 8
SPREAD = 0.05


def ring(count: int) -> tuple[Samples, np.ndarray]:
    """Draw points of the ring; return them as samples of one class, with the centres, (MODES, 2) in [-1, 1]."""
    angles = np.arange(MODES) * 2 * np.pi / MODES
    centres = 0.7 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    random = np.random.default_rng(0)
    points = centres[random.integers(0, MODES, count)] + random.normal(0, SPREAD, (count, 2))
    values = np.clip(np.round((points + 1) * 127.5), 0, 255).astype(np.uint8)
    return Samples(values[:, None, None, :], np.zeros(count, np.int64), ("ring",)), centres


def test_all_modes_of_a_ring_survive() -> None:
    samples, centres = ring(2000)
    config = MlpConfig(
        kimg=64, batch_size=64, width=64, latent_dim=8, loss="relativistic", penalty=0.1, learning_rate=1e-3
    )
    players = build_players(config, "mlp", (2, 1, 1), 1, seed=0)
    fabric = make_fabric(ComputeConfig(accelerator="cpu"))
    loop = AdversarialLoop(config, players, samples, Codec.fit(samples, ImageConfig()), fabric, seed=0)
    for step in range(loop.total_steps):
        loop.step(step)
    latents = torch.randn(1000, loop.latent_dim, generator=torch.Generator().manual_seed(1))
    made = loop.average.eval()(latents, torch.zeros(1000, dtype=torch.long)).flatten(1).numpy()
    distances = np.linalg.norm(made[:, None] - centres, axis=2)
    near = distances.min(1) < 4 * SPREAD
    reached = np.bincount(distances.argmin(1)[near], minlength=MODES)
    assert near.mean() > 0.5
    assert (reached > 1000 / MODES / 5).sum() == MODES
