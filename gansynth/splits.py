"""Each repetition's training and test rows: fresh draws under the study's scarcity, duplicates kept together."""

import math
from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gansynth.errors import EvaluationError, StudyError, shortened
from gansynth.samples import Dataset, Indices, Split
from gansynth.sections import ScarcityConfig
from gansynth.seeding import numpy_generator
from gansynth.study import Study

PROVIDED_TEST_SHARE = 0.5
"""Share of a source's own test rows that each repetition draws. Fewer cost precision, more make repetitions alike."""


def draw_split(dataset: Dataset, study: Study, repetition: int | None) -> Split:
    """Draw the training and test rows of a repetition; None draws the training rows of the delivered generator.

    Test rows come first: half of the source's own test part, or a random share of every class, duplicates with each
    other. Rows whose duplicate group has a row in the test part leave the training pool, and scarcity is then applied
    to what is left. Repetitions must differ in their rows, or their spread would say nothing of other rows: so where
    the source sets its test part apart, each takes a random share of the training rows as well. The delivered generator
    has no test part: it may use every row outside the source's own test part.

    Raises:
        StudyError: The scarcity names a class that is not there, or asks for a test part that is not there.
        EvaluationError: A class is left with fewer than two training rows or without a test row.
    """
    random = numpy_generator(study.seed, "split", -1 if repetition is None else repetition)
    provided = _uses_provided_test(dataset, study)
    rows = np.arange(len(dataset), dtype=np.int64)
    if repetition is None:
        test = rows[:0]
        pool = rows[~dataset.is_test] if provided else rows
        held_out = rows[dataset.is_test] if provided else rows[:0]
    else:
        test = _draw_test(dataset, study, provided, random)
        held_out = rows[dataset.is_test] if provided else test
        pool = np.setdiff1d(rows, held_out)
    repeats = np.isin(dataset.groups[pool], dataset.groups[held_out])
    left_out, pool = pool[repeats], pool[~repeats]
    share = study.split.train_share if provided and repetition is not None else 1.0
    train = _thin(dataset, pool, study.scarcity, share, random)
    _check(dataset, train, 2, "training", left_out)
    if repetition is not None:
        _check(dataset, test, 1, "test", rows[:0])
    return Split(train=train, test=test)


def class_caps(names: tuple[str, ...], scarcity: ScarcityConfig) -> list[int | None]:
    """Return the largest number of training rows that the scarcity allows each class; None is no limit.

    Raises:
        StudyError: A rare class is not among `names`, or a long tail has no `per_class` to start from.
    """
    unknown = [name for name in scarcity.rare_classes if name not in names]
    if unknown:
        listed = ", ".join(map(shortened, names[:20]))
        raise StudyError(f"scarcity.rare_classes: no class is called {unknown[0]!r}; there are {listed}")
    if scarcity.imbalance > 1 and scarcity.per_class is None:
        raise StudyError("scarcity.imbalance: needs scarcity.per_class, the size of the largest class")
    caps: list[int | None] = [scarcity.per_class] * len(names)
    if scarcity.per_class is not None and scarcity.imbalance > 1:
        exponents = np.linspace(0, 1, len(names))
        caps = [max(2, round(scarcity.per_class * scarcity.imbalance**-e)) for e in exponents]
    for name in scarcity.rare_classes:
        caps[names.index(name)] = scarcity.rare_per_class
    return caps


def inner_folds(labels: Indices, groups: Indices, folds: int, random: np.random.Generator) -> Indices:
    """Assign training rows to `folds` folds of an inner validation, stratified, duplicate groups kept together.

    Returns the fold of every row, 0 to folds - 1.
    """
    members, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
    fold = np.zeros(len(members), dtype=np.int64)
    label_of = labels[first]  # a group that has several labels counts among those of its first row
    dealt = 0
    for label in np.unique(label_of):
        own = random.permutation(np.flatnonzero(label_of == label))
        # dealing goes on where the last class stopped: what is left over does not all fall to the first folds
        fold[own] = (dealt + np.arange(len(own))) % folds
        dealt += len(own)
    return fold[group_of]


class Shared(NamedTuple):
    """What two repetitions have in common, 0 to 1: of all rows, whichever part they are in, and of the test rows."""

    rows: float
    test: float


