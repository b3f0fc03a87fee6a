"""Random numbers: every generator is derived from (root seed, purpose, index), never from the global state."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

DELIVERY_SEED_INDEX = 1_000_000


def derive_seed(root: int, *purpose: str | int) -> int:
    """Return the 63-bit seed that belongs to `purpose` under the `root` seed.

    Distinct purposes give independent seeds (BLAKE2b of the joined parts), so adding a new use of
    randomness never shifts the numbers of an existing one.
    """
    text = "\x1f".join([str(root), *(str(part) for part in purpose)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def seed_index(repetition: int | None) -> int:
    """Return the number that a repetition has as an index of seeds; None is what is delivered."""
    return DELIVERY_SEED_INDEX if repetition is None else repetition


def torch_generator(root: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a torch generator on `device` for `purpose` under the `root` seed."""
    return torch.Generator(device=device).manual_seed(derive_seed(root, *purpose))


def numpy_generator(root: int, *purpose: str | int) -> np.random.Generator:
    """Return a numpy generator for `purpose` under the `root` seed."""
    return np.random.default_rng(derive_seed(root, *purpose))


@contextmanager
def seeded_globally(root: int, *purpose: str | int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch's global generators of the processor and of `device` inside the block and restore them after.

    Only for torch code that accepts no generator: layer initialisation, dropout and some torchvision transforms.
    """
    others = [torch.device(device)] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices=others):
        seed = derive_seed(root, *purpose)
        torch.default_generator.manual_seed(seed)
        for other in others:
            with torch.cuda.device(other):
                torch.cuda.manual_seed(seed)
        yield


@dataclass(frozen=True)
class BatchRandom:
    """Random numbers for the rows of a batch, of which each of several processes holds an equal part.

    Every process draws the numbers of the whole batch and keeps those of its own rows, so that what happens to a row
    does not depend on the number of processes.

    Attributes:
        generator: Seeded alike in all processes.
        rows: How many rows of the batch a process holds.
        process: Which process this is, from 0.
        processes: How many there are.
    """

    generator: torch.Generator
    rows: int
    process: int = 0
    processes: int = 1

    def uniform(self, *shape: int, dim: int = 0) -> Tensor:
        """Return numbers from 0 to 1 of this shape, whose dimension `dim` counts rows of one batch or of several."""
        return self._own(torch.rand(self._whole(shape, dim), generator=self.generator, device=self.device), dim)

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers of this shape, whose first dimension counts rows."""
        return self._own(torch.randn(self._whole(shape), generator=self.generator, device=self.device))

    def integers(self, end: int) -> Tensor:
        """Return a whole number from 0 to below `end` for each row."""
        shape = self._whole((self.rows,))
        return self._own(torch.randint(end, shape, generator=self.generator, device=self.device))

    @property
    def device(self) -> torch.device:
        """Where the numbers are."""
        return self.generator.device

    def _whole(self, shape: tuple[int, ...], dim: int = 0) -> tuple[int, ...]:
        return (*shape[:dim], shape[dim] * self.processes, *shape[dim + 1 :])

    def _own(self, numbers: Tensor, dim: int = 0) -> Tensor:
        shape = (*numbers.shape[:dim], -1, self.processes, self.rows, *numbers.shape[dim + 1 :])
        return numbers.view(shape).select(dim + 1, self.process).flatten(dim, dim + 1)
