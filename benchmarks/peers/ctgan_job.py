"""What CTGAN does, in its own environment: it knows nothing of gansynth. `ctgan_job.py JOB.json ANSWER.json`."""

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ctgan
import pandas as pd
import torch
from ctgan.synthesizers.ctgan import DataSampler

ROUNDS = 20


def train(job: dict[str, Any]) -> dict[str, Any]:
    """Fit for some epochs; tell what set-up, until the first batch is drawn, and training took, in CPU seconds."""
    table = pd.read_parquet(job["table"])
    drawn: list[float] = []
    original = DataSampler.sample_condvec

    def noting(sampler: DataSampler, batch: int) -> object:
        if not drawn:
            drawn.append(time.process_time())
        return original(sampler, batch)

    DataSampler.sample_condvec = noting
    started = time.process_time()
    model = ctgan.CTGAN(epochs=job["epochs"], batch_size=job["batch_size"])
    model.set_random_state(job["seed"])
    model.fit(table, job["discrete"])
    ended = time.process_time()
    DataSampler.sample_condvec = original
    if "model" in job:
        model.save(job["model"])
    steps = job["epochs"] * max(len(table) // job["batch_size"], 1)
    return {
        "setup": drawn[0] - started,
        "training": ended - drawn[0],
        "rows": steps * job["batch_size"],
        "steps": steps,
    }


def write(job: dict[str, Any]) -> dict[str, Any]:
    """Sample rows to a Parquet file; tell the CPU seconds, and the largest memory before and after, in MiB."""
    model = ctgan.CTGAN.load(job["model"])
    baseline = _peak_memory()
    started = time.process_time()
    model.sample(job["count"]).to_parquet(job["out"], compression="zstd")
    return {"seconds": time.process_time() - started, "peak": _peak_memory(), "baseline": baseline}


def ask(job: dict[str, Any]) -> dict[str, Any]:
    """Sample rows with a label asked for, and write them to a Parquet file."""
    model = ctgan.CTGAN.load(job["model"])
    rows = model.sample(job["count"], condition_column=job["label"], condition_value=job["asked"])
    rows.to_parquet(job["out"])
    return {"own_label": float((rows[job["label"]] == job["asked"]).mean())}


def balance(job: dict[str, Any]) -> dict[str, Any]:
    """Fit, and sample as many rows of each label as are wanted, if that many come within 20 rounds of asking."""
    found = train(job)
    model = ctgan.CTGAN.load(job["model"])
    parts = []
    for label in job["classes"]:
        got: list[pd.DataFrame] = []
        for _ in range(ROUNDS):
            rows = model.sample(job["count"], condition_column=job["label"], condition_value=label)
            got.append(rows[rows[job["label"]] == label])
            if sum(map(len, got)) >= job["count"]:
                break
        parts.append(pd.concat(got)[: job["count"]])
    pd.concat(parts, ignore_index=True).to_parquet(job["out"])
    return found | {"made": {label: len(part) for label, part in zip(job["classes"], parts, strict=True)}}


def _peak_memory() -> float:
    # not that of getrusage, in which the process that started this one counts too
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


TASKS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "train": train,
    "write": write,
    "ask": ask,
    "balance": balance,
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    wanted = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps(TASKS[wanted["task"]](wanted)))
