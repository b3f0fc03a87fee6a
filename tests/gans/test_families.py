"""One suite over every family: a new one in FAMILIES is tested at once."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from gansynth.devices import make_fabric
from gansynth.gans import FAMILIES, ResidualConfig
from gansynth.gans.losses import LOSSES
from gansynth.modalities.image import Codec, ImageConfig
from gansynth.samples import Samples
from gansynth.sections import ComputeConfig
from gansynth.training.loop import AdversarialLoop, Players, build_players
from gansynth.training.resume import Counters, load_state, save_state

IMAGE_FAMILIES = [kind for kind, family in FAMILIES.items() if family.modality == "image"]
SHAPES = [(1, 28, 28), (3, 32, 32), (3, 20, 20), (1, 8, 8), (3, 64, 64)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", IMAGE_FAMILIES)
def test_shapes_ranges_and_finite_gradients(kind: str, shape: tuple[int, int, int]) -> None:
    family = FAMILIES[kind]
    config = family.config()
    players = build_players(config, kind, shape, 3, seed=0)
    latents, labels = torch.randn(6, players.generator.latent_dim), torch.tensor([0, 1, 2, 0, 1, 2])
    samples = players.generator(latents, labels)
    assert samples.shape == (6, *shape)
    assert samples.abs().max() <= 1
    logits = players.discriminator(samples, labels)
    assert logits.shape == (6,)
    logits.sum().backward()
    for network in (players.generator, players.discriminator):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("kind", IMAGE_FAMILIES)
def test_sampling_does_not_depend_on_the_batch(kind: str) -> None:
    players = build_players(FAMILIES[kind].config(), kind, (1, 16, 16), 3, seed=0)
    generator = players.average.eval()
    latents, labels = torch.randn(5, generator.latent_dim), torch.tensor([0, 1, 2, 0, 1])
    together = generator(latents, labels)
    alone = torch.cat([generator(latents[i : i + 1], labels[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


LOSS_SETTINGS = {
    "relativistic": {"loss": "relativistic", "penalty_kind": "r1_r2"},
    "non_saturating": {"loss": "non_saturating", "penalty_kind": "r1"},
    "hinge": {"loss": "hinge", "penalty_kind": "r1", "lecam": 0.1, "feature_matching": 1.0},
    "wasserstein": {"loss": "wasserstein", "penalty_kind": "interpolated", "penalty": 10.0, "penalty_every": 1},
}


PAIRS = [
    pytest.param(kind, loss, marks=() if FAMILIES[kind].config().loss == loss else pytest.mark.slow)
    for kind in IMAGE_FAMILIES
    for loss in LOSS_SETTINGS
]
"""Every loss with every family; those that are no default in the slow suite."""


def test_every_loss_is_in_the_suite() -> None:
    assert LOSS_SETTINGS.keys() == LOSSES.keys()


def trained_on(samples: Samples, kind: str, settings: dict[str, object]) -> tuple[torch.Tensor, torch.Tensor]:
    """Train on grey images of two classes; return 100 generated ones, in [-1, 1], and the classes asked for."""
    config = FAMILIES[kind].config.model_validate(settings)
    codec = Codec.fit(samples, ImageConfig())
    players = build_players(config, kind, codec.shape, 2, seed=1)
    loop = AdversarialLoop(config, players, samples, codec, make_fabric(ComputeConfig(accelerator="cpu")), seed=1)
    for step in range(loop.total_steps):
        loop.step(step)
    asked = torch.arange(100) % 2
    latents = torch.randn(100, loop.latent_dim, generator=torch.Generator().manual_seed(0))
    return loop.average.eval()(latents, asked), asked


@pytest.mark.parametrize(("kind", "loss"), PAIRS)
def test_a_short_training_learns_what_the_label_means(kind: str, loss: str) -> None:
    # class 0 is black and class 1 is white: the asked label must decide the brightness
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    values = (labels[:, None, None, None] * 200 + random.integers(0, 30, (40, 8, 8, 1))).astype(np.uint8)
    samples = Samples(values, labels.astype(np.int64), ("black", "white"))
    settings = {"kimg": 3, "batch_size": 20, "learning_rate": 2e-3, "augmentation": (), "warmup_steps": 10}
    made, asked = trained_on(samples, kind, settings | {"penalty": 0.2} | LOSS_SETTINGS[loss])
    brightness = made.mean((1, 2, 3))
    assert ((brightness > 0) == (asked == 1)).float().mean() >= 0.95


@pytest.mark.parametrize(("kind", "loss"), PAIRS)
def test_a_tiny_set_is_learned_by_heart(kind: str, loss: str) -> None:
    # one pattern of coarse blocks for each class: samples must be far nearer to their own than to the other
    patterns = np.random.default_rng(3).integers(0, 2, (2, 4, 4, 1)).repeat(2, axis=1).repeat(2, axis=2)
    samples = Samples((patterns * 200 + 25).astype(np.uint8), np.arange(2), ("one", "other"))
    settings = {"kimg": 6, "batch_size": 20, "learning_rate": 2e-3, "augmentation": (), "warmup_steps": 10}
    made, asked = trained_on(samples, kind, settings | {"penalty": 0.2} | LOSS_SETTINGS[loss])
    codec = Codec.fit(samples, ImageConfig())
    rows = codec.inputs(codec.hold(samples.values))
    own, other = ((made - rows[labels]).square().mean((1, 2, 3)) for labels in (asked, 1 - asked))
    assert (own < other / 4).float().mean() >= 0.95


@pytest.mark.parametrize("loss", LOSS_SETTINGS)
@pytest.mark.parametrize("kind", IMAGE_FAMILIES)
def test_steps_are_finite_and_a_stored_training_goes_on_as_if_it_had_never_stopped(
    kind: str, loss: str, tmp_path: Path
) -> None:
    adaptive = {"augmentation": ["affine"], "augmentation_control": "adaptive", "penalty": 0.2}
    config = FAMILIES[kind].config.model_validate({"kimg": 0.1, "batch_size": 8} | adaptive | LOSS_SETTINGS[loss])
    values = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3)).astype(np.uint8)
    samples = Samples(values, np.arange(12) % 3, ("one", "two", "three"))
    codec, fabric = Codec.fit(samples, ImageConfig()), make_fabric(ComputeConfig(accelerator="cpu"))

    def run(players: Players, steps: range) -> None:
        loop = AdversarialLoop(config, players, samples, codec, fabric, seed=2)
        for step in steps:
            assert all(value.isfinite() for value in loop.step(step).values())

    def build() -> Players:
        return build_players(config, kind, codec.shape, 3, seed=1)

    whole, resumed = build(), build()
    run(whole, range(6))
    save_state(tmp_path / "state.safetensors", whole, Counters(step=6), "request")
    run(whole, range(6, 12))
    assert load_state(tmp_path / "state.safetensors", resumed, "request").step == 6
    run(resumed, range(6, 12))
    for network in ("generator", "discriminator", "average"):
        ours, theirs = (getattr(players, network).state_dict() for players in (whole, resumed))
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), network
        assert all(value.isfinite().all() for value in ours.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in whole.generator.parameters())


def test_adaptive_control_starts_without_augmentation_unless_told() -> None:
    assert ResidualConfig(augmentation_control="adaptive").augmentation_probability == 0
    assert ResidualConfig(augmentation_control="adaptive", augmentation_probability=0.3).augmentation_probability == 0.3
    assert ResidualConfig().augmentation_probability == 1


def test_adaptive_augmentation_follows_the_discriminator() -> None:
    # a discriminator of unlike samples wins at once, and its lead calls for more augmentation
    values = np.tile(np.array([0, 255], np.uint8), 512).reshape(4, 16, 16, 1)
    samples = Samples(values, np.array([0, 0, 1, 1]), ("one", "other"))
    config = ResidualConfig(kimg=0.64, batch_size=16, augmentation_control="adaptive", augmentation_probability=0.0)
    players = build_players(config, "residual", (1, 16, 16), 2, seed=0)
    fabric = make_fabric(ComputeConfig(accelerator="cpu"))
    loop = AdversarialLoop(config, players, samples, Codec.fit(samples, ImageConfig()), fabric, seed=0)
    shares = [float(loop.step(step)["augmentation"]) for step in range(loop.total_steps)]
    assert shares[0] == 0
    assert max(shares) == pytest.approx(0.8)
    # it changes every fourth step, by what takes it from 0 to 1 in a quarter of the budget
    changes = {round(abs(after - before), 6) for before, after in pairwise(shares)}
    assert changes <= {0.0, 0.4}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"loss": "wasserstein"}, "penalty_kind to 'interpolated'"),
        ({"loss": "wasserstein", "penalty_kind": "interpolated", "penalty": 0}, "penalty to 10"),
        ({"loss": "wasserstein", "penalty_kind": "interpolated", "penalty": 0.2}, "penalty to 10"),
        ({"loss": "relativistic", "lecam": 0.1}, "differences of logits"),
        ({"augmentation": ["affine", "affine"]}, "twice"),
        ({"augmentation": [], "augmentation_control": "adaptive"}, "needs something in augmentation"),
        ({"augmentation_control": "adaptive", "augmentation_probability": 1.0}, "set it to 0"),
    ],
)
def test_pairs_that_cannot_work_are_refused_with_the_reason(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        ResidualConfig.model_validate(settings)
