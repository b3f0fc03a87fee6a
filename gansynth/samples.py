"""The in-memory containers that flow between the stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Values = npt.NDArray[Any]
"""Stored samples: images, uint8 of shape (N, height, width, channels), 0 to 255; or cells of a table, see Column."""

ColumnKind = Literal["numeric", "integer", "boolean", "ordinal", "categorical", "datetime"]


@dataclass(frozen=True)
class Column:
    """A column of a table, and how its cells are held as float64, NaN for a null.

    Numbers are held as they are, times as microseconds since 1970 (UTC), and the values of all other kinds as their
    position in `categories`.

    Attributes:
        name: As in the source.
        kind: What its values are.
        dtype: Its Arrow type in the source, as Arrow writes it, for example "int64": outputs have it again.
        categories: The values of a boolean, ordinal or categorical column, as text; an ordinal one's in order.
        decimals: Most digits after the point of a numeric column; None if they are not limited.
    """

    name: str
    kind: ColumnKind
    dtype: str
    categories: tuple[str, ...] = ()
    decimals: int | None = None


@dataclass(frozen=True)
class Schema:
    """What the columns of a table are.

    Attributes:
        columns: Those that describe a row, in the order of the source.
        label: The one that is its label.
        label_position: How many of the others stand before it in the source; None if nothing is known, as if all did.
    """

    columns: tuple[Column, ...]
    label: Column
    label_position: int | None = None


@dataclass(frozen=True)
class Samples:
    """Labelled samples of one modality.

    Attributes:
        values: One entry per sample: an image, or the cells of a row of shape (C,), one for each of its columns.
        labels: int64 of shape (N,), each an index into `class_names`.
        class_names: The true names, in label order.
        schema: What the columns of a table are; images have none.
    """

    values: Values
    labels: Indices
    class_names: tuple[str, ...]
    schema: Schema | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def modality(self) -> Literal["image", "table"]:
        """What the samples are."""
        return "image" if self.schema is None else "table"

    @property
    def columns(self) -> tuple[Column, ...]:
        """What describes a row of a table; images have no columns."""
        return self.schema.columns if self.schema else ()

    @property
    def counts(self) -> Indices:
        """Number of samples per class, in label order."""
        return np.bincount(self.labels, minlength=len(self.class_names)).astype(np.int64)

    @property
    def one_hot(self) -> npt.NDArray[np.float32]:
        """The labels as class probabilities, of shape (N, K)."""
        return np.eye(len(self.class_names), dtype=np.float32)[self.labels]

    def take(self, indices: Indices | npt.NDArray[np.bool_]) -> Self:
        """Return the samples at `indices` (or where a boolean mask is true), in that order."""
        return type(self)(self.values[indices], self.labels[indices], self.class_names, self.schema)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join parts that share their class names and schema."""
        values = np.concatenate([part.values for part in parts])
        labels = np.concatenate([part.labels for part in parts])
        return cls(values, labels, parts[0].class_names, parts[0].schema)


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
