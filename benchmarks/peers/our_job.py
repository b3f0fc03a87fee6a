"""What gansynth does beside CTGAN: `python -m benchmarks.peers.our_job JOB.json ANSWER.json`."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gansynth.devices import make_fabric
from gansynth.generation import Batch, ClassNumber, export
from gansynth.ingestion.rows import read_rows
from gansynth.modalities.table import Codec, TableConfig
from gansynth.runs import Run
from gansynth.study import Study
from gansynth.training.loop import AdversarialLoop, build_players


def train(job: dict[str, Any]) -> dict[str, Any]:
    """Take some steps; tell what reading, set-up and training took, in CPU seconds."""
    config = TableConfig(label=job["label"])
    gan = {"batch_size": job["batch_size"]} if "batch_size" in job else {}
    study = Study.model_validate(
        {"name": "peers", "source": {"path": job["table"]}, "modality": config.model_dump(), "gan": gan}
    )
    fabric, began = make_fabric(study.compute), time.process_time()
    samples = read_rows(job["table"], "parquet", config).dataset.samples
    started = time.process_time()
    codec = Codec.fit(samples, config)
    players = build_players(study.gan, study.gan.kind, codec.shape, len(samples.class_names), job["seed"])
    loop = AdversarialLoop(study.gan, players, samples, codec, fabric, job["seed"])
    ready = time.process_time()
    steps = job["rows"] // study.gan.batch_size
    for number in range(steps):
        loop.step(number)
    ended = time.process_time()
    rows = steps * study.gan.batch_size
    return {"reading": started - began, "setup": ready - started, "training": ended - ready, "rows": rows}


def write(job: dict[str, Any]) -> dict[str, Any]:
    """Generate a batch, evenly over its classes or all of one; tell CPU seconds and the largest memory, in MiB."""
    baseline = _peak_memory()
    started = time.process_time()
    classes = (ClassNumber(name=job["asked"], number=job["count"]),) if "asked" in job else ()
    export(Run(Path(job["run"])), Path(job["out"]), Batch(count=job["count"], classes=classes))
    return {"seconds": time.process_time() - started, "peak": _peak_memory(), "baseline": baseline}


def _peak_memory() -> float:
    # not that of getrusage, in which the process that started this one counts too
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


TASKS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"train": train, "write": write}

if __name__ == "__main__":
    wanted = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps(TASKS[wanted["task"]](wanted)))
