"""What a study asks of each artifact, and whether what lies in a run folder answers it.

A request is the part of a study that determines an artifact's content; its manifest records it. A stage that uses an
artifact holds it to the study and to the other artifacts first, so that work of different settings never mixes.
"""

import hashlib
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gansynth.arms import ARMS, decides_for
from gansynth.artifacts import MANIFEST, Manifest, answers, read_manifest, verify
from gansynth.errors import ArtifactError
from gansynth.runs import Run

if TYPE_CHECKING:  # a study brings torch with it, and what only reads manifests shall come at once
    from gansynth.sections import GenerationConfig
    from gansynth.study import Study

NO_CONTENT = {"repetitions", "arms", "alpha", "smallest_gain", "anomaly"}
"""Settings of the evaluation that decide which arms there are and how they are judged, not what an arm is."""
MEASURES = 2
"""Raised whenever fidelity holds more, or other, files than before: it is then measured again."""


def model_request(study: "Study", repetition: int | None) -> dict[str, Any]:
    """Return what determines a model: its rows, its generator's training and its teacher's."""
    of_teacher = {"steps", "batch_size", "learning_rate", "inner_folds", "inner_steps"}
    if study.modality.kind == "image":  # the teacher of tables is always the same network
        of_teacher |= {"classifier"}
    parts = _part(study, "modality", "scarcity", "split", "gan")
    if study.gan.privacy is None:  # as before there was this setting
        del parts["gan"]["privacy"]
    return {
        **parts,
        "classifier": study.evaluation.model_dump(mode="json", include=of_teacher),
        "precision": study.compute.precision,
        "repetition": repetition,
    }


def samples_request(study: "Study", settings: "GenerationConfig") -> dict[str, Any]:
    """Return what determines samples that are drawn with these settings, besides their model and number."""
    return {
        "seed": study.seed,
        "generation": settings.model_dump(mode="json"),
        "precision": study.compute.precision,
        "study": study.name,
        "licence": study.source.licence,
    }


def synthetic_request(study: "Study", repetition: int | None) -> dict[str, Any]:
    """Return what determines the synthetic samples of a repetition, which are always Parquet, or those delivered."""
    settings = study.generation
    if repetition is not None:
        settings = settings.model_copy(update={"format": "parquet"})
    return samples_request(study, settings) | {"repetition": repetition}


def fidelity_request(study: "Study", repetition: int) -> dict[str, Any]:
    """Return what determines the fidelity of a repetition's samples."""
    return {**_evaluation_request(study, repetition), "measures": MEASURES}


def arm_request(study: "Study", repetition: int, arm: str) -> dict[str, Any]:
    """Return what determines an arm of a repetition."""
    tuned = ARMS[study.modality.kind][arm].tuned
    return {**_recipe_request(study, repetition, tuned=tuned), "arm": arm}


def anomaly_request(study: "Study", repetition: int) -> dict[str, Any]:
    """Return what determines how anomalous the test rows of a repetition are found."""
    asked = {"normal": study.evaluation.anomaly, "precision": study.compute.precision, "repetition": repetition}
    return {**_part(study, "modality", "scarcity", "split"), **asked}


def summary_request(study: "Study") -> dict[str, Any]:
    """Return what determines the summary of all repetitions."""
    request = _part(study, "evaluation", "scarcity", "split")
    if study.evaluation.anomaly is None:  # as before there was this setting
        del request["evaluation"]["anomaly"]
    return request


def dataset_parent(run: Run) -> dict[str, str]:
    """Return the digest of a run's dataset, as a parent.

    Raises:
        ArtifactError: There is none, or it is damaged.
    """
    return {"dataset": verify(run.dataset).digest}


def model_parent(study: "Study", run: Run, repetition: int | None) -> dict[str, str]:
    """Return the digest of a repetition's model, as a parent.

    Raises:
        ArtifactError: There is none, it is damaged, or it was made with other settings or from another dataset.
    """
    request = model_request(study, repetition)
    return {"model": _digest(run.model(repetition), request, dataset_parent(run), "train")}


