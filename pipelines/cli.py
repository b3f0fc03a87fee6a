"""The command line. What is heavy to import waits until a command needs it, so that help comes at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gansynth.errors import GansynthError
from pipelines.termination import end_on_sigterm

if TYPE_CHECKING:
    from gansynth.runs import Run
    from gansynth.study import Study

STAGES = ("ingest", "train", "generate", "evaluate", "report")

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

StudyOrRun = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY_OR_RUN",
        help="A study's TOML file, or the folder of an earlier run, whose study is then used again.",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SETTING=VALUE",
        help="Replace a setting of the study, for example gan.kimg=200. May be given several times.",
        show_default=False,
    ),
]
RunDir = Annotated[
    Path | None,
    typer.Option(help="The run folder.  [default: runs/NAME, after the study's name]", show_default=False),
]
ReportsDir = Annotated[
    Path, typer.Option(help="Where a copy of the report is published, in a folder named after the study.")
]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"gansynth {metadata.version('gansynth')}")
        raise typer.Exit


def main() -> None:
    """Run the command line."""
    end_on_sigterm()
    app(prog_name="gansynth")


@app.callback()
def gansynth(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """GAN augmentation for scarce labelled data, with an honest measure of what it gains.

    A study (a TOML file) says which data to augment and how. It takes them through five stages: ingest, train,
    generate, evaluate, report. `gansynth augment` runs them all; each is also a command of its own, on the same
    run folder. Stages that have been done already are skipped, so any command may be interrupted and run again.

    The stages are Prefect flows. They report to your Prefect API where one is configured; otherwise to a temporary
    server, whose records `prefect server start` shows later.

    \b
    Examples:
      gansynth augment data/studies/fashion_rare.toml
      gansynth augment my.toml --set gan.kimg=200 --set evaluation.repetitions=10
      gansynth generate runs/my --count 5000 --format folder --out synthetic/
      gansynth doctor
    """


@app.command()
def augment(
    study: StudyOrRun, set_: Overrides = None, run_dir: RunDir = None, reports_dir: ReportsDir = Path("reports")
) -> None:
    """Run all stages, and say whether augmentation helps.

    Prints the verdict, the gain of each arm over the classifier trained on real data alone, and the path of the
    report. The run folder holds the generator, the synthetic dataset and everything the verdict rests on. Running
    the same study again resumes where it stopped; after a change of settings only what depends on them is redone.

    \b
    Examples:
      gansynth augment data/studies/fashion_rare.toml
      gansynth augment my.toml --set gan.kimg=200 --set evaluation.repetitions=10 --run-dir runs/longer
      gansynth augment runs/my
    """
    _run("augment", study, set_, run_dir, reports_dir=reports_dir)


@app.command()
def ingest(study: StudyOrRun, set_: Overrides = None, run_dir: RunDir = None) -> None:
    """Stage 1: read, check and store the labelled samples.

    Writes dataset/. Samples are converted as the study's modality says; duplicates are found, so that none straddles
    a split. Unreadable samples are put aside and listed with their reasons; above the share that source.max_bad_share
    allows, the stage stops.

    \b
    Example:
      gansynth ingest my.toml
    """
    _run("ingest", study, set_, run_dir)


@app.command()
def train(study: StudyOrRun, set_: Overrides = None, run_dir: RunDir = None) -> None:
    """Stage 2: train the generators.

    Needs the dataset. Writes repetitions/NN/model/ for the generator of each repetition, which the evaluation
    uses, and model/ for the one that is delivered. An interrupted training goes on from its last saved state.

    \b
    Example:
      gansynth train runs/my --set gan.kimg=200
    """
    _run("train", study, set_, run_dir)


@app.command()
def generate(
    study: StudyOrRun,
    set_: Overrides = None,
    run_dir: RunDir = None,
    count: Annotated[
        int | None,
        typer.Option(
            help="A batch of this many samples, evenly over the classes; with --class, by their weights.",
            show_default=False,
            min=1,
        ),
    ] = None,
    class_: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="NAME=NUMBER",
            help="A batch with this many samples of a class; with --count, its weight. May be given several times.",
            show_default=False,
        ),
    ] = None,
    balance: Annotated[
        bool, typer.Option("--balance", help="A batch that lifts each class to the largest of the training rows.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the samples of a batch.", show_default=False)] = None,
    format: Annotated[  # noqa: A002 - the setting's name
        Literal["parquet", "folder", "webdataset"] | None,
        typer.Option(
            help="Parquet shards, one folder of PNG files per class, or shards of WebDataset, for a batch."
            "  [default: parquet]",
            show_default=False,
        ),
    ] = None,
    shard_size: Annotated[
        int | None,
        typer.Option(help="Samples per shard of a batch, about.  [default: 10000]", min=1, show_default=False),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Seed for a batch: another one gives other samples.  [default: 0]", min=0, show_default=False
        ),
    ] = None,
) -> None:
    """Stage 3: generate samples; --count, --class or --balance: a batch of any size.

    Needs the generators. Writes repetitions/NN/synthetic/, which the evaluation uses, and synthetic/, the dataset that
    is delivered. A batch leaves the run as it is, and goes to the folder that --out names. It is made in shards,
    side by side by all workers; the same command goes on with an interrupted batch, and makes the same bytes. Given
    again once the run is evaluated, it lets the batch's dataset card tell what was measured.

    \b
    Examples:
      gansynth generate runs/my
      gansynth generate runs/my --count 5000 --format folder --out synthetic/
      gansynth generate runs/my --class scratch=900 --class dent=300 --out defects/
      gansynth generate runs/my --balance --out balanced/
    """
    order = {"count": count, "format": format, "shard_size": shard_size, "seed": seed}
    asked: dict[str, Any] = {name: value for name, value in order.items() if value is not None}
    if not (count or class_ or balance):
        if asked or out:
            raise typer.BadParameter("--out, --format, --shard-size and --seed go with --count, --class or --balance")
        _run("generate", study, set_, run_dir)
        return
    if out is None:
        raise typer.BadParameter("--count, --class and --balance need --out, the folder for the samples")
    if set_:
        raise typer.BadParameter("--set does not go with a batch: the samples are those of the trained run")
    with _told_in_one_line():
        from gansynth.study_files import check_settings

        _, run = _resolve(study, set_, run_dir)
        from gansynth import generation

        asked |= {"classes": [_class_number(text) for text in class_ or ()], "balance": balance}
        batch = check_settings(generation.Batch, asked)
        wanted = generation.order(run, batch, out)
        from pipelines.display import progress_shown

        with generation.held(wanted) as done, progress_shown(("generate",), wanted.progress):
            if not done:
                _start_flow("batch")(run.root.resolve(), wanted.destination, batch)
        typer.echo(f"{sum(int(shard.counts.sum()) for shard in wanted.shards):,} samples: {wanted.destination}")


def _class_number(text: str) -> dict[str, str]:
    name, equals, number = text.rpartition("=")
    if not equals:
        raise typer.BadParameter(f"--class {text}: write NAME=NUMBER")
    return {"name": name, "number": number}


@app.command()
def evaluate(study: StudyOrRun, set_: Overrides = None, run_dir: RunDir = None) -> None:
    """Stage 4: compare the arms, and test the differences.

    Needs the dataset, the generators and their samples. Trains the classifier of each arm in each repetition, writes
    evaluation/ and prints the verdict.

    \b
    Example:
      gansynth evaluate runs/my --set evaluation.labels=hard
    """
    _run("evaluate", study, set_, run_dir)


@app.command()
def report(
    study: StudyOrRun, set_: Overrides = None, run_dir: RunDir = None, reports_dir: ReportsDir = Path("reports")
) -> None:
    """Stage 5: write the report.

    Needs the evaluation. Writes report/: a self-contained HTML page, and the same as Markdown and as JSON; completes
    the dataset card in synthetic/; then publishes a copy.

    \b
    Example:
      gansynth report runs/my --reports-dir /var/www/reports
    """
    _run("report", study, set_, run_dir, reports_dir=reports_dir)


@app.command()
def doctor(
    study: Annotated[
        Path | None, typer.Argument(metavar="[STUDY]", help="Say what this study would use.", show_default=False)
    ] = None,
) -> None:
    """Show what this machine offers, and warn of traps.

    \b
    Examples:
      gansynth doctor
      gansynth doctor my.toml
    """
    with _told_in_one_line():
        from pipelines.doctor import examine

        examine(study)


def _run(name: str, target: Path, overrides: list[str] | None, run_dir: Path | None, **parameters: Path) -> None:
    """Run a flow on a run folder, showing its progress, and print what it found."""
    stages = STAGES if name == "augment" else (name,)
    with _told_in_one_line():
        study, run = _resolve(target, overrides, run_dir)
        from pipelines.display import progress_shown

        # held from here on: that another process is writing there is told before anything starts
        with run.lock(), progress_shown(stages, run.progress):
            _start_flow(name)(study, run.root.resolve(), **parameters)
        _conclude(stages[-1], run)


def _conclude(stage: str, run: "Run") -> None:
    """Print what the run found, once it has been evaluated, and where to find what was made."""
    if stage in {"evaluate", "report"}:
        from pipelines.artifacts import print_findings

        print_findings(run)
    made = {
        "ingest": [("Dataset", run.dataset)],
        "train": [("Generator", run.model(None))],
        "generate": [("Synthetic dataset", run.synthetic(None))],
        "evaluate": [("Evaluation", run.evaluation)],
        "report": [("Synthetic dataset", run.synthetic(None)), ("Report", run.report / "index.html")],
    }
    for what, path in made[stage]:
        typer.echo(f"{what}: {path}")


def _start_flow(name: str) -> Any:  # noqa: ANN401 - Prefect's flows are typed by their parameters, which differ
    """Return a flow once all is there that it needs: processes for its work, and Prefect's API."""
    from pipelines.workers import warm_up

    warm_up()
    from pipelines.embedded import PrefectServer

    server = PrefectServer()
    flow = getattr(import_module(f"pipelines.{name}"), name)
    server.wait()
    return flow


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


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    """Turn an error that gansynth raises on purpose, or an interruption, into a line and an exit status."""
    try:
        yield
    except GansynthError as error:
        typer.echo(f"gansynth: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("gansynth: interrupted; the same command resumes where it stopped", err=True)
        raise typer.Exit(130) from None
