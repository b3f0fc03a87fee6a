"""Rows of tables as CSV, beside what Parquet holds of them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from pyarrow import csv
from tables import LABEL, tables

from gansynth.artifacts import publish
from gansynth.datasets import load_synthetic
from gansynth.errors import SourceError
from gansynth.generation.sampler import Candidates
from gansynth.generation.writers import FORMATS
from gansynth.modalities.table import TableConfig
from gansynth.modalities.table.survey import survey
from gansynth.provenance import Origin


@settings(max_examples=25, deadline=None)
@given(tables())
def test_any_table_is_written_as_csv_with_texts_as_they_are(table: pa.Table) -> None:
    study = TableConfig(label=LABEL)
    try:
        samples = survey(table, study).samples
    except SourceError:  # nothing to learn from
        return
    labels = [np.flatnonzero(samples.labels == label) for label in range(len(samples.class_names))]
    ones = np.ones((len(samples), len(labels)), np.float32)
    blocks = [Candidates(n, of, samples.values[of], ones[of], None) for n, of in enumerate(labels)]
    about = Origin("t", 0, "MIT", "d" * 64, samples.class_names, "table", samples.schema)
    with TemporaryDirectory() as folder:
        for name in ("csv", "parquet"):
            with publish(Path(folder) / name, "generate", {}, {}) as draft:
                FORMATS[name].write(draft.path / "synthetic-0", blocks, about, 1)
            (Path(folder) / name / f"stray.{name}").write_text("not listed, so not read")
        again, meant = load_synthetic(Path(folder) / "csv", samples.schema), load_synthetic(Path(folder) / "parquet")
        options = csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""])
        kept = pq.read_table(Path(folder) / "parquet" / "synthetic-0.parquet")
        texts = [field.name for field in kept.schema if pa.types.is_string(field.type)]
        options.column_types = dict.fromkeys(texts, pa.string())
        read = csv.read_csv(
            Path(folder) / "csv" / "synthetic-0.csv",
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=options,
        )
    assert read.column_names == [name for name in kept.column_names if name != "teacher_probabilities"]
    np.testing.assert_array_equal(meant.values, samples.values[np.concatenate(labels)])
    np.testing.assert_array_equal(again.values, meant.values)
    np.testing.assert_array_equal(again.labels, meant.labels)
    for name in texts:
        assert read[name].to_pylist() == kept[name].to_pylist()
    for name in read.column_names:
        assert read[name].null_count == kept[name].null_count
