"""Classifiers of scikit-learn for the rows of tables, named in ESTIMATORS."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from gansynth.modalities.table.boosting import BinnedBoosting
from gansynth.modalities.table.custom import build_custom, is_custom
from gansynth.samples import Column, Indices, Samples

Floats = npt.NDArray[np.float64]

MOST_NATIVE_CATEGORIES = 255
"""Of a column with more, histogram gradient boosting takes the categories by their order."""
MOST_ONE_HOT = 100
HIST_GRADIENT_BOOSTING = "hist_gradient_boosting"
LARGEST_LEAF = 20
"""Scikit-learn's default, which lets trees learn nothing from fewer than forty rows."""
LEAVES = 20
NEGLIGIBLE_WEIGHT = 1e-3
MOST_PARTS = 3
"""Into how many classes a row is divided at most: with many, each more costs as much time again."""
ROW_LIMITS = frozenset({"min_samples_leaf", "min_samples_split", "min_child_samples"})
"""What classifiers call a number of rows, of scikit-learn and of LightGBM, whose classifiers are estimators too."""


@dataclass(frozen=True)
class Estimator:
    """A fitted classifier of scikit-learn that knows `n_classes` classes, though it may not have met all."""

    fitted: Any
    n_classes: int

    def probabilities(self, cells: Floats) -> npt.NDArray[np.float32]:
        """Return class probabilities (N, K) of rows (N, C); a class that it has not met has none."""
        known = self.fitted.predict_proba(cells)
        probabilities = np.zeros((len(cells), self.n_classes), np.float32)
        probabilities[:, self.fitted.classes_.astype(np.int64)] = known
        return probabilities


def fit_estimator(
    name: str, rows: Samples, targets: Floats, weights: Floats, seed: int, real: int | None = None
) -> Estimator:
    """Fit a classifier to rows of which each may belong to several classes in part.

    Scikit-learn knows no such rows, so each becomes one for every class that it belongs to, weighted by how much.

    Args:
        name: A key of ESTIMATORS, or the name of a user's own.
        rows: The rows; their labels do not count.
        targets: Class probabilities of each, (N, K).
        weights: How much each row counts, (N,), above 0.
        seed: Of what is random in it.
        real: How many of the rows nobody has made up or repeated; by default all. Limits follow it, so that arms which
            share their real rows share them.
    """
    row, label, shares = divided(targets, weights)
    model = build_estimator(name, rows.columns, len(rows) if real is None else real, seed)
    _count_whole_rows(model, len(row) / len(rows))
    return fit_model(model, rows.values[row], label, len(rows.class_names), shares)


def divided(targets: Floats, weights: Floats) -> tuple[Indices, Indices, Floats]:
    """Divide rows among the classes that they belong to: which row, which class, and how much it counts, (M,) each.

    Args:
        targets: Class probabilities of each row, (N, K), of which the MOST_PARTS largest count, and no negligible ones.
        weights: How much each row counts, (N,).
    """
    if targets.shape[1] > MOST_PARTS:
        likely = targets.copy()
        np.put_along_axis(likely, np.argsort(-targets, axis=1, kind="stable")[:, MOST_PARTS:], 0, axis=1)
        targets = likely * (targets.sum(axis=1, keepdims=True) / likely.sum(axis=1, keepdims=True))
    row, label = np.nonzero(targets > NEGLIGIBLE_WEIGHT)
    return row, label, targets[row, label] * weights[row]


def _count_whole_rows(model: Any, lines_per_row: float) -> None:  # noqa: ANN401  # scikit-learn has no types
    """Let limits that count rows count as many whole ones, into however many lines they are divided."""
    limits = {name: value for name, value in model.get_params().items() if name.rpartition("__")[2] in ROW_LIMITS}
    whole = {name: value for name, value in limits.items() if isinstance(value, int)}  # not shares
    model.set_params(**{name: round(value * lines_per_row) for name, value in whole.items()})


def fit_model(
    model: Any,  # noqa: ANN401  # scikit-learn has no types
    cells: Floats,
    labels: Indices,
    n_classes: int,
    weights: Floats | None = None,
) -> Estimator:
    """Fit a classifier of scikit-learn to rows (N, C) and their labels (N,), each row with its weight (N,).

    One that meets a single class says that class of every row.
    """
    if len(np.unique(labels)) == 1:
        model = DummyClassifier(strategy="prior")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of a thousand iterations the last change nothing
        model.fit(cells, labels, **({} if weights is None else _weighted(model, weights)))
    return Estimator(model, n_classes)


def _weighted(model: Any, weights: Floats) -> dict[str, Floats]:  # noqa: ANN401  # scikit-learn has no types
    last = model.steps[-1][0] if hasattr(model, "steps") else ""
    return {f"{last}__sample_weight" if last else "sample_weight": weights}


def _hist_gradient_boosting(columns: tuple[Column, ...], rows: int, seed: int) -> Any:  # noqa: ANN401
    native = [bool(column.categories) and len(column.categories) <= MOST_NATIVE_CATEGORIES for column in columns]
    # by default it stops early where rows are many, which in one comparison would be some arms alone
    return BinnedBoosting(
        categorical_features=native if any(native) else None,
        early_stopping=False,
        min_samples_leaf=rows_per_leaf(rows),
        random_state=seed,
    )


def rows_per_leaf(real: int) -> int:
    """Return how many whole rows a leaf of boosted trees holds at least, where there are so many real rows."""
    return min(LARGEST_LEAF, max(1, real // LEAVES))


def _logistic_regression(columns: tuple[Column, ...], rows: int, seed: int) -> Any:  # noqa: ANN401, ARG001
    return make_pipeline(row_encoder(columns), LogisticRegression(max_iter=1000, random_state=seed))


def row_encoder(columns: tuple[Column, ...], *, dense: bool = False) -> ColumnTransformer:
    """Return an unfitted transformer of cells (N, C): numbers standardised, nulls marked, categories one-hot.

    Without `dense` it gives a sparse matrix where most cells would be 0.
    """
    numbers = [place for place, column in enumerate(columns) if not column.categories]
    categories = [place for place, column in enumerate(columns) if column.categories]
    # a column may be null in all rows of a fold
    filling = {"strategy": "median", "add_indicator": True, "keep_empty_features": True}
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(**filling), StandardScaler()), numbers),
            ("categories", OneHotEncoder(handle_unknown="ignore", max_categories=MOST_ONE_HOT), categories),
        ],
        sparse_threshold=0 if dense else 0.3,
    )


ESTIMATORS: dict[str, Callable[[tuple[Column, ...], int, int], Any]] = {
    HIST_GRADIENT_BOOSTING: _hist_gradient_boosting,
    "logistic_regression": _logistic_regression,
}
"""Each takes what the columns are, how many real rows there are, and a seed."""

LINEAR = frozenset({"logistic_regression"})
"""Those that are linear in the logarithms of their probabilities."""


def is_estimator(name: str) -> bool:
    """Tell whether a classifier is one of scikit-learn's kind, rather than a network."""
    return name in ESTIMATORS or is_custom(name)


def build_estimator(name: str, columns: tuple[Column, ...], rows: int, seed: int) -> Any:  # noqa: ANN401
    """Return an untrained classifier: one of ESTIMATORS, or a user's own behind a preparation of the columns.

    Raises:
        StudyError: The user's own cannot be used.
    """
    if name in ESTIMATORS:
        return ESTIMATORS[name](columns, rows, seed)
    return make_pipeline(row_encoder(columns, dense=True), build_custom(name, seed))
