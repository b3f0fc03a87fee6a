"""Figures as inline SVG: horizontal places in percent, so they fit any width, and colours by class, so they fit any
colour scheme. The style sheet of the page gives both their meaning.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from gansynth.arms import has_gan

MARGIN = 4.0
MOST_POINTS = 2_000
ROW_HEIGHT = 42
STRIP_HEIGHT = 46
CHART_HEIGHT = 190

KINDS = {"real": "real", "shuffled": "control"}


def kind_of(arm: str) -> str:
    """Return the class that gives an arm its colour: real, plain, gan or control."""
    return "gan" if has_gan(arm) else KINDS.get(arm, "plain")


@dataclass(frozen=True)
class Scale:
    """A horizontal scale from `low` to `high`, with ticks at `ticks`."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, values: Sequence[float], wanted: int = 5) -> "Scale":
        """Return a scale with round ends that holds all finite values."""
        finite = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(finite), max(finite)
        span = high - low or max(abs(high), 0.1)
        rough = span / wanted
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        ticks = tuple(round(index * step, 12) for index in range(first, max(last, first + 1) + 1))
        return cls(ticks[0], ticks[-1], ticks)

    def place(self, value: float) -> str:
        """Return where a value lies, in percent of the width."""
        inner = (value - self.low) / (self.high - self.low)
        return f"{MARGIN + (100 - 2 * MARGIN) * inner:.2f}%"

    def length(self, low: float, high: float) -> str:
        """Return the width of a span of values, in percent."""
        return f"{(100 - 2 * MARGIN) * (high - low) / (self.high - self.low):.2f}%"


def axis(scale: Scale, labels: Sequence[str]) -> Markup:
    """Return the tick labels of a scale."""
    texts = [
        Markup('<text x="{}" y="14" text-anchor="middle">{}</text>').format(scale.place(tick), label)
        for tick, label in zip(scale.ticks, labels, strict=True)
    ]
    return svg(20, texts, "axis")


def forest_row(scale: Scale, kind: str, gain: float, low: float, high: float, smallest: float, label: str) -> Markup:
    """Return a gain with its interval; the band around 0 holds gains too small to be worth having."""
    middle = ROW_HEIGHT / 2
    band = (max(-smallest, scale.low), min(smallest, scale.high))
    shapes = [
        Markup('<rect class="band" x="{}" width="{}" y="0" height="{}"/>').format(
            scale.place(band[0]), scale.length(*band), ROW_HEIGHT
        ),
        *_grid(scale, ROW_HEIGHT),
        _line("zero", scale.place(0), scale.place(0), 0, ROW_HEIGHT),
    ]
    if all(math.isfinite(value) for value in (gain, low, high)):
        shapes += [
            _line(f"interval {kind}", scale.place(low), scale.place(high), middle, middle),
            _line(f"cap {kind}", scale.place(low), scale.place(low), middle - 5, middle + 5),
            _line(f"cap {kind}", scale.place(high), scale.place(high), middle - 5, middle + 5),
            _dot(f"mean {kind}", scale.place(gain), middle, 6),
        ]
    return svg(ROW_HEIGHT, shapes, "row", label)


def strip_plot(scale: Scale, arms: Sequence[tuple[str, Sequence[float], float]], label: str) -> Markup:
    """Return the value of each repetition in each arm, joined where it is the same repetition.

    Args:
        scale: The scale of the values.
        arms: For each arm its colour class, its value in each repetition, and the mean.
        label: What the figure shows, for those who cannot see it.
    """
    height = STRIP_HEIGHT * len(arms)
    middles = [STRIP_HEIGHT * (row + 0.5) for row in range(len(arms))]
    shapes = list(_grid(scale, height))
    for row in range(1, len(arms)):
        for before, after in zip(arms[row - 1][1], arms[row][1], strict=True):
            shapes.append(_line("pair", scale.place(before), scale.place(after), middles[row - 1], middles[row]))
    for middle, (kind, values, mean) in zip(middles, arms, strict=True):
        for repetition, value in enumerate(values):
            title = f"repetition {repetition + 1}: {100 * value:.1f} %"
            shapes.append(_dot(f"value {kind}", scale.place(value), middle, 5, title))
        shapes.append(_line(f"average {kind}", scale.place(mean), scale.place(mean), middle - 14, middle + 14))
    return svg(height, shapes, "strip", label)


def recall_row(before: float, after: float, rival: float | None, label: str) -> Markup:
    """Return a class's recall with real rows alone (ring), with the GAN (disc), and with the rival arm (bar)."""
    height, middle = 26, 13.0
    shapes = list(_grid(PERCENT, height))
    if math.isfinite(before) and math.isfinite(after):
        change = "rise" if after >= before else "fall"
        shapes.append(_line(f"change {change}", PERCENT.place(before), PERCENT.place(after), middle, middle))
        shapes.append(_dot("ring", PERCENT.place(before), middle, 5))
    if rival is not None and math.isfinite(rival):
        shapes.append(_line("rival", PERCENT.place(rival), PERCENT.place(rival), middle - 8, middle + 8))
    if math.isfinite(after):
        shapes.append(_dot("disc", PERCENT.place(after), middle, 5))
    return svg(height, shapes, "row", label)


