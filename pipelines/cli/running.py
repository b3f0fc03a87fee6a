"""How a command runs a flow: on which run folder, with its progress shown, and what it prints at the end."""

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from gansynth.runs import Run
    from gansynth.study import Study

STAGES = ("ingest", "train", "generate", "evaluate", "report")
LIGHT = {"ingest": ("ingestion",), "report": ("reporting",)}
"""Which packages are all that the workers of a flow need, where these take far less time to import than all."""


def run_flow(name: str, target: Path, overrides: list[str] | None, run_dir: Path | None, **parameters: str) -> None:
    """Run a flow on a run folder, showing its progress, and print what it found.

    Args:
        name: The flow.
        target: A study file or a run folder.
        overrides: Settings that replace those of the study.
        run_dir: The run folder, if it is not the default one.
        **parameters: What the flow takes besides study and run folder: folders or URLs.

    Raises:
        GansynthError: The study is wrong, or the flow failed.
    """
    stages = STAGES if name == "augment" else (name,)
    study, run = _resolve(target, overrides, run_dir)
    from gansynth.remote import check_url

    for place in parameters.values():
        check_url(place)  # before Prefect stores it
    from pipelines.display import progress_shown

    if stages[0] == "ingest":
        from gansynth.ingestion import check_source

        check_source(study)
    # held from here on: that another process is writing there is told before anything starts
    with run.lock():
        _check_needed(stages[0], run)
        with progress_shown(stages, run.progress):
            _start_flow(name)(study=study, run_dir=run.root.resolve(), **parameters)
    _conclude(stages[-1], run)


def run_batch(target: Path, overrides: list[str] | None, run_dir: Path | None, asked: dict[str, Any], out: str) -> None:
    """Generate a batch of samples, showing its progress, and print where it lies.

    Args:
        target: A run folder, or the study file of a run.
        overrides: Settings of `compute` that replace those of the study.
        run_dir: The run folder, if it is not the default one.
        asked: The settings of the batch that are not left at their defaults.
        out: The folder for the samples, or a URL.

    Raises:
        GansynthError: What was asked for is wrong, or the flow failed.
    """
    from gansynth.study_files import check_settings

    study, run = _resolve(target, overrides, run_dir)
    from gansynth import generation

    batch = check_settings(generation.Batch, asked)
    wanted = generation.order(run, batch, out, study.compute)
    from pipelines.display import progress_shown

    with generation.held(wanted) as done, progress_shown(("generate",), wanted.progress):
        if not done:
            _start_flow("batch")(run.root.resolve(), wanted.address, batch, study.compute)
    typer.echo(f"{sum(shard.size for shard in wanted.shards):,} samples: {wanted.address}")


def run_score(
    target: Path, source: str, out: Path, normal: str | None, overrides: list[str] | None, run_dir: Path | None
) -> None:
    """Score the rows of a source by a run's model, showing the progress, and print what there is to know.

    Args:
        target: A run folder, or the study file of a run.
        source: The rows: a file or a folder.
        out: The file for the scores.
        normal: The class that is normal, if it is not the most frequent one.
        overrides: Settings of `compute` that replace those of the study.
        run_dir: The run folder, if it is not the default one.

    Raises:
        GansynthError: Something cannot be read or written, or the flow failed.
    """
    study, run = _resolve(target, overrides, run_dir)
    from gansynth import scoring
    from gansynth.errors import visible
    from pipelines.display import progress_shown

    scoring.check_places(source, out)
    scoring.check_normal(run, normal)
    with progress_shown(("score",), scoring.progress_of(out.resolve())):
        found = _start_flow("score")(run.root.resolve(), source, out, normal, study.compute)
    for note in found.notes:
        typer.echo(visible(note))
    if found.unreadable:
        typer.echo(f"{found.unreadable:,} of {found.rows:,} rows could not be read; their column problem says why")
    typer.echo(f"Normal: {visible(found.normal)}, by {found.train_rows:,} training rows")
    for share, count in found.alarms.items():
        typer.echo(f"Tail share at most {share}: {count:,} of {found.rows - found.unreadable:,} rows")
    typer.echo(f"Scores: {out}")


def _check_needed(stage: str, run: "Run") -> None:
    """Make sure that what a stage needs has been made: Prefect takes a while to start, and need not for this."""
    from gansynth.artifacts import read_manifest

    needed = {
        "train": (run.dataset,),
        "generate": (run.dataset, run.model(0)),
        "evaluate": (run.dataset, run.model(0), run.synthetic(0)),
        "report": (run.evaluation,),
    }
    for place in needed.get(stage, ()):
        read_manifest(place)


def _conclude(stage: str, run: "Run") -> None:
    """Print what the run found, once it has been evaluated, and where to find what was made."""
    if stage in {"evaluate", "report"}:
        from gansynth.results import read_summary
        from pipelines.findings import print_findings

        print_findings(read_summary(run.evaluation))
    made = {
        "ingest": [("Dataset", run.dataset)],
        "train": [("Generator", run.model(None))],
        "generate": [("Synthetic dataset", run.synthetic(None))],
        "evaluate": [("Evaluation", run.evaluation)],
        "report": [("Synthetic dataset", run.synthetic(None)), ("Report", run.report / "index.html")],
    }
    if stage in {"evaluate", "report"} and run.training_set.exists():  # of tables this is what was measured
        made[stage].insert(-1, ("Training set of the recommended arm", run.training_set))
    for what, path in made[stage]:
        typer.echo(f"{what}: {path}")


def _start_flow(name: str) -> Any:  # noqa: ANN401 - Prefect's flows are typed by their parameters, which differ
    """Return what runs a flow, once all is there that it needs: processes for its work, and Prefect's API."""
    from pipelines.workers import STAGE_PACKAGES, warm_up

    warm_up(LIGHT.get(name, STAGE_PACKAGES))
    from pipelines.embedded import PrefectServer

    server = PrefectServer()
    flow = getattr(import_module(f"pipelines.{name}"), name)
    server.wait()
    return partial(server.run, flow)


def _resolve(target: Path, overrides: list[str] | None, run_dir: Path | None) -> "tuple[Study, Run]":
    """Return the study and the run folder that a command line names."""
    from gansynth.runs import Run
    from gansynth.study_files import load_study, read_study

    if target.is_dir():
        if run_dir is not None:
            raise typer.BadParameter(f"{target} is a run folder already; --run-dir goes with a study file")
        return read_study(Run(target), overrides or ()), Run(target)
    study = load_study(target, overrides or ())
    return study, Run(run_dir or Path("runs") / study.name)
