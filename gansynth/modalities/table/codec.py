"""Rows of cells between storage (float64, NaN for a null) and networks (numbers in [-1, 1] and one-hot blocks)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor

from gansynth.errors import SourceError
from gansynth.modalities.table.blocks import Block, fit_category, fit_number
from gansynth.modalities.table.cells import Cells
from gansynth.modalities.table.config import TableConfig
from gansynth.samples import Samples

PASS_SIZE = 1024
BLOCK_PASSES = 16
BLOCK_CELLS = 2**23
BLOCKS = TypeAdapter(tuple[Block, ...])


@dataclass(frozen=True)
class TableCodec:
    """Map between cells and network inputs, fitted on training rows: a `Block` for each column.

    A number or time becomes a number in [-1, 1]: its normal score among the training rows, bounded by their least and
    greatest. Values that many rows share, such as zero, and nulls have places in a one-hot block behind it, whose
    first place says that the number holds; where it does not hold, it is 0. Where a column takes few values, the
    one-hot block stands alone. All other kinds are one-hot. A column with one value in all training rows has no block.

    What no training row holds: a number beyond their bounds is encoded as the bound, a category as the place that rare
    ones share, which decodes to the most frequent of them. A category without such a place, and a null, is all zeros.

    Attributes:
        blocks: How each column is mapped.
    """

    blocks: tuple[Block, ...]
    _held: dict[torch.device, "list[_Coder]"] = field(default_factory=dict, init=False, compare=False, repr=False)

    @classmethod
    def fit(cls, samples: Samples, config: TableConfig) -> "TableCodec":
        """Learn the blocks from training rows.

        Raises:
            SourceError: No column varies among the rows.
        """
        blocks = tuple(
            fit_category(cells, config.most_categories) if column.categories else fit_number(cells, column)
            for column, cells in zip(samples.columns, np.transpose(samples.values), strict=True)
        )
        if not any(block.widths for block in blocks):
            raise SourceError("every column has one value in all training rows; a generator needs one that varies")
        return cls(blocks)

    @property
    def shape(self) -> tuple[int, ...]:
        """The widths of the blocks of an encoded row, in order: 1 is a number in [-1, 1], more is one-hot."""
        return tuple(width for block in self.blocks for width in block.widths)

    @property
    def pass_size(self) -> int:
        """How many rows networks make in one pass."""
        return PASS_SIZE

    @property
    def block_size(self) -> int:
        """How many rows are chosen and written at a time: 16 passes, and fewer of very wide tables."""
        return min(max(BLOCK_CELLS // len(self.blocks), 1), BLOCK_PASSES * PASS_SIZE)

    def hold(self, values: Cells | Tensor) -> Tensor:
        """Map cells, float64 (N, C), to float32 (N, D), where D is the sum of `shape`.

        A tensor is encoded on its device, and nothing waits for it but the first call, which copies the codec there.
        """
        cells = torch.as_tensor(values, dtype=torch.float64).T.contiguous()
        width = sum(self.shape)
        # a last column takes what has no place
        encoded = torch.zeros(cells.shape[1], width + 1, device=cells.device)
        chosen, starts = [], [0, *accumulate(sum(block.widths) for block in self.blocks)]
        for coder, column, start in zip(self._on(cells.device), cells, starts, strict=False):
            place, number = coder.encode(column)
            if number is not None:
                encoded[:, start] = number
            if len(coder.block.widths) > (number is not None):
                first = start + (number is not None)
                chosen.append(torch.where(place < 0, width, place + first))
        if chosen:
            encoded.scatter_(1, torch.stack(chosen, dim=1), 1.0)
        return encoded[:, :width]

    def inputs(self, held: Tensor) -> Tensor:
        """Return rows as `hold` has encoded them."""
        return held

    def decode(self, tensor: Tensor) -> Cells:
        """Map float (N, D) to cells, float64 (N, C): numbers are clipped, of a one-hot block the largest entry counts.

        Numbers are rounded to the decimals of their column; times, times of day and durations to the coarsest unit
        that fits all training rows.
        """
        ends = np.cumsum([sum(block.widths) for block in self.blocks]).tolist()
        parts = zip(self._on(tensor.device), [0, *ends], ends, strict=False)
        columns = [coder.decode(tensor[:, start:end].float()) for coder, start, end in parts]
        cells: Cells = torch.stack(columns, dim=1).cpu().numpy()
        return cells

    def describe(self) -> dict[str, Any]:
        """Return the codec as JSON can hold it."""
        return {"blocks": [asdict(block) for block in self.blocks]}

    @classmethod
    def restore(cls, description: Mapping[str, Any]) -> "TableCodec":
        """Return the codec that `describe` described."""
        return cls(BLOCKS.validate_python(description["blocks"]))

    def _on(self, device: torch.device) -> "list[_Coder]":
        if device not in self._held:
            self._held[device] = [_Coder(block, device) for block in self.blocks]
        return self._held[device]


class _Coder:
    """A block with its tables on a device."""

    def __init__(self, block: Block, device: torch.device) -> None:
        def table(values: list[float], dtype: torch.dtype = torch.float64) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=device)

        self.block = block
        self.first = int(block.has_shared_place)
        self.null = block.places.index(None) + self.first if None in block.places else -1
        own = sorted((cell, position) for position, cell in enumerate(block.places, self.first) if cell is not None)
        self.own_cells = table([cell for cell, _ in own])
        self.own_positions = table([position for _, position in own], torch.int64)
        # where the number holds, what its place decodes to is not used
        shared = [block.other or 0.0] * self.first
        self.cells = table(shared + [np.nan if cell is None else cell for cell in block.places])
        self.knots, self.scores = table(list(block.knots)), table(list(block.scores))
        # of categories, whose cells are whole numbers from 0: by cell + 1 the place; 0 is a null, the last is any other
        self.is_category = block.rest in {"zeros", "other"}
        if self.is_category:
            known = [-1, *(int(cell) for cell, _ in own)]
            self.by_category = torch.full((known[-1] + 3,), self.first - 1, device=device)
            self.by_category[self.own_cells.long() + 1] = self.own_positions
            self.by_category[0] = self.null

    def encode(self, cells: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map cells (N,) to places in the one-hot block, -1 for none, and to numbers, if the block has them; (N,)."""
        place = self._place(cells)
        if self.block.rest != "number":
            return place, None
        return place, torch.where(place == 0, _between(cells, self.knots, self.scores), 0).float()

    def decode(self, part: Tensor) -> Tensor:
        """Map the columns of the block (N, widths) to cells (N,)."""
        if self.block.rest != "number":
            place = part.argmax(1) if self.block.widths else part.new_zeros(len(part), dtype=torch.int64)
            return self.cells[place]
        number = self._round(_between(part[:, 0].double().clamp(-1, 1), self.scores, self.knots))
        if not self.block.places:
            return number
        place = part[:, 1:].argmax(1)
        return torch.where(place == 0, number, self.cells[place])

    def _place(self, cells: Tensor) -> Tensor:
        """Return the position (N,) of each cell in the one-hot block, -1 where the block is all zeros."""
        if self.is_category:
            return self.by_category[cells.nan_to_num(nan=-1).long().add_(1).clamp_(max=len(self.by_category) - 1)]
        elsewhere = torch.zeros_like(cells, dtype=torch.int64)
        if len(self.own_cells):
            last = len(self.own_cells) - 1
            above = torch.searchsorted(self.own_cells, cells.contiguous()).clamp(max=last)
            if self.block.rest == "nearest":
                below = (above - 1).clamp(min=0)
                is_nearer = cells - self.own_cells[below] < self.own_cells[above] - cells
                elsewhere = self.own_positions[torch.where(is_nearer, below, above)]
            elsewhere = torch.where(self.own_cells[above] == cells, self.own_positions[above], elsewhere)
        return torch.where(cells.isnan(), self.null, elsewhere)

    def _round(self, numbers: Tensor) -> Tensor:
        if self.block.step:
            numbers = (numbers / self.block.step).round() * self.block.step
        elif self.block.decimals is not None:
            numbers = numbers.round(decimals=self.block.decimals)
        return numbers + 0.0  # no negative zero


def _between(numbers: Tensor, given: Tensor, wanted: Tensor) -> Tensor:
    """Map numbers (N,) by lines between the points (given, wanted), both increasing; exact at the points."""
    upper = torch.searchsorted(given, numbers.contiguous(), right=True).clamp(1, len(given) - 1)
    low, high = given[upper - 1], given[upper]
    share = ((numbers - low) / (high - low)).clamp(0, 1)
    return torch.lerp(wanted[upper - 1], wanted[upper], share)
