"""Random numbers: every generator is derived from (root seed, purpose, index), never from the global state."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive_seed(root: int, *purpose: str | int) -> int:
    """Return the 63-bit seed that belongs to `purpose` under the `root` seed.

    Distinct purposes give independent seeds (BLAKE2b of the joined parts), so adding a new use of
    randomness never shifts the numbers of an existing one.
    """
    text = "\x1f".join([str(root), *(str(part) for part in purpose)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def torch_generator(root: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a torch generator on `device` for `purpose` under the `root` seed."""
    return torch.Generator(device=device).manual_seed(derive_seed(root, *purpose))


def numpy_generator(root: int, *purpose: str | int) -> np.random.Generator:
    """Return a numpy generator for `purpose` under the `root` seed."""
    return np.random.default_rng(derive_seed(root, *purpose))


@contextmanager
def seeded_globally(root: int, *purpose: str | int) -> Iterator[None]:
    """Seed torch's global CPU generator inside the block and restore it after.

    Only for torch code that accepts no generator: layer initialisation and some torchvision transforms.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(root, *purpose))
        yield
