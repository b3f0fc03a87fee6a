"""The ingestion stage: a source of labelled samples becomes the dataset of a run."""

import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gansynth.artifacts import is_current, publish
from gansynth.datasets import write_dataset
from gansynth.errors import SourceError, StudyError, shortened
from gansynth.ingestion.conversion import convert
from gansynth.ingestion.duplicates import find_duplicates
from gansynth.ingestion.mirrors import find_remote, mirror
from gansynth.ingestion.readers import READERS
from gansynth.ingestion.rows import find_rows, read_rows
from gansynth.ingestion.sources import Record, Source, choose_format, fingerprint, natural_order
from gansynth.ingestion.tables import TableSource, choose_table_format, digest_of, read_frame
from gansynth.modalities import ImageConfig, TableConfig
from gansynth.modalities.image.storage import Pixels
from gansynth.progress import Progress
from gansynth.remote import is_url
from gansynth.runs import COLUMNS_FILE, QUARANTINE_FILE, Run
from gansynth.samples import Dataset, Indices, Samples
from gansynth.sections import SourceConfig
from gansynth.study import Study
from gansynth.study_files import save_study

MOST_CLASSES = 5000
"""Of images. Class probabilities are held for every sample and class at once."""
LEAST_SAMPLES = 3
"""Of each class: two to train with, and one to test by."""
OF_INGESTION = {"kind", "size", "channels", "fit", "label", "columns", "equal_rows", "most_categories"}
"""Settings of a modality that decide what is read, or told of it; all others decide what is made of it."""


def ingest(study: Study, run: Run, frame: pd.DataFrame | None = None) -> Path:
    """Read, convert and check the source of a study, and publish the dataset at `run.dataset`.

    A pandas frame, without its index, takes the place of what lies at `source.path`, which then is a mere name.

    Beside the samples, the artifact holds `quarantine.json`: a list of `source` (where) and `reason` for each sample
    that could not be used; and of a table `columns.json`: what was found out about its columns. The manifest counts
    `rows`, of these `train` and `test`; `quarantined`; `classes`; `exact_duplicates`, rows with the content of an
    earlier row; `near_duplicates`, further images that only resemble one; and `conflicting_labels`, rows whose content
    occurs under another class too; of a table also `columns`, `nulls`, `dropped` columns and suspected `leaks`.
    Duplicates and conflicts are kept: splits keep a group together.

    An artifact that was made by the same settings from a source with the same content is left as it is. Of a remote
    source, the content counts as the same if the names, sizes and times of its objects are.

    Returns:
        The directory of the artifact.

    Raises:
        StudyError: There is a frame, and the study is not of a table.
        SourceError: The source cannot be read, more of its samples than `source.max_bad_share` are unusable, it has
            fewer than two classes, a class has fewer than three samples, or it changes while it is read.
        ResourceError: The machine has too little memory, or another trouble of its own.
        RemoteError: The source is a URL, and its storage cannot be reached or refuses.
        ArtifactError: The artifact cannot be written.
    """
    source, given = study.source, None
    remote = find_remote(source.path) if is_url(source.path) and frame is None else None
    if frame is None:
        request = _request(study, *((source.format, remote.fingerprint) if remote else _look_over(study)))
    else:
        given = _take(frame, study)
        request = _request(study, "frame", digest_of(given.table))
    save_study(study, run.study_file)
    if is_current(run.dataset, request, {}):
        return run.dataset
    with (
        publish(run.dataset, "ingest", request, {}) as draft,
        mirror(remote, run) if remote else nullcontext(source.path) as path,
    ):
        if isinstance(study.modality, TableConfig):
            if given is not None:
                found = find_rows(given, path, study.modality)
            else:
                found = read_rows(path, _format(study, path), study.modality)
            (draft.path / COLUMNS_FILE).write_text(json.dumps(found.about, indent=1))
            names, labels = found.dataset.samples.class_names, found.dataset.samples.labels
            _check([names[label] for label in labels], names, found.quarantine, source)
            dataset, quarantine, counts = found.dataset, found.quarantine, found.counts
            exact = dataset.groups
        else:
            dataset, quarantine, exact = _read_images(study.modality, source, _read(path, _format(study, path)), run)
            counts = {}
        # a run within its source changes it by itself
        if frame is None and remote is None and not run.root.resolve().is_relative_to(Path(path).resolve()):
            _check_unchanged(path, request["source"]["content"])
        write_dataset(draft.path, dataset)
        (draft.path / QUARANTINE_FILE).write_text(json.dumps(quarantine, indent=1))
        draft.counts |= {"quarantined": len(quarantine), **_counts(dataset, exact), **counts}
    shutil.rmtree(run.mirror, ignore_errors=True)
    return run.dataset


