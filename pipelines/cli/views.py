"""The commands that look at what is there, and run nothing."""

from pathlib import Path
from typing import Annotated

import typer


def runs(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="The folder that the run folders are in.")] = Path(
        "runs"
    ),
    json: Annotated[bool, typer.Option("--json", help="Print a list of JSON objects, for programs.")] = False,
) -> None:
    """List runs: how far each is, whether the GAN helps, and what it took.

    Beside each verdict stands the gain, in points, of the arm with a GAN that it is about: over real data alone, and
    over the best arm without a GAN. Time is the sum over all that was made, also side by side. What was made with other
    settings than the run's study has now does not count. The last changed run comes first.

    \b
    Examples:
      gansynth runs
      gansynth runs results/ --json
    """
    from pipelines.run_list import print_runs, print_runs_as_json

    (print_runs_as_json if json else print_runs)(folder)


def show(run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.", show_default=False)]) -> None:
    """Show a run: its study, how far it is, what it took and found, and where things lie.

    Works at any time, also while the run is running. Times are sums over all artifacts of a stage, memory is the
    largest of any.

    \b
    Example:
      gansynth show runs/my
    """
    from gansynth.runs import Run
    from pipelines.run_card import print_card

    print_card(Run(run))


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
    from pipelines.doctor import examine

    examine(study)
