# ruff: noqa: PD011  # the values of samples are no frame
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, kruskal, spearmanr
from tables import draw_rows

from gansynth.evaluation.associations import associations, cramers_v, measure_of, pairs_of
from gansynth.samples import Samples


def by_pair(rows: Samples) -> dict[tuple[str, str], float]:
    names = [(one.name, other.name) for one, other in pairs_of(rows)]
    return dict(zip(names, associations(rows), strict=True))


def bergsma(first: np.ndarray, second: np.ndarray) -> float:
    table = pd.crosstab(pd.Series(first).fillna(-1), pd.Series(second).fillna(-1)).to_numpy()
    n, (r, k) = table.sum(), table.shape
    squared = max(0, chi2_contingency(table, correction=False).statistic / n - (r - 1) * (k - 1) / (n - 1))
    return float(np.sqrt(squared / min(r - (r - 1) ** 2 / (n - 1) - 1, k - (k - 1) ** 2 / (n - 1) - 1)))


def test_numbers_have_rank_correlations() -> None:
    rows = draw_rows(200, 0)
    found = by_pair(rows)
    expected = spearmanr(rows.values[:, 0], rows.values[:, 1], nan_policy="omit").statistic
    assert found["age", "paid"] == pytest.approx(expected)
    assert found["age", "paid"] > 0.4


def test_a_number_and_a_category_have_the_correlation_ratio_of_ranks_without_its_bias() -> None:
    rows = draw_rows(200, 0)
    found, plan = by_pair(rows), np.nan_to_num(rows.values[:, 2], nan=-1)
    for name, place in (("age", 0), ("paid", 1), ("since", 4)):
        there = ~np.isnan(rows.values[:, place])
        groups = [rows.values[there & (plan == value), place] for value in np.unique(plan)]
        n, k = there.sum(), len(groups)
        ratio = kruskal(*groups).statistic / (n - 1)  # H is n - 1 times the squared ratio of ranks
        expected = np.sqrt(max(0, 1 - (1 - ratio) * (n - 1) / (n - k)))
        assert found[tuple(sorted((name, "plan"), key=["age", "paid", "plan", "since"].index))] == pytest.approx(
            expected
        )


def test_categories_have_cramers_v_without_its_bias() -> None:
    rows = draw_rows(200, 0)
    found = by_pair(rows)
    assert found["plan", "mail"] == pytest.approx(bergsma(rows.values[:, 2], rows.values[:, 3]))
    assert found["plan", "left"] == pytest.approx(bergsma(rows.values[:, 2], rows.labels))
    assert found["plan", "left"] > 0.4


def test_what_does_not_hang_together_is_near_0_also_in_few_rows_of_many_categories() -> None:
    random = np.random.default_rng(0)
    values = [cramers_v(random.integers(0, 8, 60), random.integers(0, 6, 60)) for _ in range(50)]
    assert np.mean(values) < 0.1
    same = random.integers(0, 8, 60)
    assert cramers_v(same, same) == pytest.approx(1, abs=0.02)


def test_a_constant_column_hangs_together_with_nothing() -> None:
    rows = draw_rows(60, 0)
    rows.values[:, [1, 2]] = np.nan
    rows.values[:, [3, 4]] = 1
    found = by_pair(rows)
    assert all(value == 0 for pair, value in found.items() if pair != ("age", "left"))
    assert found["age", "left"] > 0.3


def test_a_generator_that_permutes_a_column_is_found_there_though_its_distribution_is_right() -> None:
    real, made = draw_rows(600, 0), draw_rows(600, 1)
    made.values[:, 0] = np.random.default_rng(2).permutation(made.values[:, 0])
    before, after = by_pair(real), by_pair(made)
    differences = pd.Series({pair: abs(before[pair] - after[pair]) for pair in before})
    assert all("age" in pair for pair in differences.nlargest(3).index)
    by_column = {
        name: np.mean([difference for pair, difference in differences.items() if name in pair])
        for name in ("age", "paid", "plan", "mail", "since")
    }
    assert max(by_column, key=by_column.__getitem__) == "age"


def test_every_pair_says_how_it_is_measured() -> None:
    rows = draw_rows(10, 0)
    measures = {(one.name, other.name): measure_of(one, other) for one, other in pairs_of(rows)}
    assert len(measures) == 15
    assert measures["age", "paid"] == "rank correlation"
    assert measures["plan", "since"] == "correlation ratio"
    assert {measures[pair] for pair in product(("plan", "mail"), ("left",))} == {"Cramér's V"}
