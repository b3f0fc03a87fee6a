"""Row 21: training that goes wrong. What counts as wrong is tested in tests/training/test_health.py."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from children import check_sound, in_child, one_line
from cleanruns import Clean

from gansynth.artifacts import read_manifest
from gansynth.gans.base import Discriminator
from gansynth.runs import SETBACKS_FILE, Run
from gansynth.training import train_repetition


@dataclass(frozen=True)
class Poisoned:
    """The discriminator's logits are not numbers at one of its calls, or from that on."""

    call: int
    once: bool

    def __call__(self) -> None:
        seen = 0

        def poison(module: torch.nn.Module, _: object, logits: torch.Tensor) -> torch.Tensor | None:
            nonlocal seen
            if not isinstance(module, Discriminator) or not logits.requires_grad:
                return None
            seen += 1
            return logits * torch.nan if (seen == self.call if self.once else seen >= self.call) else None

        torch.nn.modules.module.register_module_forward_hook(poison)


def test_losses_that_are_no_numbers_are_rolled_back_once(clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run", "model")
    assert in_child(partial(train_repetition, clean.study, Run(root), None), Poisoned(20, once=True)).well
    counts = read_manifest(root / "model").counts
    assert (counts["setbacks"], counts["steps"]) == (1, 40)
    assert json.loads((root / "model" / SETBACKS_FILE).read_text()) == ["losses are not finite at step 20"]
    check_sound(root)


def test_a_training_that_goes_wrong_again_and_again_is_given_up(clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run", "model")
    for _ in range(2):  # asked again, it does not try for ever
        ended = in_child(partial(train_repetition, clean.study, Run(root), None), Poisoned(20, once=False))
        assert ended.status == 1
        assert one_line(ended.error)
        assert "did not help 3 times; lower gan.learning_rate" in ended.error
        check_sound(root)
        assert not (root / "model").exists()
