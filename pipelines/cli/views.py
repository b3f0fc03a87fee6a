"""The commands that look at what is there, and run nothing."""

from pathlib import Path
from typing import Annotated

import typer


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
