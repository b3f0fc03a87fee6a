"""Where the numbers are computed: Lightning Fabric, set up from the study."""

import torch
from lightning_fabric import Fabric

from gansynth.study import ComputeConfig


def make_fabric(compute: ComputeConfig, devices: int = 1) -> Fabric:
    """Return a Fabric for `devices` processes or devices, and limit torch's threads in this process."""
    torch.set_num_threads(compute.threads)
    strategy = compute.strategy if devices > 1 else "auto"
    return Fabric(accelerator=compute.accelerator, devices=devices, strategy=strategy, precision=compute.precision)
