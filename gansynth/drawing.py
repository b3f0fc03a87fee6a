"""Rows drawn at random from within classes, on any device."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


class RowsByClass:
    """Finds rows by their class. `counts` holds how many each class has, (K,)."""

    def __init__(self, labels: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], device: torch.device) -> None:
        self.rows = torch.tensor(labels).to(device).argsort(stable=True)
        self.counts = torch.tensor(counts).to(device)
        self.starts = self.counts.cumsum(0) - self.counts

    def pick(self, labels: Tensor, uniform: Tensor) -> Tensor:
        """Return a row of each of these classes (N,), which have rows, by uniform numbers from 0 to 1 (N,)."""
        return self.rows[self.starts[labels] + (uniform * self.counts[labels]).long()]
