"""The same samples from this machine, from Ray and from Dask."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gansynth.artifacts import read_manifest
from gansynth.runs import Run

Start = Callable[..., "subprocess.Popen[str]"]

PATIENCE = 600
BATCH = ("generate", "runs/tiny", "--count=40", "--shard-size=10")


@pytest.mark.slow
def test_clusters_make_the_same_samples_as_this_machine(start: Start, workplace: Path) -> None:
    assert start("augment", "tiny.toml").wait(PATIENCE) == 0
    for runner in ("local", "ray", "dask"):
        process = start(*BATCH, "--set", f"compute.task_runner={runner}", "--out", runner)
        output, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
        assert output.startswith("40 samples: ")
    files = [read_manifest(workplace / runner).files for runner in ("local", "ray", "dask")]
    assert files[0] == files[1] == files[2]

    process = start(*BATCH, "--set", "compute.task_runner=local", "--set", "compute.cluster=ray://nowhere:1", "--out=x")
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "compute: cluster: has no use with task_runner 'local'" in errors


@pytest.mark.slow
def test_interrupted_training_on_ray_saves_its_state(start: Start, workplace: Path) -> None:
    run = Run(workplace / "runs" / "long")
    settings = ("--set", "compute.task_runner=ray", "--set", "gan.kimg=1e6")
    process = start("augment", "tiny.toml", "--run-dir", str(run.root), *settings)
    deadline = time.monotonic() + PATIENCE
    while not training_is_on_its_way(run) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors.endswith("gansynth: interrupted; the same command resumes where it stopped\n")
    saved = [run.model(repetition).with_name(".model.resume") / "state.safetensors" for repetition in (0, 1)]
    deadline = time.monotonic() + 10  # workers end by themselves once Ray is gone
    while not all(path.exists() for path in saved) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert all(path.exists() for path in saved)


def training_is_on_its_way(run: Run) -> bool:
    pieces = list(run.progress.glob("train-*.json"))
    return len(pieces) == 2 and all(json.loads(piece.read_text())["done"] > 10 for piece in pieces)