def check_source(study: Study) -> None:
    """Make sure that something lies where a study's local source is said to, without reading it.

    Raises:
        SourceError: Nothing does, or nothing that goes with `source.format`.
    """
    if is_url(study.source.path):
        return
    with _readable(study.source.path):
        _format(study, study.source.path)


def _read_images(
    config: ImageConfig, source: SourceConfig, found: Source, run: Run
) -> tuple[Dataset, list[dict[str, str]], Indices]:
    """Return the dataset of a source of images, what cannot be used of it, and numbers that equal images share."""
    _check_number(found.class_names or (), source)
    with Progress(run.progress / "ingest.json", "Reading images", found.total) as progress:
        rows = _collect(found, config, source, progress)
    _check(rows.labels, rows.names, rows.quarantine, source)
    with Progress(run.progress / "ingest.json", "Finding duplicates", len(rows.images)) as progress:
        duplicates = find_duplicates(rows.images, source.near_duplicate_distance, progress.update)
    positions = {name: position for position, name in enumerate(rows.names)}
    labels = np.array([positions[label] for label in rows.labels])
    samples = Samples(rows.images, labels, rows.names)
    return Dataset(samples, np.array(rows.is_test), duplicates.groups), rows.quarantine, duplicates.exact


def _format(study: Study, path: str) -> str:
    """Return the format of a source, a key of READERS or of TABLE_READERS."""
    wanted = study.source.format
    if study.modality.kind == "image":
        return choose_format(path, wanted)
    return choose_table_format(path, wanted)


class _Rows(NamedTuple):
    """The usable samples of a source, their labels by name, and the places and reasons of the others."""

    images: Pixels
    labels: list[str]
    is_test: list[bool]
    names: tuple[str, ...]
    quarantine: list[dict[str, str]]


def _take(frame: pd.DataFrame, study: Study) -> TableSource:
    if study.modality.kind != "table":
        raise StudyError("modality.kind: a pandas frame holds rows of a table; set it to 'table', and modality.label")
    return read_frame(frame, study.source.path)


def _request(study: Study, layout: str, content: str) -> dict[str, Any]:
    """Return what determines the dataset, of a source in some format and with content of this fingerprint."""
    decisive = {"max_bad_share"} | ({"near_duplicate_distance"} if study.modality.kind == "image" else set())
    settings = study.source.model_dump(include=decisive)
    return {
        "source": {"format": layout, "content": content, **settings},
        "modality": study.modality.model_dump(mode="json", include=OF_INGESTION),
    }


def _look_over(study: Study) -> tuple[str, str]:
    """Return format and fingerprint of a local source."""
    path = study.source.path
    with _readable(path):
        return _format(study, path), fingerprint(path)


def _check_unchanged(path: str, content: str) -> None:
    """Refuse a source whose fingerprint is no longer this one: what was read of it would go by the wrong content."""
    with _readable(path):
        now = fingerprint(path)
    if now != content:
        raise SourceError(f"source.path: {path} changed while it was read; run again when nothing writes to it")


@contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or path
        raise SourceError(f"source.path: {place} cannot be read ({error.strerror}); mend its permissions") from None


