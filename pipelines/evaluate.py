"""Stage 4 as a Prefect flow: every arm, fidelity and detectors of each repetition, then the verdict."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from gansynth import evaluation
from gansynth.arms import ArmName
from gansynth.artifacts import read_manifest
from gansynth.runs import Run, repetition_label
from gansynth.study import Study
from pipelines.stages import Stage, Unit, opened
from pipelines.workers import in_worker, result_in_worker


@task(cache_policy=NO_CACHE)
def evaluate_arms(study: Study, run_dir: Path, repetition: int, arms: tuple[ArmName, ...]) -> list[str]:
    """Train and test the classifiers of arms in one repetition, and return the digests of their predictions."""
    made = result_in_worker(evaluation.evaluate_arms, study, Run(run_dir), repetition, arms)
    return [read_manifest(directory).digest for directory in made]


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


@task(cache_policy=NO_CACHE)
def compose_training_set(study: Study, run_dir: Path) -> str:
    """Put together what the recommended arm's classifier learns from, and return the digest of that."""
    return in_worker(evaluation.compose_training_set, study, Run(run_dir))


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
        Unit(evaluate_arms, f"{repetition_label(r)}, {' and '.join(group)}", {"repetition": r, "arms": group})
        for r in repetitions
        for group in evaluation.together(study)
    ]
    fidelity = [Unit(evaluate_fidelity, f"{repetition_label(r)}, fidelity", {"repetition": r}) for r in repetitions]
    anomaly = [
        Unit(evaluate_anomaly, f"{repetition_label(r)}, anomalies", {"repetition": r})
        for r in repetitions
        if study.evaluation.anomaly is not None
    ]
    units = arms + fidelity + anomaly
    last = [Unit(compose_training_set, "training set", {})] if study.modality.kind == "table" else []
    with Stage("evaluate", study, run, len(units) + 1 + len(last)) as stage:
        stage.complete(units)
        return stage.complete([Unit(summarise, "verdict", {})]) + stage.complete(last)
