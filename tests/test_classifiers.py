"""What the downstream classifier is fed."""

import numpy as np
import torch
from shapes import draw_shapes

from gansynth.classifiers import Batches, Diet
from gansynth.devices import make_fabric
from gansynth.modalities.image import Codec
from gansynth.study import ComputeConfig


def class_shares(diet: Diet) -> np.ndarray:
    batches = Batches(
        diet, Codec.fit(diet.real.values), make_fabric(ComputeConfig()), 60, torch.Generator().manual_seed(0)
    )
    return torch.cat([batches.draw()[1] for _ in range(50)]).mean(0).numpy()


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
