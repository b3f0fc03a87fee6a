"""What CTGAN's rows gain in the protocol of finished runs: the same training and test rows, the same classifier."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.peers.environment import OUT, run_peer
from benchmarks.peers.tables import MISSING
from gansynth.artifacts import read_manifest
from gansynth.classifiers import Diet, fit_classifier
from gansynth.datasets import load_dataset
from gansynth.evaluation.metrics import score
from gansynth.results import PREDICTIONS_FILE
from gansynth.runs import Run
from gansynth.samples import Column, Samples
from gansynth.splits import draw_split
from gansynth.study import Study
from gansynth.study_files import read_study

GAIN = OUT / "gain.csv"
EPOCHS = 300
BATCH = 500
METRICS = ("minority_average_precision", "macro_f1", "roc_auc")


def measure(python: Path, folders: list[Path], repetitions: int | None, *, quick: bool) -> None:
    """Measure the gain in each run, print the means over the runs, and write all scores to `gain.csv`."""
    rows: list[dict[str, Any]] = []
    for folder in folders:
        run = Run(folder)
        study = read_study(run)
        wanted = 1 if quick else min(repetitions or study.evaluation.repetitions, study.evaluation.repetitions)
        for repetition in range(wanted):
            place = {"run": folder.name, "repetition": repetition}
            rows += [place | found for found in _scores(python, run, study, repetition, quick=quick)]
            pd.DataFrame(rows).to_csv(GAIN, index=False)
        print(means(pd.DataFrame(rows)).to_string(index=False), flush=True)  # noqa: T201  # its output


def means(scores: pd.DataFrame) -> pd.DataFrame:
    """Return what each arm gains over `real`, in points: the mean over the runs, and its standard error."""
    of_runs = scores.pivot_table(index="run", columns="arm", values=list(METRICS), aggfunc="mean")
    table = pd.DataFrame({"arm": [arm for arm in scores["arm"].unique() if arm != "real"]})
    for metric in METRICS:
        gains = 100 * of_runs[metric].sub(of_runs[metric]["real"], axis=0)
        table[metric] = [f"{gains[arm].mean():+.2f} ± {gains[arm].sem():.2f}" for arm in table["arm"]]
    return table.assign(runs=len(of_runs))


def _scores(python: Path, run: Run, study: Study, repetition: int, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Yield the scores of the run's own arms in a repetition, and those with CTGAN's rows."""
    dataset = load_dataset(run.dataset)
    split = draw_split(dataset, study, repetition)
    train, test = dataset.samples.take(split.train), dataset.samples.take(split.test)
    minority = int(train.counts.argmin())
    for arm in study.evaluation.arms:
        stored = pq.read_table(run.arm(repetition, arm) / PREDICTIONS_FILE)
        if not np.array_equal(stored["row"].to_numpy(), split.test):
            raise SystemExit(f"{run.root}: its test rows are not drawn again by these versions; run the study again")
        said = np.array(stored["probabilities"].to_pylist())
        yield {"arm": arm} | score(test.labels, said, stored["predicted"].to_numpy(), minority)
    steps = read_manifest(run.model(repetition)).counts["steps"]
    for name, epochs in (("CTGAN, 300 epochs", EPOCHS), ("CTGAN, equal steps", _epochs(steps, len(train)))):
        made = _ctgan_rows(python, train, round(study.generation.amount), 1 if quick else epochs, repetition)
        both = Diet(Samples.concatenate([train, made]), balanced=False)
        classifier = fit_classifier(study, both, study.evaluation.steps, repetition, "arm")
        said = classifier.probabilities(test.values)
        yield {"arm": name} | score(test.labels, said, said.argmax(axis=1), minority)


def _epochs(steps: int, rows: int) -> int:
    """Return the epochs in which CTGAN takes about this many steps."""
    return max(1, round(steps / max(rows // BATCH, 1)))


def _ctgan_rows(python: Path, train: Samples, count: int, epochs: int, seed: int) -> Samples:
    """Return about `count` rows of each class of a CTGAN that has learnt from training rows, with its own labels."""
    table, label = to_frame(train), "label"
    file, out = OUT / "train.parquet", OUT / "made.parquet"
    table.assign(**{label: np.array(train.class_names)[train.labels]}).to_parquet(file)
    discrete = [name for name, column in zip(table, train.columns, strict=True) if column.categories]
    fit = {"table": file, "discrete": [*discrete, label], "epochs": epochs, "batch_size": BATCH, "seed": seed}
    ask = partial(run_peer, python, model=OUT / "gain.pt", out=out, classes=train.class_names, label=label, count=count)
    ask(task="balance", **fit)
    rows = pd.read_parquet(out)
    labels = pd.Index(train.class_names).get_indexer(pd.Index(rows[label])).astype(np.int64)
    return Samples(from_frame(rows.drop(columns=label), train.columns), labels, train.class_names, train.schema)


def to_frame(samples: Samples) -> pd.DataFrame:
    """Return cells as CTGAN takes them: categories as text, numbers and times as numbers, nulls filled."""
    cells = zip(samples.columns, np.transpose(samples.values), strict=True)
    return pd.DataFrame({f"c{place}": _values(column, one) for place, (column, one) in enumerate(cells)})


def from_frame(rows: pd.DataFrame, columns: tuple[Column, ...]) -> np.ndarray:
    """Return the cells (N, C) of rows as `to_frame` gave them."""
    cells = np.empty((len(rows), len(columns)))
    for place, (name, column) in enumerate(zip(rows, columns, strict=True)):
        if column.categories:
            found = pd.Index(column.categories).get_indexer(pd.Index(rows[name]))
            cells[:, place] = np.where(found < 0, np.nan, found)
        else:
            cells[:, place] = rows[name]
    return cells


def _values(column: Column, cells: np.ndarray) -> np.ndarray:
    nulls = np.isnan(cells)
    if column.categories:
        named: np.ndarray = np.array([*column.categories, MISSING], dtype=object)[
            np.where(nulls, -1, cells).astype(int)
        ]
        return named
    filled = np.where(nulls, np.median(cells[~nulls]) if (~nulls).any() else 0.0, cells)
    numbers: np.ndarray = filled.round().astype(np.int64) if column.kind == "integer" else filled
    return numbers
