"""Histogram gradient boosting for rows with weights, without the seconds that finding its bins takes there."""

from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

Floats = npt.NDArray[np.float64]

BINS = 255
PERCENTILES = np.linspace(0, 100, BINS + 1)[1:-1]
ROUNDING = 1e-12


class BinnedBoosting(HistGradientBoostingClassifier):  # type: ignore[misc]  # scikit-learn has no types
    """Scikit-learn's classifier, of whose columns those with more than 255 values are put into as many bins first.

    The bins are those of scikit-learn, and so is what is learnt, but for the binning of more than 200,000 rows, where
    scikit-learn looks at a part of them. With weights it finds each of the quantiles at which they end by itself, which
    took three quarters of the time of a fit to some hundred rows (version 1.9). A number that is null in every row
    teaches nothing; scikit-learn's refuses it.
    """

    def fit(self, cells: Floats, labels: npt.NDArray[np.int64], sample_weight: Floats | None = None) -> Self:
        """Fit to rows (N, C), their labels (N,) and weights (N,); leave what `categorical_features` names."""
        weights = np.ones(len(cells)) if sample_weight is None else sample_weight
        chosen = self.categorical_features
        numbers = np.ones(cells.shape[1], np.bool_) if chosen is None else ~np.asarray(chosen)
        ends = {int(column): _ends(cells[:, column], weights) for column in np.flatnonzero(numbers)}
        self.bin_ends_ = {column: found for column, found in ends.items() if found is not None}
        self.empty_ = numbers & np.isnan(cells).all(axis=0)
        super().fit(self._binned(cells), labels, sample_weight)
        return self

    def predict_proba(self, cells: Floats) -> Floats:
        """Return class probabilities (N, K) of rows (N, C)."""
        probabilities: Floats = super().predict_proba(self._binned(cells))
        return probabilities

    def _binned(self, cells: Floats) -> Floats:
        binned = cells.copy()
        binned[:, self.empty_] = 0
        for column, ends in self.bin_ends_.items():
            known = ~np.isnan(cells[:, column])
            binned[known, column] = np.searchsorted(ends, cells[known, column])
        return binned


def _ends(cells: Floats, weights: Floats) -> Floats | None:
    """Return the ends of all bins of a column (N,) but the last, increasing; None if it needs none."""
    known = ~np.isnan(cells)
    if len(np.unique(cells[known])) <= BINS:
        return None
    if np.ptp(weights) == 0:
        return np.unique(np.percentile(cells[known], PERCENTILES, method="averaged_inverted_cdf"))
    order = np.argsort(cells[known])
    values, summed = cells[known][order], weights[known][order].cumsum()
    wanted = PERCENTILES / 100 * summed[-1]
    # a quantile that lies between two values is their mean
    below, above = (np.searchsorted(summed, wanted + sign * ROUNDING * summed[-1]) for sign in (-1, 1))
    return np.unique((values[below] + values[above]) / 2)
