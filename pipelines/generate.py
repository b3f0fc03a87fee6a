"""Stage 3 as a Prefect flow: the synthetic samples of each repetition, and the dataset that is delivered."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from gansynth import generation
from gansynth.runs import Run, repetition_label
from gansynth.study import Study
from pipelines.stages import Stage, Unit
from pipelines.workers import in_worker


@task(cache_policy=NO_CACHE)
def generate_repetition(study: Study, run_dir: Path, repetition: int | None) -> str:
    """Generate the samples of one repetition (None: the delivered ones), and return the digest of the artifact."""
    return in_worker(generation.generate_repetition, study, Run(run_dir), repetition)


@flow(name="generate", flow_run_name="generate {study.name}")
def generate(study: Study, run_dir: Path) -> list[str]:
    """Generate and filter synthetic samples with every trained generator of a run.

    Args:
        study: What to do.
        run_dir: The run folder; it holds the trained generators.
    """
    repetitions = [*range(study.evaluation.repetitions), None]
    units = [Unit(generate_repetition, repetition_label(r), {"repetition": r}) for r in repetitions]
    with Stage("generate", study, run_dir, len(units)) as stage:
        return stage.complete(units)