def synthetic_parents(study: "Study", run: Run, repetition: int | None) -> dict[str, str]:
    """Return the digests of a repetition's synthetic samples and of their model, as parents.

    Raises:
        ArtifactError: There are none, they are damaged, or they or their model were made with other settings or from
            another dataset.
    """
    model = model_parent(study, run, repetition)
    request = synthetic_request(study, repetition)
    return {**model, "synthetic": _digest(run.synthetic(repetition), request, model, "generate")}


def fidelity_parents(study: "Study", run: Run, repetition: int) -> dict[str, str]:
    """Return the digests of what the fidelity of a repetition is measured on.

    Raises:
        ArtifactError: Something is not there, is damaged, or was made with other settings or from another dataset.
    """
    return dataset_parent(run) | synthetic_parents(study, run, repetition)


def anomaly_parents(study: "Study", run: Run, repetition: int) -> dict[str, str]:
    """Return the digests of what the detectors of a repetition are fitted on.

    Raises:
        ArtifactError: Something is not there, is damaged, or was made with other settings or from another dataset.
    """
    return dataset_parent(run) | model_parent(study, run, repetition)


def arm_parents(study: "Study", run: Run, repetition: int, arm: str) -> dict[str, str]:
    """Return the digests of what an arm of a repetition is trained and tested on.

    Raises:
        ArtifactError: Something is not there, is damaged, or was made with other settings or from another dataset.
    """
    needed = ARMS[study.modality.kind][arm].parents
    if "synthetic" in needed:
        return fidelity_parents(study, run, repetition)
    return dataset_parent(run) | (model_parent(study, run, repetition) if "model" in needed else {})


def training_set_request(study: "Study") -> dict[str, Any]:
    """Return what determines the training set that is delivered of a table, besides the verdict and the model.

    The samples that it takes follow from the model and their own request. Their digest would not do for a parent: the
    dataset card among them is completed later.
    """
    return {**_recipe_request(study, None, tuned=True), "synthetic": synthetic_request(study, None)}


def training_set_parents(study: "Study", run: Run) -> dict[str, str]:
    """Return the digests of what the training set that is delivered is made from.

    Raises:
        ArtifactError: Something is not there, is damaged, or was made with other settings or from another dataset.
    """
    evaluated = _digest(run.evaluation, summary_request(study), summary_parents(study, run), "evaluate")
    model = {"model": synthetic_parents(study, run, None)["model"]}
    return {**dataset_parent(run), **model, "evaluation": evaluated}


def summary_parents(study: "Study", run: Run) -> dict[str, str]:
    """Return the digests of all that the summary speaks of: arms, fidelity and anomalies of every repetition.

    Raises:
        ArtifactError: Something is not there, is damaged, or was made with other settings or from another dataset.
    """
    parents = {}
    for repetition in range(study.evaluation.repetitions):
        digests = fidelity_parents(study, run, repetition)
        for name, place, request, needed in _evaluated(study, run, repetition):
            parents[name] = _digest(place, request, {parent: digests[parent] for parent in needed}, "evaluate")
    return parents


def check_run(study: "Study", run: Run) -> None:
    """Make sure that whatever a run holds beyond its dataset was made by the study, and each from what lies beside it.

    Raises:
        ArtifactError: Something was not, or the manifest of something is damaged.
    """
    digests = {}
    if (run.dataset / MANIFEST).exists():
        digests[run.dataset] = read_manifest(run.dataset).digest
    for one in expected(study, run):
        if not (one.directory / MANIFEST).exists():
            continue
        manifest = read_manifest(one.directory)
        digests[one.directory] = manifest.digest
        if not one.is_answered_by(manifest, digests):
            raise _other_settings(one.directory, one.stage)


class Expected(NamedTuple):
    """An artifact that a run of a study has: where it lies, its stage, its request, and where its parents lie."""

    directory: Path
    stage: str
    request: dict[str, Any]
    parents: dict[str, Path]

    def is_answered_by(self, manifest: Manifest, digests: Mapping[Path, str]) -> bool:
        """Tell whether an artifact answers the request and was made from the parents that lie in the run folder.

        Args:
            manifest: The artifact's.
            digests: Those of the artifacts in the run folder, by place. Parents that are gone are not asked for.
        """
        beside = {name: digests.get(place, manifest.parents.get(name)) for name, place in self.parents.items()}
        of_these = {name: manifest.parents.get(name) for name in self.parents}
        return answers(manifest, self.request, manifest.parents) and of_these == beside


