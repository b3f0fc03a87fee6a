"""Stage 2 as a Prefect flow: one adversarial training per repetition, and one for the generator that is delivered."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from gansynth import training
from gansynth.runs import Run, repetition_label
from gansynth.study import Study
from pipelines.stages import Stage, Unit, opened
from pipelines.workers import in_worker


@task(cache_policy=NO_CACHE)
def train_repetition(study: Study, run_dir: Path, repetition: int | None) -> str:
    """Train the generator of one repetition (None: the delivered one), and return the digest of its model."""
    return in_worker(training.train_repetition, study, Run(run_dir), repetition)


@flow(name="train", flow_run_name="train {run_dir.name}")
def train(run_dir: Path, study: Study | None = None) -> list[str]:
    """Train a generator on the training rows of each repetition, and one on all rows that may be trained on.

    Args:
        run_dir: The run folder; it holds the dataset.
        study: What to do. Without one, what the run folder holds.
    """
    run, study = opened(run_dir, study)
    repetitions = [*range(study.evaluation.repetitions), None]
    units = [Unit(train_repetition, repetition_label(r), {"repetition": r}) for r in repetitions]
    with Stage("train", study, run, len(units)) as stage:
        return stage.complete(units)
