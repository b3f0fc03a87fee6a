"""Where the numbers are computed: Lightning Fabric, set up from the study."""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment, find_free_network_port
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn

from gansynth import processes
from gansynth.errors import StudyError, TrainingError, on_one_line
from gansynth.sections import ComputeConfig
from gansynth.stopping import stopping_postponed

log = logging.getLogger(__name__)


def make_fabric(compute: ComputeConfig) -> Fabric:
    """Return a Fabric for one device, and limit torch's threads in this process.

    Raises:
        StudyError: The machine has no such accelerator.
    """
    return _make(compute, devices=1)


def make_training_fabric(compute: ComputeConfig) -> Fabric:
    """Return a Fabric for the processes that train one generator, and limit torch's threads in this process.

    They are those that torchrun has started, this one among them; else `compute.devices` processes of this machine,
    which `launch` starts, or this one alone.

    Raises:
        StudyError: The machine has no such accelerator, or too few devices.
    """
    if TorchElasticEnvironment.detect():
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // here
        return _make(compute, devices=here, num_nodes=nodes, strategy="ddp")
    if compute.devices == 1:
        return make_fabric(compute)
    # named, lest Fabric takes the processes of a batch system for its own
    return _make(compute, devices=compute.devices, strategy="ddp", plugins=LightningEnvironment())


def launch(fabric: Fabric, compute: ComputeConfig, function: Callable[[Fabric], None]) -> None:
    """Call a function in each process of a Fabric, with that process's own Fabric; start those that are still to be.

    Raises:
        TrainingError: One that was started here failed or was killed; the others are then ended.
    """
    if fabric.world_size == 1 or TorchElasticEnvironment.detect():
        fabric.launch(function)
        return
    arguments = (compute, function, find_free_network_port())
    try:
        with stopping_postponed() as asked_to_stop:
            started = spawn(_run, arguments, compute.devices, join=False)  # type: ignore[no-untyped-call]  # torch's
            while not started.join(timeout=0.5):
                if asked_to_stop():
                    for process in started.processes:
                        process.terminate()
    except (ProcessExitedException, ProcessRaisedException) as error:
        log.info("%s", error)
        reason = str(error).strip().splitlines()[-1]
        raise TrainingError(
            f"gan: one of {compute.devices} processes failed ({reason}); run again to resume"
        ) from error


def _run(number: int, compute: ComputeConfig, function: Callable[[Fabric], None], port: int) -> None:
    """Be one of the processes that `launch` starts."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    # what Fabric goes by
    os.environ |= {"LOCAL_RANK": str(number), "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    make_training_fabric(compute).launch(function)
    processes.leave()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)


def _make(compute: ComputeConfig, **options: Any) -> Fabric:  # noqa: ANN401  # Fabric's own options
    torch.set_num_threads(compute.threads)
    try:
        return Fabric(accelerator=compute.accelerator, precision=compute.precision, **options)
    except (ValueError, RuntimeError, ModuleNotFoundError, MisconfigurationException) as error:
        raise StudyError(
            f"compute: {compute.accelerator!r} with {options['devices']} device(s) does not work here"
            f" ({on_one_line(error)});"
            " use compute.accelerator 'auto' or fewer compute.devices"
        ) from error
