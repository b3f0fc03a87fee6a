"""What a study asks of each artifact, and whether what lies in a run folder answers it.

A request is the part of a study that determines an artifact's content; its manifest records it. A stage that uses an
artifact holds it to the study and to the other artifacts first, so that work of different settings never mixes.
"""

from pathlib import Path
from typing import Any

from gansynth.artifacts import answers, verify
from gansynth.errors import ArtifactError
from gansynth.runs import Run
from gansynth.study import GenerationConfig, Study

NO_CONTENT = {"repetitions", "arms", "alpha", "smallest_gain"}
"""Settings of the evaluation that decide which arms there are and how they are judged, not what an arm is."""


def model_request(study: Study, repetition: int | None) -> dict[str, Any]:
    """Return what determines a model: its rows, its generator's training and its teacher's."""
    evaluation = study.evaluation.model_dump(mode="json")
    teacher = {name: evaluation[name] for name in ("classifier", "steps", "batch_size", "learning_rate")}
    return {
        **study.part("modality", "scarcity", "split", "gan"),
        "classifier": teacher,
        "precision": study.compute.precision,
        "devices": study.compute.devices,
        "repetition": repetition,
    }


def samples_request(study: Study, settings: GenerationConfig) -> dict[str, Any]:
    """Return what determines samples that are drawn with these settings, besides their model and number."""
    return {
        "seed": study.seed,
        "generation": settings.model_dump(mode="json"),
        "precision": study.compute.precision,
        "study": study.name,
        "licence": study.source.licence,
    }


def synthetic_request(study: Study, repetition: int | None) -> dict[str, Any]:
    """Return what determines the synthetic samples of a repetition, which are always Parquet, or those delivered."""
    settings = study.generation
    if repetition is not None:
        settings = settings.model_copy(update={"format": "parquet"})
    return samples_request(study, settings) | {"repetition": repetition}


def evaluation_request(study: Study, repetition: int) -> dict[str, Any]:
    """Return what determines an arm or the fidelity of a repetition, besides the arm's name."""
    settings = study.evaluation.model_dump(mode="json", exclude=NO_CONTENT)
    parts = study.part("modality", "scarcity", "split")
    return {**parts, "evaluation": settings, "precision": study.compute.precision, "repetition": repetition}


def dataset_parent(run: Run) -> dict[str, str]:
    """Return the digest of a run's dataset, as a parent.

    Raises:
        ArtifactError: There is none, or it is damaged.
    """
    return {"dataset": verify(run.dataset).digest}


def model_parent(study: Study, run: Run, repetition: int | None) -> dict[str, str]:
    """Return the digest of a repetition's model, as a parent.

    Raises:
        ArtifactError: There is none, it is damaged, or it was made with other settings or from another dataset.
    """
    request = model_request(study, repetition)
    return {"model": _digest(run.model(repetition), request, dataset_parent(run), "train")}


def synthetic_parents(study: Study, run: Run, repetition: int) -> dict[str, str]:
    """Return the digests of a repetition's synthetic samples and of their model, as parents.

    Raises:
        ArtifactError: There are none, they are damaged, or they or their model were made with other settings or from
            another dataset.
    """
    model = model_parent(study, run, repetition)
    request = synthetic_request(study, repetition)
    return {**model, "synthetic": _digest(run.synthetic(repetition), request, model, "generate")}


def _digest(directory: Path, request: dict[str, Any], parents: dict[str, str], stage: str) -> str:
    manifest = verify(directory)
    if not answers(manifest, request, parents):
        raise ArtifactError(
            f"{directory}: was made with other settings, from other data or by another version of gansynth;"
            f" run `gansynth {stage}` again"
        )
    return manifest.digest
