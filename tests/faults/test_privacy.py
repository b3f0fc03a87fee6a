"""Training with differential privacy that is interrupted, goes wrong or lacks memory: no step goes uncounted."""

import json
import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from children import check_sound, check_tidy, in_child, one_line
from cleanruns import Clean, run_all
from test_memory import GpuOf
from test_setbacks import Poisoned

from gansynth.artifacts import read_manifest
from gansynth.checkpoints import read_guarantee
from gansynth.gans.base import Discriminator
from gansynth.privacy import Guarantee
from gansynth.runs import Run
from gansynth.study import Study
from gansynth.training import train_repetition
from gansynth.training.private import guarantee_of

STEPS, SAVED_EVERY, LOOKS_PER_STEP = 40, 4, 2


@pytest.fixture
def private(clean: Clean) -> Study:
    """The study of the clean run, with differential privacy."""
    settings = clean.study.model_dump(mode="json")
    settings["gan"] |= {"privacy": {"noise_multiplier": 2.0, "delta": 1e-3}, "class_balanced": False}
    settings["generation"]["filters"] = []
    return Study.model_validate(settings)


@dataclass(frozen=True)
class SentAt:
    """A signal reaches the training in one of its steps, from 0."""

    step: int
    signal: signal.Signals

    def __call__(self) -> None:
        looks = 0

        def send(module: torch.nn.Module, _: object) -> None:
            nonlocal looks
            if isinstance(module, Discriminator):
                if looks == self.step * LOOKS_PER_STEP:
                    os.kill(os.getpid(), self.signal)
                looks += 1

        torch.nn.modules.module.register_module_forward_pre_hook(send)


def resumed(study: Study, root: Path) -> Guarantee:
    assert in_child(partial(train_repetition, study, Run(root), None)).well
    check_sound(root)
    guarantee = read_guarantee(root / "model")
    assert guarantee is not None
    assert guarantee == guarantee_of(study.gan, read_manifest(root / "model").counts["rows"], guarantee.steps)
    return guarantee


def test_steps_that_a_kill_has_lost_are_counted(private: Study, clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run", "model")
    work = partial(train_repetition, private, Run(root), None)
    for step in (2, SAVED_EVERY + 2):  # of the training from its start, and of that from its start once more
        assert in_child(work, SentAt(step, signal.SIGKILL)).status == -signal.SIGKILL
        check_sound(root)
    # each time as many as there were to the next saved state, for nobody knows how many were taken
    assert resumed(private, root).steps == STEPS + 2 * SAVED_EVERY


def test_a_training_that_is_asked_to_stop_loses_no_step(private: Study, clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run", "model")
    work = partial(train_repetition, private, Run(root), None)
    assert in_child(work, SentAt(SAVED_EVERY + 2, signal.SIGTERM)).status == -signal.SIGTERM
    assert resumed(private, root).steps == STEPS


def test_a_private_training_that_goes_wrong_is_not_taken_up_again(private: Study, clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run", "model")
    for _ in range(2):
        ended = in_child(partial(train_repetition, private, Run(root), None), Poisoned(20, once=True))
        assert ended.status == 1
        assert one_line(ended.error)
        assert "with gan.privacy no step is taken again" in ended.error
        check_sound(root)


def test_memory_that_a_private_training_lacks_is_told(private: Study, clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run", "model")
    ended = in_child(partial(train_repetition, private, Run(root), None), GpuOf(8))
    assert ended.status == 1
    assert one_line(ended.error)
    assert "gan.privacy takes each batch of 16 samples as a whole" in ended.error
    check_sound(root)


def test_a_whole_private_run_tells_its_guarantees(private: Study, tmp_path: Path) -> None:
    root = tmp_path / "run"
    ended = in_child(partial(run_all, private, root))
    assert ended.well, ended
    check_tidy(root)
    told = json.loads((root / "report" / "report.json").read_text())["differential_privacy"]
    assert set(told) == {"repetition 1", "repetition 2", "delivery"}
    epsilon = told["delivery"]["epsilon"]
    for text in (root / "report" / "report.md", root / "report" / "index.html", root / "synthetic" / "README.md"):
        assert "rained with differential privacy" in text.read_text(encoding="utf-8")
    assert told["delivery"]["steps"] == STEPS
    assert epsilon > 0
    # one repetition holds back rows, so a step takes each of the others more often
    assert told["repetition 1"]["sampling_rate"] > told["delivery"]["sampling_rate"]
