"""The command line. What is heavy to import waits until a command needs it, so that help comes at once.

The commands that run flows are in `flows`, how they run them is in `running`; those for a Prefect server are in
`servers`, and those that only look are in `views`.
"""

from importlib import metadata
from typing import Annotated

import typer

from pipelines.cli import flows, servers, views
from pipelines.telling import Commands
from pipelines.termination import end_on_sigterm

app = typer.Typer(
    cls=Commands, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


def main() -> None:
    """Run the command line."""
    end_on_sigterm()
    app(prog_name="gansynth")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"gansynth {metadata.version('gansynth')}")
        raise typer.Exit


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
      gansynth runs
      gansynth doctor
    """


for command in (
    flows.augment,
    flows.ingest,
    flows.train,
    flows.generate,
    flows.evaluate,
    flows.report,
    flows.score,
    servers.serve,
    servers.setup_server,
    views.runs,
    views.show,
    views.doctor,
):
    app.command()(command)
