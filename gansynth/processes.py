"""What several processes that train one network together work out of what each of them holds."""

from typing import Any

import torch
from torch import Tensor, distributed


def count() -> int:
    """Return how many processes train together: 1 unless torch has been told of others."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def total(value: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes, which all call this; gradients flow back to each of them."""
    if count() == 1:
        return value
    result: Tensor = _Total.apply(value)
    return result


def mean(value: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes, which all call this; gradients flow back to each of them."""
    return total(value) / count() if count() > 1 else value


def leave() -> None:
    """Let go of the other processes; without it, torch may abort a process that ends."""
    if count() > 1:
        distributed.destroy_process_group()


class _Total(torch.autograd.Function):
    """A sum over processes. What any of them makes of it depends on each one's part, so gradients are summed too."""

    @staticmethod
    def forward(_: Any, value: Tensor) -> Tensor:  # noqa: ANN401  # torch gives it a context that it has no use for
        result = value.detach().clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(result)
        return result

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401  # the same
        return total(gradient)
