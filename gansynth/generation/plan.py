"""How many samples of each class are generated."""

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from gansynth.errors import StudyError
from gansynth.samples import Indices
from gansynth.sections import FileFormat, GenerationConfig
from gansynth.settings import Settings

MOST_SAMPLES = 10**10


def class_counts(settings: GenerationConfig, training_counts: Indices) -> Indices:
    """Return how many samples of each class the settings ask for.

    Args:
        settings: Gives the rule, `plan`, and its number, `amount`.
        training_counts: Real training rows of each class, of shape (K,).

    Returns:
        int64 of shape (K,), fractions rounded to the nearest whole number.

    Raises:
        StudyError: The plan asks for no sample of any class.
    """
    per_class = {
        "absolute": np.ones_like(training_counts),
        "ratio": training_counts,
        "balance": training_counts.max() - training_counts,
    }[settings.plan]
    counts: Indices = np.floor(settings.amount * per_class + 0.5).astype(np.int64)
    if not counts.any():
        raise StudyError(
            f"generation.plan: {settings.plan!r} with amount {settings.amount:g} asks for no samples of classes with"
            f" {training_counts.min()} to {training_counts.max()} training rows; raise the amount or choose 'absolute'"
        )
    return counts


def split_by_weight(count: int, weights: npt.NDArray[np.float64]) -> Indices:
    """Divide `count` samples over the classes by their weights, of shape (K,), rounding by the largest remainder.

    Of equal remainders the first come first.
    """
    exact = count * weights / weights.sum()
    counts: Indices = np.floor(exact).astype(np.int64)
    short = count - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:short]] += 1
    return counts


class ClassNumber(Settings):
    """A class and its number."""

    name: str = Field(title="Class", description="The true name of the class.")
    number: float = Field(
        gt=0, le=MOST_SAMPLES, title="Number", description="How many samples, or with `count` its weight."
    )


class Batch(Settings):
    """How many samples of which classes, and how they are written."""

    count: int | None = Field(
        default=None,
        ge=1,
        le=MOST_SAMPLES,
        description="Samples altogether: evenly over all classes, or over `classes` by their weights.",
    )
    classes: tuple[ClassNumber, ...] = Field(
        default=(), description="The classes wanted, and how many samples of each; with `count`, their weights."
    )
    balance: bool = Field(
        default=False,
        description="As many samples as lift each class to the largest one of the training rows; instead of the above.",
    )
    format: FileFormat = Field(
        default="parquet",
        description="Parquet shards; of images also one folder of PNG files per class, or shards of WebDataset; of"
        " tables also CSV.",
    )
    seed: int = Field(default=0, ge=0, description="Another seed gives other samples.")
    shard_size: int = Field(
        default=10_000,
        ge=1,
        le=MOST_SAMPLES,
        description="Samples per shard, about. Shards are what workers share out.",
    )

    @model_validator(mode="after")
    def _check_plan(self) -> "Batch":
        if self.balance == bool(self.count or self.classes):
            raise ValueError("say how many samples: by count, by classes, or by balance alone")
        names = [wanted.name for wanted in self.classes]
        if len(set(names)) < len(names):
            raise ValueError("classes must not repeat")
        if self.count is None and any(wanted.number % 1 for wanted in self.classes):
            raise ValueError("classes: give whole numbers of samples, or weights together with count")
        return self

    def counts(self, class_names: tuple[str, ...], training_counts: Indices) -> Indices:
        """Return how many samples of each class are wanted, of shape (K,).

        Args:
            class_names: The true names, in label order.
            training_counts: Real training rows of each class, of shape (K,).

        Raises:
            StudyError: A class is unknown, or no sample is wanted.
        """
        if self.balance:
            counts: Indices = training_counts.max() - training_counts
            if not counts.any():
                raise StudyError("balance: all classes have equally many training rows; say how many samples by count")
            return counts
        numbers = np.zeros(len(class_names)) if self.classes else np.ones(len(class_names))
        for wanted in self.classes:
            if wanted.name not in class_names:
                raise StudyError(f"class {wanted.name!r}: unknown; the run has {', '.join(map(repr, class_names))}")
            numbers[class_names.index(wanted.name)] = wanted.number
        if self.count is None:
            return numbers.astype(np.int64)
        return split_by_weight(self.count, numbers)
