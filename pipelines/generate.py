"""Stage 3 as a Prefect flow: the synthetic samples of each repetition, and the dataset that is delivered."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from gansynth import generation
from gansynth.runs import Run, repetition_label
from gansynth.study import Study
from pipelines.stages import Stage, Unit, opened
from pipelines.workers import in_worker


@task(cache_policy=NO_CACHE)
def generate_repetition(study: Study, run_dir: Path, repetition: int | None) -> str:
    """Generate the samples of one repetition (None: the delivered ones), and return the digest of the artifact."""
    return in_worker(generation.generate_repetition, study, Run(run_dir), repetition)


@flow(name="generate", flow_run_name="generate {run_dir.name}")
def generate(run_dir: Path, study: Study | None = None) -> list[str]:
    """Generate and filter synthetic samples with every trained generator of a run.

    Args:
        run_dir: The run folder; it holds the trained generators.
        study: What to do. Without one, what the run folder holds.
    """
    run, study = opened(run_dir, study)
    repetitions = [*range(study.evaluation.repetitions), None]
    units = [Unit(generate_repetition, repetition_label(r), {"repetition": r}) for r in repetitions]
    with Stage("generate", study, run, len(units)) as stage:
        return stage.complete(units)
