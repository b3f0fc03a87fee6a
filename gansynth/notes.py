"""What people should know of a dataset: how its source was read, and what was found there, a line each."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gansynth import formats
from gansynth.artifacts import read_manifest
from gansynth.errors import ArtifactError
from gansynth.runs import COLUMNS_FILE, QUARANTINE_FILE

MOST_NOTES = 8
SAME_SIDE = "each such group stays on one side of every split"
MANY_REPEATS = 0.2
"""From this share of the rows of a table on, they may well be different cases that happen to be equal."""
KEEP = 'if equal rows are different cases, set modality.equal_rows = "keep"'
WHAT = {"leak": "suspected leak, ", "dropped": "dropped, "}


def dataset_notes(directory: Path, most: int = MOST_NOTES) -> list[str]:
    """Return the notes on a dataset, each on one line: of many, the first, and where the others are.

    Raises:
        ArtifactError: There is no dataset, or it is damaged.
    """
    counts = read_manifest(directory).counts
    notes = row_notes(counts)
    if bad := counts.get("quarantined", 0):
        samples = formats.plural(bad, "sample")
        notes.append(f"{samples} of the source could not be used and stayed out; {QUARANTINE_FILE} says why.")
    notes = [_one_line(note) for note in [*notes, *column_notes(read_columns(directory))]]
    if len(notes) > most:
        notes[most - 1 :] = [f"{len(notes) - most + 1:,} notes more; {directory / COLUMNS_FILE} has them all."]
    return notes


def row_notes(counts: Mapping[str, int]) -> list[str]:
    """Return what is to be told of duplicates, from the counts of a dataset's manifest."""
    notes = []
    exact, near = counts.get("exact_duplicates", 0), counts.get("near_duplicates", 0)
    if exact:
        resembling = f" and {near:,} more resemble one" if near else ""
        repeat = f"{formats.plural(exact, 'row')} of the source {'repeats' if exact == 1 else 'repeat'} an earlier one"
        is_much = "columns" in counts and exact > MANY_REPEATS * counts.get("rows", 0)
        notes.append(f"{repeat}{resembling}; {SAME_SIDE}{f'; {KEEP}' if is_much else ''}.")
    elif near:
        resemble = "resembles" if near == 1 else "resemble"
        notes.append(f"{formats.plural(near, 'row')} of the source {resemble} an earlier one; {SAME_SIDE}.")
    if conflicts := counts.get("conflicting_labels", 0):
        occur = "occurs" if conflicts == 1 else "occur"
        notes.append(f"{formats.plural(conflicts, 'row')} of the source {occur} under more than one class.")
    return notes


def column_notes(about: Mapping[str, Any]) -> list[str]:
    """Return how a table was read, and what was found of its columns, suspected leaks first.

    `about` is what `read_columns` returns.
    """
    notes = [formats.capitalised(note) + "." for note in about.get("notes", [])]
    findings = sorted(about.get("findings", []), key=lambda finding: bool(finding["what"] != "leak"))
    return notes + [f"{_finding(one)}." for one in findings]


def leaks(about: Mapping[str, Any]) -> list[str]:
    """Return which columns of a table may give the label away, a line each, as every gain in a report rests on that."""
    return [f"{_finding(one)}." for one in about.get("findings", []) if one["what"] == "leak"]


def read_columns(directory: Path) -> dict[str, Any]:
    """Return what ingestion found out about a table, as `FoundRows.about` says; of images, nothing.

    Raises:
        ArtifactError: The file is damaged.
    """
    path = directory / COLUMNS_FILE
    try:
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise ArtifactError(f"{path}: damaged ({error}); delete {directory} and run again") from None
    return found


def _finding(found: Mapping[str, Any]) -> str:
    return f"{found['column']}: {WHAT.get(found['what'], '')}{found['reason']}"


def _one_line(text: str) -> str:
    """Return a text as it can be shown on any terminal: names of columns may hold anything."""
    return "".join(
        sign if sign.isprintable() or sign == formats.SPACE else "\N{REPLACEMENT CHARACTER}" for sign in text
    )
