"""Set-up, training, sampling, memory and labels of gansynth and CTGAN, side by side."""

import shutil
import statistics
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.peers.environment import OUT, run_ours, run_peer
from benchmarks.peers.tables import (
    LABEL,
    as_ctgan_takes_it,
    mixed_table,
    read_parquet_folder,
    read_table,
    rows_of_each,
)
from gansynth.ingestion import ingest
from gansynth.runs import Run
from gansynth.study import Study
from gansynth.training import train_repetition

SPEED = OUT / "speed.csv"


class Effort(NamedTuple):
    """How much is measured.

    Attributes:
        rounds: How often the two take turns.
        table_rows: Rows of the table that set-up and training are measured on.
        epochs: Epochs of CTGAN there; gansynth sees as many rows.
        few_rows: Rows that the generators whose samples are measured learn from.
        fit_epochs: Epochs of CTGAN on those.
        kimg: Thousands of rows that gansynth sees of those.
        written: Rows sampled to Parquet.
        asked: Rows of the rarest class asked for.
    """

    rounds: int
    table_rows: int
    epochs: int
    few_rows: int
    fit_epochs: int
    kimg: float
    written: int
    asked: int


FULL = Effort(3, 20_000, 2, 2000, 300, 128, 1_000_000, 2000)
QUICK = Effort(1, 1000, 1, 500, 2, 2, 5000, 200)
BATCHES = (60, 500)
"""Sizes of a batch that both are given; CTGAN's must be a multiple of ten."""


class Finding(NamedTuple):
    """What was measured of both. `ratio` is how many times better gansynth is."""

    what: str
    unit: str
    ours: float
    ctgan: float
    ratio: float


def measure(python: Path, path: Path | None, label: str | None, *, quick: bool) -> None:
    """Measure everything on a table, print it, and write it to `speed.csv`."""
    effort = QUICK if quick else FULL
    table = read_table(path) if path else mixed_table(max(effort.table_rows, effort.few_rows), seed=0)
    bench = Bench(python, effort, table, label or LABEL)
    findings: list[Finding] = []
    for finding in chain(bench.training(), bench.samples()):
        findings.append(finding)
        print(f"{finding.ratio:8.2f}  {finding.what} ({finding.unit}): {finding.ours:.3g} and {finding.ctgan:.3g}")  # noqa: T201
        sys.stdout.flush()
        pd.DataFrame(findings).to_csv(SPEED, index=False)


