"""The commands that prepare a Prefect server, and serve flows to it."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    studies: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[STUDY]...", help="Studies to offer with their settings filled in.", show_default=False
        ),
    ] = None,
    cron: Annotated[
        str | None,
        typer.Option(
            help="When to run these studies, as a cron line in UTC, for example '0 3 * * 1'.", show_default=False
        ),
    ] = None,
) -> None:
    """Offer all flows in the Prefect UI, and run here what is started there.

    For one machine, without a work pool. Needs a Prefect server. Each flow becomes a deployment whose form holds
    every setting; each study given becomes one that can be started by a click, or by a schedule. Paths are relative to
    the folder that this command runs in. One run is at work at a time; others wait. Ctrl-C or SIGTERM cancel it, and
    the same run again resumes.

    \b
    Examples:
      gansynth serve
      gansynth serve data/studies/fashion_rare.toml --cron "0 3 * * 1"
    """
    if cron and not studies:
        raise typer.BadParameter("--cron says when the given studies are run, and none is given")
    from gansynth.study_files import load_study

    wanted = [load_study(path) for path in studies or ()]
    from pipelines.embedded import require_server

    require_server()
    from pipelines.serving import serve as serve_flows

    serve_flows(wanted, cron)


def setup_server() -> None:
    """Prepare a Prefect server for gansynth.

    Makes what is missing, and changes nothing that is there: the work pool `gansynth`, which runs one flow at a time
    until its limit is raised; and an automation that calls runs crashed whose process has died. Then deploy the flows
    by `prefect --no-prompt deploy --all`, and start a worker by `prefect worker start --pool gansynth --limit 1`.

    \b
    Example:
      gansynth setup-server
    """
    from pipelines.embedded import require_server

    require_server()
    from pipelines.server import set_up_server

    for what, made in set_up_server().items():
        typer.echo(f"{'made' if made else 'kept'}: {what}")
