"""Rows of cells between storage (float64, NaN for a null) and networks (numbers in [-1, 1] and one-hot blocks)."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansynth.errors import SourceError
from gansynth.modalities.table.blocks import Block, fit_category, fit_number
from gansynth.modalities.table.cells import Cells
from gansynth.samples import Samples


@dataclass(frozen=True)
class TableCodec:
    """Map between cells and network inputs, one `Block` per column, fitted on training rows.

    A number or time becomes a number in [-1, 1] by its normal score among the training rows, bounded by their least
    and greatest. Values that many rows share, such as zero, and nulls have places in a one-hot block behind it, whose
    first place says that the number holds; the number is 0 where it does not hold. Where a column takes few values,
    the one-hot block stands alone. All other kinds are one-hot.

    A number beyond the training rows is encoded as the nearest that they have. Categories beyond the most frequent
    ones share a place, which decodes to the most frequent of them; there, too, lies a category that no training row
    has, and if there is no such place, or a null that no training row has, the block is all zeros.

    Attributes:
        blocks: How each column is mapped.
    """

    blocks: tuple[Block, ...]
    _tensors: dict[torch.device, list["_Tables"]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def fit(cls, samples: Samples, most_categories: int) -> "TableCodec":
        """Learn the blocks from training rows.

        Raises:
            SourceError: No column varies among the training rows.
        """
        blocks = tuple(
            fit_category(cells, most_categories) if column.categories else fit_number(cells, column)
            for column, cells in zip(samples.columns, np.transpose(samples.values), strict=True)
        )
        codec = cls(blocks)
        if not codec.shape:
            raise SourceError("each column has one value in all training rows; a generator needs one that varies")
        return codec

    @property
    def shape(self) -> tuple[int, ...]:
        """The widths of the blocks of an encoded row, in order: 1 is a number in [-1, 1], more is one-hot."""
        return tuple(width for block in self.blocks for width in block.widths)

    def encode(self, values: Cells | Tensor) -> Tensor:
        """Map cells, float64 (N, C), to float32 (N, D), where D is the sum of `shape`.

        A tensor is encoded on its device, without waiting for it; only the first call for a device copies tables there.
        """
        cells = torch.as_tensor(values, dtype=torch.float64)
        parts = [
            part for table, column in zip(self._on(cells.device), cells.unbind(1), strict=True)
            for part in table.encode(column)
        ]
        return torch.cat(parts, dim=1)

    def decode(self, tensor: Tensor) -> Cells:
        """Map float (N, D) to cells, float64 (N, C): the largest entry of each one-hot block, numbers clipped."""
        columns, start = [], 0
        for block, table in zip(self.blocks, self._on(tensor.device), strict=True):
            end = start + sum(block.widths)
            columns.append(table.decode(tensor[:, start:end].float()))
            start = end
        cells: Cells = torch.stack(columns, dim=1).cpu().numpy()
        return cells

    def describe(self) -> dict[str, Any]:
        """Return the codec as JSON can hold it."""
        return {"blocks": [asdict(block) for block in self.blocks]}

    @classmethod
    def restore(cls, described: dict[str, Any]) -> "TableCodec":
        """Return the codec that was described."""
        lists = [{key: tuple(value) if isinstance(value, list) else value for key, value in block.items()}
                 for block in described["blocks"]]
        return cls(tuple(Block(**block) for block in lists))

    def _on(self, device: torch.device) -> list["_Tables"]:
        if device not in self._tensors:
            self._tensors[device] = [_Tables(block, device) for block in self.blocks]
        return self._tensors[device]


class _Tables:
    """What a block needs to encode and decode, as tensors on a device."""

    def __init__(self, block: Block, device: torch.device) -> None:
        places = [np.nan if place is None else place for place in block.places]
        held = [(place, number) for number, place in enumerate(places, start=block.has_rest) if not np.isnan(place)]
        held.sort()

        def table(values: list[float] | tuple[float, ...], dtype: torch.dtype = torch.float64) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=device)

        self.block = block
        self.knots, self.scores = table(block.knots), table(block.scores)
        self.places = table(([np.nan if block.rest is None else block.rest] if block.has_rest else []) + places)
        self.values, self.positions = table([v for v, _ in held]), table([p for _, p in held], torch.int64)
        self.null = next((n for n, place in enumerate(places, start=block.has_rest) if np.isnan(place)), -1)
        self.numbers = torch.arange(len(self.places), device=device)
