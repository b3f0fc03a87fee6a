"""What a Prefect server needs besides our flows: a work pool with a limit, and a watch for dead runs."""

from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

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
        return {f"work pool {POOL}": _make_pool(client), f"automation {WATCH!r}": _make_watch(client)}


def _make_pool(client: SyncPrefectClient) -> bool:
    try:
        client.read_work_pool(POOL)
    except ObjectNotFound:
        # a limit of the pool counts the runs that are at work. Prefect's global limits count leases, which a server
        # forgets when it is started anew, and then lets nobody in
        pool = WorkPoolCreate(
            name=POOL,
            type="process",
            description="Runs of gansynth, one at a time for each machine",
            base_job_template=ProcessWorker.get_default_base_job_template(),
            concurrency_limit=1,
        )
        client.create_work_pool(pool)
        return True
    return False


def _make_watch(client: SyncPrefectClient) -> bool:
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
