"""Differential privacy: what would void it is refused, and one row shows no more than a clipped gradient."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from opacus.accountants import PRVAccountant, RDPAccountant
from pydantic import ValidationError
from safetensors.numpy import load_file
from shapes import draw_shapes
from tables import draw_rows
from torch import nn

from gansynth.checkpoints import load_model, read_guarantee
from gansynth.devices import make_fabric
from gansynth.errors import StudyError
from gansynth.gans import FAMILIES, MlpConfig, TabularConfig
from gansynth.generation import generate_repetition
from gansynth.modalities.image import Codec
from gansynth.modalities.table import Codec as TableCodec
from gansynth.modalities.table import TableConfig
from gansynth.runs import Run
from gansynth.samples import Samples
from gansynth.sections import ComputeConfig
from gansynth.study import Study
from gansynth.training import train_repetition
from gansynth.training.loop import build_players
from gansynth.training.private import PrivateLoop, check_private, guarantee_of

MakeRun = Callable[[Samples, Samples], Run]
PRIVACY = {"noise_multiplier": 1.5, "delta": 1e-3}
ALLOWED: dict[str, Any] = {"penalty": 0, "class_balanced": False, "augmentation": (), "loss": "non_saturating"}


def private(**changes: object) -> MlpConfig:
    return MlpConfig.model_validate({"kimg": 0.16, "batch_size": 8, "privacy": PRIVACY, **ALLOWED, **changes})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"loss": "relativistic"}, "set loss to 'non_saturating'"),
        ({"penalty": 0.1}, "set penalty to 0"),
        ({"lecam": 0.1}, "set lecam to 0"),
        ({"feature_matching": 1.0}, "set feature_matching to 0"),
        ({"class_balanced": True}, "set class_balanced to false"),
        ({"augmentation": ("affine",)}, r"set augmentation to \[\]"),
        ({"augmentation": ("affine",), "augmentation_control": "adaptive"}, "augmentation_control to 'fixed'"),
        ({"max_seconds": 5.0}, "set max_seconds to nothing"),
    ],
)
def test_what_would_void_the_guarantee_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        private(**changes)


def test_only_families_whose_discriminator_looks_at_rows_one_by_one_are_private() -> None:
    for name in ("residual", "dcgan", "stylegan2"):
        with pytest.raises(ValidationError, match="mlp and tabular can"):
            FAMILIES[name].config.model_validate({"privacy": PRIVACY, **ALLOWED})
    with pytest.raises(ValidationError, match="set auxiliary to 0"):
        FAMILIES["tabular"].config.model_validate({"privacy": PRIVACY, **ALLOWED})
    assert FAMILIES["tabular"].config.model_validate({"privacy": PRIVACY, "auxiliary": 0, **ALLOWED}).privacy


def test_a_missing_library_is_named_before_training(tiny_study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opacus", None)
    monkeypatch.delitem(sys.modules, "opacus.optimizers", raising=False)
    with pytest.raises(StudyError, match=r"pip install 'gansynth\[privacy\]'"):
        check_private(tiny_study.model_copy(update={"gan": private()}), 36, 1)


def test_sizes_and_machines_that_allow_no_guarantee_are_refused(tiny_study: Study) -> None:
    study = tiny_study.model_copy(update={"gan": private()})
    check_private(study, 36, 1)
    with pytest.raises(StudyError, match=r"gan\.batch_size"):
        check_private(study, 7, 1)
    with pytest.raises(StudyError, match=r"gan\.privacy\.delta.*well below 0\.0002"):
        check_private(study, 5000, 1)
    with pytest.raises(StudyError, match=r"one process, compute\.devices = 1 and not torchrun"):
        check_private(study, 36, 2)
    halves = study.model_copy(update={"compute": ComputeConfig(precision="bf16-mixed")})
    with pytest.raises(StudyError, match=r"compute\.precision = '32-true'"):
        check_private(halves, 36, 1)


def test_filters_that_know_training_rows_are_refused() -> None:
    content: dict[str, Any] = {"name": "tiny", "source": {"path": "photos"}, "gan": private().model_dump()}
    with pytest.raises(ValidationError, match=r"teacher would choose samples by training rows.*set it to \[\]"):
        Study.model_validate(content)
    with pytest.raises(ValidationError, match="teacher and distance would choose"):
        Study.model_validate(content | {"generation": {"filters": ["teacher", "discriminator", "distance"]}})
    for allowed in ({"filters": []}, {"filters": ["discriminator"]}, {"oversample": 1}):
        assert Study.model_validate(content | {"generation": allowed}).gan.privacy


def make_table_loop(rows: Samples) -> PrivateLoop:
    config = TabularConfig.model_validate({"privacy": PRIVACY, "auxiliary": 0, "batch_size": 16, **ALLOWED})
    codec = TableCodec.fit(rows, TableConfig(label="left"))
    players = build_players(config, "tabular", codec.shape, 2, seed=0)
    return PrivateLoop(config, players, rows, codec, make_fabric(ComputeConfig()), seed=0)


def make_loop(samples: Samples, config: MlpConfig) -> PrivateLoop:
    codec = Codec.fit(samples, None)
    players = build_players(config, "mlp", codec.shape, len(samples.class_names), seed=0)
    return PrivateLoop(config, players, samples, codec, make_fabric(ComputeConfig()), seed=0)


def summed_gradient(samples: Samples, config: MlpConfig) -> torch.Tensor:
    """The gradient of a first step that takes all rows, without noise and before it is divided by their number."""
    loop = make_loop(samples, config)
    loop.rate = 1.0
    loop.step(0)
    gradients = [parameter.grad for parameter in loop.players.discriminator.parameters()]
    return config.batch_size * torch.cat([one.flatten() for one in gradients if one is not None])


def test_one_row_changes_the_gradient_by_no_more_than_the_norm_it_is_clipped_to() -> None:
    config = private(privacy={"noise_multiplier": 1e-9, "delta": 1e-3, "max_grad_norm": 0.01})
    rows = draw_shapes(4)
    extreme = rows.take([*range(12), 0])
    extreme.values[-1] = 255  # a row that pulls harder than any other
    with_row, without = summed_gradient(extreme, config), summed_gradient(rows, config)
    assert float((with_row - without).norm()) == pytest.approx(0.01, rel=1e-3)


def test_the_noise_is_as_large_as_promised_and_no_seed_gives_it_again() -> None:
    config = private(privacy={"noise_multiplier": 50.0, "delta": 1e-3, "max_grad_norm": 0.01})
    first, second = summed_gradient(draw_shapes(4), config), summed_gradient(draw_shapes(4), config)
    assert float((first - second).std()) == pytest.approx(math.sqrt(2) * 50 * 0.01, rel=0.02)


def test_rows_are_drawn_each_by_itself_and_a_step_without_any_is_taken() -> None:
    loop = make_loop(draw_shapes(40), private())
    taken: list[int] = []
    embed = loop.players.discriminator.register_forward_pre_hook(
        lambda _, seen: taken.append(len(seen[0]) - loop.batch)
    )
    for number in range(150):
        loop.step(number)
    embed.remove()
    real = torch.tensor(taken[::2], dtype=torch.float)  # the generator's look follows each
    assert float(real.mean()) == pytest.approx(8, abs=0.8)
    assert float(real.var()) == pytest.approx(8 * (1 - 8 / 120), rel=0.4)
    loop.rate = 0.0
    assert all(value.isfinite() for value in loop.step(150).values())


@pytest.mark.filterwarnings("ignore:Full backward hook")
def test_the_gradient_of_each_row_of_a_table_is_its_own() -> None:
    loop = make_table_loop(draw_rows(80, 0))
    discriminator = cast(nn.Module, loop.players.discriminator)
    loop.step(0)
    rows, labels = loop.values[:5], loop.labels[:5]
    loop.private_optimiser.zero_grad()
    loop.watched(rows, labels).sum().backward()
    found = [parameter.grad_sample for parameter in discriminator.parameters()]
    loop.watched.disable_hooks()
    for row in range(5):
        logit = discriminator(rows[row : row + 1], labels[row : row + 1]).sum()
        alone = torch.autograd.grad(logit, list(discriminator.parameters()))
        for single, gradient in zip(found, alone, strict=True):
            torch.testing.assert_close(single[row], gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # of the other accountant, at its ends
def test_epsilon_is_that_of_gaussian_noise() -> None:
    # with all rows in every step: within the closed form of Mironov 2017 (arXiv 1702.07476) and above the truth
    found = guarantee_of(private(batch_size=100, privacy={"noise_multiplier": 20.0, "delta": 1e-5}), 100, 40)
    assert found is not None
    rho = 40 / (2 * 20.0**2)
    assert found.epsilon <= rho + 2 * math.sqrt(rho * math.log(1e5)) + 1e-6
    exact = PRVAccountant()
    exact.history = [(20.0, 1.0, 40)]
    assert found.epsilon >= exact.get_epsilon(1e-5) - 0.02
    fewer = guarantee_of(private(batch_size=10, privacy={"noise_multiplier": 20.0, "delta": 1e-5}), 100, 40)
    assert fewer is not None
    assert fewer.epsilon < found.epsilon / 4
    assert guarantee_of(MlpConfig(), 100, 40) is None


def test_epsilon_is_what_an_accountant_comes_to_step_by_step() -> None:
    accountant = RDPAccountant()
    for _ in range(30):
        accountant.step(noise_multiplier=1.5, sample_rate=8 / 120)
    found = guarantee_of(private(), 120, 30)
    assert found is not None
    assert found.epsilon == pytest.approx(accountant.get_epsilon(1e-3))
    tighter = PRVAccountant()  # by another theorem, arXiv 2106.02848
    tighter.history = [(1.5, 8 / 120, 30)]
    assert tighter.get_epsilon(1e-3) < found.epsilon < 1.3 * tighter.get_epsilon(1e-3)


def test_epsilon_and_delta_are_never_told_smaller_than_they_are() -> None:
    found = guarantee_of(private(privacy={"noise_multiplier": 1.5, "delta": 1.4e-3}), 36, 20)
    assert found is not None
    for epsilon, told in ((2.341, "2.35"), (0.10001, "0.101"), (123.1, "124"), (2.0, "2")):
        exact = found.model_copy(update={"epsilon": epsilon})
        assert exact.numbers == f"ε = {told} at δ = 0.0014"


def test_a_private_model_tells_its_guarantee_and_nothing_of_real_rows_in_its_log(
    tiny_study: Study, make_run: MakeRun, tmp_path: Path
) -> None:
    unfiltered = tiny_study.generation.model_copy(update={"filters": ()})
    study = tiny_study.model_copy(update={"gan": private(), "generation": unfiltered})
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    directory = train_repetition(study, run, None)
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert all(set(line) == {"step", "kimg", "g_loss", "d_fake"} for line in lines)
    assert lines[-1]["step"] == 20
    guarantee = read_guarantee(directory)
    assert guarantee is not None
    assert (guarantee.steps, guarantee.sampling_rate, guarantee.delta) == (20, 8 / 36, 1e-3)
    assert load_model(directory, study.compute).guarantee == guarantee
    generate_repetition(study, run, None)
    card = (run.synthetic(None) / "README.md").read_text()
    assert f"ε = {guarantee.epsilon:.3g} at δ = 0.001" in card
    assert "weights of the generator and its discriminator alone" in card
    first = load_file(directory / "generator.safetensors")
    directory.rename(tmp_path / "moved")
    again = load_file(train_repetition(study, run, None) / "generator.safetensors")
    assert any((first[name] != again[name]).any() for name in first)