def _read(path: str, layout: str) -> Source:
    try:
        return READERS[layout](path)
    except OSError as error:
        raise SourceError(f"source.path: {path} cannot be read ({error.strerror or error}); mend it") from error


def _collect(found: Source, config: ImageConfig, source: SourceConfig, progress: Progress) -> _Rows:
    images = np.empty((found.total, config.size, config.size, 3 if config.channels == "rgb" else 1), dtype=np.uint8)
    labels: list[str] = []
    is_test: list[bool] = []
    seen: set[str] = set()
    quarantine: list[dict[str, str]] = []
    for done, record in enumerate(found.records, start=1):
        progress.update(done)
        seen.add(record.label)
        _check_number(seen, source)
        pixels, reason = _pixels(record, config)
        if pixels is None:
            quarantine.append({"source": record.origin, "reason": reason})
            continue
        if pixels.shape[2] > images.shape[3]:
            images = np.repeat(images, 3, axis=3)
        images[len(labels)] = pixels
        labels.append(record.label)
        is_test.append(record.is_test)
    names = found.class_names or natural_order(seen - {""})
    return _Rows(images[: len(labels)], labels, is_test, names, quarantine)


def _pixels(record: Record, config: ImageConfig) -> tuple[Pixels | None, str]:
    """Return the pixels of a record, or why there are none."""
    if record.problem:
        return None, record.problem
    try:
        return convert(record.image, config, record.origin), ""
    except SourceError as error:
        return None, str(error)


def _check_number(names: Collection[str], source: SourceConfig) -> None:
    if len(names) > MOST_CLASSES:
        raise SourceError(
            f"source.path: {source.path} has {len(names):,} classes or more, at most {MOST_CLASSES:,} can be told"
            " apart; leave some out, or put them together"
        )


def _check(
    labels: Sequence[str], names: tuple[str, ...], quarantine: Sequence[Mapping[str, str]], source: SourceConfig
) -> None:
    bad, total = len(quarantine), len(quarantine) + len(labels)
    if total == 0:
        raise SourceError(f"source.path: {source.path} holds no images")
    if bad > source.max_bad_share * total:
        first = quarantine[0]
        raise SourceError(
            f"source.path: {bad} of {total} samples of {source.path} are unusable, the first is {first['source']!r}:"
            f" {first['reason']}; mend or remove them, or raise source.max_bad_share ({source.max_bad_share})"
        )
    if len(names) < 2:
        listed = ", ".join(repr(shortened(name)) for name in names) or "none"
        raise SourceError(f"source.path: {source.path} has too few classes: {listed}; at least two are needed")
    counts = Counter(labels)
    for name in names:
        shown = shortened(name)
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise SourceError(f"source.path: class {shown!r} of {source.path} has a name that is no UTF-8; rename it")
        if counts[name] < LEAST_SAMPLES:
            raise SourceError(
                f"source.path: class {shown!r} of {source.path} has {counts[name]} usable sample(s), at least"
                f" {LEAST_SAMPLES} are needed, two for training and one for testing; add samples, or leave the class"
                " out"
            )


def _counts(dataset: Dataset, exact: Indices) -> dict[str, int]:
    """Count rows and duplicates; rows with the same number in `exact` are equal."""
    rows, distinct = len(dataset), len(np.unique(exact))
    return {
        "rows": rows,
        "train": int((~dataset.is_test).sum()),
        "test": int(dataset.is_test.sum()),
        "classes": len(dataset.samples.class_names),
        "exact_duplicates": rows - distinct,
        "near_duplicates": distinct - len(np.unique(dataset.groups)),
        "conflicting_labels": _conflicts(exact, dataset.samples.labels),
    }


def _conflicts(exact: Indices, labels: Indices) -> int:
    """Count the rows whose content occurs under another class too."""
    contents = np.unique(np.stack([exact, labels]), axis=1)[0]
    return int((np.bincount(contents)[exact] > 1).sum())
