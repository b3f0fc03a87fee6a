"""The family for tables: blocks, labels that hold, samples that follow from their latents."""

import numpy as np
import pytest
import torch

from gansynth.devices import make_fabric
from gansynth.gans import FAMILIES
from gansynth.modalities.table import Codec, TableConfig
from gansynth.samples import Column, Samples, Schema
from gansynth.sections import ComputeConfig
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


@pytest.mark.parametrize("shape", [(1, 3, 1, 2), (3,), (1, 1), (4, 1)])
def test_sampling_draws_categories_as_training_does(shape: tuple[int, ...]) -> None:
    generator = build_players(FAMILY.config(), "tabular", shape, 2, seed=0).average.eval()
    with torch.no_grad():
        generator.last.weight.mul_(20)  # some categories are likely, others are not
        random, labels = torch.Generator().manual_seed(0), torch.zeros(40_000, dtype=torch.int64)
        own = torch.randn(1, generator.own_dim, generator=random).expand(len(labels), -1)

        def drawn(noises: int, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
            noise = torch.randn(len(labels), noises, generator=random)
            return torch.cat([own / scale, noise], 1), torch.cat([own, noise], 1)

        made = generator.sample(drawn(generator.sampling_dim - generator.own_dim, 3.0)[0], labels, 3.0)
        like = generator(drawn(generator.latent_dim - generator.own_dim, 3.0)[1], labels)
    for block, meant, width in zip(made.split(list(shape), 1), like.split(list(shape), 1), shape, strict=True):
        if width == 1:
            torch.testing.assert_close(block, meant, atol=1e-5, rtol=1e-5)
        else:
            assert torch.equal(block.sum(1), torch.ones(len(labels)))
            assert set(block.unique().tolist()) == {0, 1}
            shares = torch.bincount(meant.argmax(1), minlength=width) / len(labels)
            torch.testing.assert_close(block.mean(0), shares, atol=0.015, rtol=0)


def test_layers_of_each_class_learn_from_its_rows_alone() -> None:
    players = build_players(FAMILY.config(per_class=True), "tabular", (1, 3), 3, seed=0)
    rows = players.generator(torch.randn(6, players.generator.latent_dim), torch.tensor([0, 0, 2, 2, 0, 2]))
    rows.square().sum().backward()
    for name, parameter in players.generator.named_parameters():
        assert parameter.grad is not None
        of_classes = parameter.grad.chunk(3)
        assert [bool(part.any()) for part in of_classes] == [True, False, True], name


def trained_on(samples: Samples, settings: dict[str, object]) -> tuple[Codec, AdversarialLoop]:
    codec = Codec.fit(samples, TableConfig(label="y"))
    config = FAMILY.config.model_validate(settings)
    players = build_players(config, "tabular", codec.shape, 2, seed=1)
    loop = AdversarialLoop(config, players, samples, codec, make_fabric(ComputeConfig(accelerator="cpu")), seed=1)
    for step in range(loop.total_steps):
        loop.step(step)
    return codec, loop


def drawn_from(codec: Codec, loop: AdversarialLoop, asked: torch.Tensor) -> np.ndarray:
    latents = torch.randn(len(asked), loop.latent_dim, generator=torch.Generator().manual_seed(0))
    return codec.decode(loop.average.eval()(latents, asked).detach())


@pytest.mark.parametrize(
    "settings",
    [
        {"auxiliary": 0},
        {"loss": "hinge", "penalty_kind": "r1"},
        {"loss": "wasserstein", "penalty_kind": "interpolated", "penalty": 10.0},
        {"per_class": True},
    ],
    ids=["relativistic", "hinge", "wasserstein", "layers of each class"],
)
def test_every_loss_learns_what_the_label_means(settings: dict[str, object]) -> None:
    codec, loop = trained_on(rule_of_thumb(400, 0.1), {"kimg": 40} | settings)
    asked = torch.arange(400) % 2
    cells = drawn_from(codec, loop, asked)
    assert set(cells[:, 1].tolist()) <= {0.0, 1.0, 2.0}
    assert ((cells[:, 0] > 0) == (asked.numpy() == 1)).mean() >= 0.95


def test_asked_for_a_rare_label_it_delivers_it() -> None:
    """One row in ten is positive, by a rule over two numbers and a category."""
    random = np.random.default_rng(0)
    a, b, c = random.normal(size=1000), random.exponential(size=1000), random.integers(0, 4, 1000)

    def score(cells: np.ndarray) -> np.ndarray:
        return cells[:, 0] + 1.5 * (cells[:, 2] == 2) + 0.5 * cells[:, 1] * (cells[:, 2] == 1)

    cells = np.column_stack([a, b, c, random.normal(size=1000)])
    cut = np.quantile(score(cells), 0.9)
    columns = (
        Column("a", "numeric", "double"),
        Column("b", "numeric", "double"),
        Column("c", "categorical", "string", ("w", "x", "y", "z")),
        Column("noise", "numeric", "double"),
    )
    samples = Samples(cells, (score(cells) > cut).astype(np.int64), ("no", "yes"), Schema(columns, SCHEMA.label))
    codec, loop = trained_on(samples, {})
    assert (score(drawn_from(codec, loop, torch.ones(1000, dtype=torch.int64))) > cut).mean() >= 0.95
    assert (score(drawn_from(codec, loop, torch.zeros(1000, dtype=torch.int64))) <= cut).mean() >= 0.95


def test_an_auxiliary_classifier_is_refused_where_there_is_none() -> None:
    with pytest.raises(ValueError, match="auxiliary: this family has no such classifier"):
        FAMILIES["residual"].config.model_validate({"auxiliary": 0.3})
