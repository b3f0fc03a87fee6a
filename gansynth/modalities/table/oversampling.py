"""SMOTE for tables of any columns."""

from typing import Any

import numpy as np
import numpy.typing as npt
from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC, RandomOverSampler  # type: ignore[import-untyped]
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from gansynth.samples import Samples

NEIGHBOURS = 5


def smote(rows: Samples, seed: int) -> Samples:
    """Return rows and as many made from them as lift each class to the largest one.

    SMOTE (arXiv 1106.1813), SMOTENC where some columns are categories, SMOTEN where all are. It knows no nulls: of
    numbers they become the median, of categories one of their own. Numbers are standardised, so that no unit decides
    who is near. Classes take turns, so that how many neighbours one has decides of no other; a class of one row is
    repeated. Whole numbers stay whole.

    Args:
        rows: Rows of a table.
        seed: Of the random draws.
    """
    counts = rows.counts[rows.counts > 0]
    if len(counts) < 2 or counts.min() == counts.max():
        return rows
    is_category = np.array([bool(column.categories) for column in rows.columns])
    cells = _without_nulls(rows.values, is_category)
    numbers, scaler = ~is_category, StandardScaler()
    if numbers.any():
        cells[:, numbers] = scaler.fit_transform(cells[:, numbers])
    parts, labels = [], []
    for label, count in enumerate(rows.counts):
        if 0 < count < counts.max():
            sampler = _sampler(is_category, label, int(counts.max()), int(count), seed)
            parts.append(np.asarray(sampler.fit_resample(cells, rows.labels)[0], dtype=np.float64)[len(rows) :])
            labels.append(np.full(len(parts[-1]), label, dtype=np.int64))
    made = np.concatenate(parts)
    if numbers.any():
        made[:, numbers] = scaler.inverse_transform(made[:, numbers])
    whole = np.array([column.kind == "integer" for column in rows.columns])
    made[:, whole] = np.rint(made[:, whole])
    made[:, is_category] = np.where(made[:, is_category] < 0, np.nan, made[:, is_category])
    values = np.concatenate([rows.values, made])
    return Samples(values, np.concatenate([rows.labels, *labels]), rows.class_names, rows.schema)


def _sampler(is_category: npt.NDArray[np.bool_], label: int, wanted: int, count: int, seed: int) -> Any:  # noqa: ANN401
    """Return what makes as many rows of a class of `count` rows as it takes to have as many as are wanted."""
    settings: dict[str, Any] = {"sampling_strategy": {label: wanted}, "random_state": seed}
    if count < 2:
        return RandomOverSampler(**settings)
    settings["k_neighbors"] = min(NEIGHBOURS, count - 1)
    if is_category.all():
        return SMOTEN(**settings)
    if is_category.any():
        return SMOTENC(categorical_features=np.flatnonzero(is_category).tolist(), **settings)
    return SMOTE(**settings)


def _without_nulls(cells: npt.NDArray[np.float64], is_category: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    filled = cells.copy()
    filled[:, is_category] = np.nan_to_num(filled[:, is_category], nan=-1)
    if not is_category.all():
        numbers = SimpleImputer(strategy="median", keep_empty_features=True).fit_transform(filled[:, ~is_category])
        filled[:, ~is_category] = numbers
    return filled
