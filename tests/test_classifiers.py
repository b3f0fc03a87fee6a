"""What the downstream classifier is fed."""

import numpy as np
import torch
from shapes import draw_shapes

from gansynth.classifiers import Batches, Diet
from gansynth.devices import make_fabric
from gansynth.modalities.image import Codec, ImageConfig
from gansynth.sections import ComputeConfig


def make_batches(diet: Diet) -> Batches:
    random = torch.Generator().manual_seed(0)
    return Batches(diet, Codec.fit(diet.real, ImageConfig()), make_fabric(ComputeConfig()), 60, random)


def class_shares(diet: Diet) -> np.ndarray:
    batches = make_batches(diet)
    return torch.cat([batches.draw()[1] for _ in range(50)]).mean(0).numpy()


def test_classes_without_synthetic_samples_keep_their_share_of_a_batch() -> None:
    real = draw_shapes(20)
    scarce = real.take(np.r_[0:20, 20:24, 40:44])
    made = draw_shapes(30, seed=1)
    synthetic = made.take(made.labels > 0)
    certain, shares = np.eye(3, dtype=np.float32)[synthetic.labels], np.full(3, 0.9, np.float32)
    diet = Diet(scarce, synthetic=synthetic, synthetic_targets=certain, shares=shares)
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


def test_each_class_takes_its_own_share_of_synthetic_samples_and_keeps_its_part_of_a_batch() -> None:
    made, real = draw_shapes(30, seed=1), draw_shapes(20)
    synthetic = made.take(made.labels > 0)
    marked = np.eye(3, dtype=np.float32)[synthetic.labels] * 0.5  # no real row has such a label
    shares = np.array([0.9, 0.6, 0.2], np.float32)  # of class 0 there is no synthetic sample
    batches = make_batches(Diet(real, synthetic=synthetic, synthetic_targets=marked, shares=shares))
    targets = torch.cat([batches.draw()[1] for _ in range(60)])
    np.testing.assert_allclose((targets == 0.5).float().mean(0) * 3, [0, 0.6, 0.2], atol=0.05)
    np.testing.assert_allclose((targets > 0).float().mean(0), 1 / 3, atol=0.03)


def test_classes_keep_their_part_of_a_batch_where_their_shares_come_to_less_than_a_sample() -> None:
    synthetic = draw_shapes(30, seed=1)
    certain, shares = np.eye(3, dtype=np.float32)[synthetic.labels], np.array([0.02, 0.0, 0.0], np.float32)
    diet = Diet(draw_shapes(20), synthetic=synthetic, synthetic_targets=certain, shares=shares)
    np.testing.assert_allclose(class_shares(diet), 1 / 3, atol=0.03)
