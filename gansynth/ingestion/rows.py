"""A source of a table as the dataset of a run, and what is to be told of it."""

from dataclasses import dataclass
from typing import Any

from gansynth.errors import SourceError
from gansynth.ingestion.tables import TableSource, read_table
from gansynth.modalities.table.cells import listed
from gansynth.modalities.table.config import TableConfig
from gansynth.modalities.table.storage import OWN_COLUMNS
from gansynth.modalities.table.survey import survey
from gansynth.samples import Dataset
from gansynth.sections import is_named


@dataclass(frozen=True)
class FoundRows:
    """What a source of a table holds.

    Attributes:
        dataset: The usable rows; equal ones share a group.
        quarantine: `source` (where) and `reason` of each row that cannot be used.
        about: For `columns.json`: `notes` on how it was read, the `dialect` of a CSV file, the `null_words` of
            columns, `findings` on columns, and the `columns` with statistics.
        counts: For the manifest: `columns`, `nulls`, `dropped` columns and suspected `leaks`.
    """

    dataset: Dataset
    quarantine: list[dict[str, str]]
    about: dict[str, Any]
    counts: dict[str, int]


def read_rows(path: str, layout: str, config: TableConfig) -> FoundRows:
    """Read a table in a format, a key of TABLE_READERS, and find out what its columns hold.

    Raises:
        SourceError: It cannot be read, or as `find_rows` says.
    """
    return find_rows(read_table(path, layout, config.label), path, config)


def find_rows(source: TableSource, path: str, config: TableConfig) -> FoundRows:
    """Find out what the columns of a table hold, which was read from a path, or goes by that name.

    Raises:
        SourceError: It has no usable row or column, or keeps a column with a name that gansynth uses itself.
    """
    _check_header(path, source, config)
    _check_names(path, source, config)
    found = survey(source.table, config, source.notation)
    unusable = [{"source": source.origin(row), "reason": reason} for row, reason in sorted(found.unusable.items())]
    findings = [finding._asdict() for finding in found.findings]
    kinds = [finding.what for finding in found.findings]
    return FoundRows(
        Dataset(found.samples, is_test=source.is_test[found.rows], groups=found.groups),
        [*source.quarantine, *unusable],
        {
            "notes": source.notes,
            "dialect": source.dialect and source.dialect._asdict(),
            "null_words": found.words,
            "findings": findings,
            "columns": found.statistics,
        },
        {
            "columns": len(found.samples.columns),
            "nulls": found.nulls,
            "dropped": kinds.count("dropped"),
            "leaks": kinds.count("leak"),
        },
    )


def _check_names(path: str, source: TableSource, config: TableConfig) -> None:
    dropped = {column.name for column in config.columns if column.kind == "drop"}
    taken = next((name for name in source.table.column_names if name in set(OWN_COLUMNS) - dropped), None)
    if taken is not None:
        remedies = [] if is_named(path) else ["rename it"]
        if taken != config.label:
            remedies.append(f'drop it by modality.columns: {{name = "{taken}", kind = "drop"}}')
        remedy = ", or ".join(remedies) or "save the table as CSV with another name for it"
        raise SourceError(f"{path}: column {taken!r} has a name that gansynth gives a column of its own; {remedy}")


def _check_header(path: str, source: TableSource, config: TableConfig) -> None:
    """Refuse a text file of values whose columns have no names though the settings name some."""
    if source.dialect is None or source.dialect.header:
        return
    wanted = [config.label, *(column.name for column in config.columns)]
    missing = next((name for name in wanted if name not in source.table.column_names), None)
    if missing is not None:
        row = listed([str(value) for one in source.table.slice(0, 1).to_pylist() for value in one.values()])
        raise SourceError(
            f"{path}: has no column {missing!r}, for its first row ({row}) was taken for values, not for names; write"
            f" the columns' names there, or use {listed(source.table.column_names)}"
        )
