"""The runs of a folder as a table: how far each is, what it found, and what it took."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from gansynth.errors import ArtifactError
from gansynth.formats import gain
from gansynth.results import Summary, VerdictWord
from gansynth.runs import Run
from gansynth.states import find_runs, last_changed, read_state
from pipelines.findings import output_console
from pipelines.meter import clock

FOUND = ("verdict", "recommended_arm", "comparisons")


def print_runs(folder: Path) -> None:
    """Print a row for each run in a folder, the last changed first, and a line for each that cannot be read."""
    console = output_console()
    runs = find_runs(folder)
    if not runs:
        console.print(f"{folder}: no runs there; `gansynth augment STUDY.toml` makes one")
        return
    table = Table(box=None, pad_edge=False)
    # the width that each needs for its longest word: in narrow terminals words stay whole
    for title, width in (("run", 8), ("state", 12), ("over real", 12), ("over best without GAN", 12), ("changed", 10)):
        table.add_column(title, min_width=width, overflow="fold")
    table.add_column("time", justify="right", no_wrap=True)
    damages = []
    for run in runs:
        changed = last_changed(run).astimezone().strftime("%Y-%m-%d %H:%M")
        try:
            state = read_state(run)
        except ArtifactError as error:
            table.add_row(run.root.name, "damaged", "", "", changed, "")
            damages.append(str(error))
            continue
        table.add_row(run.root.name, state.words, *_found(state.summary), changed, clock(state.seconds))
    console.print(table)
    for damage in damages:
        console.print(damage)


def print_runs_as_json(folder: Path) -> None:
    """Print the same for programs: a list with an object for each run."""
    typer.echo(json.dumps([_for_programs(run) for run in find_runs(folder)], indent=1, ensure_ascii=False))


def _found(summary: Summary | None) -> tuple[str, str]:
    """Return the verdicts against real data and the best arm without a GAN, each with its gain."""
    if summary is None:
        return "", ""
    verdict = summary.verdict
    over_real = _verdict(summary, verdict.against_real, "real")
    return over_real, _verdict(summary, verdict.against_best_without_gan, verdict.best_without_gan)


def _verdict(summary: Summary, word: VerdictWord, against: str) -> str:
    test = summary.comparison(summary.verdict.arms[against], against)
    return f"{word}, {gain(test.gain)}" if test else word


def _for_programs(run: Run) -> dict[str, Any]:
    common = {"run": str(run.root), "changed": last_changed(run).isoformat(timespec="seconds")}
    try:
        state = read_state(run)
    except ArtifactError as error:
        return common | {"state": "damaged", "damage": str(error)}
    return common | {
        "study": state.study.name if state.study else None,
        "state": state.progress,
        "running": state.holder,
        "interrupted": state.interrupted,
        "stages": {name: {"total": one.total, **asdict(one.cost)} for name, one in state.stages.items()},
        "seconds": state.seconds,
        "bytes": state.size,
        # by way of pydantic, which writes null for what is not finite
        **(json.loads(state.summary.model_dump_json(include=set(FOUND))) if state.summary else dict.fromkeys(FOUND)),
    }
