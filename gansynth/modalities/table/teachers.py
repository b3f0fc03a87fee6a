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
from gansynth.seeding import derive_seed

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

    To judge by the rows of one fold what the committee taught of the others, these rows must not have been met: not by
    the members who teach, and neither by those who spoke of the rows of another fold. So there are also members that
    were fitted without the rows of two folds, fitted when they are first asked for.

    Attributes:
        fold_of: The fold of each training row, (N,).
        surpassed: The keys of ESTIMATORS whose members rank training rows that they did not see worse than all together
            do; only to classifiers of these kinds have the others something to tell.
    """

    def __init__(self, rows: Samples, fold_of: Indices, student: str, seed: int) -> None:
        """Take training rows to fit members on; a class that only the rows of one fold have is not known to its own.

        Args:
            rows: The training rows.
            fold_of: The fold of each, (N,), of which there are at least two.
            student: The classifier that is to be taught. One that is linear in the logarithms of its probabilities
                learns the mean of theirs, any other the mean of the probabilities.
            seed: Of what is random in the members.
        """
        self.fold_of, self._rows, self._seed = fold_of, rows, seed
        self._is_linear = student in LINEAR
        self._members: dict[frozenset[int], list[Estimator]] = {}
        self._said: dict[int | None, list[Floats]] = {}
        said = self._out_of_fold(None)
        of_all = _ranking(rows.labels, self._together(said))
        each = zip(MEMBERS, said, strict=True)
        self.surpassed = {name for name, one in each if name in ESTIMATORS and _ranking(rows.labels, one) < of_all}

    def out_of_fold(self, held: int | None = None) -> Floats:
        """Return what members that did not see a training row say of it, (N, K).

        With a fold `held`, they have not seen its rows either, and what is returned of these means nothing.
        """
        return self._together(self._out_of_fold(held))

    def probabilities(self, cells: npt.NDArray[np.float64], held: int | None = None) -> Floats:
        """Return class probabilities (N, K) of rows (N, C), by all members or those that have not seen a fold."""
        return self._together([member.probabilities(cells) for fold in self._others(held) for member in fold])

    def _others(self, held: int | None) -> list[list[Estimator]]:
        """Return the members without each fold, and without `held`."""
        also = set() if held is None else {held}
        return [self._without(frozenset({fold} | also)) for fold in self._folds(held)]

    def _folds(self, held: int | None) -> list[int]:
        return [int(fold) for fold in np.unique(self.fold_of) if fold != held]

    def _out_of_fold(self, held: int | None) -> list[Floats]:
        """Return what each kind of member says of the rows that it has not seen; several arms ask for it."""
        if held in self._said:
            return self._said[held]
        said = [np.zeros((len(self._rows), len(self._rows.class_names)), np.float32) for _ in MEMBERS]
        for fold, members in zip(self._folds(held), self._others(held), strict=True):
            unseen = self.fold_of == fold
            for of_kind, member in zip(said, members, strict=True):
                of_kind[unseen] = member.probabilities(self._rows.values[unseen])
        self._said[held] = said
        return said

    def _without(self, folds: frozenset[int]) -> list[Estimator]:
        if folds not in self._members:
            seen = self._rows.take(~np.isin(self.fold_of, list(folds)))
            seed = derive_seed(self._seed, "member", *sorted(folds)) % 2**32
            models = _untrained(seen.columns, len(seen), seed)
            self._members[folds] = [
                fit_model(model, seen.values, seen.labels, len(seen.class_names)) for model in models
            ]
        return self._members[folds]

    def _together(self, said: list[Floats]) -> Floats:
        stacked = np.stack(said)
        if self._is_linear:
            return np.asarray(softmax(np.log(stacked.clip(SMALLEST_PROBABILITY)).mean(0), axis=1))
        return np.asarray(stacked.mean(0))


def _ranking(labels: Indices, said: Floats) -> float:
    """Return the mean area under the ROC curve of each class against the others."""
    return float(np.mean([roc_auc_score(labels == label, said[:, label]) for label in np.unique(labels)]))


def _untrained(columns: tuple[Column, ...], rows: int, seed: int) -> list[Any]:
    """Return the MEMBERS, for so many rows."""
    of_students = [make(columns, rows, seed) for make in ESTIMATORS.values()]
    return [*of_students, _extra_trees(rows, seed), _stochastic_boosting(columns, rows, seed)]


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
