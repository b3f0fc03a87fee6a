"""All flows as deployments of one machine, run by this process without a work pool."""

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil
from httpx import HTTPError
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.settings import PREFECT_UI_URL
from prefect.types.entrypoint import EntrypointType

from gansynth.errors import StudyError
from gansynth.study import Study
from pipelines.augment import augment
from pipelines.batch import batch
from pipelines.evaluate import evaluate
from pipelines.generate import generate
from pipelines.ingest import ingest
from pipelines.report import report
from pipelines.score import score
from pipelines.server import HEARTBEAT_SECONDS
from pipelines.train import train

FLOWS: tuple[Flow[Any, Any], ...] = (augment, ingest, train, generate, evaluate, report, batch, score)
SERVED = "served"
GRACE_SECONDS, ANSWER_SECONDS = 30.0, 5.0

logger = logging.getLogger(__name__)


def serve(studies: Sequence[Study], cron: str | None) -> None:
    """Offer every flow, and each study as a deployment of `augment`, until this process is told to end.

    One run is at work at a time, for each uses all of the machine; others wait. When told to end, this cancels the run
    that is at work; the same run again resumes where it stopped.

    Args:
        studies: Studies whose settings their deployment has filled in; it is named after the study.
        cron: When the studies are run, as a cron line in UTC; never by themselves without.

    Raises:
        StudyError: That is no cron line.
    """
    try:
        CronSchedule(cron=cron or "0 0 * * *")
    except ValueError:
        raise StudyError(
            f"--cron: {cron!r} is no cron line; write minute, hour, day, month and weekday, as in '0 3 * * 1'"
        ) from None
    # schedules stay active: a run that falls due while nobody serves is made up for
    runner = Runner(name="gansynth", limit=1, heartbeat_seconds=HEARTBEAT_SECONDS, pause_on_shutdown=False)
    for flow in FLOWS:
        _offer(runner, flow, SERVED, {"batch": {"count": 1000}} if flow is batch else {}, None)
    for study in studies:
        _offer(runner, augment, study.name, {"study": study.model_dump(mode="json")}, cron)
    served = " and ".join([f"{len(FLOWS)} flows", *(study.name for study in studies)])
    logger.warning("serving %s; see %s", served, PREFECT_UI_URL.value())
    asyncio.run(_run_until_told(runner))


def _offer(runner: Runner, flow: Flow[Any, Any], name: str, parameters: dict[str, object], cron: str | None) -> None:
    deployment = RunnerDeployment.from_flow(
        flow, name, parameters=parameters, cron=cron, tags=["gansynth"], entrypoint_type=EntrypointType.MODULE_PATH
    )
    runner.add_deployment(deployment)


async def _run_until_told(runner: Runner) -> None:
    """Run flows until SIGTERM or Ctrl-C, then end them, and in time even if the server is gone.

    Prefect's own handler of SIGTERM leaves runs that are at work to themselves.
    """
    told = asyncio.Event()
    serving = asyncio.create_task(runner.start())
    await asyncio.sleep(0)  # its handler is set now, and replaced
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
        return
    if await _server_answers():
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await runner.astop()  # cancels what is at work, and tells the server
    else:
        logger.warning("the Prefect server does not answer; what is at work is ended all the same")
    _end_children()
    logging.shutdown()
    os._exit(0)  # the runner's own end would go on trying to reach the server


async def _server_answers() -> bool:
    try:
        async with asyncio.timeout(ANSWER_SECONDS), get_client() as client:
            await client.hello()
    except (TimeoutError, HTTPError):
        return False
    return True


def _end_children() -> None:
    """End the flow runs that are still there; they have time to save their training."""
    children = psutil.Process().children()
    for child in children:
        child.terminate()
    _, alive = psutil.wait_procs(children, GRACE_SECONDS)
    for child in alive:
        child.kill()
