# ruff: noqa: PD011  # the values of samples are no frame
import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from tables import SCHEMA, draw_rows

from gansynth.evaluation.columns import column_distances, distributions
from gansynth.samples import Column, Samples, Schema

NAMES = [column.name for column in SCHEMA.columns]


def of_column(column: Column, cells: list[float]) -> Samples:
    """Rows of one column."""
    label = Column("y", "categorical", "string", ("a",))
    return Samples(np.array(cells)[:, None], np.zeros(len(cells), np.int64), ("a",), Schema((column,), label))


def test_numbers_have_the_distance_of_kolmogorov_and_smirnov_and_categories_total_variation() -> None:
    first, second = draw_rows(300, 0), draw_rows(200, 1)
    found = dict(zip(NAMES, column_distances(first, second), strict=True))
    for name in ("age", "since"):
        place = NAMES.index(name)
        assert found[name] == pytest.approx(ks_2samp(first.values[:, place], second.values[:, place]).statistic)
    for name in ("plan", "mail"):
        place = NAMES.index(name)
        counts = [
            pd.Series(rows.values[:, place]).value_counts(normalize=True, dropna=False) for rows in (first, second)
        ]
        assert found[name] == pytest.approx(counts[0].sub(counts[1], fill_value=0).abs().sum() / 2)


@pytest.mark.parametrize("column", [Column("n", "numeric", "double"), Column("c", "categorical", "string", ("a", "b"))])
def test_a_null_is_a_value_of_its_own(column: Column) -> None:
    known, half = of_column(column, [0, 0, 1, 1]), of_column(column, [0, np.nan, 1, np.nan])
    assert column_distances(known, known) == column_distances(half, half) == [0]
    assert column_distances(known, half) == column_distances(half, known) == [0.5]
    assert column_distances(known, of_column(column, [np.nan] * 4)) == [1]


@pytest.mark.parametrize("name", NAMES)
def test_the_column_that_a_generator_gets_wrong_is_the_worst(name: str) -> None:
    real, made = draw_rows(600, 0), draw_rows(600, 1)
    place = NAMES.index(name)
    cells, column = made.values[:, place], SCHEMA.columns[place]
    # categories change their names, numbers move by a standard deviation
    made.values[:, place] = (cells + 1) % len(column.categories) if column.categories else cells + np.nanstd(cells)
    assert np.argmax(column_distances(real, made)) == place


def test_bins_hold_every_row_and_do_not_depend_on_the_parts() -> None:
    rows = draw_rows(500, 0)
    parts = {"held_out": draw_rows(200, 1), "synthetic": draw_rows(100, 2)}
    parts["synthetic"].values[:10, :2] *= 50  # far beyond the last bin
    found = pd.DataFrame(distributions(rows, parts))
    assert found.groupby("column")[["held_out", "synthetic"]].sum().to_numpy() == pytest.approx(1)
    assert found["column"].unique().tolist() == NAMES
    again = pd.DataFrame(distributions(rows, {"held_out": parts["synthetic"], "synthetic": parts["held_out"]}))
    pd.testing.assert_frame_equal(found[["column", "bin", "label", "low", "high"]], again[found.columns[:5]])
    plan = found[found["column"] == "plan"].set_index("label")["held_out"]
    assert plan.index.tolist() == ["<b>long</b>", "short", "trial", "null"]
    assert plan["null"] == np.isnan(parts["held_out"].values[:, 2]).mean()
    paid = found[(found["column"] == "paid") & (found["label"] == "")]
    inner = paid.iloc[1:-1]
    for low, high, share in zip(inner["low"], inner["high"], inner["held_out"], strict=True):
        cells = parts["held_out"].values[:, 1]
        assert share == pytest.approx(((cells > low - 1e-6) & (cells < high + 1e-6)).mean())
    age = found[(found["column"] == "age") & (found["label"] == "")]
    assert age["low"].tolist() == age["low"].round().tolist()
    assert (age["low"].iloc[1:].to_numpy() == age["high"].iloc[:-1] + 1).all()


def test_few_numbers_and_many_categories_are_counted_one_by_one() -> None:
    stars = of_column(Column("stars", "integer", "int64"), [1, 2, 2, 5])
    found = pd.DataFrame(distributions(stars, {"real": stars}))
    assert found["label"].tolist() == ["1", "2", "5"]
    assert found["real"].tolist() == [0.25, 0.5, 0.25]
    towns = tuple(f"town {number:02d}" for number in range(30))
    lived = [number for number in range(30) for _ in range(30 - number)]
    rows = of_column(Column("town", "categorical", "string", towns), lived)
    found = pd.DataFrame(distributions(rows, {"real": rows}))
    assert found["label"].tolist() == [*towns[:12], "18 more"]
    assert found["real"].iloc[-1] == pytest.approx(sum(range(1, 19)) / len(lived))
