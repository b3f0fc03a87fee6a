"""All stages in one Prefect flow: from a source of scarce labelled data to the verdict and the synthetic dataset."""

from pathlib import Path

from prefect import flow

from gansynth.remote import check_url
from gansynth.study import Study
from pipelines.evaluate import evaluate
from pipelines.generate import generate
from pipelines.ingest import ingest
from pipelines.report import report
from pipelines.stages import begun, hold
from pipelines.train import train


@flow(name="augment", flow_run_name="augment {study.name}")
def augment(study: Study, run_dir: Path | None = None, reports_dir: str = "reports") -> list[str]:
    """Run all stages of a study. What a run folder holds already, made by the same study, is not made again.

    Args:
        study: What to do.
        run_dir: The run folder; it is made if it is not there. Without one, `runs/NAME`, after the study's name.
        reports_dir: A folder or a URL, where a copy of the report goes in a folder named after the study.
    """
    check_url(reports_dir)  # now rather than after hours of training
    run, study = begun(run_dir, study)
    with hold(study, run):
        ingest(study, run.root)
        train(run.root, study)
        generate(run.root, study)
        evaluate(run.root, study)
        return report(run.root, study, reports_dir)
