"""Batches on demand: any number of samples of a run's delivered generator, made in shards.

Every shard is an artifact of its own beside the batch until the batch is whole: workers share them out as they like, an
interrupted batch goes on with those that are missing, and the bytes are the same however it was made.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib

from gansynth.artifacts import Manifest, answers, is_current, publish, read_manifest, verify
from gansynth.cards import renew_card
from gansynth.checkpoints import TrainedModel, load_model, read_classes, read_guarantee
from gansynth.errors import ArtifactError, StudyError
from gansynth.generation.destinations import STAGE, batch_at, check_url_free, manifest_at, upload
from gansynth.generation.plan import Batch
from gansynth.generation.sampler import Sampler
from gansynth.generation.shards import Shard, divide
from gansynth.generation.stage import describe, finish, write_shards
from gansynth.privacy import guarantee_in_words
from gansynth.progress import Progress
from gansynth.provenance import Origin, batch_seed
from gansynth.remote import Remote, is_url
from gansynth.replacing import clear_attempts
from gansynth.requests import samples_request
from gansynth.results import current_summary
from gansynth.runs import Run, hold_folder
from gansynth.sections import FORMATS_OF, ComputeConfig, GenerationConfig
from gansynth.study import THINGS, Study
from gansynth.study_files import read_study

MOST_SHARDS = 100_000


@dataclass(frozen=True)
class Order:
    """A batch made definite: what of which model goes where.

    Attributes:
        study: The study of the run.
        run: Whose delivered model it is.
        batch: What was asked for.
        destination: The folder that the batch goes to; absolute.
        remote: The URL that it goes to from there, if it is to.
        settings: Filters and latents of the run's study, with format and size of the shards of the batch.
        shards: What the batch consists of.
        request: What determines the samples, besides the model.
        parents: The digest of the model.
        class_names: True names in label order.
    """

    study: Study
    run: Run
    batch: Batch
    destination: Path
    remote: Remote | None
    settings: GenerationConfig
    shards: tuple[Shard, ...]
    request: dict[str, Any]
    parents: dict[str, str]
    class_names: tuple[str, ...]
    guarantee: str

    @property
    def place(self) -> Path:
        """The folder that the shards lie in until the batch is whole."""
        return self.destination.with_name(f".{self.destination.name}.shards")

    @property
    def progress(self) -> Path:
        """The folder of the small files that tell how far each shard is."""
        return self.place / ".progress"

    @property
    def origin(self) -> Origin:
        """What is carried into every output."""
        return Origin(
            study=self.study.name,
            seed=batch_seed(self.batch.seed),
            licence=self.study.source.licence,
            model_digest=self.parents["model"],
            class_names=self.class_names,
            modality=self.study.modality.kind,
            guarantee=self.guarantee,
        )

    @property
    def address(self) -> str:
        """Where the batch is to be found in the end: a folder or a URL."""
        return str(self.destination) if self.remote is None else self.remote.url

    @property
    def is_gathered(self) -> bool:
        """Whether the whole batch lies at its destination."""
        return is_current(self.destination, self.request, self.parents)

    def found(self) -> Manifest | None:
        """Return the manifest of what lies at the address, if a batch does.

        Raises:
            ArtifactError: Something else lies there.
            RemoteError: The URL cannot be reached.
        """
        return batch_at(self.destination) if self.remote is None else manifest_at(self.remote)

    def missing(self) -> list[int]:
        """Return the numbers of the shards that are still to be made."""
        if self.is_gathered:
            return []
        return [
            number
            for number in range(len(self.shards))
            if not is_current(self.place / f"{number:05d}", self.request | {"shard": number}, self.parents)
        ]


def order(run: Run, batch: Batch, out: Path | str, compute: ComputeConfig | None = None) -> Order:
    """Make a batch of a run's delivered model definite.

    Args:
        run: The run.
        batch: What is wanted.
        out: A folder, or a URL as a string.
        compute: Where the work runs; by default as the study of the run says.

    Raises:
        StudyError: A class is unknown, no sample is wanted, or the shards would be too many.
        ArtifactError: The run has no study or no model, or it is damaged; or a folder has no name.
        RemoteError: The URL is none that gansynth reads, or its storage cannot be reached.
    """
    remote = Remote(out) if isinstance(out, str) and is_url(out) else None
    study = read_study(run)
    fitting = FORMATS_OF[study.modality.kind]
    if batch.format not in fitting:
        things = THINGS[study.modality.kind]
        raise StudyError(f"format: {things} are written as {' or '.join(fitting)} (given: {batch.format})")
    if compute is not None:
        study = study.model_copy(update={"compute": compute})
    # held to its manifest alone: a trained model stays of use to later versions, which may know more settings
    parents = {"model": _verified(run.model(None))}
    class_names, training_counts = read_classes(run.model(None))
    counts = batch.counts(class_names, training_counts)
    if int(counts.sum()) > MOST_SHARDS * batch.shard_size:
        raise StudyError(
            f"shard_size: {int(counts.sum()):,} samples in shards of {batch.shard_size:,} are more than {MOST_SHARDS:,}"
            " shards; raise it"
        )
    settings = study.generation.model_copy(update={"format": batch.format, "shard_size": batch.shard_size})
    request = samples_request(study, settings) | {"seed": batch.seed, "counts": counts.tolist()}
    destination = (Path(out).expanduser() if remote is None else run.outgoing(remote.url)).resolve()
    if not destination.name:
        raise ArtifactError(f"{destination}: cannot be replaced; name a folder in it")
    return Order(
        study=study,
        run=run,
        batch=batch,
        destination=destination,
        remote=remote,
        settings=settings,
        shards=tuple(divide(counts, settings)),
        request=request,
        parents=parents,
        class_names=class_names,
        guarantee=guarantee_in_words(read_guarantee(run.model(None))),
    )


@contextmanager
def held(wanted: Order) -> Iterator[bool]:
    """Hold the destination of a batch as its only writer, and tell whether the batch lies there already.

    If it does, in a folder, its card is renewed: the run may have been evaluated since.

    When the block ends well, the batch lies at its address, and what was needed on the way is removed.

    Raises:
        ArtifactError: Another process holds it, or something lies there, or at its URL, that is not to be replaced.
        RemoteError: The URL cannot be reached.
    """
    with hold_folder(wanted.place, "name another folder", wanted.address):
        try:
            done = _lies_there(wanted)
            if done:  # what is left of making it, if that was killed just after its end
                clear_attempts(wanted.destination)
                _remove_shards(wanted)
            if done and wanted.remote is None and (summary := current_summary(wanted.study, wanted.run)):
                renew_card(wanted.destination, wanted.origin, wanted.settings.format, summary)
            yield done
            if wanted.remote is not None:
                shutil.rmtree(wanted.destination, ignore_errors=True)
        finally:
            _clear(wanted)


def _lies_there(wanted: Order) -> bool:
    """Tell whether a batch lies at its address; refuse it if anything else does that is not to be replaced."""
    earlier = wanted.found()
    done = earlier is not None and answers(earlier, wanted.request, wanted.parents)
    if wanted.remote is not None and not done:
        check_url_free(wanted.remote, wanted.destination, wanted.request, wanted.parents)
    return done


def _clear(wanted: Order) -> None:
    """Remove the place of a batch's shards unless there are some."""
    if not any(path.is_dir() for path in wanted.place.glob("[0-9]*")):
        shutil.rmtree(wanted.place, ignore_errors=True)


