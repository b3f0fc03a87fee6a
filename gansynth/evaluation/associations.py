"""How strongly the columns of a table hang together, the label among them."""

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array
from scipy.stats import rankdata

from gansynth.evaluation.columns import with_label
from gansynth.modalities.table.cells import Cells
from gansynth.modalities.table.storage import schema_of
from gansynth.samples import Column, Samples

Matrix = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def pairs_of(rows: Samples) -> list[tuple[Column, Column]]:
    """Return all pairs of columns, the label being the last column."""
    return list(combinations((*rows.columns, schema_of(rows).label), 2))


def measure_of(one: Column, other: Column) -> str:
    """Return how the association of two columns is measured."""
    return {
        0: "rank correlation",
        1: "correlation ratio",
        2: "Cramér's V",
    }[bool(one.categories) + bool(other.categories)]


def associations(rows: Samples) -> list[float]:
    """Return how strongly the columns of each pair hang together, in the order of `pairs_of`.

    - Numbers and times: Spearman's rank correlation, -1 to 1.
    - One of them and a category: the correlation ratio of the ranks, 0 to 1; without its bias, as Kelley (1935) has it.
    - Two categories: Cramér's V, 0 to 1; without its bias, as Bergsma has it (2013,
      doi 10.1016/j.jkss.2012.10.002).

    A null is a category of its own; rows whose number is null are left out of the pair. Where a column is constant,
    nothing hangs together with it, which is 0.
    """
    cells, columns = with_label(rows)
    is_category = np.array([bool(column.categories) for column in columns])
    matrix = np.zeros((len(columns), len(columns)))
    places, category_places = np.flatnonzero(~is_category), np.flatnonzero(is_category)
    numbers, codes = cells[:, places], [_codes(cells[:, place]) for place in category_places]
    if len(places):
        correlations = pd.DataFrame(numbers).corr(method="spearman").fillna(0)
        matrix[np.ix_(places, places)] = correlations.to_numpy(np.float64)
        ranks = rankdata(numbers, axis=0, nan_policy="omit")
        for place, of_column in zip(category_places, codes, strict=True):
            matrix[place, places] = matrix[places, place] = correlation_ratios(of_column, ranks)
    for first, second in combinations(range(len(codes)), 2):
        place, other = category_places[first], category_places[second]
        matrix[place, other] = matrix[other, place] = cramers_v(codes[first], codes[second])
    return [float(value) for value in matrix[np.triu_indices(len(columns), k=1)]]


def correlation_ratios(groups: Codes, numbers: Cells) -> Matrix:
    """Return the correlation ratio of each column of numbers (N, C) between groups (N,), NaN left out: shape (C,).

    It is the root of what part of the variance is that between groups, less what it would be by chance.
    """
    there = ~np.isnan(numbers)
    rows = there.sum(axis=0)
    means = np.where(there, numbers, 0).sum(axis=0) / np.maximum(rows, 1)
    centred = np.where(there, numbers - means, 0)
    members = csr_array((np.ones(len(groups)), (groups, np.arange(len(groups)))))
    sums, counts = members @ centred, members @ there.astype(np.float64)
    between = (sums**2 / np.maximum(counts, 1)).sum(axis=0)
    total, spare = (centred**2).sum(axis=0), rows - (counts > 0).sum(axis=0)
    is_defined = (total > 0) & (spare > 0)
    within = 1 - between / np.where(is_defined, total, 1)
    unbiased = 1 - within * (rows - 1) / np.where(is_defined, spare, 1)
    found: Matrix = np.where(is_defined, np.sqrt(unbiased.clip(0, 1)), 0)
    return found


def cramers_v(first: Codes, second: Codes) -> float:
    """Return Cramér's V of two columns of categories (N,), without its bias; 0 where one is constant."""
    n, sizes = len(first), [np.bincount(part) for part in (first, second)]
    cells, together = np.unique(first * len(sizes[1]) + second, return_counts=True)
    expected = sizes[0][cells // len(sizes[1])] * sizes[1][cells % len(sizes[1])]
    degrees = [len(counts) - 1 for counts in sizes]
    chance = degrees[0] * degrees[1] / (n - 1)
    squared = max(0.0, float((together**2 / expected).sum()) - 1 - chance)
    most = min(degree - degree**2 / (n - 1) for degree in degrees)
    return float(min(1.0, np.sqrt(squared / most))) if most > 0 else 0.0


def _codes(cells: Cells) -> Codes:
    """Return categories numbered without gaps; a null is one of them."""
    codes: Codes = np.unique(np.nan_to_num(cells, nan=-1), return_inverse=True)[1]
    return codes
