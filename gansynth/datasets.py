"""A dataset, and a set of synthetic samples, to and from a directory: written by one stage, read by the later ones."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from gansynth.artifacts import read_manifest
from gansynth.errors import ArtifactError, SourceError, first_line
from gansynth.modalities import MODALITIES, modality_of
from gansynth.modalities.table.cells import to_cells, value_type
from gansynth.samples import Column, Dataset, Samples, Schema

DATASET_FILE = "samples.parquet"


def write_dataset(directory: Path, dataset: Dataset) -> None:
    """Write the rows of a dataset to `directory`/samples.parquet, as their modality holds them."""
    others = {"is_test": pa.array(dataset.is_test, pa.bool_()), "group": pa.array(dataset.groups, pa.int64())}
    table = MODALITIES[dataset.samples.modality].to_arrow(dataset.samples, others, (), 1)
    pq.write_table(table, directory / DATASET_FILE, compression="zstd")


def load_dataset(directory: Path) -> Dataset:
    """Read the dataset artifact at `directory`.

    Raises:
        ArtifactError: There is none, or it is damaged.
    """
    read_manifest(directory)
    path = directory / DATASET_FILE
    table = _read(path)
    samples = _samples(table, path)
    try:
        return Dataset(samples, table["is_test"].to_numpy(), table["group"].to_numpy())
    except KeyError as error:
        raise _damaged(path, error) from error


def load_synthetic(directory: Path, schema: Schema | None = None) -> Samples:
    """Read the shards of the synthetic artifact at `directory`, in the order of their names: Parquet, or CSV of tables.

    Files that its manifest does not list are none of it. `schema` says what the columns of a table are, for CSV does
    not; images have none.

    Raises:
        ArtifactError: There is no artifact, it holds no such shards, or one is damaged.
    """
    if schema is not None and (texts := _listed(directory, ".csv")):
        return Samples.concatenate([_from_csv(shard, schema) for shard in texts])
    return Samples.concatenate([_samples(_read(shard), shard) for shard in _shards(directory)])


def load_teacher_probabilities(directory: Path) -> npt.NDArray[np.float32]:
    """Read the teacher's class probabilities of the samples that `load_synthetic` returns, of shape (N, classes).

    Raises:
        ArtifactError: There is no artifact, it holds no Parquet shards, or one is damaged.
    """
    tables = [_read(shard, ["teacher_probabilities"]) for shard in _shards(directory)]
    column = pa.concat_tables(tables)["teacher_probabilities"]
    probabilities: npt.NDArray[np.float32] = column.combine_chunks().flatten().to_numpy().reshape(len(column), -1)
    return probabilities


def _shards(directory: Path) -> list[Path]:
    shards = _listed(directory, ".parquet")
    if not shards:
        raise ArtifactError(f"{directory}: holds no Parquet shards; generate with format 'parquet'")
    return shards


def _listed(directory: Path, suffix: str) -> list[Path]:
    """Return the files at the top of an artifact that its manifest lists, those with such a name, in order."""
    names = read_manifest(directory).files
    return [directory / name for name in sorted(names) if name.endswith(suffix) and "/" not in name]


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def _samples(table: pa.Table, path: Path) -> Samples:
    try:
        return MODALITIES[modality_of(table)].from_arrow(table)
    except Exception as error:  # damaged bytes may hold anything: pictures, types, names of columns
        raise _damaged(path, error) from error


def _from_csv(path: Path, schema: Schema) -> Samples:
    """Read rows of a table as `gansynth.generation.writers.write_csv` writes them: only nulls are not in quotes."""
    columns = (*schema.columns, schema.label)
    options = pa_csv.ConvertOptions(
        column_types={column.name: _type_in_csv(column) for column in columns},
        include_columns=[column.name for column in columns],
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    try:
        table = pa_csv.read_csv(
            path, parse_options=pa_csv.ParseOptions(newlines_in_values=True), convert_options=options
        )
        labels = to_cells(table, (schema.label,))[:, 0].astype(np.int64)
        return Samples(to_cells(table, schema.columns), labels, schema.label.categories, schema)
    except (OSError, pa.ArrowException, SourceError) as error:
        raise _damaged(path, error) from error


def _type_in_csv(column: Column) -> pa.DataType:
    dtype = value_type(column)
    return pa.int64() if pa.types.is_duration(dtype) else dtype


def _damaged(path: Path, error: Exception) -> ArtifactError:
    return ArtifactError(f"{path}: cannot be read ({first_line(error)}); delete {path.parent} and run again")
