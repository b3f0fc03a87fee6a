"""Training on real files, killed and resumed."""

import json
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from shapes import draw_shapes

from gansynth.artifacts import read_manifest
from gansynth.checkpoints import load_model
from gansynth.errors import ArtifactError, TrainingError
from gansynth.gans import FAMILIES, MlpConfig
from gansynth.runs import METRICS_FILE, Run
from gansynth.samples import Samples
from gansynth.sections import ComputeConfig
from gansynth.study import Study
from gansynth.training import train_repetition
from gansynth.training.loop import build_players
from gansynth.training.resume import Counters, load_state, save_state

MakeRun = Callable[[Samples, Samples], Run]


def with_gan(study: Study, **changes: object) -> Study:
    return study.model_copy(update={"gan": study.gan.model_copy(update=changes)})


def weights(directory: Path) -> dict[str, np.ndarray]:
    names = ("generator", "discriminator", "teacher")
    return {f"{n}.{k}": v for n in names for k, v in load_file(directory / f"{n}.safetensors").items()}


def test_a_model_is_trained_logged_and_loaded(tiny_study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    directory = train_repetition(tiny_study, run, 0)
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 40
    assert lines[-1]["kimg"] == pytest.approx(0.64)
    assert {"d_loss", "g_loss", "d_real", "d_fake"} <= set(lines[-1])
    assert list(directory.glob("grid-*.png"))
    model = load_model(directory, tiny_study.compute)
    assert model.class_names == ("bar", "dot", "frame")
    assert len(model.training_labels) == 36
    assert not model.generator.training
    assert model.teacher.probabilities(draw_shapes(2).values).sum(1) == pytest.approx(np.ones(6), abs=1e-5)


def test_a_finished_model_is_not_trained_again_but_a_changed_study_is(tiny_study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    first = read_manifest(train_repetition(tiny_study, run, 0))
    assert read_manifest(train_repetition(tiny_study, run, 0)) == first
    changed = with_gan(tiny_study, learning_rate=5e-4)
    assert read_manifest(train_repetition(changed, run, 0)).digest != first.digest


def test_same_seed_same_weights_and_repetitions_differ(tiny_study: Study, make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    first = weights(train_repetition(tiny_study, run, 0))
    other = weights(train_repetition(tiny_study, run, 1))
    (run.model(0)).rename(tmp_path / "moved")
    again = weights(train_repetition(tiny_study, run, 0))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["generator.stem.weight"], other["generator.stem.weight"])


def test_killed_and_resumed_training_ends_with_the_same_weights(tiny_study: Study, make_run: MakeRun) -> None:
    # with all that training remembers besides its weights
    remembering = {"loss": "hinge", "lecam": 0.1, "augmentation_control": "adaptive", "augmentation_probability": 0.2}
    study = with_gan(tiny_study, kimg=3.2, **remembering)
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    expected = weights(train_repetition(study, run, 0).rename(run.root / "uninterrupted"))
    state = run.model(0).with_name(".model.resume") / "state.safetensors"
    child = multiprocessing.get_context("spawn").Process(target=train_repetition, args=(study, run, 0))
    child.start()
    deadline = time.monotonic() + 120
    while len(list(state.parent.glob("grid-*.png"))) < 2 and time.monotonic() < deadline:  # saved once at least
        time.sleep(0.01)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert not run.model(0).exists()
    with safe_open(state, "numpy") as stored:
        request = stored.metadata()["request"]
    players = build_players(study.gan, study.gan.kind, (1, 16, 16), 3, seed=1)
    counters = load_state(state, players, request)
    assert counters.step > 0
    save_state(state, players, replace(counters, seconds=1000), request)
    resumed = weights(train_repetition(study, run, 0))
    assert all(np.array_equal(expected[name], resumed[name]) for name in expected)
    steps = [json.loads(line)["step"] for line in (run.model(0) / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert not state.parent.exists()
    assert read_manifest(run.model(0)).seconds > 1000  # with what was spent before the end


def test_a_damaged_state_is_not_gone_on_with(
    tiny_study: Study, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    players = build_players(tiny_study.gan, tiny_study.gan.kind, (1, 16, 16), 3, seed=1)
    path = tmp_path / "state.safetensors"
    save_state(path, players, Counters(step=7, taken=9), "request")
    assert load_state(path, players, "request").step == 7
    assert load_state(path, players, "another").step == 0
    intact = path.read_bytes()
    for damaged in (
        intact[:-10],
        intact[:-1] + bytes([intact[-1] ^ 1]),
        intact.replace(b'"taken":"9"', b'"taken":"1"'),
    ):
        assert damaged != intact
        path.write_bytes(damaged)
        assert load_state(path, players, "request").step == 0
        assert caplog.messages[-1] == f"{path}: damaged; training begins anew"
        with pytest.raises(ArtifactError, match="damaged, and it alone knew how many steps"):
            load_state(path, players, "request", counted=True)


def test_a_state_of_others_is_not_gone_on_with(tiny_study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    state = run.model(0).with_name(".model.resume") / "state.safetensors"
    state.parent.mkdir(parents=True)
    save_file({"generator.first": np.zeros(3, dtype=np.float32)}, state)  # without metadata
    counts = read_manifest(train_repetition(tiny_study, run, 0)).counts
    assert (counts["steps"], counts["setbacks"]) == (40, 0)
    assert not state.parent.exists()


@pytest.mark.parametrize("kind", ["r1_r2", "r1"])
def test_mixed_precision_trains_with_penalties_too(kind: str, tiny_study: Study, make_run: MakeRun) -> None:
    mixed = tiny_study.compute.model_copy(update={"precision": "bf16-mixed"})
    study = with_gan(tiny_study, penalty_kind=kind, penalty=0.2, penalty_every=1)
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    train_repetition(study.model_copy(update={"compute": mixed}), run, 0)
    lines = (run.model(0) / METRICS_FILE).read_text().splitlines()
    assert all(math.isfinite(value) for line in lines for value in json.loads(line).values())
    assert "penalty" in lines[-1]


def test_the_time_limit_ends_training_early(tiny_study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    train_repetition(with_gan(tiny_study, kimg=10_000, max_seconds=0.5), run, 0)
    assert read_manifest(run.model(0)).counts["steps"] < 10_000_000 / 16


def test_exploding_losses_are_refused_and_leave_no_model(tiny_study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    with pytest.raises(TrainingError, match=r"lower gan\.learning_rate"):
        train_repetition(with_gan(tiny_study, learning_rate=1e30), run, 0)
    assert not run.model(0).exists()


def test_a_setback_is_rolled_back_at_a_lower_rate_and_told(tiny_study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    # logits explode within four steps at .4, and not at .2
    gan = MlpConfig(kimg=0.64, batch_size=16, learning_rate=0.4, warmup_steps=0, decay_share=0.9)
    study = tiny_study.model_copy(update={"gan": gan})
    train_repetition(study, run, 0)
    counts = read_manifest(run.model(0)).counts
    assert 1 <= counts["setbacks"] <= 3
    assert counts["steps"] == 40
    told = json.loads((run.model(0) / "setbacks.json").read_text())
    assert len(told) == counts["setbacks"]
    assert told[0] == "the discriminator's logits have exploded at step 4"


def test_a_generator_that_ends_collapsed_is_told(tiny_study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    collapsing = with_gan(tiny_study, kimg=0.16, loss="hinge", penalty=0, learning_rate=0.3, warmup_steps=0)
    train_repetition(collapsing, run, 0)
    assert read_manifest(run.model(0)).counts["ended_alike"] == 1


def test_a_damaged_model_is_refused(tiny_study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    directory = train_repetition(tiny_study, run, 0)
    (directory / "generator.safetensors").write_bytes(b"junk")
    with pytest.raises(ArtifactError, match="damaged model"):
        load_model(directory, tiny_study.compute)


@pytest.mark.parametrize("kind", [kind for kind, family in FAMILIES.items() if family.modality == "image"])
def test_every_family_of_images_trains_through_the_stage(kind: str, tiny_study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(6), draw_shapes(4, seed=1))
    gan = {"kind": kind, "kimg": 0.16, "batch_size": 16}
    study = Study.model_validate({**tiny_study.model_dump(), "gan": gan})
    model = load_model(train_repetition(study, run, None), study.compute)
    assert len(model.training_labels) == 18


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_model_trained_on_a_gpu_loads_on_the_processor(tiny_study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    study = tiny_study.model_copy(update={"compute": ComputeConfig(accelerator="cuda")})
    model = load_model(train_repetition(study, run, 0), ComputeConfig(accelerator="cpu"))
    assert model.device.type == "cpu"
