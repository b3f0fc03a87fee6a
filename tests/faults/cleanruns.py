"""Runs that nothing has interrupted, and what it takes to be like one of them."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from children import check_tidy, digests, in_child

from gansynth.artifacts import MANIFEST
from gansynth.evaluation import evaluate
from gansynth.generation import generate
from gansynth.ingestion import ingest
from gansynth.reporting import report
from gansynth.runs import Run
from gansynth.study import Study
from gansynth.training import train


def run_all(study: Study, root: Path) -> None:
    """Run all stages as the only writer."""
    run = Run(root)
    with run.lock():
        for stage in (ingest, train, generate, evaluate, report):
            stage(study, run)


@dataclass(frozen=True)
class Clean:
    """A run that nothing has interrupted: its study, its folder, and the digests of its artifacts."""

    study: Study
    root: Path
    digests: dict[str, str]

    @property
    def artifacts(self) -> list[str]:
        """Where its artifacts lie, in the run folder."""
        return sorted(path.parent.relative_to(self.root).as_posix() for path in self.root.rglob(MANIFEST))

    def without(self, folder: Path, *artifacts: str) -> Path:
        """Copy the run to a folder that is not there, all but some artifacts, and return its place."""
        shutil.copytree(self.root, folder, symlinks=True)
        for name in artifacts:
            shutil.rmtree(folder / name)
        return folder

    def work(self, root: Path) -> Callable[[], None]:
        """Return what makes of a run folder one like this."""
        return partial(run_all, self.study, root)

    def check_resumed(self, root: Path) -> None:
        """Do what is missing in a run folder, and make sure that it then is as if nothing had happened."""
        ended = in_child(self.work(root))
        assert ended.well, ended
        check_tidy(root)
        assert digests(root) == self.digests
