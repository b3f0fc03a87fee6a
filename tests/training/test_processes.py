"""Training in two processes, which talk over gloo on this machine's processor."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from lightning_fabric import Fabric
from safetensors import safe_open
from safetensors.numpy import load_file
from safetensors.torch import save_file
from shapes import draw_shapes

from gansynth import processes
from gansynth.artifacts import read_manifest
from gansynth.devices import launch, make_fabric, make_training_fabric
from gansynth.errors import StudyError, TrainingError
from gansynth.gans import FAMILIES
from gansynth.modalities.image import Codec
from gansynth.runs import Run
from gansynth.sections import ComputeConfig
from gansynth.study import Study
from gansynth.study_files import save_study
from gansynth.training import train_repetition
from gansynth.training.__main__ import main
from gansynth.training.loop import AdversarialLoop, build_players

COMPUTE = ComputeConfig(accelerator="cpu", devices=2)
PATIENCE = 240
STEPS = 12
TRAININGS = {
    "residual": {},
    "adaptive": {
        "kind": "residual",
        "loss": "hinge",
        "lecam": 0.1,
        "augmentation_control": "adaptive",
        "augmentation_probability": 0.2,
        "augmentation": ["affine", "cutout", "flip"],
    },
    "matching": {"kind": "residual", "feature_matching": 1.0, "class_balanced": False},
    "dcgan": {"kind": "dcgan", "loss": "wasserstein", "penalty_kind": "interpolated", "penalty": 10},
    "stylegan2": {"kind": "stylegan2"},
}


class WideCodec(Codec):
    """Gives the networks numbers of 64 bits, with which rounding does not grow into differences within a few steps."""

    def inputs(self, held: torch.Tensor) -> torch.Tensor:
        return super().inputs(held).double()


def take_steps(fabric: Fabric, folder: Path) -> None:
    """Take a few steps of every training, and leave their metrics and weights in a folder."""
    torch.set_default_dtype(torch.float64)
    samples = draw_shapes(12)
    for name, settings in TRAININGS.items():
        kind = str(settings.get("kind", name))
        config = FAMILIES[kind].config.model_validate({"kimg": 0.64, "batch_size": 16, "warmup_steps": 2} | settings)
        players = build_players(config, kind, (1, 16, 16), 3, seed=1)
        loop = AdversarialLoop(config, players, samples, WideCodec((1, 16, 16)), fabric, seed=1)
        steps = [loop.step(number) for number in range(STEPS)]
        found = {f"{n}.{key}": processes.mean(value) for n, step in enumerate(steps) for key, value in step.items()}
        for network in ("generator", "discriminator", "average"):
            for key, value in getattr(players, network).state_dict().items():
                found[f"{network}.{key}"] = value.contiguous()
        if fabric.is_global_zero:
            save_file(found, folder / f"{name}.safetensors")


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    for count in (1, 2):
        (tmp_path / str(count)).mkdir()
    launch(make_training_fabric(COMPUTE), COMPUTE, partial(take_steps, folder=tmp_path / "2"))
    try:
        take_steps(make_fabric(COMPUTE), tmp_path / "1")
    finally:
        torch.set_default_dtype(torch.float32)
    for name in TRAININGS:
        one, two = (load_file(tmp_path / count / f"{name}.safetensors") for count in ("1", "2"))
        assert one.keys() == two.keys()
        for key in one:
            # losses are computed in 32 bits
            assert two[key].shape == one[key].shape
            most = np.maximum(1e-6 * np.abs(one[key]), 1e-6)
            assert (np.abs(two[key] - one[key]) <= most).all(), (name, key)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A training of 100 steps, with all that it remembers besides its weights."""
    gan = {"kimg": 1.6, "batch_size": 16, "loss": "hinge", "lecam": 0.1, "augmentation_control": "adaptive"}
    return Study.model_validate(
        {
            "name": "tiny",
            "source": {"path": str(tmp_path_factory.mktemp("source"))},
            "split": {"train_share": 1.0},
            "modality": {"size": 16},
            "gan": gan,
            "evaluation": {"repetitions": 2, "steps": 10, "batch_size": 16, "inner_steps": 2},
            "compute": COMPUTE,
        }
    )


