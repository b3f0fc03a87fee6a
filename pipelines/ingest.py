"""Stage 1 as a Prefect flow: the source becomes the dataset of the run."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from gansynth import ingestion
from gansynth.notes import dataset_notes
from gansynth.runs import Run
from gansynth.study import Study
from pipelines.stages import Stage, Unit, begun
from pipelines.workers import in_worker


@task(cache_policy=NO_CACHE)
def ingest_source(study: Study, run_dir: Path) -> str:
    """Ingest the source of the study, and return the digest of the dataset."""
    return in_worker(ingestion.ingest, study, Run(run_dir))


@flow(name="ingest", flow_run_name="ingest {study.name}")
def ingest(study: Study, run_dir: Path | None = None) -> list[str]:
    """Read, check and store the labelled data of a study.

    Args:
        study: What to do.
        run_dir: The run folder; it is made if it is not there. Without one, `runs/NAME`, after the study's name.
    """
    run, study = begun(run_dir, study)
    with Stage("ingest", study, run) as stage:
        digests = stage.complete([Unit(ingest_source, "dataset", {})])
        stage.note(dataset_notes(run.dataset))
    return digests
