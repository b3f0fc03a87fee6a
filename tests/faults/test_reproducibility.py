"""The same study on the same machine gives the same bytes, whoever makes them and in however many portions."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from children import check_tidy, digests, in_child
from cleanruns import Clean, run_all

from gansynth.artifacts import read_manifest
from gansynth.generation import Batch, export, gather, held, order, write_shard
from gansynth.ingestion import ingest
from gansynth.runs import Run
from gansynth.sections import ComputeConfig
from gansynth.study import Study
from gansynth.training import train_repetition


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of an artifact but the manifest, which holds times."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_run_elsewhere_is_the_same_to_the_byte(clean: Clean, tmp_path: Path) -> None:
    root = tmp_path / "another" / "place"
    assert in_child(partial(run_all, clean.study, root)).well
    check_tidy(root)
    assert digests(root) == clean.digests
    for name in ("dataset", "model", "synthetic"):
        assert contents(root / name) == contents(clean.root / name)


def customers(folder: Path) -> Study:
    random = np.random.default_rng(0)
    left = np.arange(60) % 2
    rows = {"age": random.normal(np.where(left, 30, 45), 8).round(), "plan": np.where(left, "long", "short")}
    pd.DataFrame(rows | {"left": np.where(left, "yes", "no")}).to_csv(folder / "table.csv", index=False)
    return Study.model_validate(
        {
            "name": "tiny",
            "source": {"path": str(folder / "table.csv")},
            "modality": {"kind": "table", "label": "left"},
            "gan": {"kind": "tabular", "width": 16, "kimg": 0.32, "batch_size": 16},
            "evaluation": {"steps": 6, "batch_size": 16, "inner_steps": 2, "classifier": "logistic_regression"},
            "compute": {"accelerator": "cpu"},
        }
    )


def ingest_and_train(study: Study, root: Path, drawn_before: int) -> None:
    torch.rand(drawn_before)  # by whoever used this process before
    ingest(study, Run(root))
    train_repetition(study, Run(root), 0)


def test_a_model_of_a_table_does_not_depend_on_what_its_process_did_before(tmp_path: Path) -> None:
    study = customers(tmp_path)
    for drawn in (0, 7):
        assert in_child(partial(ingest_and_train, study, tmp_path / str(drawn), drawn)).well
    assert contents(tmp_path / "0" / "repetitions" / "00" / "model") == contents(
        tmp_path / "7" / "repetitions" / "00" / "model"
    )


def share_out(run: Run, batch: Batch, out: Path, workers: int) -> None:
    """Let several processes make the shards of a batch, each every n-th one and the last first."""
    wanted = order(run, batch, out)
    with held(wanted):
        for worker in range(workers):
            numbers = range(len(wanted.shards))[worker::workers][::-1]
            study = wanted.study.model_copy(update={"compute": ComputeConfig(accelerator="cpu", threads=worker + 1)})
            for number in numbers:
                assert in_child(partial(write_shard, study, run, batch, out, number)).well
        gather(wanted)


def test_the_number_of_workers_does_not_change_a_sample(clean: Clean, tmp_path: Path) -> None:
    batch = Batch(count=24, shard_size=7)
    run = Run(clean.root)
    alone = export(run, tmp_path / "alone", batch)
    share_out(run, batch, tmp_path / "shared", 2)
    assert read_manifest(alone).files == read_manifest(tmp_path / "shared").files
    assert contents(alone) == contents(tmp_path / "shared")
