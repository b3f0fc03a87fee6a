"""The same samples from this machine, from Ray and from Dask."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gansynth.artifacts import read_manifest

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