def weights(directory: Path) -> dict[str, np.ndarray]:
    names = ("generator", "discriminator", "teacher")
    return {f"{n}.{k}": v for n in names for k, v in load_file(directory / f"{n}.safetensors").items()}


def lines(directory: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


MakeRun = Callable[..., Run]


def await_state(run: Run) -> None:
    """Wait until a training has saved its state for the first time."""
    deadline = time.monotonic() + PATIENCE
    while not list(run.model(0).with_name(".model.resume").glob("grid-*.png")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_two_processes_train_resume_and_are_started_by_torchrun(study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    others = set(multiprocessing.active_children())
    with ThreadPoolExecutor(1) as pool:
        failing = pool.submit(train_repetition, study, run, 0)
        await_state(run)
        victim, _ = set(multiprocessing.active_children()) - others
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        with pytest.raises(TrainingError, match=r"^gan: one of 2 processes failed \(.*SIGKILL\); run again to resume$"):
            failing.result()
    assert set(multiprocessing.active_children()) <= others
    assert not run.model(0).exists()
    resumed = train_repetition(study, run, 0).rename(run.root / "resumed")
    save_study(study, run.study_file)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "gansynth.training"]
    finished = subprocess.run([*command, run.root, "--repetition=1"], check=False, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert not run.model(0).with_name(".model.resume").exists()
    uninterrupted = weights(run.model(0))
    assert all(np.array_equal(uninterrupted[name], value) for name, value in weights(resumed).items())

    # one process takes it for its own, and would have logged the same
    alone = study.model_copy(update={"compute": ComputeConfig(accelerator="cpu")})
    before = read_manifest(run.model(0))
    assert read_manifest(train_repetition(alone, run, 0)) == before
    shutil.rmtree(run.model(0))
    train_repetition(alone, run, 0)
    ours, theirs = lines(run.model(0)), lines(resumed)
    assert [line["step"] for line in ours] == [line["step"] for line in theirs]
    for one, two in zip(ours[:5], theirs[:5], strict=True):
        assert two == pytest.approx(one, abs=1e-3)


@pytest.mark.slow
def test_processes_that_are_asked_to_end_save_first(study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    longer = study.model_copy(update={"gan": study.gan.model_copy(update={"kimg": 160})})
    state = run.model(0).with_name(".model.resume") / "state.safetensors"
    parent = multiprocessing.get_context("spawn").Process(target=train_repetition, args=(longer, run, 0))
    parent.start()
    deadline = time.monotonic() + PATIENCE
    while not run.progress.exists() or not state.exists() or not list(run.progress.glob("train*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)  # to take some steps, though fewer than 1000, after which they save anyway
    parent.terminate()
    parent.join(30)
    assert parent.exitcode == -signal.SIGTERM
    with safe_open(state, framework="np") as stored:
        assert 0 < int(stored.metadata()["step"]) < 1000


def hold_a_lock(fabric: Fabric, folder: Path) -> None:
    with FileLock(folder / f"{fabric.global_rank}.lock"):
        (folder / f"{fabric.global_rank}.held").touch()
        time.sleep(PATIENCE)


def hold_locks(folder: Path) -> None:
    launch(make_training_fabric(COMPUTE), COMPUTE, partial(hold_a_lock, folder=folder))


@pytest.mark.slow
def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    parent = multiprocessing.get_context("spawn").Process(target=hold_locks, args=(tmp_path,))
    parent.start()
    deadline = time.monotonic() + PATIENCE
    while len(list(tmp_path.glob("*.held"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent.kill()
    for number in (0, 1):
        FileLock(tmp_path / f"{number}.lock").acquire(timeout=10)


def test_a_batch_that_cannot_be_shared_evenly_is_refused(study: Study, make_run: MakeRun) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    compute = COMPUTE.model_copy(update={"devices": 3})
    with pytest.raises(StudyError, match=r"^gan\.batch_size: 3 processes cannot share 16 samples evenly"):
        train_repetition(study.model_copy(update={"compute": compute}), run, 0)


def test_the_command_ends_with_an_error_in_one_line(
    study: Study, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    save_study(study, run.study_file)
    monkeypatch.setattr(sys, "argv", ["gansynth.training", str(run.root), "--repetition=3"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == "gansynth: --repetition 3: there are 1 to 2, and 'delivery'"
