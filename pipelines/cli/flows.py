"""The commands that run flows: all stages, each of them alone, a batch of samples, and scores."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pipelines.cli.running import run_batch, run_flow, run_score
from pipelines.telling import LOG_FORMAT_VARIABLE, LogFormat, choose_log_format

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
    str,
    typer.Option(
        metavar="FOLDER_OR_URL", help="Where a copy of the report is published, in a folder named after the study."
    ),
]
# its callback has chosen before a command starts, so that commands leave it alone
Log = Annotated[
    LogFormat,
    typer.Option(
        "--log-format",
        help="How standard error tells of progress and errors: text for people, or a JSON object a line.",
        envvar=LOG_FORMAT_VARIABLE,
        callback=choose_log_format,
        is_eager=True,
    ),
]


def augment(
    study: StudyOrRun,
    set_: Overrides = None,
    run_dir: RunDir = None,
    reports_dir: ReportsDir = "reports",
    _log_format: Log = "text",
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
    run_flow("augment", study, set_, run_dir, reports_dir=reports_dir)


def ingest(study: StudyOrRun, set_: Overrides = None, run_dir: RunDir = None, _log_format: Log = "text") -> None:
    """Stage 1: read, check and store the labelled samples.

    Writes dataset/. Samples are converted as the study's modality says; duplicates are found, so that none straddles
    a split. Unreadable samples are put aside and listed with their reasons; above the share that source.max_bad_share
    allows, the stage stops.

    \b
    Example:
      gansynth ingest my.toml
    """
    run_flow("ingest", study, set_, run_dir)


def train(study: StudyOrRun, set_: Overrides = None, run_dir: RunDir = None, _log_format: Log = "text") -> None:
    """Stage 2: train the generators.

    Needs the dataset. Writes repetitions/NN/model/ for the generator of each repetition, which the evaluation
    uses, and model/ for the one that is delivered. An interrupted training goes on from its last saved state.

    \b
    Example:
      gansynth train runs/my --set gan.kimg=200
    """
    run_flow("train", study, set_, run_dir)


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
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER_OR_URL",
            help="Where the samples of a batch go: a folder, or an s3:// or gs:// URL.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[  # noqa: A002 - the setting's name
        Literal["parquet", "folder", "webdataset", "csv"] | None,
        typer.Option(
            help="Parquet shards; of images one folder of PNG files per class, or shards of WebDataset; of tables CSV."
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
    _log_format: Log = "text",
) -> None:
    """Stage 3: generate samples; --count, --class or --balance: a batch of any size.

    Needs the generators. Writes repetitions/NN/synthetic/, which the evaluation uses, and synthetic/, the dataset that
    is delivered. A batch leaves the run as it is, and goes to the folder or URL that --out names. It is made in
    shards, side by side by all workers; the same command goes on with an interrupted batch, and makes the same bytes.
    Given again once the run is evaluated, it lets the dataset card of a batch in a folder tell what was measured.
    Credentials for a URL are taken from the environment.

    \b
    Examples:
      gansynth generate runs/my
      gansynth generate runs/my --count 5000 --format folder --out synthetic/
      gansynth generate runs/my --class scratch=900 --class dent=300 --out defects/
      gansynth generate runs/my --balance --out s3://bucket/balanced
    """
    order = {"count": count, "format": format, "shard_size": shard_size, "seed": seed}
    asked: dict[str, Any] = {name: value for name, value in order.items() if value is not None}
    if not (count or class_ or balance):
        if asked or out:
            raise typer.BadParameter("--out, --format, --shard-size and --seed go with --count, --class or --balance")
        run_flow("generate", study, set_, run_dir)
        return
    if out is None:
        raise typer.BadParameter("--count, --class and --balance need --out, the folder for the samples")
    if any(not override.strip().startswith("compute.") for override in set_ or ()):
        raise typer.BadParameter("--set: with a batch only compute.SETTING, for the samples are those of the run")
    classes = [_class_number(text) for text in class_ or ()]
    run_batch(study, set_, run_dir, asked | {"classes": classes, "balance": balance}, out)


def evaluate(study: StudyOrRun, set_: Overrides = None, run_dir: RunDir = None, _log_format: Log = "text") -> None:
    """Stage 4: compare the arms, and test the differences.

    Needs the dataset, the generators and their samples. Trains the classifier of each arm in each repetition, writes
    evaluation/ and prints the verdict.

    \b
    Example:
      gansynth evaluate runs/my --set evaluation.labels=hard
    """
    run_flow("evaluate", study, set_, run_dir)


def report(
    study: StudyOrRun,
    set_: Overrides = None,
    run_dir: RunDir = None,
    reports_dir: ReportsDir = "reports",
    _log_format: Log = "text",
) -> None:
    """Stage 5: write the report.

    Needs the evaluation. Writes report/: a self-contained HTML page, and the same as Markdown and as JSON; completes
    the dataset card in synthetic/; then publishes a copy.

    \b
    Example:
      gansynth report runs/my --reports-dir /var/www/reports
    """
    run_flow("report", study, set_, run_dir, reports_dir=reports_dir)


def score(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="STUDY_OR_RUN",
            help="The folder of a run, or the study file of one: its delivered model scores.",
            show_default=False,
        ),
    ],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A table, CSV or Parquet; or a folder of images, or Parquet with them. Labels do not count.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the scores go: a .parquet or .csv file.", show_default=False)
    ],
    normal: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="The class that is normal.  [default: that with most training rows]",
            show_default=False,
        ),
    ] = None,
    set_: Overrides = None,
    run_dir: RunDir = None,
    _log_format: Log = "text",
) -> None:
    """Score rows: how unlike the normal rows of a run each of them is.

    Needs the delivered generator and the dataset, and leaves the run as it is. Writes a line for each row of the
    source, in its order: row, source, score (higher is more anomalous), critic and distance (what the score is made
    of), tail_share (the share of normal training rows that score at least as high: raise an alarm below the rate of
    false alarms that you can bear), unseen (cells beyond all that the model knows), and problem (why a row could not
    be read).

    \b
    Examples:
      gansynth score runs/fraud transactions.csv --out scores.parquet
      gansynth score runs/my photos/ --normal intact --out scores.csv
    """
    if any(not override.strip().startswith("compute.") for override in set_ or ()):
        raise typer.BadParameter("--set: with scores only compute.SETTING, for the model is that of the run")
    run_score(run, source, out, normal, set_, run_dir)


def _class_number(text: str) -> dict[str, str]:
    name, equals, number = text.rpartition("=")
    if not equals or not re.fullmatch(r"[0-9]*\.?[0-9]+", number.strip()):
        raise typer.BadParameter(f"--class {text}: write NAME=NUMBER")
    return {"name": name, "number": number}
