"""Rows of a table as wholes: whether they can be told from real ones, and how far they lie from training rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from sklearn.model_selection import StratifiedKFold, cross_val_score

from gansynth.evaluation.columns import with_label
from gansynth.evaluation.fidelity import BLOCK_DISTANCES, Embeddings
from gansynth.evaluation.similarity import Pair
from gansynth.modalities.table.cells import as_words
from gansynth.modalities.table.estimators import ESTIMATORS
from gansynth.samples import Samples

Floats = npt.NDArray[np.float64]

FOLDS = 5
SCALE_PERCENTILES = (5, 95)


def detection_auc(held_out: Samples, others: Samples, seed: int) -> float:
    """Return how well gradient-boosted trees tell other rows from held-out ones: 0.5 not at all, 1 always.

    It is the area under the ROC curve on rows that the trees have not seen, the mean of up to five folds. The label is
    one of the columns that they see.

    Args:
        held_out: Rows that trained no generator.
        others: As many rows of each class, from elsewhere; at least two.
        seed: Of the folds and the trees.
    """
    cells, columns = with_label(Samples.concatenate([held_out, others]))
    is_other = np.repeat([0, 1], [len(held_out), len(others)])
    folds = StratifiedKFold(min(FOLDS, len(held_out), len(others)), shuffle=True, random_state=seed % 2**32)
    trees = ESTIMATORS["hist_gradient_boosting"](columns, len(cells), seed % 2**32)
    return float(cross_val_score(trees, cells, is_other, scoring="roc_auc", cv=folds).mean())


class PlainSpace:
    """Rows as points without any learning, in the manner of Gower (1971).

    Two rows are as far apart as their columns are on average. Categories are 0 apart if they are the same, else 1.
    Numbers and times are as far apart as they differ, in units of what lies between the 5th and the 95th percentile of
    the training rows. A null counts as the median, and 1 apart from any number.
    """

    def __init__(self, training: Samples) -> None:
        self.is_category = np.array([bool(column.categories) for column in training.columns])
        scales = [_median_and_span(cells) for cells in training.values[:, ~self.is_category].T]
        self.medians = np.array([median for median, _ in scales])
        self.spans = np.array([span for _, span in scales])

    def points(self, rows: Samples) -> Floats:
        """Return rows (N, C) as points: scaled numbers, whether each is null, and categories by their position."""
        numbers, categories = rows.values[:, ~self.is_category], rows.values[:, self.is_category]
        nulls = np.isnan(numbers)
        scaled = np.where(nulls, 0, (numbers - self.medians) / self.spans)
        return np.column_stack([scaled, nulls, np.nan_to_num(categories, nan=-1)])

    def distances(self, points: Embeddings, others: Embeddings) -> Iterator[tuple[slice, Floats]]:
        """Yield the distances of points (N, D) to others (M, D) in blocks, as `distance_blocks` does."""
        categories = int(self.is_category.sum())
        columns = len(self.is_category)
        split = 2 * (columns - categories)
        step = max(1, BLOCK_DISTANCES // max(1, len(others)))
        for start in range(0, len(points), step):
            part = slice(start, start + step)
            apart = np.zeros((len(points[part]), len(others)))
            if split:
                apart += cdist(points[part, :split], others[:, :split], "cityblock")
            if categories:
                apart += categories * cdist(points[part, split:], others[:, split:], "hamming")
            yield part, apart / columns


def _median_and_span(cells: Floats) -> tuple[float, float]:
    """Return the median of a column of numbers and what lies between its percentiles, or failing that, its ends."""
    there = cells[~np.isnan(cells)]
    if len(there) == 0:
        return 0.0, 1.0
    low, high = np.percentile(there, SCALE_PERCENTILES)
    span = high - low or there.max() - there.min() or 1.0
    return float(np.median(there)), float(span)


def closest_rows(pairs: list[Pair], training: Samples, synthetic: Samples) -> list[dict[str, Any]]:
    """Return the cells of pairs of rows in words, to be read side by side.

    Returns:
        For each pair and column: pair (its number, closest first), class_name, distance, held_out_distance, column,
        synthetic and training (the values in words, None for a null), and differs.
    """
    made, real = synthetic.take(_places(pairs, 0)), training.take(_places(pairs, 1))
    is_same = (made.values == real.values) | (np.isnan(made.values) & np.isnan(real.values))
    words = [as_words(part.values, part.columns) for part in (made, real)]
    return [
        {
            "pair": number,
            "class_name": made.class_names[made.labels[number]],
            "distance": pair.distance,
            "held_out_distance": pair.held_out_distance,
            "column": column.name,
            "synthetic": words[0][number][place],
            "training": words[1][number][place],
            "differs": not is_same[number, place],
        }
        for number, pair in enumerate(pairs)
        for place, column in enumerate(made.columns)
    ]


def _places(pairs: list[Pair], of: int) -> npt.NDArray[np.int64]:
    return np.array([pair[of] for pair in pairs], dtype=np.int64)