class Bench:
    """The tables that both learn from, as files, and what is measured of them."""

    def __init__(self, python: Path, effort: Effort, table: pd.DataFrame, label: str) -> None:
        self.effort, self.label = effort, label
        self.peer = partial(run_peer, python, seed=0, label=label)
        self.whole = rows_of_each(table, label, effort.table_rows)
        self.few = rows_of_each(table, label, effort.few_rows)
        self.judge_rows = table
        self.rarest = str(table[label].value_counts().idxmin())
        self.files: dict[str, Path] = {}
        for name, rows in (("whole", self.whole), ("few", self.few)):
            filled, self.discrete = as_ctgan_takes_it(rows, label)
            for whose, one in (("ours", rows), ("ctgan", filled)):
                self.files[f"{name} {whose}"] = OUT / f"{name}-{whose}.parquet"
                one.to_parquet(self.files[f"{name} {whose}"])

    def training(self) -> Iterator[Finding]:
        """Compare set-up and training on the whole table, at each one's batch size and at the same."""
        ours, ctgan = self._courses(None, 500)
        yield lower("set-up", "CPU s", ours["setup"], ctgan["setup"])
        with_reading = ours["setup"] + ours["reading"]
        yield lower("set-up, and for gansynth reading and columns", "CPU s", with_reading, ctgan["setup"])
        yield higher("row-epochs, default batches", "per CPU s", ours["speed"], ctgan["speed"])
        for size in BATCHES:
            ours, ctgan = self._courses(size, size)
            yield higher(f"row-epochs, batches of {size}", "per CPU s", ours["speed"], ctgan["speed"])

    def _courses(self, ours: int | None, ctgan: int) -> list[dict[str, float]]:
        job = {"task": "train", "epochs": self.effort.epochs, "rows": self.effort.epochs * len(self.whole)}
        own = {"table": self.files["whole ours"], **({"batch_size": ours} if ours else {})}
        other = {"table": self.files["whole ctgan"], "discrete": self.discrete, "batch_size": ctgan}
        return take_turns(
            (partial(run_ours, **job, **own, label=self.label, seed=0), partial(self.peer, **job, **other)),
            self.effort.rounds,
        )

    def samples(self) -> Iterator[Finding]:
        """Compare what generators that are trained to the end on few rows give."""
        run, model = self._train_ours(), OUT / "ctgan.pt"
        fit = {"epochs": self.effort.fit_epochs, "batch_size": 500, "discrete": self.discrete}
        self.peer(task="train", table=self.files["few ctgan"], model=model, **fit)
        job = {"task": "write", "count": self.effort.written}
        batch, file = OUT / "batch", OUT / "ctgan.parquet"
        rounds = [
            (self._ours_written(run, batch, **job), self.peer(**job, model=model, out=file))
            for _ in range(min(2, self.effort.rounds))
        ]
        ours, ctgan = (medians([one[place] for one in rounds]) for place in range(2))
        speeds = [self.effort.written / one["seconds"] for one in (ours, ctgan)]
        yield higher(f"{self.effort.written:,} rows to Parquet", "per CPU s", *speeds)
        yield lower(f"peak memory of {self.effort.written:,} rows to Parquet", "MiB", ours["peak"], ctgan["peak"])
        yield lower("of this, before the first row", "MiB", ours["baseline"], ctgan["baseline"])
        yield from self._labels(run, model)

    def _labels(self, run: Run, model: Path) -> Iterator[Finding]:
        """Ask for rows of the rarest class; what one classifier, trained on all real rows, says of them."""
        batch, file = OUT / "asked", OUT / "asked.parquet"
        self._ours_written(run, batch, task="write", count=self.effort.asked, asked=self.rarest)
        own = self.peer(task="ask", count=self.effort.asked, model=model, asked=self.rarest, out=file)["own_label"]
        names = [str(name) for name in self.few.columns]
        judge = Judge(as_ctgan_takes_it(self.judge_rows, self.label)[0], self.label, self.discrete)
        made = read_parquet_folder(batch, names)
        agreement = judge.share(as_ctgan_takes_it(made, self.label)[0], self.rarest)
        real = as_ctgan_takes_it(self.judge_rows[self.judge_rows[self.label] == self.rarest], self.label)[0]
        recognised = judge.share(real, self.rarest)
        yield higher("for comparison: of the real rows of that class", "share", recognised, recognised)
        yield higher(
            "label agreement of the rarest class", "share", agreement, judge.share(pd.read_parquet(file), self.rarest)
        )
        yield higher(
            "rows whose own label is the one asked for", "share", float((made[self.label] == self.rarest).mean()), own
        )

    def _train_ours(self) -> Run:
        source = {"path": str(self.files["few ours"])}
        sections = {"source": source, "modality": {"label": self.label}, "gan": {"kimg": self.effort.kimg}}
        study = Study.model_validate({"name": "peers", **sections})
        run = Run(OUT / "run")
        ingest(study, run)
        train_repetition(study, run, None)
        return run

    def _ours_written(self, run: Run, out: Path, **job: Any) -> dict[str, Any]:  # noqa: ANN401
        shutil.rmtree(out, ignore_errors=True)
        return run_ours(run=run.root, out=out, **job)


class Judge:
    """Boosted trees that have seen all real rows: what they take a row for."""

    def __init__(self, table: pd.DataFrame, label: str, discrete: list[str]) -> None:
        self.label, self.discrete = label, [name for name in discrete if name != label]
        self.known = {name: pd.Index(table[name].unique()) for name in self.discrete}
        native = [name in self.discrete for name in table.columns if name != label]
        self.model = HistGradientBoostingClassifier(categorical_features=native, random_state=0)
        self.model.fit(self._cells(table), table[label])

    def share(self, rows: pd.DataFrame, asked: str) -> float:
        """Return the share of rows that it takes for the class asked for."""
        return float((self.model.predict(self._cells(rows)) == asked).mean())

    def _cells(self, rows: pd.DataFrame) -> np.ndarray:
        cells = rows.drop(columns=self.label).copy()
        for name in self.discrete:
            cells[name] = self.known[name].get_indexer(cells[name].astype(str)).astype(np.float64)
            cells.loc[cells[name] < 0, name] = np.nan
        return cells.to_numpy(np.float64)


def take_turns(runners: tuple[Callable[[], dict[str, Any]], ...], rounds: int) -> list[dict[str, float]]:
    """Let the runners take turns; return the medians of what each tells, and its speed in rows per CPU second."""
    told: list[list[dict[str, float]]] = [[] for _ in runners]
    for _ in range(rounds):
        for runner, answers in zip(runners, told, strict=True):
            found = runner()
            answers.append(found | {"speed": found["rows"] / found["training"]})
    return [medians(answers) for answers in told]


def medians(answers: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each number that was told."""
    return {name: statistics.median(one[name] for one in answers) for name in answers[0]}


def higher(what: str, unit: str, ours: float, ctgan: float) -> Finding:
    """Return a finding of which more is better."""
    return Finding(what, unit, ours, ctgan, ours / max(ctgan, 1e-9))


def lower(what: str, unit: str, ours: float, ctgan: float) -> Finding:
    """Return a finding of which less is better."""
    return Finding(what, unit, ours, ctgan, ctgan / max(ours, 1e-9))
