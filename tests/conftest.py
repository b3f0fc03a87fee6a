"""Tiny real datasets, studies and run folders that many tests share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gansynth.artifacts import publish
from gansynth.datasets import write_dataset
from gansynth.gans import ResidualConfig
from gansynth.modalities import ImageConfig
from gansynth.runs import Run
from gansynth.samples import Dataset, Samples
from gansynth.study import EvaluationConfig, GenerationConfig, SourceConfig, Study

CLASS_NAMES = ("bar", "dot", "frame")


def draw_shapes(count: int, seed: int = 0, size: int = 16) -> Samples:
    """Draw noisy grey pictures of three shapes, `count` of each: an easy task that a tiny network learns."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), count)
    values = random.integers(0, 40, (len(labels), size, size, 1), dtype=np.uint8)
    for picture, label in zip(values, labels, strict=True):
        y, x = random.integers(1, 4, 2)
        if label == 0:
            picture[:, x + 4 : x + 7] = 220
        elif label == 1:
            picture[y + 3 : y + 8, x + 3 : x + 8] = 220
        else:
            picture[[y, -y - 1], :] = 220
            picture[:, [x, -x - 1]] = 220
    return Samples(values, labels.astype(np.int64), CLASS_NAMES)


@pytest.fixture
def shapes() -> Samples:
    return draw_shapes(20)


@pytest.fixture
def tiny_study() -> Study:
    """A whole study that runs in seconds."""
    return Study(
        name="tiny",
        seed=3,
        source=SourceConfig(path="nowhere"),
        modality=ImageConfig(size=16),
        gan=ResidualConfig(kimg=0.64, batch_size=16, warmup_steps=5),
        generation=GenerationConfig(amount=12),
        evaluation=EvaluationConfig(repetitions=2, steps=20, batch_size=16, inner_steps=5),
    )


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[[Samples, Samples], Run]:
    """Return a function that makes a run folder whose dataset has the given training and test rows."""

    def make(train: Samples, test: Samples) -> Run:
        run = Run(tmp_path / "run")
        both = Samples.concatenate([train, test])
        is_test = np.arange(len(both)) >= len(train)
        with publish(run.dataset, "ingest", {"rows": len(both)}, {}) as draft:
            write_dataset(draft.path, Dataset(both, is_test, np.arange(len(both))))
        return run

    return make
