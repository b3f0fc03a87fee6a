"""The generation stage: each repetition's synthetic samples, the ones that are delivered, and batches on demand."""

import logging
import math
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np

from gansynth.artifacts import MANIFEST, Draft, is_current, publish, verify
from gansynth.checkpoints import TrainedModel, load_model
from gansynth.errors import ArtifactError, StudyError
from gansynth.generation.card import write_card
from gansynth.generation.filters import RANKINGS, CopyDetector, select
from gansynth.generation.plan import class_counts, split_evenly
from gansynth.generation.sampler import Candidates, Sampler
from gansynth.generation.writers import WRITERS, Origin
from gansynth.progress import Progress
from gansynth.requests import model_parent, samples_request, synthetic_request
from gansynth.runs import Run, repetition_label
from gansynth.samples import Indices
from gansynth.seeding import derive_seed
from gansynth.study import GenerationConfig, Study
from gansynth.study_files import read_study
from gansynth.threads import ahead

# samples kept from one round of candidates of a class, and the memory that they may take
BLOCK_SIZE = 1024
BLOCK_BYTES = 64 * 2**20

# a class is given up after this many times its planned candidates, when nearly all are near copies
PATIENCE = 10

log = logging.getLogger(__name__)


def generate(study: Study, run: Run) -> None:
    """Generate the samples of every repetition and those that are delivered."""
    for repetition in [*range(study.evaluation.repetitions), None]:
        generate_repetition(study, run, repetition)


def generate_repetition(study: Study, run: Run, repetition: int | None) -> Path:
    """Generate the samples of one repetition's model (None: the delivered one) and publish them.

    Returns at once if they are there already. Repetitions are written as Parquet, which the evaluation reads;
    the delivered samples in the study's format, with a dataset card.

    Raises:
        ArtifactError: The model is not there, or the samples cannot be written.
        StudyError: The study asks for no samples, or its filters reject all.
    """
    directory, model_directory = run.synthetic(repetition), run.model(repetition)
    request, parents = synthetic_request(study, repetition), model_parent(study, run, repetition)
    settings = GenerationConfig.model_validate(request["generation"])
    if is_current(directory, request, parents):
        return directory
    model = load_model(model_directory, study.compute)
    plan = class_counts(settings, np.bincount(model.training_labels, minlength=len(model.class_names)))
    origin = _origin(study, model, parents["model"], study.seed)
    label = f"generate {repetition_label(repetition)}"
    with (
        publish(directory, "generate", request, parents) as draft,
        Progress(run.progress / f"{label.replace(' ', '-')}.json", label, int(plan.sum())) as progress,
    ):
        seed = derive_seed(study.seed, "generation", -1 if repetition is None else repetition)
        judged = "discriminator" in settings.active_filters
        sampler = Sampler(model, seed, settings.latent_scale, judged=judged)
        _fill(draft, sampler, plan, settings, origin=origin, progress=progress)
        if repetition is None:
            write_card(draft.path, origin, settings, draft.counts)
    log.info("%s: kept %d of %d candidates", label, draft.counts["kept"], draft.counts["candidates"])
    return directory


