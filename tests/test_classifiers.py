"""What the downstream classifier is fed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from shapes import draw_shapes

from gansynth.classifiers import Batches, Diet
from gansynth.devices import make_fabric
from gansynth.modalities.image import Codec
from gansynth.study import ComputeConfig


def make_batches(diet: Diet) -> Batches:
    random = torch.Generator().manual_seed(0)
    return Batches(diet, Codec.fit(diet.real.values), make_fabric(ComputeConfig()), 60, random)


def class_shares(diet: Diet, progress: float = 0.0) -> np.ndarray:
    batches = make_batches(diet)
    return torch.cat([batches.draw(progress)[1] for _ in range(50)]).mean(0).numpy()


def test_classes_without_synthetic_samples_keep_their_share_of_a_batch() -> None:
    real = draw_shapes(20)
    scarce = real.take(np.r_[0:20, 20:24, 40:44])
    made = draw_shapes(30, seed=1)
    synthetic = made.take(made.labels > 0)
    diet = Diet(scarce, synthetic=synthetic, synthetic_targets=np.eye(3, dtype=np.float32)[synthetic.labels], ratio=0.9)
    np.testing.assert_allclose(class_shares(diet), 1 / 3, atol=0.03)


def test_unbalanced_batches_follow_the_data() -> None:
    scarce = draw_shapes(20).take(np.r_[0:20, 20:30, 40:50])
    np.testing.assert_allclose(class_shares(Diet(scarce, balanced=False)), [0.5, 0.25, 0.25], atol=0.03)


def test_every_row_of_a_class_is_drawn_as_often_as_the_others() -> None:
    real = draw_shapes(7)
    real.values[:] = np.arange(len(real), dtype=np.uint8)[:, None, None, None]
    batches = make_batches(Diet(real))
    drawn = torch.cat([batches.draw()[0][:, 0, 0, 0] for _ in range(200)])
    found, counts = drawn.unique(return_counts=True)
    assert len(found) == len(real)
    np.testing.assert_allclose(counts / counts.sum(), 1 / len(real), atol=0.012)


def test_the_synthetic_share_stays_or_falls_to_nothing_and_classes_keep_theirs() -> None:
    made, real = draw_shapes(30, seed=1), draw_shapes(20)
    synthetic = made.take(made.labels > 0)
    marked = np.tile(np.array([0, 0.5, 0.5], np.float32), (len(synthetic), 1))  # no real row has such a label
    diet = Diet(real, synthetic=synthetic, synthetic_targets=marked, ratio=0.6)
    for falling in (False, True):
        batches = make_batches(replace(diet, falling=falling))
        for progress in (0.0, 0.5, 0.99):
            targets = torch.cat([batches.draw(progress)[1] for _ in range(40)])
            wanted = 0.6 * (1 - progress if falling else 1) * 2 / 3  # of two classes out of three
            assert float((targets == 0.5).any(1).float().mean()) == pytest.approx(wanted, abs=0.02)
            assert float(targets[:, 0].mean()) == pytest.approx(1 / 3, abs=0.03)
