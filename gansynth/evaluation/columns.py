"""How like held-out real rows of a table other rows are, column by column."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import ks_2samp

from gansynth.modalities.table.cells import Cells, as_words
from gansynth.modalities.table.storage import schema_of
from gansynth.samples import Column, Samples

Edges = npt.NDArray[np.float64]

BINS = 24
FEW_VALUES = 12
TAIL_PERCENT = 1
NULL = "null"


def with_label(rows: Samples) -> tuple[Cells, tuple[Column, ...]]:
    """Return the cells of rows with their label as the last column, (N, C + 1), and what the columns are."""
    return np.column_stack([rows.values, rows.labels]), (*rows.columns, schema_of(rows).label)


def measure_of(column: Column) -> str:
    """Return which distance a column has: `tv`, total variation, or `ks`, that of Kolmogorov and Smirnov."""
    return "tv" if column.categories else "ks"


def column_distances(held_out: Samples, others: Samples) -> list[float]:
    """Return how far the distribution of each column lies from that among held-out rows: 0 if equal, 1 if disjoint.

    It is the largest difference of the distribution functions (Kolmogorov-Smirnov) for numbers and times, half the sum
    of the differences of the shares (total variation) for all others. A null is a value of its own: one beyond all
    numbers, or one more category.

    Args:
        held_out: Rows that trained no generator.
        others: As many rows of each class, from elsewhere.
    """
    pairs = zip(held_out.values.T, others.values.T, held_out.columns, strict=True)
    return [_distance(of_held_out, of_others, column) for of_held_out, of_others, column in pairs]


def _distance(first: Cells, second: Cells, column: Column) -> float:
    first, second = np.nan_to_num(first, nan=np.inf), np.nan_to_num(second, nan=np.inf)
    if not column.categories:
        return float(ks_2samp(first, second, method="asymp").statistic)
    values = np.union1d(first, second)
    shares = [np.bincount(np.searchsorted(values, part), minlength=len(values)) / len(part) for part in (first, second)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def distributions(rows: Samples, parts: Mapping[str, Samples]) -> list[dict[str, Any]]:
    """Return what share of the rows of each part lies in each bin of each column, to be drawn.

    Numbers and times with more than twelve values are counted in bins of equal width between their first and last
    percentile, of which the outer two also hold what lies beyond. All other values have bins of their own; of
    categories the twelve most frequent have, in their order, and the others share one. Nulls are counted last.

    Args:
        rows: All real rows, from which the bins follow, so that those of several repetitions are the same.
        parts: Rows by the name of their part.

    Returns:
        For each column and bin: column, bin (its number), label (the value, empty where the bin is a range), low and
        high (the least and the greatest value of a range, else NaN), and the share of each part by its name.
    """
    found = []
    for position, column in enumerate(rows.columns):
        cells = {name: part.values[:, position] for name, part in parts.items()}
        count = _count_values if column.categories else _count_numbers
        bins, shares = count(rows.values[:, position], column, cells)
        if np.isnan(rows.values[:, position]).any():
            bins.append({"label": NULL, "low": np.nan, "high": np.nan})
            shares.append({name: float(np.isnan(part).mean()) for name, part in cells.items()})
        found += [
            {"column": column.name, "bin": number, **one, **share}
            for number, (one, share) in enumerate(zip(bins, shares, strict=True))
        ]
    return found


Counted = tuple[list[dict[str, Any]], list[dict[str, float]]]


def _count_values(real: Cells, column: Column, parts: Mapping[str, Cells]) -> Counted:
    values, counts = np.unique(real[~np.isnan(real)], return_counts=True)
    # the twelve most frequent, in the order of the categories
    shown = np.sort(values[np.argsort(-counts, kind="stable")[:FEW_VALUES]])
    bins = [{"label": column.categories[int(value)], "low": np.nan, "high": np.nan} for value in shown]
    shares = [{name: float((cells == value).mean()) for name, cells in parts.items()} for value in shown]
    others = len(column.categories) - len(shown)
    if others:
        bins.append({"label": f"{others:,} more", "low": np.nan, "high": np.nan})
        is_other = {name: ~np.isin(cells, shown) & ~np.isnan(cells) for name, cells in parts.items()}
        shares.append({name: float(mask.mean()) for name, mask in is_other.items()})
    return bins, shares


def _count_numbers(real: Cells, column: Column, parts: Mapping[str, Cells]) -> Counted:
    there = real[~np.isnan(real)]
    values = np.unique(there)
    if len(values) <= FEW_VALUES:
        edges = (values[1:] + values[:-1]) / 2
        texts = as_words(values[:, None], (column,))
        bins = [{"label": text, "low": np.nan, "high": np.nan} for (text,) in texts]
    else:
        resolution = _resolution(column)
        inner = _edges(there, resolution)
        edges, half = inner[1:-1], resolution / 2  # edges lie between two values
        bins = [{"label": "", "low": low + half, "high": high - half} for low, high in pairwise(inner)]
    shares = {
        name: np.bincount(np.searchsorted(edges, cells[~np.isnan(cells)], "right"), minlength=len(bins)) / len(cells)
        for name, cells in parts.items()
    }
    return bins, [{name: float(share[number]) for name, share in shares.items()} for number in range(len(bins))]


def _edges(cells: Cells, resolution: float) -> Edges:
    """Return the edges of bins of equal width, each as wide as some multiple of what tells two values apart."""
    low, high = np.percentile(cells, [TAIL_PERCENT, 100 - TAIL_PERCENT])
    if low == high:
        low, high = cells.min(), cells.max()
    if resolution == 0:
        return np.linspace(low, high, BINS + 1)
    width = resolution * max(1, np.ceil((high - low) / resolution / BINS))
    start = low - resolution / 2
    edges: Edges = start + width * np.arange(np.ceil((high + resolution / 2 - start) / width) + 1)
    return edges


def _resolution(column: Column) -> float:
    if column.kind == "integer":
        return 1.0
    return 0.0 if column.decimals is None else 10.0**-column.decimals
