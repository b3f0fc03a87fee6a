"""From a table as it was read to labelled samples, and all that is to be told about it."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from gansynth.errors import SourceError
from gansynth.modalities.table.cells import to_cells
from gansynth.modalities.table.config import TableConfig
from gansynth.modalities.table.doubts import Finding, find_alike
from gansynth.modalities.table.profile import find_equal_rows, find_leaks, statistics
from gansynth.modalities.table.rows import prepare
from gansynth.modalities.table.schema import infer_columns, infer_label
from gansynth.modalities.table.texts import PLAIN, Notation
from gansynth.samples import Indices, Samples, Schema


class Survey(NamedTuple):
    """What a table holds.

    Attributes:
        samples: The usable rows, in the order of the table.
        rows: The position in the table of each usable row.
        unusable: Why each other row cannot be used, by its position.
        groups: A number for each usable row, the same for rows whose cells are equal.
        findings: What is to be told of columns, see `Finding`.
        statistics: Of each column, see `statistics`.
        words: The texts that are nulls among numbers or times, by column.
    """

    samples: Samples
    rows: Indices
    unusable: dict[int, str]
    groups: Indices
    findings: list[Finding]
    statistics: list[dict[str, Any]]
    words: dict[str, tuple[str, ...]]

    @property
    def duplicates(self) -> int:
        """Number of rows whose cells equal those of an earlier row."""
        return len(self.groups) - len(np.unique(self.groups))

    @property
    def nulls(self) -> int:
        """Number of cells that are null."""
        return int(np.isnan(self.samples.values).sum())


def survey(table: pa.Table, config: TableConfig, notation: Notation = PLAIN) -> Survey:
    """Infer the columns of a table, whose text writes numbers and times in a notation, and read its rows.

    Raises:
        SourceError: There is no usable row, the label column is missing or is none, no other column is left, or a
            setting does not fit.
    """
    prepared = prepare(table, config, notation)
    is_usable = np.ones(table.num_rows, dtype=np.bool_)
    is_usable[list(prepared.unusable)] = False
    rows = np.flatnonzero(is_usable)
    if not table.num_rows:
        raise SourceError("the table has no rows; it needs some of at least two classes")
    held = table[config.label] if config.label in table.column_names else None
    # a column of a type that is not read is none of labels, which `infer_label` says
    if held is not None and held.null_count == len(held) and not isinstance(held.type, pa.BaseExtensionType):
        raise SourceError(f"modality.label: column {config.label!r} holds no labels; fill it, or name another column")
    infer_label(prepared.table.slice(0, 0), config)
    if not len(rows):
        row, reason = next(iter(prepared.unusable.items()))
        raise SourceError(f"the table has no usable row among its {table.num_rows}; row {row + 1} {reason}; mend it")
    usable = prepared.table.filter(pa.array(is_usable)) if prepared.unusable else prepared.table
    label = infer_label(usable, config)
    columns, findings = infer_columns(usable, config)
    labels = to_cells(usable, (label,))[:, 0].astype(np.int64)
    before = set(usable.column_names[: usable.column_names.index(label.name)])
    schema = Schema(columns, label, sum(column.name in before for column in columns))
    samples = Samples(to_cells(usable, columns), labels, label.categories, schema)
    mixed = [Finding(name, "mixed", reason) for name, reason in prepared.mixed.items()]
    return Survey(
        samples=samples,
        rows=rows,
        unusable=prepared.unusable,
        groups=find_equal_rows(samples.values) if config.equal_rows == "group" else np.arange(len(samples)),
        findings=[*filter(None, [find_alike(label)]), *findings, *mixed, *find_leaks(samples)],
        statistics=statistics(samples),
        words=prepared.words,
    )
