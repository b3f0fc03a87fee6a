"""Trains generators of a run without Prefect: `torchrun … -m gansynth.training RUN`, on one machine or several."""

import argparse
import os
import sys
from contextlib import nullcontext
from pathlib import Path

from gansynth import processes
from gansynth.errors import GansynthError, StudyError
from gansynth.runs import Run
from gansynth.study import Study
from gansynth.study_files import read_study
from gansynth.training import train


def main() -> None:
    """Train what the command line names; print an error in one line and exit with status 1."""
    parser = argparse.ArgumentParser(prog="gansynth.training", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder with a dataset, on storage that all share")
    parser.add_argument("--repetition", metavar="N", help="from 1, or 'delivery'; all of them unless given")
    arguments = parser.parse_args()
    run = Run(arguments.run)
    try:
        study = read_study(run)
        wanted = _repetitions(study, arguments.repetition)
        first = os.environ.get("RANK", "0") == "0"
        with run.lock() if first else nullcontext():
            train(study, run, wanted)
        processes.leave()
    except GansynthError as error:
        sys.exit(f"gansynth: {error}")


def _repetitions(study: Study, name: str | None) -> list[int | None] | None:
    if name is None:
        return None
    if name == "delivery":
        return [None]
    count = study.evaluation.repetitions
    if not name.isdecimal() or not 1 <= int(name) <= count:
        raise StudyError(f"--repetition {name}: there are 1 to {count}, and 'delivery'")
    return [int(name) - 1]


if __name__ == "__main__":
    main()
