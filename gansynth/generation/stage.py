"""The generation stage: each repetition's synthetic samples, and the ones that are delivered."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from gansynth.artifacts import Draft, is_current, publish
from gansynth.cards import CARD_FILE, render_card
from gansynth.checkpoints import TrainedModel, load_model
from gansynth.errors import StudyError
from gansynth.generation.croissant import write_croissant
from gansynth.generation.filters import CopyDetector, select
from gansynth.generation.plan import class_counts
from gansynth.generation.sampler import Candidates, Sampler
from gansynth.generation.shards import Shard, candidates_for, divide, most_candidates
from gansynth.generation.writers import FORMATS
from gansynth.privacy import guarantee_in_words
from gansynth.progress import Progress
from gansynth.provenance import Origin, delivery_seed
from gansynth.requests import model_parent, synthetic_request
from gansynth.results import Summary
from gansynth.runs import Run, repetition_label
from gansynth.sections import GenerationConfig
from gansynth.study import Study
from gansynth.threads import ahead

log = logging.getLogger(__name__)


def generate(study: Study, run: Run) -> None:
    """Generate the samples of every repetition and those that are delivered."""
    for repetition in [*range(study.evaluation.repetitions), None]:
        generate_repetition(study, run, repetition)


def generate_repetition(study: Study, run: Run, repetition: int | None) -> Path:
    """Generate the samples of one repetition's model (None: the delivered one) and publish them.

    Returns at once if they are there already. Repetitions are written as Parquet, which the evaluation reads;
    the delivered samples in the study's format, with a dataset card, which the report completes, and a Croissant
    description.

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
    origin = origin_of(study, model, parents["model"], delivery_seed(study.seed, repetition))
    label = f"generate {repetition_label(repetition)}"
    with (
        publish(directory, "generate", request, parents) as draft,
        Progress(run.progress / f"{label.replace(' ', '-')}.json", label, int(plan.sum())) as progress,
    ):
        sampler = Sampler(model, origin.seed, settings)
        counts = write_shards(draft.path, divide(plan, settings), sampler, settings, origin, progress)
        finish(draft, counts, settings, origin)
        if repetition is None:
            describe(draft, settings, origin, None)
    log.info("%s: kept %d of %d candidates", label, draft.counts["kept"], draft.counts["candidates"])
    return directory


def write_shards(
    directory: Path,
    shards: Iterable[Shard],
    sampler: Sampler,
    settings: GenerationConfig,
    origin: Origin,
    progress: Progress,
) -> Counter[str]:
    """Write shards to `directory`, one after another, and return the counts of `kept_blocks`."""
    counts = Counter(kept=0, candidates=0)

    def counted(shard: Shard) -> Iterator[Candidates]:
        for block in kept_blocks(sampler, shard, settings, counts):
            yield block
            progress.update(counts["kept"])

    for shard in shards:
        FORMATS[settings.format].write(directory / shard.stem, ahead(counted(shard)), origin, sampler.threads)
    return counts


def finish(draft: Draft, counts: Counter[str], settings: GenerationConfig, origin: Origin) -> None:
    """Complete an artifact of samples once all shards are there.

    Raises:
        StudyError: The shards hold no sample.
    """
    if counts["kept"] == 0:
        raise StudyError(
            f"generation.filters: all of {counts['candidates']} candidates are near copies of training rows; train with"
            " more rows, or leave 'distance' out and mind the report on similarity"
        )
    draft.counts.update(counts)
    FORMATS[settings.format].finish(draft.path, origin)


def describe(draft: Draft, settings: GenerationConfig, origin: Origin, summary: Summary | None) -> None:
    """Write the dataset card and the Croissant description of samples that are complete.

    `summary` is what the evaluation of their run found, if there is one.
    """
    card = render_card(origin, settings.format, draft.counts, summary)
    (draft.path / CARD_FILE).write_text(card, encoding="utf-8")
    write_croissant(draft, origin, settings.format, draft.counts)


def kept_blocks(
    sampler: Sampler, shard: Shard, settings: GenerationConfig, counts: Counter[str]
) -> Iterator[Candidates]:
    """Yield the samples of a shard, block by block, the classes in turn, so that memory does not grow with its size.

    Candidates compete within their block. Where near copies leave a block short, later candidates make up for it.

    Args:
        sampler: Where candidates come from.
        shard: How many of each class are wanted, and which candidates it may take.
        settings: Filters and oversampling.
        counts: Is increased by `candidates`, `kept`, `kept_LABEL`, `rejected_FILTER`, `rejected_FILTER_LABEL`, and
            `missing` where a class is given up.
    """
    filters = settings.active_filters
    detector = CopyDetector(sampler.model) if "distance" in filters else None
    missing, position = shard.counts.copy(), shard.first.copy()
    limit = shard.first + most_candidates(shard.counts, settings)
    block_size = sampler.model.codec.block_size
    while missing.any():
        for label in np.flatnonzero(missing).tolist():
            wanted, start = min(int(missing[label]), block_size), int(position[label])
            stop = min(start + int(candidates_for(np.array(wanted), settings)), int(limit[label]))
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


def origin_of(study: Study, model: TrainedModel, digest: str, seed: int) -> Origin:
    """Return where the samples of a model come from; `digest` is the model's, `seed` that of its samples."""
    about = (study.name, seed, study.source.licence, digest, model.class_names, study.modality.kind, model.schema)
    return Origin(*about, guarantee_in_words(model.guarantee))
