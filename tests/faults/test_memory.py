"""Row 20: too little memory, of the machine or of its GPU."""

import torch
import numpy as np
import pytest
from shapes import draw_shapes

from gansynth.devices import make_fabric
from gansynth.gans import FAMILIES
from gansynth.modalities.image import Codec
from gansynth.sections import ComputeConfig
from gansynth.training.loop import AdversarialLoop, build_players

TRAININGS = {
    "residual": {"augmentation": ["affine", "cutout", "flip"]},
    "adaptive": {"kind": "residual", "loss": "hinge", "augmentation_control": "adaptive", "penalty_kind": "r1"},
    "dcgan": {"kind": "dcgan", "loss": "wasserstein", "penalty_kind": "interpolated", "penalty": 10},
    "stylegan2": {},
    "mlp": {"loss": "non_saturating", "class_balanced": False},
}


class WideCodec(Codec):
    """Gives the networks numbers of 64 bits, with which rounding does not grow into differences within a few steps."""

    def inputs(self, held: torch.Tensor) -> torch.Tensor:
        return super().inputs(held).double()


@pytest.fixture
def wide() -> None:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("name", TRAININGS)
def test_a_batch_in_parts_takes_the_steps_of_a_whole_one(name: str) -> None:
    settings = TRAININGS[name]
    kind = str(settings.get("kind", name))
    small = {"kimg": 0.64, "batch_size": 16, "warmup_steps": 2, "penalty_every": 2}
    config = FAMILIES[kind].config.model_validate(small | settings)
    found = []
    for parts in (1, 4):
        players = build_players(config, kind, (1, 16, 16), 3, seed=1)
        fabric = make_fabric(ComputeConfig(accelerator="cpu"))
        loop = AdversarialLoop(config, players, draw_shapes(12), WideCodec((1, 16, 16)), fabric, 1, parts)
        steps = [loop.step(number) for number in range(6)]
        weights = {key: value for net in (players.average, players.discriminator) for key, value in net.state_dict().items()}
        found.append(weights | {f"{n}.{key}": value for n, step in enumerate(steps) for key, value in step.items()})
    assert found[0].keys() == found[1].keys()
    for key, value in found[0].items():
        np.testing.assert_allclose(found[1][key].numpy(), value.numpy(), rtol=1e-6, atol=1e-6, err_msg=key)
