"""How one column is mapped to network inputs, and how that is learned from its training cells."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from gansynth.modalities.table.cells import NANOSECONDS, Cells, is_clock, value_type
from gansynth.samples import Column

Counts = npt.NDArray[np.integer]
KNOTS = 1000
FEW_VALUES = 10
ROWS_PER_VALUE = 3
SPIKE_SHARE = 0.05
SPIKE_ROWS = 8
UNITS = (86_400_000_000_000, 3_600_000_000_000, 60_000_000_000, 1_000_000_000, 1_000_000, 1_000, 1)
"""Day, hour, minute, second, millisecond, microsecond and nanosecond, in nanoseconds."""


@dataclass(frozen=True)
class Block:
    """The map of one column: a number in [-1, 1], a one-hot block, or the one before the other.

    Attributes:
        places: Cells with a place of their own in the one-hot block, the most frequent first; None is a null.
        rest: What becomes of other cells: `number`, the number holds them, and the first place of the one-hot block
            says so; `nearest`, they count as the nearest place; `other`, they share the first place of the block;
            `zeros`, the block is all zeros.
        other: The cell to which the shared place decodes.
        knots: Cells between which the number is linear, increasing.
        scores: The number at each knot, from -1 to 1, increasing; each is a float32.
        decimals: Digits after the point to which the number is rounded; None if it is not.
        step: The number of a time, time of day or duration is rounded to a multiple of this, in the column's unit.
    """

    places: tuple[float | None, ...]
    rest: Literal["number", "nearest", "other", "zeros"]
    other: float | None = None
    knots: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    decimals: int | None = None
    step: int | None = None

    @property
    def has_shared_place(self) -> bool:
        """Whether the first place of the one-hot block is that of all cells without one of their own."""
        return self.rest in {"number", "other"} and bool(self.places)

    @property
    def widths(self) -> tuple[int, ...]:
        """Width of the number, if there is one, and of the one-hot block, if there is something to choose."""
        places = len(self.places) + self.has_shared_place
        return ((1,) if self.rest == "number" else ()) + ((places,) if places > 1 else ())


def fit_category(cells: Cells, most_categories: int) -> Block:
    """Learn the block of a column whose training cells (N,) are positions in its categories."""
    values, counts = np.unique(cells[~np.isnan(cells)], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    kept, rare = order[:most_categories], order[most_categories:]
    places = _by_frequency(values[kept], counts[kept], int(np.isnan(cells).sum()))
    if len(rare):
        return Block(places, "other", other=float(values[rare[0]]))
    return Block(places, "zeros")


def fit_number(cells: Cells, column: Column) -> Block:
    """Learn the block of a column whose training cells (N,) are numbers or times.

    A value gets a place of its own if at least 5 % of the rows, and 8 of them, share it. All values do where there are
    at most ten, each in three rows on average, or where fewer than two others are left.
    """
    values, counts = np.unique(cells[~np.isnan(cells)], return_counts=True)
    is_place = counts >= max(SPIKE_SHARE * len(cells), SPIKE_ROWS)
    few = len(values) <= FEW_VALUES and ROWS_PER_VALUE * len(values) <= counts.sum()
    if few or (~is_place).sum() < 2:
        is_place[:] = True
    places = _by_frequency(values[is_place], counts[is_place], int(np.isnan(cells).sum()))
    if is_place.all():
        return Block(places, "nearest")
    knots, scores = _knots(values[~is_place], counts[~is_place])
    if unit := _unit(column):
        steps = (length // unit for length in UNITS if length >= unit)
        step = next((step for step in steps if not np.any(values % step)), None)
        return Block(places, "number", knots=knots, scores=scores, step=step)
    decimals = 0 if column.kind == "integer" else column.decimals
    return Block(places, "number", knots=knots, scores=scores, decimals=decimals)


def _unit(column: Column) -> int:
    """Return the nanoseconds that 1 stands for in the cells of a time, time of day or duration; of others 0."""
    if column.kind == "datetime":
        return NANOSECONDS["us"]
    dtype = value_type(column)
    return NANOSECONDS[dtype.unit] if is_clock(dtype) else 0


def _by_frequency(values: Cells, counts: Counts, nulls: int) -> tuple[float | None, ...]:
    counted: list[tuple[float | None, int]] = list(zip(values.tolist(), counts.tolist(), strict=True))
    if nulls:
        counted.append((None, nulls))
    return tuple(value for value, _ in sorted(counted, key=lambda one: -one[1]))


def _knots(values: Cells, counts: Counts) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return some of the distinct `values` and their normal scores, scaled to [-1, 1].

    The knots are even in the scores, so those values that stand alone in the tails are knots themselves, however far
    apart they lie.
    """
    rows = np.cumsum(counts)
    normal = ndtri((rows - counts / 2) / rows[-1])
    chosen = np.unique(np.searchsorted(normal, np.linspace(normal[0], normal[-1], KNOTS)).clip(max=len(normal) - 1))
    # a score that float32 holds exactly decodes to its knot exactly, however steep it is there
    scores = (2 * (normal[chosen] - normal[0]) / (normal[-1] - normal[0]) - 1).astype(np.float32)
    scores[0], scores[-1] = -1, 1
    distinct, first = np.unique(scores, return_index=True)
    # of knots with one score, the greatest value has to stay at the upper end
    positions = np.append(first[:-1], len(scores) - 1)
    return tuple(values[chosen[positions]].tolist()), tuple(distinct.tolist())
