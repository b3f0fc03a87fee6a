"""Where the numbers are computed: Lightning Fabric, set up from the study."""

import torch
from lightning_fabric import Fabric

from gansynth.errors import StudyError
from gansynth.study import ComputeConfig


def make_fabric(compute: ComputeConfig, devices: int = 1) -> Fabric:
    """Return a Fabric for `devices` processes or devices, and limit torch's threads in this process.

    Raises:
        StudyError: The machine has no such accelerator, or Fabric knows no such strategy.
    """
    torch.set_num_threads(compute.threads)
    strategy = compute.strategy if devices > 1 else "auto"
    try:
        return Fabric(accelerator=compute.accelerator, devices=devices, strategy=strategy, precision=compute.precision)
    except (ValueError, RuntimeError, ModuleNotFoundError) as error:
        reason = " ".join(str(error).split())
        raise StudyError(
            f"compute: {compute.accelerator!r} with strategy {strategy!r} does not work here ({reason});"
            " use compute.accelerator 'auto'"
        ) from error
