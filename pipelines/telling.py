"""How the command line tells what went wrong: in one line, and by its exit status."""

from typing import Any

import typer
from typer.core import TyperGroup

from gansynth.errors import GansynthError

INTERRUPTED = 130


class Commands(TyperGroup):
    """The commands. An error that gansynth raises on purpose, or an interruption, ends them in one line."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - click ships no types through typer
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except GansynthError as error:
            tell_error(str(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            tell_error("interrupted; the same command resumes where it stopped")
            raise typer.Exit(INTERRUPTED) from None


def tell_error(message: str) -> None:
    """Say on standard error what went wrong."""
    typer.echo(f"gansynth: {message}", err=True)
