"""The state of unfinished training, in one file: everything that a resumed run needs to end with the same weights."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gansynth.training.loop import Players


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
    partial = path.with_suffix(".tmp")
    save_file(_tensors(players), partial, metadata)
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    partial.replace(path)


def load_state(path: Path, players: Players, request: str) -> Counters:
    """Restore the players in place and return the counters; start at zero if there is no state of this request."""
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}  # a file of others may have none
            if metadata.get("request") != request:
                return Counters()
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  # not a mapping
    except (FileNotFoundError, SafetensorError):
        return Counters()
    for name in ("generator", "discriminator", "average"):
        getattr(players, name).load_state_dict(_under(tensors, name))
    for name in ("generator_optimiser", "discriminator_optimiser"):
        _restore_optimiser(getattr(players, name), _under(tensors, name))
    for key, value in _under(tensors, "memory").items():
        players.memory[key].copy_(value)
    return Counters(
        step=int(metadata["step"]),
        taken=int(metadata.get("taken", 0)),  # states of earlier versions are of trainings that were not private
        seconds=float(metadata["seconds"]),
        history=json.loads(metadata["history"]),
        setbacks=json.loads(metadata["setbacks"]),
    )


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
