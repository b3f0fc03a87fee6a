"""Stage 5 as a Prefect flow: the page, its copy among the published reports, and the artifacts in Prefect's UI."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from gansynth import reporting
from gansynth.remote import is_url
from gansynth.runs import Run
from gansynth.study import Study
from pipelines.artifacts import show_findings
from pipelines.stages import Stage, Unit, opened
from pipelines.workers import in_worker


@task(cache_policy=NO_CACHE)
def write_report(study: Study, run_dir: Path) -> str:
    """Write the report of a run, and return its digest."""
    return in_worker(reporting.report, study, Run(run_dir))


@flow(name="report", flow_run_name="report {run_dir.name}")
def report(run_dir: Path, study: Study | None = None, reports_dir: str = "reports") -> list[str]:
    """Write the report of a run, publish a copy, and show its findings in Prefect.

    Args:
        run_dir: The run folder; it holds the evaluation.
        study: What to do. Without one, what the run folder holds.
        reports_dir: A folder or a URL, where the copy goes in a folder named after the study.
    """
    run, study = opened(run_dir, study)
    with Stage("report", study, run) as stage:
        digests = stage.complete([Unit(write_report, "page", {})])
        place = reports_dir.rstrip("/") if is_url(reports_dir) else Path(reports_dir).expanduser()
        published = f"{place}/{study.name}"
        reporting.copy_report(stage.run, published)
    show_findings(stage.run, study.name, published)
    return digests