def export(run: Run, destination: Path, *, count: int, format: str, seed: int) -> Path:  # noqa: A002 - the setting's name
    """Generate `count` samples, evenly over the classes, from a run's delivered model, and publish them.

    The filters are those of the run's study; plan and amount are not used. An earlier export at `destination` is
    replaced, or returned at once if it is the same; anything else is left alone.

    Raises:
        StudyError: The count is not positive, the format unknown, or the filters reject all.
        ArtifactError: The run has no study or model, or `destination` cannot be used.
    """
    if count < 1:
        raise StudyError(f"count: {count} is not a number of samples; give 1 or more")
    if format not in WRITERS:
        raise StudyError(f"format: {format!r} is unknown; choose one of {', '.join(WRITERS)}")
    study = read_study(run)
    # held to its manifest alone: a trained model stays of use to later versions, which may know more settings
    parents = {"model": verify(run.model(None)).digest}
    settings = study.generation.model_copy(update={"format": format})
    request = samples_request(study, settings) | {"seed": seed, "count": count}
    destination = destination.resolve()
    _check_replaceable(destination)
    if is_current(destination, request, parents):
        return destination
    model = load_model(run.model(None), study.compute)
    origin = _origin(study, model, parents["model"], seed)
    with (
        publish(destination, "export", request, parents) as draft,
        Progress(run.exports / f"{os.getpid()}.json", f"export to {destination.name}", count) as progress,
    ):
        plan = split_evenly(count, len(model.class_names))
        # each pass computes on as many threads as torch has
        side_by_side = max(1, joblib.cpu_count() // study.compute.threads)
        # a purpose of its own: the samples of a batch are none of those delivered with the run
        judged = "discriminator" in settings.active_filters
        sampler = Sampler(model, derive_seed(seed, "export"), settings.latent_scale, side_by_side, judged=judged)
        _fill(draft, sampler, plan, settings, origin=origin, progress=progress)
        write_card(draft.path, origin, settings, draft.counts)
    return destination


def _fill(
    draft: Draft, sampler: Sampler, plan: Indices, settings: GenerationConfig, *, origin: Origin, progress: Progress
) -> None:
    """Write the samples of a plan to an artifact in the making, and count them."""
    counts = Counter(kept=0, candidates=0)

    def counted() -> Iterator[Candidates]:
        for block in kept_blocks(sampler, plan, settings, counts):
            yield block
            progress.update(counts["kept"])

    WRITERS[settings.format](draft.path, ahead(counted()), origin, settings.shard_size, sampler.threads)
    if counts["kept"] == 0:
        raise StudyError(
            f"generation.filters: all of {counts['candidates']} candidates are near copies of training rows; train with"
            " more rows, or leave 'distance' out and mind the report on memorisation"
        )
    draft.counts.update(counts)


def kept_blocks(
    sampler: Sampler, plan: Indices, settings: GenerationConfig, counts: Counter[str]
) -> Iterator[Candidates]:
    """Yield the samples that are kept, block by block, the classes in turn, so that memory does not grow with the plan.

    Candidates compete within their block. Where near copies leave a block short, later candidates make up for it.

    Args:
        sampler: Where candidates come from.
        plan: Samples wanted of each class, of shape (K,).
        settings: Filters and oversampling.
        counts: Is increased by `candidates`, `kept`, `kept_LABEL`, `rejected_FILTER`, `rejected_FILTER_LABEL`, and
            `missing` where a class is given up.
    """
    filters = settings.active_filters
    detector = CopyDetector(sampler.model) if "distance" in filters else None
    factor = settings.oversample if RANKINGS.keys() & set(filters) else 1.0
    missing, position = plan.copy(), np.zeros_like(plan)
    limit = np.ceil(plan * factor).astype(np.int64) * PATIENCE
    block_size = max(min(BLOCK_BYTES // math.prod(sampler.model.codec.shape), BLOCK_SIZE), 1)
    while missing.any():
        for label in np.flatnonzero(missing).tolist():
            wanted = min(int(missing[label]), block_size)
            start, stop = (
                int(position[label]),
                min(int(position[label]) + math.ceil(wanted * factor), int(limit[label])),
            )
            kept, rejected = select(sampler.draw(label, start, stop), wanted, filters, detector)
            position[label], missing[label] = stop, missing[label] - len(kept)
            counts.update({"candidates": stop - start, "kept": len(kept), f"kept_{label}": len(kept)})
            for name, number in rejected.items():
                counts.update({f"rejected_{name}": number, f"rejected_{name}_{label}": number})
            if stop == limit[label] and missing[label]:
                counts.update({"missing": int(missing[label])})
                missing[label] = 0
            if len(kept):
                yield kept


def _origin(study: Study, model: TrainedModel, digest: str, seed: int) -> Origin:
    return Origin(study.name, seed, study.source.licence, digest, model.class_names)


def _check_replaceable(destination: Path) -> None:
    """Refuse a place that holds anything but an earlier export as it was written, or nothing.

    Raises:
        ArtifactError: It does.
    """
    if not destination.exists():
        return
    if not destination.is_dir():
        raise ArtifactError(f"{destination}: is a file; name a folder for the samples")
    if not any(destination.iterdir()):
        return
    try:
        manifest = verify(destination) if (destination / MANIFEST).exists() else None
    except ArtifactError as error:
        raise ArtifactError(
            f"{destination}: may hold work of yours ({error}); move it or name another folder"
        ) from None
    if manifest is None or manifest.stage != "export":
        raise ArtifactError(f"{destination}: holds other files already; name a new or empty folder")
    known = {
        MANIFEST,
        *manifest.files,
        *(parent.as_posix() for name in manifest.files for parent in Path(name).parents),
    }
    there = {path.relative_to(destination).as_posix() for path in destination.rglob("*")}
    if foreign := there - known:
        raise ArtifactError(
            f"{destination}: holds {min(foreign)!r}, which no export wrote; move it or name another folder"
        )
