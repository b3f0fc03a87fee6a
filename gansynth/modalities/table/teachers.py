"""What tells how likely each class is for a row of a table, better than any one classifier: several of them."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from gansynth.modalities.table.estimators import ESTIMATORS, LINEAR, Estimator, fit_model
from gansynth.samples import Column, Indices, Samples

Floats = npt.NDArray[np.float32]

TREES = 200
LEAF = 3
SMALLEST_PROBABILITY = 1e-4


class Committee:
    """Boosted trees, extremely random trees and logistic regression, each fitted once without the rows of each fold.

    It is far less sure of itself on rows like those that its members have seen than any of them would be.

    Attributes:
        fold_of: The fold of each training row, (N,).
        out_of_fold: What the members that did not see a training row say of it, (N, K).
        surpassed: The keys of ESTIMATORS whose members rank training rows that they did not see worse than all together
            do; only to classifiers of these kinds have the others something to tell.
    """

    def __init__(self, rows: Samples, fold_of: Indices, student: str, seed: int) -> None:
        """Fit the members on training rows; a class that only the rows of one fold have is not known to its members.

        Args:
            rows: The training rows.
            fold_of: The fold of each, (N,).
            student: The classifier that is to be taught. One that is linear in the logarithms of its probabilities
                learns the mean of theirs, any other the mean of the probabilities.
            seed: Of what is random in the members.
        """
        makers = {**ESTIMATORS, "extra_trees": _extra_trees}
        self.fold_of, self.linear = fold_of, student in LINEAR
        said = {name: np.zeros((len(rows), len(rows.class_names)), np.float32) for name in makers}
        self.members: dict[int, list[Estimator]] = {}
        for fold in np.unique(fold_of):
            seen = rows.take(fold_of != fold)
            if not len(seen):
                continue  # all rows are duplicates of each other
            models = [make(rows.columns, (seed + int(fold)) % 2**32) for make in makers.values()]
            self.members[fold] = [fit_model(model, seen.values, seen.labels, len(rows.class_names)) for model in models]
            for name, member in zip(makers, self.members[fold], strict=True):
                said[name][fold_of == fold] = member.probabilities(rows.values[fold_of == fold])
        self.out_of_fold = self._together(list(said.values()))
        of_all = _ranking(rows.labels, self.out_of_fold)
        self.surpassed = {name for name in ESTIMATORS if _ranking(rows.labels, said[name]) < of_all}

    def probabilities(self, cells: npt.NDArray[np.float64], fold: int | None = None) -> Floats:
        """Return class probabilities (N, K) of rows (N, C), by all members or by those that did not see a fold."""
        members = self.members[fold] if fold is not None else [one for each in self.members.values() for one in each]
        return self._together([member.probabilities(cells) for member in members])

    def _together(self, said: list[Floats]) -> Floats:
        stacked = np.stack(said)
        if self.linear:
            return np.asarray(softmax(np.log(stacked.clip(SMALLEST_PROBABILITY)).mean(0), axis=1))
        return np.asarray(stacked.mean(0))


def _ranking(labels: Indices, said: Floats) -> float:
    """Return the mean area under the ROC curve of each class against the others."""
    return float(np.mean([roc_auc_score(labels == label, said[:, label]) for label in np.unique(labels)]))


def _extra_trees(_: tuple[Column, ...], seed: int) -> Any:  # noqa: ANN401  # scikit-learn has no types
    trees = ExtraTreesClassifier(TREES, min_samples_leaf=LEAF, random_state=seed)
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), trees)
