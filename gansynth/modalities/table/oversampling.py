"""SMOTE for tables of any columns."""

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
    who is near. A class of one row is repeated.

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
    if counts.min() < 2:
        sampler = RandomOverSampler(random_state=seed)
    else:
        settings = {"k_neighbors": min(NEIGHBOURS, int(counts.min()) - 1), "random_state": seed}
        if is_category.all():
            sampler = SMOTEN(**settings)
        elif is_category.any():
            sampler = SMOTENC(categorical_features=np.flatnonzero(is_category).tolist(), **settings)
        else:
            sampler = SMOTE(**settings)
    more, labels = sampler.fit_resample(cells, rows.labels)
    made = np.asarray(more, dtype=np.float64)[len(rows) :]
    if numbers.any():
        made[:, numbers] = scaler.inverse_transform(made[:, numbers])
    made[:, is_category] = np.where(made[:, is_category] < 0, np.nan, made[:, is_category])
    values = np.concatenate([rows.values, made])
    return Samples(values, np.asarray(labels, dtype=np.int64), rows.class_names, rows.schema)


def _without_nulls(cells: npt.NDArray[np.float64], is_category: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    filled = cells.copy()
    filled[:, is_category] = np.nan_to_num(filled[:, is_category], nan=-1)
    if not is_category.all():
        numbers = SimpleImputer(strategy="median", keep_empty_features=True).fit_transform(filled[:, ~is_category])
        filled[:, ~is_category] = numbers
    return filled
