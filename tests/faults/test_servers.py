"""Row 25: the Prefect server dies while a run is at work, or its database is locked."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from children import check_sound, check_tidy, one_line
from servers import prefect_server, wait_for
from shapes import write_pictures

from gansynth.runs import Run

PATIENCE_SECONDS = 300
STUDY = """
name = "tiny"
source = { path = "shapes", near_duplicate_distance = -1 }
modality = { size = 8, classical = ["affine"] }
gan = { kind = "mlp", kimg = 8, batch_size = 16, learning_rate = 1e-4 }
generation.amount = 8
evaluation = { repetitions = 2, arms = ["real", "gan"], steps = 4, batch_size = 16, inner_steps = 2 }
compute = { accelerator = "cpu", workers = 1 }
"""


def start(folder: Path, environment: dict[str, str]) -> "subprocess.Popen[str]":
    command = [Path(sys.executable).with_name("gansynth"), "augment", "tiny.toml"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)


def write_study(folder: Path) -> Run:
    write_pictures(folder / "shapes", 12)
    (folder / "tiny.toml").write_text(STUDY)
    return Run(folder / "runs" / "tiny")


def trains(run: Run) -> bool:
    """Tell whether a training has begun; it may be over before anyone looks."""
    return any(run.progress.glob("train*")) or any(run.root.glob("repetitions/*/model"))


@pytest.mark.slow
def test_a_run_whose_server_dies_leaves_whole_artifacts_and_is_resumed(tmp_path: Path) -> None:
    run = write_study(tmp_path)
    with prefect_server(tmp_path) as (server, process):
        work = start(tmp_path, server.environment)
        wait_for(lambda: trains(run), None)
        process.send_signal(signal.SIGKILL)
        process.wait()
        _, errors = work.communicate(timeout=PATIENCE_SECONDS)
        check_sound(run.root)
    assert work.returncode in {0, 1}
    if work.returncode:
        assert one_line(errors.splitlines()[-1].removeprefix("gansynth: "))
    with prefect_server(tmp_path) as (server, _):
        again = start(tmp_path, server.environment)
        _, errors = again.communicate(timeout=PATIENCE_SECONDS)
        assert again.returncode == 0, errors
    check_tidy(run.root)
    assert (run.report / "index.html").exists()


@pytest.mark.slow
def test_a_locked_database_stops_no_run_for_good(tmp_path: Path) -> None:
    run = write_study(tmp_path)
    home = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment = home | {"PREFECT_HOME": str(tmp_path / "prefect")}
    work = start(tmp_path, environment)
    wait_for(lambda: trains(run), None)
    database = sqlite3.connect(tmp_path / "prefect" / "prefect.db", timeout=60)
    database.execute("begin immediate")
    time.sleep(20)
    database.rollback()
    database.close()
    _, errors = work.communicate(timeout=PATIENCE_SECONDS)
    check_sound(run.root)
    if work.returncode:
        assert one_line(errors.splitlines()[-1].removeprefix("gansynth: "))
        again = start(tmp_path, environment)
        _, errors = again.communicate(timeout=PATIENCE_SECONDS)
        assert again.returncode == 0, errors
    check_tidy(run.root)
