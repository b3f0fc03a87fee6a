"""Stage 4 as a Prefect flow: every arm, fidelity and detectors of each repetition, then the verdict."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from gansynth import evaluation
from gansynth.arms import ArmName
from gansynth.runs import Run, repetition_label
from gansynth.study import Study
from pipelines.stages import Stage, Unit, opened
from pipelines.workers import in_worker


@task(cache_policy=NO_CACHE)
def evaluate_arm(study: Study, run_dir: Path, repetition: int, arm: ArmName) -> str:
    """Train and test the classifier of one arm in one repetition, and return the digest of its predictions."""
    return in_worker(evaluation.evaluate_arm, study, Run(run_dir), repetition, arm)


@task(cache_policy=NO_CACHE)
def evaluate_fidelity(study: Study, run_dir: Path, repetition: int) -> str:
    """Compare the samples of one repetition with real ones, and return the digest of the scores."""
    return in_worker(evaluation.evaluate_fidelity, study, Run(run_dir), repetition)


@task(cache_policy=NO_CACHE)
def evaluate_anomaly(study: Study, run_dir: Path, repetition: int) -> str:
    """Rate the test rows of one repetition by every detector of anomalies, and return the digest of the ratings."""
    return in_worker(evaluation.evaluate_anomaly, study, Run(run_dir), repetition)


@task(cache_policy=NO_CACHE)
def summarise(study: Study, run_dir: Path) -> str:
    """Test the differences of the arms, and return the digest of the evaluation."""
    return in_worker(evaluation.summarise, study, Run(run_dir))


@flow(name="evaluate", flow_run_name="evaluate {run_dir.name}")
def evaluate(run_dir: Path, study: Study | None = None) -> list[str]:
    """Say whether the synthetic samples of a run help its classifier.

    Args:
        run_dir: The run folder; it holds the dataset, the trained generators and their samples.
        study: What to do. Without one, what the run folder holds.
    """
    run, study = opened(run_dir, study)
    repetitions = range(study.evaluation.repetitions)
    arms = [
        Unit(evaluate_arm, f"{repetition_label(r)}, {arm}", {"repetition": r, "arm": arm})
        for r in repetitions
        for arm in study.evaluation.arms
    ]
    fidelity = [Unit(evaluate_fidelity, f"{repetition_label(r)}, fidelity", {"repetition": r}) for r in repetitions]
    anomaly = [
        Unit(evaluate_anomaly, f"{repetition_label(r)}, anomalies", {"repetition": r})
        for r in repetitions
        if study.evaluation.anomaly is not None
    ]
    units = arms + fidelity + anomaly
    with Stage("evaluate", study, run, len(units) + 1) as stage:
        stage.complete(units)
        return stage.complete([Unit(summarise, "verdict", {})])
