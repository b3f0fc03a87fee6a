"""What is noticed of a training that goes wrong."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from shapes import draw_shapes

from gansynth.samples import Samples
from gansynth.training import health
from gansynth.training.health import diversity, ended_alike, trouble, variations


def variation_of(samples: Samples) -> dict[int, float]:
    return variations(torch.from_numpy(samples.values), samples.labels)


def test_diversity_is_that_of_the_class_that_varies_least() -> None:
    real = draw_shapes(30)
    of_real = variation_of(real)
    assert diversity(of_real, of_real) == pytest.approx(1)
    collapsed = real.values.copy()
    collapsed[real.labels == 1] = collapsed[real.labels == 1][0]
    assert diversity(variation_of(replace(real, values=collapsed)), of_real) == 0
    halved = (real.values * 0.5).astype(np.uint8)
    assert diversity(variation_of(replace(real, values=halved)), of_real) == pytest.approx(0.5, abs=0.01)
    repeated = real.take(np.zeros(5, int))
    assert diversity({0: of_real[0]}, variation_of(repeated)) == 1


def test_variation_does_not_depend_on_the_blocks_it_is_measured_in(monkeypatch: pytest.MonkeyPatch) -> None:
    real = draw_shapes(30)
    expected = {
        label: np.sqrt(real.values[real.labels == label].astype(np.float64).var(0).mean()) for label in range(3)
    }
    assert variation_of(real) == pytest.approx(expected)
    monkeypatch.setattr(health, "ROWS_AT_ONCE", 7)
    assert variation_of(real) == pytest.approx(expected)


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