def share_bar(value: float) -> Markup:
    """Return a thin bar for a share from 0 to 1; longer ones fill it."""
    filled = f"{100 * min(max(value, 0), 1):.0f}%" if math.isfinite(value) else "0"
    bar = Markup('<rect class="track" width="100%" height="4" rx="2"/>')
    return svg(4, [bar, Markup('<rect class="fill" width="{}" height="4" rx="2"/>').format(filled)], "bar")


def chance_bar(value: float, label: str) -> Markup:
    """Return a share from 0 to 1 on a bar whose middle, one half, is marked."""
    shapes = [
        Markup('<rect class="track" y="10" width="100%" height="8" rx="4"/>'),
        Markup('<rect class="fill" y="10" width="{:.1f}%" height="8" rx="4"/>').format(100 * value),
        _line("half", "50%", "50%", 4, 24),
    ]
    return svg(28, shapes, "chance", label)


def curve_chart(curves: dict[str, pd.DataFrame], x: str, names: Sequence[str], label: str) -> Markup:
    """Return recorded numbers over the course of training, a line for each generator and name.

    The vertical scale holds the middle 98 % of the numbers, so that a single spike does not flatten the rest.

    Args:
        curves: A frame per generator; the first one is drawn on top of the others.
        x: The column of the horizontal scale.
        names: The columns to draw, two at most; each has its colour.
        label: What the figure shows, for those who cannot see it.
    """
    values = np.concatenate(
        [frame[name].to_numpy(float) for frame in curves.values() for name in names if name in frame]
    )
    values = values[np.isfinite(values)]
    across = Scale(0, max(float(frame[x].max()) for frame in curves.values()) or 1.0, ())
    up = Scale.over(np.percentile(values, [1, 99]).tolist() if len(values) else [0.0], wanted=4)
    points = max(20, MOST_POINTS // (len(curves) * len(names)))
    lines = [
        Markup('<polyline class="{}" points="{}"/>').format(
            f"curve series{series}{'' if position else ' top'}", _points(frame, x, name, across, up, points)
        )
        for series, name in enumerate(names)
        for position, frame in reversed(list(enumerate(curves.values())))
        if name in frame
    ]
    rules, texts = [], []
    for tick in up.ticks:
        y = CHART_HEIGHT * (1 - (tick - up.low) / (up.high - up.low))
        rules.append(_line("rule", "0", "100%", y, y))
        number = f"{tick:g}".replace("-", "\N{MINUS SIGN}")
        texts.append(Markup('<text x="0" y="{:.1f}">{}</text>').format(y + 13 if tick == up.high else y - 4, number))
    plot = Markup('<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" width="100%" height="{}">{}</svg>')
    drawn = plot.format(CHART_HEIGHT, Markup("").join(lines))
    return svg(CHART_HEIGHT + 1, [*rules, drawn, *texts], "chart", label)


def _points(frame: pd.DataFrame, x: str, name: str, across: Scale, up: Scale, most: int) -> str:
    """Return a line's points on a canvas of 1000 by 1000; of too many, the means of equal groups."""
    numbers = frame[[x, name]].to_numpy(float)
    numbers = numbers[np.isfinite(numbers).all(axis=1)]
    groups = np.array_split(numbers, min(most, len(numbers))) if len(numbers) else []
    means = [group.mean(axis=0) for group in groups]
    return " ".join(
        f"{1000 * (left - across.low) / (across.high - across.low):.0f},"
        f"{1000 * (1 - (value - up.low) / (up.high - up.low)):.0f}"
        for left, value in means
    )


def _grid(scale: Scale, height: float) -> list[Markup]:
    return [_line("tick", scale.place(tick), scale.place(tick), 0, height) for tick in scale.ticks]


def _line(kind: str, x1: str, x2: str, y1: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{}" x2="{}" y1="{:g}" y2="{:g}"/>').format(kind, x1, x2, y1, y2)


def _dot(kind: str, x: str, y: float, radius: float, title: str = "") -> Markup:
    dot = Markup('<circle class="{}" cx="{}" cy="{:g}" r="{:g}"').format(kind, x, y, radius)
    return dot + (Markup("><title>{}</title></circle>").format(title) if title else Markup("/>"))


def svg(height: float, shapes: Sequence[Markup], kind: str, label: str = "") -> Markup:
    """Return shapes as a figure as wide as its place; one without a label is hidden from those who cannot see it."""
    told = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    frame = Markup('<svg class="figure {}" width="100%" height="{:g}" {}>{}</svg>')
    return frame.format(kind, height, told, Markup("").join(shapes))


PERCENT = Scale(0, 1, (0, 0.25, 0.5, 0.75, 1))
