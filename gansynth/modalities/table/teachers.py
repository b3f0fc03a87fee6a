"""What tells how likely each class is for a row of a table, better than any one classifier: several of them."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline

from gansynth.modalities.table.estimators import ESTIMATORS, Estimator
from gansynth.samples import Samples

FOLDS = 5
TREES = 200
LEAF = 3


class Committee:
    """Boosted trees, extremely random trees and logistic regression, each fitted five times on four fifths of the rows.

    The mean of what they say is far less sure of itself on rows like those it has seen than any member would be.
    """

    def __init__(self, rows: Samples, seed: int) -> None:
        """Fit the members on training rows; a class that a fold lacks is not known to its members."""
        folds = min(FOLDS, max(2, int(rows.counts[rows.counts > 0].min())))
        splits = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32).split(rows.values, rows.labels)
        self.members: list[Estimator] = []
        for number, (seen, _) in enumerate(splits):
            for make in (*ESTIMATORS.values(), _extra_trees):
                model = make(rows.columns, (seed + number) % 2**32)
                model.fit(rows.values[seen], rows.labels[seen])
                self.members.append(Estimator(model, len(rows.class_names)))

    def probabilities(self, cells: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return class probabilities (N, K) of rows (N, C)."""
        mean: npt.NDArray[np.float32] = np.mean([member.probabilities(cells) for member in self.members], axis=0)
        return mean


def _extra_trees(_: object, seed: int) -> Any:  # noqa: ANN401  # scikit-learn has no types
    trees = ExtraTreesClassifier(TREES, min_samples_leaf=LEAF, random_state=seed)
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), trees)
