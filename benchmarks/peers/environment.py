"""The environment of the peer, and jobs in it: a job is a JSON file of what to do, and its answer another one."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OUT = ROOT / "runs" / "bench-peers"
PLACE = ROOT / "build" / "peers-venv"
HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def build_environment() -> Path:
    """Return the Python of the peer's environment; build that, unless it was built from the same requirements."""
    python, noted = PLACE / "bin" / "python", PLACE / ".installed"
    if not (noted.exists() and noted.read_text() == REQUIREMENTS.read_text()):
        print(f"building {PLACE}", file=sys.stderr)  # noqa: T201  # it takes minutes
        subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], check=True)  # noqa: S603  # our own words
        subprocess.run([python, "-m", "pip", "install", "--requirement", REQUIREMENTS], check=True)  # noqa: S603
        noted.write_text(REQUIREMENTS.read_text())
    return python


def run_peer(python: Path, **job: Any) -> dict[str, Any]:  # noqa: ANN401  # whatever JSON holds
    """Let CTGAN do a job on one thread, and return its answer."""
    return _run([str(python), str(HERE / "ctgan_job.py")], job)


def run_ours(**job: Any) -> dict[str, Any]:  # noqa: ANN401  # whatever JSON holds
    """Let gansynth do a job on one thread, in a process of its own, and return its answer."""
    return _run([sys.executable, "-m", "benchmarks.peers.our_job"], job)


def _run(command: list[str], job: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        asked, answered = Path(place, "job.json"), Path(place, "answer.json")
        asked.write_text(json.dumps(job, default=str))
        environment = os.environ | dict.fromkeys(THREADS, "1")
        done = subprocess.run([*command, str(asked), str(answered)], cwd=ROOT, env=environment, check=False)  # noqa: S603
        if done.returncode:
            sys.exit(f"{job['task']}: {command[-1]} failed; see above")
        found: dict[str, Any] = json.loads(answered.read_text())
    return found
