"""The family for tables: blocks, labels that hold, samples that follow from their latents."""

import numpy as np
import pytest
import torch

from gansynth.devices import make_fabric
from gansynth.gans import FAMILIES
from gansynth.modalities.table import Codec, TableConfig
from gansynth.samples import Column, Samples, Schema
from gansynth.study import ComputeConfig
from gansynth.training.loop import AdversarialLoop, build_players

FAMILY = FAMILIES["tabular"]
SCHEMA = Schema(
    (Column("x", "numeric", "double"), Column("town", "categorical", "string", ("Oslo", "Rome", "Kyiv"))),
    Column("y", "categorical", "string", ("no", "yes")),
)


def rule_of_thumb(rows: int, share: float, seed: int = 0) -> Samples:
    """Draw rows whose label follows from their number and their town."""
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < share).astype(np.int64)
    x = random.normal(0, 1, rows) + np.where(labels == 1, 3, -3)
    town = np.where(labels == 1, 2, random.integers(0, 2, rows))
    return Samples(np.stack([x, town], 1).astype(np.float64), labels, ("no", "yes"), SCHEMA)


@pytest.mark.parametrize("shape", [(1,), (3,), (1, 1), (2, 4), (1, 3, 1, 2), (5, 1, 1)])
def test_blocks_keep_their_order_and_range(shape: tuple[int, ...]) -> None:
    players = build_players(FAMILY.config(), "tabular", shape, 2, seed=0)
    latents, labels = torch.randn(7, players.generator.latent_dim), torch.arange(7) % 2
    rows = players.generator(latents, labels)
    assert rows.shape == (7, sum(shape))
    for block, width in zip(rows.split(list(shape), 1), shape, strict=True):
        if width == 1:
            assert block.abs().max() <= 1
        else:
            torch.testing.assert_close(block.sum(1), torch.ones(7))
            assert block.min() >= 0
    logits = players.discriminator(rows, labels)
    assert logits.shape == (7,)
    logits.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in players.generator.parameters())


def test_a_row_follows_from_its_latent_whatever_the_batch() -> None:
    generator = build_players(FAMILY.config(), "tabular", (1, 3, 1, 2), 2, seed=0).average.eval()
    latents, labels = torch.randn(5, generator.latent_dim), torch.tensor([0, 1, 1, 0, 1])
    together = generator(latents, labels)
    alone = torch.cat([generator(latents[i : i + 1], labels[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    # the part of the latent that draws categories draws all of them
    drawn = generator(torch.randn(400, generator.latent_dim), torch.zeros(400, dtype=torch.int64))
    assert set(drawn[:, 1:4].argmax(1).tolist()) == {0, 1, 2}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"loss": "hinge", "penalty_kind": "r1"},
        {"loss": "wasserstein", "penalty_kind": "interpolated", "penalty": 10.0},
    ],
    ids=["relativistic", "hinge", "wasserstein"],
)
def test_asked_for_a_label_it_delivers_it(settings: dict[str, object]) -> None:
    samples = rule_of_thumb(400, 0.1)
    codec = Codec.fit(samples, TableConfig(label="y"))
    config = FAMILY.config.model_validate({"kimg": 40} | settings)
    players = build_players(config, "tabular", codec.shape, 2, seed=1)
    loop = AdversarialLoop(config, players, samples, codec, make_fabric(ComputeConfig(accelerator="cpu")), seed=1)
    for step in range(loop.total_steps):
        loop.step(step)
    asked = torch.arange(400) % 2
    latents = torch.randn(400, loop.latent_dim, generator=torch.Generator().manual_seed(0))
    cells = codec.decode(loop.average.eval()(latents, asked))
    assert set(cells[:, 1].tolist()) <= {0.0, 1.0, 2.0}
    assert ((cells[:, 0] > 0) == (asked.numpy() == 1)).mean() >= 0.95
