"""Row 5: SIGTERM and Ctrl-C in each stage; the command line itself is ended in tests/pipelines/test_end_to_end.py."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from children import Killed, check_sound, in_child, watch_calls
from cleanruns import Clean
from safetensors import safe_open

from gansynth.progress import Progress
from gansynth.runs import Run
from gansynth.training import train_repetition

STAGES = {
    "ingest": "dataset",
    "train": "model",
    "generate": "synthetic",
    "evaluate": "repetitions/01/fidelity",
    "report": "report",
}
ENDS = {signal.SIGINT: 130, signal.SIGTERM: -signal.SIGTERM}
AT_ONCE = 15
"""Seconds; far more than it takes, for the machine may be busy."""


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_ends_at_once_and_is_resumed(stage: str, clean: Clean, tmp_path: Path) -> None:
    sent = list(ENDS)[list(STAGES).index(stage) % 2]
    root = clean.without(tmp_path / "run", STAGES[stage])
    partial_artifact = root / Path(STAGES[stage]).with_name(f".{Path(STAGES[stage]).name}.partial")
    asked: list[float] = []

    def begun() -> bool:
        asked[:] = [time.monotonic()]
        return partial_artifact.exists()

    ended = in_child(clean.work(root), Killed(when=begun, by=sent))
    assert time.monotonic() - asked[0] < AT_ONCE
    assert ended.status in {ENDS[sent], 0}  # some are over before the signal arrives
    check_sound(root)
    clean.check_resumed(root)


def tell_progress(folder: Path) -> None:
    with Progress(folder / "ingest.json", "ingest", 3):
        pass


def interrupt_renaming() -> None:
    def meet(event: str, _: object) -> None:
        if event == "os.rename":
            os.kill(os.getpid(), signal.SIGINT)

    watch_calls(meet)


def test_progress_that_is_interrupted_while_it_is_written_leaves_nothing_once_it_goes_on(tmp_path: Path) -> None:
    assert in_child(partial(tell_progress, tmp_path), interrupt_renaming).status == ENDS[signal.SIGINT]
    tell_progress(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sent", ENDS)
def test_training_saves_its_state_first(sent: signal.Signals, clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run", "model")
    run = Run(root)
    endless = clean.study.model_copy(update={"gan": clean.study.gan.model_copy(update={"kimg": 1e6})})
    asked: list[float] = []

    def on_its_way() -> bool:
        asked[:] = [time.monotonic()]
        return any('"done": 0' not in path.read_text() for path in run.progress.glob("train*.json"))

    ended = in_child(partial(train_repetition, endless, run, None), Killed(when=on_its_way, by=sent))
    assert time.monotonic() - asked[0] < AT_ONCE
    assert ended.status == ENDS[sent]
    with safe_open(root / ".model.resume" / "state.safetensors", "numpy") as stored:
        assert int(stored.metadata()["step"]) > 0  # it is saved by itself after millions of steps only
    check_sound(root)
    clean.check_resumed(root)  # of other settings, so the state is of no use
