"""Workers: one process per unit of work, whose errors come through and which never outlive their parent."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from shapes import draw_shapes

from gansynth.artifacts import publish, read_manifest
from gansynth.errors import GansynthError, TrainingError
from gansynth.runs import LOG_FILE, Run
from gansynth.samples import Samples
from gansynth.sections import ComputeConfig
from gansynth.study import Study
from gansynth.training import train_repetition
from pipelines.workers import in_worker, stop_workers, warm_up, worker_count


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    warm_up()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def work(study: Study, run: Run, text: str) -> Path:
    os.write(1, b"printed")
    request = {"pid": os.getpid(), "threads": torch.get_num_threads()}
    with publish(run.dataset, "ingest", request, {}) as draft:
        (draft.path / "text").write_text(text + study.name)
    return run.dataset


def refuse(_study: Study, _run: Run) -> Path:
    raise TrainingError("losses are not finite; lower the learning rate")


def stumble(_study: Study, _run: Run) -> Path:
    raise ZeroDivisionError("by\nzero")


def be_killed(_study: Study, _run: Run) -> Path:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def sleep(_study: Study, run: Run, name: str) -> Path:
    (run.root / name).write_text(str(os.getpid()))
    time.sleep(600)
    raise AssertionError


def test_a_worker_is_a_process_with_the_study_s_threads(tiny_study: Study, run: Run) -> None:
    study = tiny_study.model_copy(update={"compute": ComputeConfig(threads=2)})
    digest = in_worker(work, study, run, "words of ")
    manifest = read_manifest(run.dataset)
    assert manifest.digest == digest
    assert manifest.request["pid"] != os.getpid()
    assert manifest.request["threads"] == 2
    assert (run.dataset / "text").read_text() == "words of tiny"
    assert "printed" in (run.root / LOG_FILE).read_text()


@pytest.mark.slow
def test_a_worker_may_train_in_several_processes(
    tiny_study: Study, make_run: Callable[[Samples, Samples], Run]
) -> None:
    run = make_run(draw_shapes(12), draw_shapes(8, seed=1))
    gan = tiny_study.gan.model_copy(update={"kimg": 0.16})
    compute = ComputeConfig(accelerator="cpu", devices=2, strategy="ddp")
    study = tiny_study.model_copy(update={"gan": gan, "compute": compute})
    digest = in_worker(train_repetition, study, run, 0)
    assert read_manifest(run.model(0)).digest == digest
    assert "Starting with 2 processes" in (run.root / LOG_FILE).read_text()


def test_errors_come_through(tiny_study: Study, run: Run) -> None:
    with pytest.raises(TrainingError, match=r"^losses are not finite; lower the learning rate$"):
        in_worker(refuse, tiny_study, run)


def test_unexpected_errors_are_one_line_and_logged(tiny_study: Study, run: Run) -> None:
    with pytest.raises(GansynthError, match=r"stumble: unexpected ZeroDivisionError \(by zero\)") as caught:
        in_worker(stumble, tiny_study, run)
    assert "\n" not in str(caught.value)
    assert "in stumble" in (run.root / LOG_FILE).read_text()


def test_a_log_that_cannot_be_written_is_told(tiny_study: Study, run: Run) -> None:
    (run.root / LOG_FILE).mkdir()
    with pytest.raises(GansynthError, match=r"workers\.log: cannot be written \(Is a directory\); make room"):
        in_worker(work, tiny_study, run, "")


def test_killed_worker_is_told_with_a_remedy(tiny_study: Study, run: Run) -> None:
    with pytest.raises(GansynthError, match=r"most likely for want of memory; lower compute\.workers"):
        in_worker(be_killed, tiny_study, run)


def test_stopping_kills_what_runs_and_cancels_what_waits(tiny_study: Study, run: Run) -> None:
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(in_worker, sleep, tiny_study, run, name) for name in ("a", "b", "c")]
        while not ((run.root / "a").exists() and (run.root / "b").exists()):
            time.sleep(0.05)
        stop_workers(futures)
    assert [future.cancelled() for future in futures] == [False, False, True]
    for name in ("a", "b"):
        with pytest.raises(ProcessLookupError):
            os.kill(int((run.root / name).read_text()), 0)


def test_number_of_workers() -> None:
    assert worker_count(ComputeConfig(workers=3)) == 3
    assert worker_count(ComputeConfig(accelerator="cuda")) == 1
    assert 1 <= worker_count(ComputeConfig(accelerator="cpu")) <= (os.cpu_count() or 1)
