"""What is noticed of a training that goes wrong."""

import numpy as np
import pytest
from shapes import draw_shapes

from gansynth.training.health import diversity, ended_alike, trouble


def test_diversity_is_that_of_the_class_that_varies_least() -> None:
    real = draw_shapes(30)
    assert diversity(real.values, real.labels, real.values, real.labels) == pytest.approx(1)
    collapsed = real.values.copy()
    collapsed[real.labels == 1] = collapsed[real.labels == 1][0]
    assert diversity(collapsed, real.labels, real.values, real.labels) == 0
    halved = (real.values * 0.5).astype(np.uint8)
    assert diversity(halved, real.labels, real.values, real.labels) == pytest.approx(0.5, abs=0.01)
    repeated = real.take(np.zeros(5, int))
    assert diversity(real.values[:5], real.labels[:5], repeated.values, repeated.labels) == 1


def test_trouble_is_a_loss_that_is_not_finite_or_diversity_that_goes() -> None:
    course = [{"d_loss": 0.5, "diversity": value} for value in (0.02, 0.05, 0.4, 0.12)]
    assert not trouble([])
    assert not trouble(course)
    assert (
        trouble([*course, {"d_loss": 0.5}, {"d_loss": 0.5, "diversity": 0.03}])
        == "samples of a class have become alike"
    )
    assert trouble([*course, {"d_loss": float("nan")}]) == "losses are not finite"
    assert trouble([*course, {"d_loss": 0.5, "d_real": -5e9}]) == "the discriminator's logits have exploded"
    assert not trouble([*course, {"d_loss": 0.5, "d_real": 300.0, "d_fake": -300.0}])


def test_a_training_ends_alike_by_its_last_look() -> None:
    looks = [{"d_loss": 0.5, "diversity": value} for value in (0.02, 0.4, 0.05)]
    assert ended_alike([*looks, {"d_loss": 0.5}])
    assert not ended_alike(looks[:2])
    assert not ended_alike([{"d_loss": 0.5}])
