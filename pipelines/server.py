"""What a Prefect server needs besides our flows: a work pool, a limit on trainings, and a watch for dead runs."""

from collections.abc import Callable
from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from pipelines.limits import training_limit

POOL = "gansynth"
WATCH = "gansynth: runs whose process has died"
HEARTBEAT_SECONDS = 30
SILENCE = timedelta(seconds=3 * HEARTBEAT_SECONDS)
"""After this long without a sign of life a run counts as dead."""


def set_up_server() -> dict[str, bool]:
    """Make what is missing on the configured server, and leave the rest as it is.

    Returns:
        What there is now, each with whether it was made just now.
    """
    with get_client(sync_client=True) as client:
        return {
            f"work pool {POOL}": _made(lambda: client.read_work_pool(POOL), lambda: _create_pool(client)),
            f"concurrency limit {training_limit()}": limit_trainings(client),
            f"automation {WATCH!r}": _watch_runs(client),
        }


def limit_trainings(client: SyncPrefectClient) -> bool:
    """Let this machine train one generator after another, unless a limit is set already; tell whether it was not."""
    name = training_limit()
    return _made(
        lambda: client.read_global_concurrency_limit_by_name(name),
        lambda: client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1)),
    )


def _made(read: Callable[[], object], create: Callable[[], object]) -> bool:
    try:
        read()
    except ObjectNotFound:
        create()
        return True
    return False


def _create_pool(client: SyncPrefectClient) -> None:
    template = ProcessWorker.get_default_base_job_template()
    pool = WorkPoolCreate(name=POOL, type="process", description="Runs of gansynth", base_job_template=template)
    client.create_work_pool(pool)


def _watch_runs(client: SyncPrefectClient) -> bool:
    if client.read_automations_by_name(WATCH):
        return False
    client.create_automation(_watch())
    return True


def _watch() -> AutomationCore:
    """Return the automation that calls a run crashed if it has given signs of life and then neither these nor an end.

    See Prefect's guide on zombie flows: https://docs.prefect.io/v3/advanced/detect-zombie-flows
    """
    beat = "prefect.flow-run.heartbeat"
    ends = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
    trigger = EventTrigger(
        after={beat},
        expect={beat, *ends},
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=SILENCE,
    )
    message = "No sign of life: its process has died. The same run again resumes where it stopped."
    action = ChangeFlowRunState(name="Crashed", state=StateType.CRASHED, message=message, force=False)
    return AutomationCore(name=WATCH, description="Calls them crashed", trigger=trigger, actions=[action])
