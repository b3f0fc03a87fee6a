"""What tells how likely each class is for a row of a table, better than any one classifier: several of them."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline

from gansynth.modalities.table.estimators import ESTIMATORS, Estimator
from gansynth.samples import Indices, Samples

Floats = npt.NDArray[np.float32]

FOLDS = 5
TREES = 200
LEAF = 3
SMALLEST_PROBABILITY = 1e-4


class Committee:
    """Boosted trees, extremely random trees and logistic regression, each fitted five times on four fifths of the rows.

    Their mean is that of the logarithms of their probabilities. It is far less sure of itself on rows like those that
    they have seen than any of them would be.

    Attributes:
        out_of_fold: What the members that did not see a training row say of it, (N, K).
        surpassed: The keys of ESTIMATORS whose members rank training rows that they did not see worse than all together
            do; only to classifiers of these kinds have the others something to tell.
    """

    def __init__(self, rows: Samples, seed: int) -> None:
        """Fit the members on training rows; a class that a fold lacks is not known to its members."""
        makers = {**ESTIMATORS, "extra_trees": _extra_trees}
        folds = min(FOLDS, max(2, int(rows.counts[rows.counts > 0].min())))
        said = {name: np.zeros((len(rows), len(rows.class_names)), np.float32) for name in makers}
        self.members: list[Estimator] = []
        splits = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32).split(rows.values, rows.labels)
        for number, (seen, unseen) in enumerate(splits):
            for name, make in makers.items():
                model = make(rows.columns, (seed + number) % 2**32)
                model.fit(rows.values[seen], rows.labels[seen])
                member = Estimator(model, len(rows.class_names))
                said[name][unseen] = member.probabilities(rows.values[unseen])
                self.members.append(member)
        self.out_of_fold = _together(list(said.values()))
        of_all = _ranking(rows.labels, self.out_of_fold)
        self.surpassed = {name for name in ESTIMATORS if _ranking(rows.labels, said[name]) < of_all}

    def probabilities(self, cells: npt.NDArray[np.float64]) -> Floats:
        """Return class probabilities (N, K) of rows (N, C)."""
        return _together([member.probabilities(cells) for member in self.members])


def _together(said: list[Floats]) -> Floats:
    logs = np.mean([np.log(one.clip(SMALLEST_PROBABILITY)) for one in said], axis=0)
    together: Floats = softmax(logs, axis=1)
    return together


def _ranking(labels: Indices, said: Floats) -> float:
    """Return the mean area under the ROC curve of each class against the others."""
    return float(np.mean([roc_auc_score(labels == label, said[:, label]) for label in np.unique(labels)]))


def _extra_trees(_: object, seed: int) -> Any:  # noqa: ANN401  # scikit-learn has no types
    trees = ExtraTreesClassifier(TREES, min_samples_leaf=LEAF, random_state=seed)
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), trees)