def expected(study: "Study", run: Run) -> Iterator[Expected]:
    """Yield every artifact that a run of a study has between its dataset and its report, parents before children."""
    repetitions = range(study.evaluation.repetitions)
    evaluated: dict[str, Path] = {}
    for unit in (*repetitions, None):
        model, synthetic = run.model(unit), run.synthetic(unit)
        yield Expected(model, "train", model_request(study, unit), {"dataset": run.dataset})
        yield Expected(synthetic, "generate", synthetic_request(study, unit), {"model": model})
    for repetition in repetitions:
        places = {"dataset": run.dataset, "model": run.model(repetition), "synthetic": run.synthetic(repetition)}
        for name, place, request, needed in _evaluated(study, run, repetition):
            evaluated[name] = place
            yield Expected(place, "evaluate", request, {parent: places[parent] for parent in needed})
    yield Expected(run.evaluation, "evaluate", summary_request(study), evaluated)
    if study.modality.kind == "table":
        parents = {"dataset": run.dataset, "model": run.model(None), "evaluation": run.evaluation}
        yield Expected(run.training_set, "evaluate", training_set_request(study), parents)


def _evaluated(
    study: "Study", run: Run, repetition: int
) -> Iterator[tuple[str, Path, dict[str, Any], tuple[str, ...]]]:
    """Yield the name as a parent, the place, the request and the names of the parents of all that is evaluated."""
    for arm in study.evaluation.arms:
        place, request = run.arm(repetition, arm), arm_request(study, repetition, arm)
        yield f"arm {arm} {repetition}", place, request, ARMS[study.modality.kind][arm].parents
    request = fidelity_request(study, repetition)
    yield f"fidelity {repetition}", run.fidelity(repetition), request, ("dataset", "model", "synthetic")
    if study.evaluation.anomaly is not None:
        request = anomaly_request(study, repetition)
        yield f"anomaly {repetition}", run.anomaly(repetition), request, ("dataset", "model")


def _recipe_request(study: "Study", repetition: int | None, *, tuned: bool) -> dict[str, Any]:
    """Return what determines how an arm trains, and if it is `tuned` how it decides: with a view to the metric."""
    request = _evaluation_request(study, repetition)
    for of_fidelity_alone in ("inception_weights", "metric"):
        del request["evaluation"][of_fidelity_alone]
    if tuned:
        request["decides_for"] = decides_for(study.evaluation.metric)
    return request


def _evaluation_request(study: "Study", repetition: int | None) -> dict[str, Any]:
    """Return what determines both the arms and the fidelity of a repetition."""
    settings = study.evaluation.model_dump(mode="json", exclude=NO_CONTENT)
    parts = {**_part(study, "modality", "scarcity", "split"), **_own_code(study.evaluation.classifier)}
    return {**parts, "evaluation": settings, "precision": study.compute.precision, "repetition": repetition}


def _own_code(classifier: str) -> dict[str, str]:
    """Return the digest of the file of a user's own classifier, `package.module:Class`; none of other ones."""
    module = classifier.rpartition(":")[0]
    first, *rest = module.split(".")
    spec = importlib.util.find_spec(first) if first else None
    if spec is None:
        return {}
    places = [Path(place, *rest) for place in spec.submodule_search_locations or ()]
    files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    found = next((file for file in [*files, Path(spec.origin or "")] if file.is_file()), None)
    return {} if found is None else {"classifier_code": hashlib.sha256(found.read_bytes()).hexdigest()}


def _part(study: "Study", *names: str) -> dict[str, Any]:
    """Return the named sections and the seed as plain JSON data."""
    dumped = study.model_dump(mode="json")
    return {name: dumped[name] for name in ("seed", *names)}


def _digest(directory: Path, request: dict[str, Any], parents: dict[str, str], stage: str) -> str:
    manifest = verify(directory)
    if not answers(manifest, request, parents):
        raise _other_settings(directory, stage)
    return manifest.digest


def _other_settings(directory: Path, stage: str) -> ArtifactError:
    return ArtifactError(
        f"{directory}: was made with other settings, from other data or by another version of gansynth;"
        f" run `gansynth {stage}` again"
    )
