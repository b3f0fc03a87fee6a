"""The in-memory containers that flow between the stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Values = npt.NDArray[np.uint8]
"""Stored images (N, height, width, channels), 0 to 255."""


@dataclass(frozen=True)
class Samples:
    """Labelled samples of one modality.

    Attributes:
        values: One entry per sample; images are uint8 of shape (N, height, width, channels), 0 to 255.
        labels: int64 of shape (N,), each an index into `class_names`.
        class_names: The true names, in label order.
    """

    values: Values
    labels: Indices
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> Indices:
        """Number of samples per class, in label order."""
        return np.bincount(self.labels, minlength=len(self.class_names)).astype(np.int64)

    def take(self, indices: Indices | npt.NDArray[np.bool_]) -> Self:
        """Return the samples at `indices` (or where a boolean mask is true), in that order."""
        return type(self)(self.values[indices], self.labels[indices], self.class_names)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join parts that share their class names."""
        values = np.concatenate([part.values for part in parts])
        return cls(values, np.concatenate([part.labels for part in parts]), parts[0].class_names)


@dataclass(frozen=True)
class Dataset:
    """An ingested dataset: what every split is drawn from.

    Attributes:
        samples: All accepted rows. A row's position is its id everywhere else.
        is_test: bool of shape (N,), true for the rows that the source itself set apart for testing.
        groups: int64 of shape (N,); rows that are exact or near duplicates share a number.
    """

    samples: Samples
    is_test: npt.NDArray[np.bool_]
    groups: Indices

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class Split:
    """Row ids of one repetition's training and test part; no duplicate group is in both."""

    train: Indices
    test: Indices
