"""Rows of tables to and from Arrow tables that say what they hold."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from gansynth.modalities.table.cells import to_arrow as columns_of
from gansynth.modalities.table.cells import to_cells
from gansynth.samples import Column, Samples, Schema

SCHEMA_KEY = b"gansynth_schema"
OWN_COLUMNS = (
    "is_test", "group", "synthetic", "seed_index", "teacher_probability", "teacher_probabilities",
    "discriminator_logit", "sample_weight", "sample_origin",
)  # fmt: skip
"""Columns that stand beside those of the source, which may not have their names."""


def to_arrow(
    samples: Samples,
    others: Mapping[str, pa.Array],
    names: Sequence[str] = (),  # noqa: ARG001  # one signature for all modalities: rows have no files
    threads: int = 1,  # noqa: ARG001
) -> pa.Table:
    """Return rows as a table: the columns of the source, in its order and with its own values, and `others`."""
    schema = schema_of(samples)
    table = columns_of(samples.values, schema.columns)
    labels = columns_of(samples.labels[:, None].astype(np.float64), (schema.label,))
    position = len(schema.columns) if schema.label_position is None else schema.label_position
    table = table.add_column(position, labels.schema.field(0), labels.column(0))
    for name, array in others.items():
        table = table.append_column(name, array)
    return table.replace_schema_metadata({SCHEMA_KEY: json.dumps(describe(schema)).encode()})


def from_arrow(table: pa.Table) -> Samples:
    """Return the rows of a table that `to_arrow` made.

    Raises:
        ValueError: It is none.
    """
    try:
        schema = restore(json.loads(table.schema.metadata[SCHEMA_KEY]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"does not say what its columns hold ({error})") from None
    labels = to_cells(table.select([schema.label.name]), (schema.label,))[:, 0].astype(np.int64)
    return Samples(to_cells(table, schema.columns), labels, schema.label.categories, schema)


def describe(schema: Schema) -> dict[str, Any]:
    """Return a schema as JSON can hold it."""
    return asdict(schema)


def restore(description: Mapping[str, Any]) -> Schema:
    """Return the schema that `describe` described."""
    columns = tuple(_column(column) for column in description["columns"])
    position = description.get("label_position")  # files of earlier versions have none
    if position is not None and not (type(position) is int and 0 <= position <= len(columns)):
        raise ValueError(f"label_position {position!r} is none among {len(columns)} columns")
    return Schema(columns, _column(description["label"]), position)


def schema_of(samples: Samples) -> Schema:
    """Return what the columns of rows are; images have none, which is a mistake of the caller's."""
    if samples.schema is None:
        raise TypeError("rows of a table are needed")
    return samples.schema


def _column(description: Mapping[str, Any]) -> Column:
    return Column(**{**description, "categories": tuple(description["categories"])})
