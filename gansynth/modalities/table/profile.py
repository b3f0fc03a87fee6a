"""What the report tells about a table: statistics of its columns, suspected leaks of the label, equal rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from gansynth.errors import shortened
from gansynth.modalities.table.cells import Cells, as_words, is_clock, value_type
from gansynth.modalities.table.doubts import Finding
from gansynth.samples import Column, Indices, Samples
from gansynth.seeding import numpy_generator

LEAK = 0.99
LEAK_ROWS = 100_000
LEAK_CLASSES = 20
LEAK_LEAST = 5
IF_LEAK = "if it is not known when a class is to be told, drop it by modality.columns and run again"
FOLDS = 5
TOP = 10
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def statistics(samples: Samples) -> list[dict[str, Any]]:
    """Return name, kind, type, `nulls` and `distinct` of each column, and what its values are, ready for JSON.

    That is `min`, `median` and `max` of numbers and times (ISO 8601; those of day, and durations, as people read them),
    and `top` of all others: up to ten most frequent values, each with its count.
    """
    described = zip(samples.columns, np.transpose(samples.values), strict=True)
    return [
        {"name": column.name, "kind": column.kind, "dtype": column.dtype, **_statistics(column, cells)}
        for column, cells in described
    ]


def find_leaks(samples: Samples) -> list[Finding]:
    """Return the columns by which alone the classes can be told, with the area under the ROC curve (AUC) above .99.

    The AUC is the largest over the classes of five rows or more (of many, the 20 most frequent) of each against the
    rest: fewer rows stand out by chance. It is the better of two: of a number by its order, and of any column by the
    share of the class among the rows of other folds that have the same value, or nearly the same number. Of more than
    100,000 rows, as many are drawn.
    """
    # in random order, so that folds do not follow a pattern of the table
    rows = samples.take(numpy_generator(0, "leaks").permutation(len(samples))[:LEAK_ROWS])
    classes = np.argsort(-rows.counts, kind="stable")[:LEAK_CLASSES]
    inside = rows.counts[classes]
    classes = classes[np.minimum(inside, len(rows) - inside) >= LEAK_LEAST]
    of_class = (rows.labels[:, None] == classes).astype(np.float64)
    findings: list[Finding] = []
    if not len(classes):
        return findings
    for column, cells in zip(rows.columns, np.transpose(rows.values), strict=True):
        scores = _auc_alone(cells, of_class, is_ordered=column.kind != "categorical")
        score, name = float(scores.max()), shortened(rows.class_names[classes[scores.argmax()]])
        if score > LEAK:
            what = "the label" if scores.min() > LEAK else f"the class {name!r} from all others"
            reason = f"tells {what} almost alone: AUC {score:.3f}; {IF_LEAK}"
            findings.append(Finding(column.name, "leak", reason, score))
    return findings


def find_equal_rows(cells: Cells) -> Indices:
    """Return a number (N,) for each row of cells (N, C), the same for equal rows; nulls are equal to each other."""
    groups = np.zeros(len(cells), dtype=np.int64)
    for column in cells.T:
        codes, values = pd.factorize(column, use_na_sentinel=False)
        groups, _ = pd.factorize(groups * (len(values) + 1) + codes)
    return groups.astype(np.int64)


def _statistics(column: Column, cells: Cells) -> dict[str, Any]:
    held = cells[~np.isnan(cells)]
    values, counts = np.unique(held, return_counts=True)
    found: dict[str, Any] = {"nulls": len(cells) - len(held), "distinct": len(values)}
    if column.categories:
        order = np.argsort(-counts, kind="stable")[:TOP]
        return found | {"top": [[column.categories[int(values[i])], int(counts[i])] for i in order]}
    if not len(held):
        return found
    # a value that occurs, not the mean of two
    middle = values[np.searchsorted(np.cumsum(counts), len(held) // 2, side="right")]
    described = zip(("min", "median", "max"), (values[0], middle, values[-1]), strict=True)
    return found | {name: _value(column, float(value)) for name, value in described}


def _value(column: Column, value: float) -> float | int | str:
    if column.kind == "datetime":
        try:
            return (EPOCH + timedelta(microseconds=value)).replace(tzinfo=None).isoformat()
        except OverflowError:  # a year beyond 9999
            return int(value)
    if is_clock(value_type(column)):
        return str(as_words(np.array([[value]]), (column,))[0][0])
    return int(value) if column.kind == "integer" else value


def _auc_alone(cells: Cells, of_class: Cells, *, is_ordered: bool) -> Cells:
    codes = _bins(cells) if is_ordered else pd.factorize(cells, use_na_sentinel=False)[0]
    scores = _auc_by_shares(codes, of_class)
    return np.maximum(scores, _auc_by_order(cells, of_class)) if is_ordered else scores


def _bins(cells: Cells) -> npt.NDArray[np.intp]:
    """Return the bin of each number, at least about 20 rows in each; nulls have one of their own."""
    count = int(np.clip(len(cells) / 20, 2, 200))
    held = cells[~np.isnan(cells)]
    edges = np.unique(np.quantile(held, np.linspace(0, 1, count + 1)[1:-1])) if len(held) else held
    return np.where(np.isnan(cells), len(edges) + 1, np.searchsorted(edges, cells, side="left"))


def _auc_by_order(cells: Cells, of_class: Cells) -> Cells:
    """Return for each class the AUC of the number itself, or of its negative; nulls stand lowest."""
    ranks = rankdata(np.where(np.isnan(cells), -np.inf, cells))
    inside = of_class.sum(0)
    outside = len(cells) - inside
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = (ranks @ of_class - inside * (inside + 1) / 2) / (inside * outside)
    better: Cells = np.maximum(scores, 1 - scores)
    return better


def _auc_by_shares(codes: npt.NDArray[np.intp], of_class: Cells) -> Cells:
    """Return for each class the AUC of its share among the rows of the other folds that have the same code."""
    folds = np.arange(len(codes)) % FOLDS
    cells = codes * FOLDS + folds
    size = (int(codes.max()) + 1) * FOLDS
    rows = np.bincount(cells, minlength=size)
    scores = np.empty(of_class.shape[1])
    for position, member in enumerate(of_class.T):
        inside = np.bincount(cells, member, minlength=size)
        others = [table.reshape(-1, FOLDS).sum(1).repeat(FOLDS) - table for table in (inside, rows)]
        # two rows' worth of the class's share everywhere
        shares = (others[0] + 2 * member.mean()) / (others[1] + 2)
        scores[position] = _auc_of_groups(shares, inside.astype(np.float64), (rows - inside).astype(np.float64))
    return scores


def _auc_of_groups(scores: Cells, inside: Cells, outside: Cells) -> float:
    """Return the AUC of groups of rows with equal scores."""
    _, group = np.unique(scores, return_inverse=True)
    won, lost = np.bincount(group, inside), np.bincount(group, outside)
    below = np.cumsum(lost) - lost / 2
    return float((won * below).sum() / (won.sum() * lost.sum()))
