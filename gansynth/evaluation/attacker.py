"""How an attacker looks at rows: as a few numbers, fitted on reference rows and synthetic samples."""

import numpy as np
import numpy.typing as npt
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import OneHotEncoder
from torch.nn.functional import adaptive_avg_pool2d

from gansynth.evaluation.rows import PlainSpace
from gansynth.samples import Samples

Floats = npt.NDArray[np.float64]

COMPONENTS = 32
ROWS_PER_COMPONENT = 5
MOST_FITTED = 5000
LARGEST_SIDE = 32
BLOCK = 256
MOST_CATEGORIES = 64
FARTHEST = 1e12


def without_detail(samples: Samples) -> Samples:
    """Return images of at most 32 pixels a side, their mean grey levels as float32; rows of a table as they are."""
    if samples.modality == "table":
        return samples
    side = min(LARGEST_SIDE, *samples.values.shape[1:3])
    blocks = [samples.values[start : start + BLOCK] for start in range(0, len(samples), BLOCK)]
    small = [adaptive_avg_pool2d(torch.tensor(block).permute(0, 3, 1, 2).float(), side).numpy() for block in blocks]
    return Samples(np.concatenate(small), samples.labels, samples.class_names)


class View:
    """Principal components of rows, each scaled to a variance of 1: up to 32, and one for every five rows.

    Components are those of as many reference rows as synthetic samples, so that what a generator shows of single rows,
    such as a mark that no reference row has, is seen. Numbers of a table count in units of what lies between the 5th
    and the 95th percentile of the reference rows, those far outside by their logarithm; categories are one-hot.
    """

    def __init__(self, reference: Samples, synthetic: Samples, random: np.random.Generator) -> None:
        """Fit; `synthetic` is not empty, and both are as `without_detail` returns them."""
        self.plain = _PlainCells(reference) if reference.modality == "table" else None
        size = min(len(reference), len(synthetic), MOST_FITTED)
        parts = [part.take(random.permutation(len(part))[:size]) for part in (reference, synthetic)]
        plain = np.concatenate([self._numbers(part) for part in parts])
        count = min(max(len(plain) // ROWS_PER_COMPONENT, 1), COMPONENTS, plain.shape[1])
        with np.errstate(invalid="ignore"):  # where nothing varies, shares of the variance are not defined, nor used
            self.components = PCA(count, random_state=int(random.integers(2**32))).fit(plain)
        variances = self.components.explained_variance_
        self.varies = variances > 1e-9 * max(variances.max(), 1e-9)
        self.scales = np.sqrt(variances[self.varies])

    def points(self, samples: Samples) -> Floats:
        """Return samples as points (N, D); where nothing varies, D is 0."""
        if len(samples) == 0:
            return np.zeros((0, len(self.scales)))
        points: Floats = self.components.transform(self._numbers(samples))[:, self.varies] / self.scales
        return points

    def _numbers(self, samples: Samples) -> Floats:
        if self.plain is not None:
            return self.plain.numbers(samples)
        numbers: Floats = samples.values.reshape(len(samples), -1) / 255
        return numbers


class _PlainCells:
    """Cells as numbers: scaled ones, whether they are null, and categories as one-hot blocks."""

    def __init__(self, reference: Samples) -> None:
        self.space = PlainSpace(reference)
        self.first_category = 2 * int((~self.space.is_category).sum())
        self.encoder = OneHotEncoder(
            max_categories=MOST_CATEGORIES, handle_unknown="infrequent_if_exist", sparse_output=False
        )
        if self.space.is_category.any():
            self.encoder.fit(self.space.points(reference)[:, self.first_category :])

    def numbers(self, samples: Samples) -> Floats:
        points = self.space.points(samples)
        plain: Floats = np.arcsinh(points[:, : self.first_category].clip(-FARTHEST, FARTHEST))
        if not self.space.is_category.any():
            return plain
        return np.column_stack([plain, self.encoder.transform(points[:, self.first_category :])])
