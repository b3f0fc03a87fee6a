"""Measure gansynth's tables beside CTGAN 0.12.1, on one thread each, as ratios within one run.

    python -m benchmarks.peers                             # speed, memory and labels, on a table made for it
    python -m benchmarks.peers speed PATH --label COLUMN   # the same on a CSV or Parquet file
    python -m benchmarks.peers gain RUN [RUN ...]          # what CTGAN's rows gain, in the protocol of finished runs
    python -m benchmarks.peers --quick                     # does it run?

The first call builds CTGAN's environment, `build/peers-venv`, from `benchmarks/peers/requirements.txt`; later ones take
it as it is. CTGAN is under the Business Source License, which is why it is there and nowhere else.

`speed`: the two take turns, each in a process of its own, and each gets the median of its rounds. Times are of the
processor, so that others on a shared machine count little. CTGAN is given what it needs: the names of its discrete
columns, and no nulls. `gain`: CTGAN learns from the training rows of each repetition of a finished run, for 300 epochs
and for as many steps as gansynth took; of each class, as many of its rows as gansynth made are added to the real ones,
with the labels that they came with, and the classifier of the run learns from both. What is found goes to
`runs/bench-peers/`: `speed.csv`, `gain.csv` and `peers.html`, a page of both.
"""

import argparse
from pathlib import Path

from benchmarks.peers import gain, page, speed
from benchmarks.peers.environment import OUT, build_environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=("speed", "gain"), default="speed")
    parser.add_argument("paths", nargs="*", type=Path, help="of speed, a table; of gain, run folders")
    parser.add_argument("--label", help="of speed, the label column of the table")
    parser.add_argument("--repetitions", type=int, help="of gain, no more than this many of each run")
    parser.add_argument("--quick", action="store_true", help="small effort: does it run?")
    options = parser.parse_args()
    if options.part == "speed" and (len(options.paths) > 1 or bool(options.paths) != bool(options.label)):
        parser.error("speed takes one table, and --label with it")
    if options.part == "gain" and not options.paths:
        parser.error("gain needs at least one run folder")
    OUT.mkdir(parents=True, exist_ok=True)
    python = build_environment()
    if options.part == "speed":
        speed.measure(python, options.paths[0] if options.paths else None, options.label, quick=options.quick)
    else:
        gain.measure(python, options.paths, options.repetitions, quick=options.quick)
    page.write()


if __name__ == "__main__":
    main()