def shared_rows(dataset: Dataset, splits: Sequence[Split]) -> Shared:
    """Return what two repetitions have in common, on average over all pairs of them.

    Of a pair, it is the largest share in any class and part. Duplicates count as the same row.
    """
    labels, groups = dataset.samples.labels, dataset.groups
    rows, test = [], []
    for one, other in permutations(splits, 2):
        whole = np.concatenate([other.train, other.test])
        rows.append(max(_share_within_classes(labels, groups, part, whole) for part in (one.train, one.test)))
        test.append(_share_within_classes(labels, groups, one.test, other.test))
    return Shared(float(np.mean(rows)), float(np.mean(test)))


def _share_within_classes(labels: Indices, groups: Indices, rows: Indices, others: Indices) -> float:
    shared = np.isin(groups[rows], groups[others])
    return max(float(shared[labels[rows] == label].mean()) for label in np.unique(labels[rows]))


def _uses_provided_test(dataset: Dataset, study: Study) -> bool:
    there = bool(dataset.is_test.any())
    if study.split.test == "provided" and not there:
        raise StudyError("split.test: 'provided', but the source has no test part; use 'random'")
    return there and study.split.test != "random"


def _draw_test(dataset: Dataset, study: Study, provided: bool, random: np.random.Generator) -> Indices:
    chosen = []
    groups = np.unique(dataset.groups, return_inverse=True)[1]
    taken = np.zeros(len(dataset), dtype=np.bool_)
    for label in range(len(dataset.samples.class_names)):
        of_class = dataset.samples.labels == label
        if provided:
            members = np.flatnonzero(of_class & dataset.is_test)
            count = math.ceil(len(members) * PROVIDED_TEST_SHARE)
        else:
            members = np.flatnonzero(of_class)
            count = max(1, round(len(members) * study.split.test_share))
        count = min(count, study.split.test_per_class or count)
        order = random.permutation(members)
        if not provided:
            _take_groups(taken, groups[order], count)
            order = order[taken[groups[order]]]
        chosen.append(order[:count])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _take_groups(taken: npt.NDArray[np.bool_], groups: Indices, count: int) -> None:
    """Mark as many of a class's duplicate groups as hold `count` of its rows, those that are marked already among them.

    Whole groups go to one part, so none of its rows is lost to both. One that holds more rows than are still wanted
    stays for training, unless the others do not suffice.

    Args:
        taken: Which groups are marked, (groups,); is changed.
        groups: That of each row of the class, in the order in which they are drawn, (N,).
        count: How many rows are wanted.
    """
    members, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    missing, larger = count - int(sizes[taken[members]].sum()), []
    drawn = np.argsort(first)
    for group, size in zip(members[drawn].tolist(), sizes[drawn].tolist(), strict=True):
        if missing <= 0:
            return
        if taken[group]:
            continue
        if size > missing:
            larger.append((size, group))
            continue
        taken[group] = True
        missing -= size
    if missing > 0 and larger:
        taken[min(larger)[1]] = True


def _thin(
    dataset: Dataset, pool: Indices, scarcity: ScarcityConfig, share: float, random: np.random.Generator
) -> Indices:
    names = dataset.samples.class_names
    chosen = []
    for label, cap in enumerate(class_caps(names, scarcity)):
        members = pool[dataset.samples.labels[pool] == label]
        count = math.ceil(len(members) * share)
        chosen.append(random.permutation(members)[: count if cap is None else min(count, cap)])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _check(dataset: Dataset, rows: Indices, least: int, part: str, left_out: Indices) -> None:
    """Make sure that each class has at least so many rows; those left out repeat rows of the test part."""
    counts = dataset.samples.take(rows).counts
    if counts.min() < least:
        label = int(counts.argmin())
        name = shortened(dataset.samples.class_names[label])
        repeated = dataset.samples.take(left_out).counts[label]
        remedy = "modality.equal_rows = 'keep' keeps them" if dataset.samples.schema else "so they are left out"
        why = f" ({repeated} more are equal to rows of the test part; {remedy})" if repeated else ""
        raise EvaluationError(
            f"class {name!r}: {counts[label]} {part} row(s){why}, at least {least} are"
            " needed; add samples, or leave the class out"
        )
