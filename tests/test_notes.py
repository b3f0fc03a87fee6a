"""What is told of a dataset."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from gansynth.artifacts import publish
from gansynth.modalities.table.config import TableConfig
from gansynth.modalities.table.survey import survey
from gansynth.notes import MOST_NOTES, column_notes, dataset_notes, leaks, row_notes


def test_notes_are_few_and_on_one_line_each_with_leaks_first(tmp_path: Path) -> None:
    findings = [{"column": f"id {n}\n\x1b[2J", "what": "dropped", "reason": "is an id"} for n in range(20)]
    findings.append({"column": "paid", "what": "leak", "reason": "tells the label"})
    with publish(tmp_path / "dataset", "ingest", {}, {}) as draft:
        about = {"notes": ["read as utf-8"], "findings": findings, "columns": []}
        (draft.path / "columns.json").write_text(json.dumps(about))
        draft.counts.update(exact_duplicates=2, near_duplicates=0, conflicting_labels=1, quarantined=3)
    notes = dataset_notes(tmp_path / "dataset")
    assert len(notes) == MOST_NOTES
    assert notes[:3] == [
        "2 rows of the source repeat an earlier one; each such group stays on one side of every split.",
        "1 row of the source occurs under more than one class.",
        "3 samples of the source could not be used and stayed out; quarantine.json says why.",
    ]
    assert notes[3:6] == ["Read as utf-8.", "paid: suspected leak, tells the label.", notes[5]]
    assert notes[5].startswith("id 0\N{REPLACEMENT CHARACTER}")
    assert notes[-1] == f"18 notes more; {tmp_path}/dataset/columns.json has them all."
    assert all(note.isprintable() for note in notes)


def test_images_without_anything_odd_have_none(tmp_path: Path) -> None:
    with publish(tmp_path / "dataset", "ingest", {}, {}) as draft:
        draft.counts.update(rows=5, exact_duplicates=0, near_duplicates=0, conflicting_labels=0, quarantined=0)
    assert dataset_notes(tmp_path / "dataset") == []


def test_many_equal_rows_of_a_table_are_told_with_what_helps_if_they_are_different_cases() -> None:
    few = "20 rows of the source repeat an earlier one; each such group stays on one side of every split"
    many = few.replace("20 rows", "21 rows")
    remedy = '; if equal rows are different cases, set modality.equal_rows = "keep"'
    table = {"rows": 100, "columns": 3}
    assert row_notes(table | {"exact_duplicates": 20}) == [f"{few}."]
    assert row_notes(table | {"exact_duplicates": 21}) == [f"{many}{remedy}."]
    assert row_notes({"rows": 100, "exact_duplicates": 21}) == [f"{many}."], "images have no such setting"


def test_what_helps_against_a_leak_is_told_once() -> None:
    label = [f"class {row % 2}" for row in range(100)]
    table = pa.table({"paid": np.arange(100) % 2 + np.arange(100) / 1e4, "x": np.arange(100) % 7, "y": label})
    about = {"findings": [finding._asdict() for finding in survey(table, TableConfig(label="y")).findings]}
    remedy = "if it is not known when a class is to be told, drop it by modality.columns and run again"
    assert leaks(about) == [f"paid: suspected leak, tells the label almost alone: AUC 1.000; {remedy}."]
    assert column_notes(about) == leaks(about)
