"""The command line as users start it, on a tiny source of pictures."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from shapes import write_pictures

TINY_STUDY = """
name = "tiny"

[source]
path = "shapes"
near_duplicate_distance = -1

[modality]
size = 8

[gan]
kimg = 0.32

[generation]
amount = 12

[evaluation]
repetitions = 2
arms = ["real", "oversampled", "gan"]
steps = 12
inner_steps = 8
metric = "accuracy"

[compute]
workers = 2
accelerator = "cpu"
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study and the pictures it names."""
    folder = tmp_path_factory.mktemp("workplace")
    write_pictures(folder / "shapes")
    (folder / "tiny.toml").write_text(TINY_STUDY)
    return folder


@pytest.fixture(scope="module")
def start(workplace: Path) -> Start:
    """Return a function that starts gansynth in the workplace, with a Prefect database of its own."""

    def start(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        home = {"PREFECT_HOME": str(workplace / "prefect")}
        return subprocess.Popen(
            [Path(sys.executable).with_name("gansynth"), *arguments],
            cwd=workplace,
            env=inherited | home | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # as a terminal would, though these tests may themselves run where Ctrl-C is ignored: as a background job
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # takes no lock
        )

    return start
