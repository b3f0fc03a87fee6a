"""Figures of the columns of a table as inline SVG, in the manner of `figures`."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from markupsafe import Markup

from gansynth import formats
from gansynth.reporting.figures import svg

HISTOGRAM_HEIGHT = 84
BAR_HEIGHT = 15
CELL = 10


def histogram(held_out: Sequence[float], synthetic: Sequence[float], label: str) -> Markup:
    """Return shares in bins of equal width: an area for held-out rows, an outline for synthetic ones.

    Args:
        held_out: The share of each bin, 0 to 1.
        synthetic: The same of synthetic rows.
        label: What the figure shows, for those who cannot see it.
    """
    most = max(*held_out, *synthetic) or 1.0
    canvas = Markup('<svg viewBox="0 0 1000 100" preserveAspectRatio="none" width="100%" height="{}">{}</svg>')
    lines = [
        Markup('<path class="{}" d="{}"/>').format(kind, _steps([share / most for share in shares]))
        for kind, shares in (("held-out", held_out), ("outline", synthetic))
    ]
    return svg(HISTOGRAM_HEIGHT + 1, [canvas.format(HISTOGRAM_HEIGHT, Markup("").join(lines))], "histogram", label)


def _steps(heights: Sequence[float]) -> str:
    """Return the path of a staircase on a canvas of 1000 by 100, from and to its floor."""
    width = 1000 / len(heights)
    steps = [f"V{99 - 98 * height:.1f}H{width * (number + 1):.1f}" for number, height in enumerate(heights)]
    return f"M0 99{''.join(steps)}V99"


def value_bars(held_out: float, synthetic: float, most: float) -> Markup:
    """Return the shares of one value as two bars, the upper one for held-out rows; `most` fills the width."""
    bars = [
        Markup('<rect class="{}" y="{}" width="{:.1f}%" height="5" rx="1.5"/>').format(kind, top, 100 * share / most)
        for kind, top, share in (("held-out", 2, held_out), ("made", 8, synthetic))
    ]
    return svg(BAR_HEIGHT, bars, "bar")


def association_matrix(names: Sequence[str], pairs: Mapping[tuple[str, str], tuple[float, float]]) -> Markup:
    """Return the associations of columns as a square, held-out rows above its diagonal and synthetic ones below.

    It is symmetric where both are alike. The stronger an association, the fuller its colour.

    Args:
        names: The columns, in their order.
        pairs: Their association among held-out and among synthetic rows, -1 to 1, by names in this order.
    """
    side = CELL * len(names)
    shapes = []
    for row, column in combinations(range(len(names)), 2):
        held_out, synthetic = pairs[names[row], names[column]]
        told = f"{names[row]} and {names[column]}: real {formats.number(held_out)}"
        told += f", synthetic {formats.number(synthetic)}"
        shapes += [_cell(row, column, held_out, told), _cell(column, row, synthetic, told)]
    for place in range(len(names)):
        text = Markup('<text x="{:g}" y="{:g}" text-anchor="middle">{}</text>')
        shapes.append(text.format(CELL * (place + 0.5), CELL * (place + 0.72), place + 1))
    label = f"Associations of {len(names)} columns: real rows above the diagonal, synthetic ones below"
    frame = Markup('<svg class="matrix" viewBox="0 0 {0} {0}" role="img" aria-label="{1}">{2}</svg>')
    return frame.format(side, label, Markup("").join(shapes))


def _cell(row: int, column: int, value: float, told: str) -> Markup:
    kind = "minus" if value < 0 else "plus"
    cell = Markup(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}" fill-opacity="{:.2f}"><title>{}</title></rect>'
    )
    return cell.format(kind, CELL * column, CELL * row, CELL - 0.5, CELL - 0.5, abs(value), told)


def range_texts(bins: pd.DataFrame, kind: str) -> tuple[str, str]:
    """Return the two ends of a column's bins in words; times as dates."""
    ends = float(bins["low"].iloc[0]), float(bins["high"].iloc[-1])
    if kind == "datetime":
        first, last = (str(np.datetime64(round(end), "us")) for end in ends)
        return (first[:10], last[:10]) if first[:10] != last[:10] else (first[:16], last[:16])
    # what is 0 but for the last digits of float64 is 0
    low, high = (0.0 if abs(end) < 1e-9 * (ends[1] - ends[0]) else end for end in ends)
    return (f"{low:.0f}", f"{high:.0f}") if kind == "integer" else (formats.number(low), formats.number(high))
