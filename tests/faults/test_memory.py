"""Row 20: too little memory, of the machine or of its GPU."""

import errno
import logging
import os
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from children import check_sound, in_child, one_line
from cleanruns import Clean
from PIL import Image
from safetensors.numpy import load_file
from shapes import draw_shapes, write_pictures

from gansynth.artifacts import read_manifest
from gansynth.devices import make_fabric
from gansynth.gans import FAMILIES
from gansynth.gans.base import Discriminator
from gansynth.ingestion import ingest
from gansynth.ingestion.conversion import convert
from gansynth.modalities.image import Codec, ImageConfig
from gansynth.runs import Run
from gansynth.sections import ComputeConfig
from gansynth.study import Study
from gansynth.training import train_repetition
from gansynth.training.loop import AdversarialLoop, build_players
from pipelines.telling import Commands

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
def wide() -> Iterator[None]:
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
        weights = {
            key: value for net in (players.average, players.discriminator) for key, value in net.state_dict().items()
        }
        found.append(weights | {f"{n}.{key}": value for n, step in enumerate(steps) for key, value in step.items()})
    assert found[0].keys() == found[1].keys()
    for key, value in found[0].items():
        np.testing.assert_allclose(found[1][key].numpy(), value.numpy(), rtol=1e-6, atol=1e-6, err_msg=key)


def trained(study: Study, root: Path) -> None:
    logging.basicConfig(filename=root / "workers.log", level=logging.WARNING)
    train_repetition(study, Run(root), None)


@dataclass(frozen=True)
class GpuOf:
    """torch reports, as a GPU does, that its memory does not suffice for more than so many samples at once."""

    samples: int

    def __call__(self) -> None:
        def refuse(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            if isinstance(module, Discriminator) and torch.is_grad_enabled() and len(inputs[0]) > self.samples:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

        torch.nn.modules.module.register_module_forward_pre_hook(refuse)


def test_training_goes_on_with_smaller_parts_of_the_same_batch(clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run", "model")
    assert in_child(partial(trained, clean.study, root), GpuOf(8)).well
    check_sound(root)
    told = (root / "workers.log").read_text()
    for parts in (2, 4):
        assert f"delivery: memory ran out; goes on from step 0 with each batch of 16 samples in {parts} parts" in told
    whole, divided = (load_file(place / "model" / "generator.safetensors") for place in (clean.root, root))
    for name, value in whole.items():
        np.testing.assert_allclose(divided[name], value, rtol=1e-2, atol=1e-3, err_msg=name)
    counts = read_manifest(root / "model").counts
    assert (counts["steps"], counts["setbacks"]) == (40, 0)


@pytest.mark.parametrize(
    ("settings", "samples", "reason"),
    [
        ({}, 1, "memory ran out with batches of 16 samples in 16 parts, which cannot be halved"),
        ({"loss": "hinge", "lecam": 0.1}, 8, "gan.lecam takes each batch of 16 samples as a whole"),
    ],
)
def test_what_cannot_be_divided_is_refused(
    settings: dict[str, Any], samples: int, reason: str, clean: Clean, tmp_path: Path
) -> None:
    root = clean.without(tmp_path / "run", "model")
    study = clean.study.model_copy(update={"gan": clean.study.gan.model_copy(update=settings)})
    ended = in_child(partial(trained, study, root), GpuOf(samples))
    assert ended.status == 1
    assert one_line(ended.error)
    assert reason in ended.error
    check_sound(root)
    clean.check_resumed(root)


def limit_memory(more: int) -> None:
    """Let this process take no more memory than it has, and so many bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory")
def test_a_limit_of_the_processor_s_memory_is_lived_with_or_told(clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run", "model")
    gan = clean.study.gan.model_copy(update={"batch_size": 8192, "kimg": 16.384, "width": 256})
    study = clean.study.model_copy(update={"gan": gan})
    ended = in_child(partial(trained, study, root), partial(limit_memory, 300 * 2**20))
    assert ended.well or (one_line(ended.error) and "memory ran out" in ended.error)
    check_sound(root)
    clean.check_resumed(root)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory")
def test_no_image_is_left_out_for_want_of_memory(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_pictures(photos, 24)
    Image.effect_noise((5000, 5000), 50).convert("RGB").save(photos / "bar" / "big.png", compress_level=1)
    study = Study.model_validate({"name": "s", "source": {"path": str(photos)}, "modality": {"size": 8}})
    run = Run(tmp_path / "run")
    ended = in_child(partial(ingest, study, run), partial(limit_memory, 60 * 2**20))
    assert ended.status == 1
    assert one_line(ended.error)
    assert "bar/big.png: cannot be read on this machine now (MemoryError)" in ended.error
    assert not run.dataset.exists()
    ingest(study, run)
    assert read_manifest(run.dataset).counts["rows"] == 49


def limit_files() -> None:
    """Let this process open no further file."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def test_no_image_is_called_bad_for_want_of_open_files(tmp_path: Path) -> None:
    write_pictures(tmp_path, 1)
    ended = in_child(partial(convert, tmp_path / "bar" / "0.png", ImageConfig(size=8), "bar/0.png"), limit_files)
    assert ended.status == 1
    assert one_line(ended.error)
    assert ended.error.startswith("bar/0.png: cannot be read on this machine now (")
    assert "Too many open files" in ended.error


def no_room(size: int) -> None:
    raise OSError(errno.ENOMEM, f"{os.strerror(errno.ENOMEM)} for {size}")


@pytest.mark.parametrize("allocate", [np.empty, torch.empty, no_room])
def test_a_command_that_runs_out_of_memory_ends_in_one_line(
    allocate: Callable[..., object], capfd: pytest.CaptureFixture[str]
) -> None:
    hungry = typer.Typer(cls=Commands)
    hungry.callback()(lambda: None)

    @hungry.command()
    def eat() -> None:
        allocate(2**58)

    with pytest.raises(SystemExit) as ended:
        hungry(["eat"])
    assert ended.value.code == 1
    told = capfd.readouterr().err
    assert one_line(told.strip())
    assert told.startswith("gansynth: memory ran out; end other programs, or give this one more memory")
