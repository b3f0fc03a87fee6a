"""Boosting with bins found at once, beside scikit-learn's own."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from gansynth.modalities.table.boosting import BinnedBoosting


def draw(rows: int, decimals: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw two numbers with nulls and a category, and labels that follow from them with noise."""
    random = np.random.default_rng(seed)
    numbers = random.normal(0, 1, (rows, 2)).round(decimals)
    category = random.integers(0, 4, rows)
    labels = (numbers[:, 0] + (category == 2) + random.normal(0, 1, rows) > 1).astype(np.int64)
    cells = np.column_stack([numbers, category]).astype(np.float64)
    cells[::9, 1] = np.nan
    return cells, labels


def both(cells: np.ndarray, labels: np.ndarray, weights: np.ndarray | None, test: np.ndarray) -> list[np.ndarray]:
    """Return the probabilities of rows by ours and by scikit-learn's own."""
    settings = {"categorical_features": [False, False, True], "early_stopping": False, "random_state": 0}
    models = [kind(**settings) for kind in (BinnedBoosting, HistGradientBoostingClassifier)]
    return [model.fit(cells, labels, weights).predict_proba(test)[:, 1] for model in models]


@pytest.mark.parametrize("weighted", [False, True])
def test_where_values_are_few_nothing_differs(weighted: bool) -> None:
    cells, labels = draw(600, 1)
    weights = np.random.default_rng(1).random(600) + 0.5 if weighted else None
    ours, theirs = both(cells, labels, weights, draw(300, 1, seed=1)[0])
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("weighted", [False, True])
def test_where_values_are_many_nothing_differs_either(weighted: bool) -> None:
    cells, labels = draw(3000, 6)
    weights = np.random.default_rng(1).random(3000) + 0.5 if weighted else None
    test, true = draw(3000, 6, seed=1)
    ours, theirs = both(cells, labels, weights, test)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert roc_auc_score(true, ours) == pytest.approx(roc_auc_score(true, theirs), abs=0.01)
