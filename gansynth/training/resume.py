"""The state of unfinished training, in one file: everything that a resumed run needs to end with the same weights."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gansynth.errors import ArtifactError
from gansynth.training.loop import Players

log = logging.getLogger(__name__)


@dataclass
class Counters:
    """How far training has come.

    `history` holds the logged metrics, one mapping per line; `setbacks` says why and when it was rolled back. `taken`
    counts, where training is private, every step that may have been taken, those among them that were lost when it was
    killed.
    """

    step: int = 0
    taken: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    setbacks: list[str] = field(default_factory=list)


def save_state(path: Path, players: Players, counters: Counters, request: str) -> None:
    """Write the state to `path` in one atomic step; `request` identifies the training it belongs to."""
    metadata = {
        "request": request,
        "step": str(counters.step),
        "taken": str(counters.taken),
        "seconds": str(counters.seconds),
        "history": json.dumps(counters.history),
        "setbacks": json.dumps(counters.setbacks),
    }
    tensors = _tensors(players)
    partial = path.with_suffix(".tmp")
    save_file(tensors, partial, {**metadata, "digest": _digest(tensors, metadata)})
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    partial.replace(path)


def load_state(path: Path, players: Players, request: str, *, counted: bool = False) -> Counters:
    """Restore the players in place and return the counters; start at zero if there is no state of this request.

    Args:
        path: The file; one that is damaged counts as none, with a warning.
        players: What is restored.
        request: Identifies the training that goes on.
        counted: Whether the steps that were taken count, as they do in private training, and must not be forgotten.

    Raises:
        ArtifactError: The file is damaged, and the steps count.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}  # a file of others may have none
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  # not a mapping
        intact = metadata.pop("digest", None) == _digest(tensors, metadata)
    except FileNotFoundError:
        return Counters()
    except SafetensorError:
        intact = False
    if not intact and counted:
        raise ArtifactError(
            f"{path}: damaged, and it alone knew how many steps this private training has taken; if nobody has seen any"
            f" of its results, remove {path.parent} and run again"
        )
    if not intact:
        log.warning("%s: damaged; training begins anew", path)
        return Counters()
    if metadata["request"] != request:
        return Counters()
    for name in ("generator", "discriminator", "average"):
        getattr(players, name).load_state_dict(_under(tensors, name))
    for name in ("generator_optimiser", "discriminator_optimiser"):
        _restore_optimiser(getattr(players, name), _under(tensors, name))
    for key, value in _under(tensors, "memory").items():
        players.memory[key].copy_(value)
    return Counters(
        step=int(metadata["step"]),
        taken=int(metadata["taken"]),
        seconds=float(metadata["seconds"]),
        history=json.loads(metadata["history"]),
        setbacks=json.loads(metadata["setbacks"]),
    )


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Return the SHA-256 of a state, as hexadecimal digits."""
    found = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _tensors(players: Players) -> dict[str, Tensor]:
    tensors = {}
    for name in ("generator", "discriminator", "average"):
        for key, value in getattr(players, name).state_dict().items():
            tensors[f"{name}.{key}"] = value
    for name in ("generator_optimiser", "discriminator_optimiser"):
        for index, state in getattr(players, name).state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"{name}.{index}.{key}"] = value
    for key, value in players.memory.items():
        tensors[f"memory.{key}"] = value
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")}


def _restore_optimiser(optimiser: torch.optim.Adam, tensors: dict[str, Tensor]) -> None:
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        index, key = name.split(".", 1)
        parameter = parameters[int(index)]
        # the fused kernel takes moments to lie in memory as their parameter does, and files hold them contiguous
        moment = torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
        state.setdefault(int(index), {})[key] = moment
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
