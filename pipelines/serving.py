"""All flows as deployments of one machine, run by this process without a work pool."""

import asyncio
import logging
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from gansynth.study import Study
from pipelines.augment import augment
from pipelines.batch import batch
from pipelines.evaluate import evaluate
from pipelines.generate import generate
from pipelines.ingest import ingest
from pipelines.report import report
from pipelines.server import HEARTBEAT_SECONDS, limit_trainings
from pipelines.train import train

FLOWS: tuple[Flow[Any, Any], ...] = (augment, ingest, train, generate, evaluate, report, batch)
SERVED = "served"
GRACE_SECONDS = 15.0

logger = logging.getLogger(__name__)


def serve(studies: Sequence[Study], cron: str | None) -> None:
    """Offer every flow, and each study as a deployment of `augment`, until this process is told to end.

    Runs that are at work then are cancelled; the same run again resumes where it stopped.

    Args:
        studies: Studies whose settings their deployment has filled in; it is named after the study.
        cron: When the studies are run, as a cron line in UTC; never by themselves without.
    """
    with get_client(sync_client=True) as client:
        limit_trainings(client)
    # schedules stay active: a run that falls due while nobody serves is made up for
    runner = Runner(name="gansynth", heartbeat_seconds=HEARTBEAT_SECONDS, pause_on_shutdown=False)
    for flow in FLOWS:
        _offer(runner, flow, SERVED, {}, None)
    for study in studies:
        _offer(runner, augment, study.name, {"study": study.model_dump(mode="json")}, cron)
    asyncio.run(_run_until_told(runner))


def _offer(runner: Runner, flow: Flow[Any, Any], name: str, parameters: dict[str, object], cron: str | None) -> None:
    deployment = RunnerDeployment.from_flow(
        flow, name, parameters=parameters, cron=cron, tags=["gansynth"], entrypoint_type=EntrypointType.MODULE_PATH
    )
    runner.add_deployment(deployment)


async def _run_until_told(runner: Runner) -> None:
    """Run flows until SIGTERM or Ctrl-C, and end in time even if the server is gone.

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
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            await runner.astop()
            await serving
    except TimeoutError:
        logger.warning("the Prefect server did not answer; runs that were at work were ended all the same")
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
