"""Take a table of a million rows from its file to a million generated ones, and tell time and memory of each step.

    python -m benchmarks.million                     # a million rows
    python -m benchmarks.million --rows 100000       # another number
    python -m benchmarks.million --evaluate          # and what one repetition of the evaluation takes
    python -m benchmarks.million --quick             # does it run?

Every step runs in a process of its own on one thread; its memory is the largest that it had, from the manifest of what
it made. The table is that of `benchmarks.peers`, with a column of times and some nulls, as CSV. A generator learns from
all of it for 2000 steps; then three batches are generated, whose memory must not differ. What is found goes to
`runs/bench-million/million.csv`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.gain import ROOT
from benchmarks.peers.environment import THREADS
from benchmarks.peers.tables import LABEL, mixed_table
from gansynth.artifacts import read_manifest
from gansynth.runs import Run
from gansynth.seeding import numpy_generator
from gansynth.study import Study
from gansynth.study_files import save_study

OUT = ROOT / "runs" / "bench-million"
NULL_SHARE = 0.02
BATCHES = (0.1, 0.3, 1.0)
CODE = {
    "ingest": "from gansynth.ingestion import ingest; ingest(study, run)",
    "train": "from gansynth.training import train_repetition; train_repetition(study, run, None)",
    "generate": "from gansynth.generation import Batch, export;"
    "export(run, Path(sys.argv[2]), Batch(count=int(sys.argv[3])))",
    "train one repetition": "from gansynth.training import train_repetition; train_repetition(study, run, 0)",
    "generate for it": "from gansynth.generation import generate_repetition; generate_repetition(study, run, 0)",
    "arm": "from gansynth.evaluation.stage import evaluate_arm; evaluate_arm(study, run, 0, sys.argv[2])",
    "fidelity": "from gansynth.evaluation.stage import evaluate_fidelity; evaluate_fidelity(study, run, 0)",
}


class Finding(NamedTuple):
    """What a step took: CPU seconds, the rows that went through it in one, and its largest memory in MiB."""

    step: str
    rows: int
    cpu_seconds: float
    rows_per_second: float
    peak_memory: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table, and of the largest batch")
    parser.add_argument("--evaluate", action="store_true", help="a repetition's arms `real` and `gan` and its fidelity")
    parser.add_argument("--quick", action="store_true", help="20,000 rows")
    options = parser.parse_args()
    rows = 20_000 if options.quick else options.rows
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    table = OUT / "table.csv"
    write_table(table, rows)
    run = Run(OUT / "run")
    sections: dict[str, Any] = {
        "evaluation": {"repetitions": 2, "arms": ["real", "gan"]},
        "gan": {"kimg": 2 if options.quick else 128},
    }
    study = Study.model_validate(
        {"name": "million", "source": {"path": str(table)}, "modality": {"label": LABEL}, **sections}
    )
    save_study(study, run.study_file)
    findings = [
        measure("ingest", rows, run.dataset, run),
        measure("train", rows, run.model(None), run),
        *(measure("generate", round(share * rows), OUT / f"batch-{share}", run) for share in BATCHES),
    ]
    if options.evaluate:
        findings += [
            measure("train one repetition", rows, run.model(0), run),
            measure("generate for it", rows, run.synthetic(0), run),
            *(measure("arm", rows, run.arm(0, arm), run, arm) for arm in study.evaluation.arms),
            measure("fidelity", rows, run.fidelity(0), run),
        ]
    pd.DataFrame(findings).to_csv(OUT / "million.csv", index=False)


def write_table(path: Path, rows: int) -> None:
    """Write the mixed table with times and nulls as CSV."""
    random, table = numpy_generator(0, "nulls"), mixed_table(rows, seed=0)
    for name in ("income", "score", "trade"):
        table[name] = table[name].mask(random.random(rows) < NULL_SHARE)
    seconds = np.sort(random.integers(0, 10**8, rows))
    table.insert(0, "moment", pd.to_datetime(seconds, unit="s", origin="2020-01-01"))
    table.to_csv(path, index=False)


def measure(step: str, rows: int, made: Path, run: Run, *arguments: str) -> Finding:
    """Run a step in a process of its own, and return what it took."""
    code = (
        "import sys, torch; from pathlib import Path; from gansynth.runs import Run;"
        "from gansynth.study_files import read_study; torch.set_num_threads(1);"
        f"run = Run(Path(sys.argv[1])); study = read_study(run); {CODE[step]}"
    )
    words = [str(made), str(rows)] if step == "generate" else list(arguments)
    started = time.monotonic()
    command = [sys.executable, "-c", code, str(run.root), *words]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | dict.fromkeys(THREADS, "1"))  # noqa: S603
    taken, manifest = time.monotonic() - started, read_manifest(made)
    name = " ".join([step, *arguments])
    found = Finding(name, rows, manifest.cpu_seconds, rows / manifest.cpu_seconds, manifest.peak_memory_mb)
    print(  # noqa: T201  # its output
        f"{name:<22} {rows:>9,} rows {found.cpu_seconds:8.1f} CPU s ({taken:.0f} s) {found.peak_memory:8.0f} MiB",
        flush=True,
    )
    return found


if __name__ == "__main__":
    main()
