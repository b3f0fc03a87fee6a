"""What tells how likely each class is for a row of a table, better than any one classifier: several of them."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from gansynth.modalities.table.estimators import ESTIMATORS, LINEAR, Estimator, fit_model, row_encoder
from gansynth.samples import Column, Indices, Samples

Floats = npt.NDArray[np.float32]

TREES = 200
LEAF = 3
MOST_ROWS_OF_A_TREE = 20_000
"""How many rows each of the committee's own trees sees at most; more would cost time and tell it little."""
SMALLEST_PROBABILITY = 1e-4
MEMBERS = (*ESTIMATORS, "extra_trees", "stochastic_boosting")


class Committee:
    """Four classifiers of different kinds, MEMBERS, each fitted once without the rows of each fold.

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
        self.fold_of, self.linear = fold_of, student in LINEAR
        n_classes = len(rows.class_names)
        said = {name: np.zeros((len(rows), n_classes), np.float32) for name in MEMBERS}
        self.members: dict[int, list[Estimator]] = {}
        for fold in np.unique(fold_of):
            is_held = fold_of == fold
            seen = rows.take(~is_held)
            if not len(seen):
                continue  # all rows are duplicates of each other
            self.members[fold] = []
            for name, model in _untrained(rows.columns, len(seen), (seed + int(fold)) % 2**32).items():
                member = fit_model(model, seen.values, seen.labels, n_classes)
                self.members[fold].append(member)
                said[name][is_held] = member.probabilities(rows.values[is_held])
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


def _untrained(columns: tuple[Column, ...], rows: int, seed: int) -> dict[str, Any]:
    """Return the members by name, for so many rows."""
    return {
        **{name: make(columns, seed) for name, make in ESTIMATORS.items()},
        "extra_trees": _extra_trees(rows, seed),
        "stochastic_boosting": _stochastic_boosting(columns, rows, seed),
    }


def _extra_trees(rows: int, seed: int) -> Any:  # noqa: ANN401  # scikit-learn has no types
    few = rows <= MOST_ROWS_OF_A_TREE
    trees = ExtraTreesClassifier(
        TREES,
        min_samples_leaf=LEAF,
        bootstrap=not few,
        max_samples=None if few else MOST_ROWS_OF_A_TREE,
        random_state=seed,
    )
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), trees)


def _stochastic_boosting(columns: tuple[Column, ...], rows: int, seed: int) -> Any:  # noqa: ANN401
    """Return boosted trees of which each sees a part of the rows and of the columns (Friedman 2002)."""
    trees = GradientBoostingClassifier(
        n_estimators=120,
        learning_rate=0.05,
        max_depth=4,
        subsample=min(0.5, MOST_ROWS_OF_A_TREE / rows),
        max_features=0.3,
        random_state=seed,
    )
    return make_pipeline(row_encoder(columns, dense=True), trees)
