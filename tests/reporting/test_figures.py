import math

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from gansynth import formats
from gansynth.reporting.figures import Scale, curve_chart, forest_row, strip_plot


@pytest.mark.parametrize(
    "values", [[0.0, 0.127], [-0.3, -0.29], [0.5], [0.0], [1e-9, 3e-9], [-4.0, 900.0], [math.nan, 0.2]]
)
def test_a_scale_holds_its_values_between_few_round_ticks(values: list[float]) -> None:
    scale = Scale.over(values)
    finite = [value for value in values if math.isfinite(value)]
    assert scale.low <= min(finite)
    assert scale.high >= max(finite)
    assert 2 <= len(scale.ticks) <= 8
    assert list(scale.ticks) == sorted(scale.ticks)


def test_places_follow_values() -> None:
    scale = Scale.over([0.0, 1.0])
    places = [float(scale.place(value).rstrip("%")) for value in (0.0, 0.5, 1.0)]
    assert places[1] == pytest.approx(50)
    assert places[0] < places[1] < places[2]
    assert float(scale.length(0, 1).rstrip("%")) == pytest.approx(places[2] - places[0], abs=0.02)


def test_a_gain_stands_within_its_interval() -> None:
    scale = Scale.over([-0.1, 0.2])
    drawn = BeautifulSoup(forest_row(scale, "gan", 0.05, 0.01, 0.09, 0.03, "gan <&> real"), "html.parser").svg
    line, dot = drawn.select_one(".interval"), drawn.select_one(".mean")
    assert float(line["x1"][:-1]) < float(dot["cx"][:-1]) < float(line["x2"][:-1])
    assert drawn["aria-label"] == "gan <&> real"


def test_a_gain_that_does_not_exist_is_not_drawn() -> None:
    drawn = forest_row(Scale.over([0.0]), "gan", math.nan, math.nan, math.nan, 0.03, "none")
    assert "mean" not in drawn
    assert "nan" not in drawn


def test_every_repetition_is_a_dot_joined_from_arm_to_arm() -> None:
    arms = [("real", [0.6, 0.7], 0.65), ("gan", [0.7, 0.8], 0.75)]
    drawn = BeautifulSoup(strip_plot(Scale.over([0.6, 0.8]), arms, "arms"), "html.parser").svg
    assert [dot.title.get_text() for dot in drawn("circle")][:2] == ["repetition 1: 60.0 %", "repetition 2: 70.0 %"]
    assert len(drawn.select(".pair")) == 2
    assert len(drawn.select(".average")) == 2


def test_long_and_broken_curves_stay_small_and_finite() -> None:
    frame = pd.DataFrame({"step": range(10_000), "loss": [math.nan, *range(1, 9_999), math.inf]})
    drawn = BeautifulSoup(curve_chart({"one": frame}, "step", ["loss"], "loss"), "html.parser").polyline
    points = [point.split(",") for point in drawn["points"].split()]
    assert 100 < len(points) <= 2_000
    assert all(number.lstrip("-").isdigit() for point in points for number in point)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (formats.gain(0.1274), "+12.7"),
        (formats.gain(-0.004), "\N{MINUS SIGN}0.4"),
        (formats.gain(-0.0001), "0.0"),
        (formats.gain(math.nan), "\N{EN DASH}"),
        (formats.probability(0.0004), "< 0.001"),
        (formats.probability(0.0421), "0.042"),
        (formats.number(0.02134), "0.0213"),
        (formats.number(0.5), "0.500"),
        (formats.number(1234.5), "1234"),
        (formats.duration(9.96), "10 s"),
        (formats.duration(200), "3 min 20 s"),
        (formats.duration(7_500), "2 h 5 min"),
        (formats.memory(929.4), "929 MiB"),
        (formats.listed(["a", "b", "c"]), "a, b and c"),
        (
            formats.typeset("gain (-0.9 to 2.8), 95 % of well-known"),
            "gain (\N{MINUS SIGN}0.9 to 2.8), 95 % of well-known",
        ),
    ],
)
def test_numbers_are_written_as_people_read_them(written: str, expected: str) -> None:
    assert written.replace("\N{NO-BREAK SPACE}", " ") == expected