def write_shard(study: Study, run: Run, batch: Batch, destination: Path, number: int) -> Path:
    """Generate one shard of a batch, unless it is there already, and publish it beside the destination.

    `study` only says where to compute; what is generated follows from the run.
    """
    wanted = order(run, batch, destination, study.compute)
    directory, request = wanted.place / f"{number:05d}", wanted.request | {"shard": number}
    if is_current(directory, request, wanted.parents):
        return directory
    shard, total = wanted.shards[number], len(wanted.shards)
    label = f"shard {number + 1} of {total}"
    model = _model(run.model(None), wanted.parents["model"], study.compute)
    # shards are made side by side; where there are few of them, the passes of one are
    threads = max(1, joblib.cpu_count() // (study.compute.threads * total))
    sampler = Sampler(model, wanted.origin.seed, wanted.settings, threads)
    with (
        publish(directory, "shard", request, wanted.parents) as draft,
        Progress(wanted.progress / f"{number:05d}.json", label, shard.size) as progress,
    ):
        origin = replace(wanted.origin, schema=model.schema)
        draft.counts.update(write_shards(draft.path, [shard], sampler, wanted.settings, origin, progress))
    return directory


def _verified(model: Path) -> str:
    """Return the digest of a model; its files are checked against it once, unless they change."""
    paths = [model / name for name in read_manifest(model).files]
    return _checked(model, tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths))


@lru_cache(maxsize=1)
def _checked(model: Path, changed: tuple[int, ...]) -> str:  # noqa: ARG001  # when files are others, the check is too
    return verify(model).digest


@lru_cache(maxsize=1)
def _model(directory: Path, digest: str, compute: ComputeConfig) -> TrainedModel:  # noqa: ARG001  # tells models apart
    """Return the model at `directory`, which a process that makes several shards of it reads once."""
    return load_model(directory, compute)


def gather(wanted: Order) -> Path:
    """Put the shards of a batch together, and publish it at its destination, unless it lies there already.

    Raises:
        ArtifactError: A shard is missing, or the destination cannot be written.
        StudyError: The filters rejected all candidates.
    """
    if wanted.is_gathered:
        return wanted.destination
    with publish(wanted.destination, STAGE, wanted.request, wanted.parents) as draft:
        counts: Counter[str] = Counter()
        for number in range(len(wanted.shards)):
            counts.update(draft.adopt(wanted.place / f"{number:05d}").counts)
        finish(draft, counts, wanted.settings, wanted.origin)
        describe(draft, wanted.settings, wanted.origin, current_summary(wanted.study, wanted.run))
    _remove_shards(wanted)
    return wanted.destination


def _remove_shards(wanted: Order) -> None:
    """Remove the shards of a batch, and what an earlier one of more shards had left."""
    for shard in wanted.place.glob("[0-9]*"):
        shutil.rmtree(shard, ignore_errors=True)


def send(study: Study, run: Run, batch: Batch, url: str) -> Path:
    """Send a gathered batch on to its URL, and return the local copy.

    Raises:
        ArtifactError: The batch is not gathered, or something else came to lie at the URL.
        RemoteError: The storage cannot be reached, or refuses. The same call goes on with what is missing there.
    """
    wanted = order(run, batch, url, study.compute)
    upload(wanted.destination, Remote(url), wanted.progress / "send.json")
    return wanted.destination


def export(run: Run, destination: Path, batch: Batch) -> Path:
    """Generate a batch of a run's delivered model, shard after shard, and publish it at `destination`.

    The filters are those of the run's study. An earlier batch there is replaced, or returned at once if it is the same;
    anything else is left alone. If interrupted, the same call goes on with the shards that are missing.

    Raises:
        StudyError: A class is unknown, no sample is wanted, or the filters reject all.
        ArtifactError: The run has no study or model, or `destination` cannot be used.
    """
    wanted = order(run, batch, destination)
    with held(wanted) as done:
        if not done:
            for number in range(len(wanted.shards)):
                write_shard(wanted.study, run, batch, destination, number)
            gather(wanted)
    return wanted.destination
