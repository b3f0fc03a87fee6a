import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from tables import LABEL, draw_rows, tables

from gansynth.errors import SourceError
from gansynth.evaluation.tables import FRAMES, compare_tables, summarise_tables
from gansynth.modalities.table.config import TableConfig
from gansynth.modalities.table.survey import survey
from gansynth.results import TABLE_FILE, TableFidelity
from gansynth.samples import Samples


def compared(parts: dict[str, Samples], directory: Path, seed: int = 0) -> TableFidelity:
    directory.mkdir(exist_ok=True)
    compare_tables(Samples.concatenate([parts["training"], parts["held_out"]]), parts, seed, 6, directory)
    return TableFidelity.model_validate_json((directory / TABLE_FILE).read_text())


@given(table=tables())
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_can_be_compared(table: pa.Table, tmp_path: Path) -> None:
    try:
        rows = survey(table, TableConfig(label=LABEL)).samples
    except SourceError:
        assume(False)
        raise
    assume(rows.counts.min() >= 2)
    parts = {"training": rows, "held_out": rows, "synthetic": rows.take(np.arange(len(rows))[::-1])}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compared(parts, tmp_path / "any")
    # no number is infinite or missing, and rows are like themselves
    json.dumps(found.model_dump(), allow_nan=False)
    assert found.similarity.near_copies == 0
    shares = pd.read_parquet(tmp_path / "any" / "distributions.parquet")
    assert shares.groupby("column")["held_out"].sum().to_numpy() == pytest.approx(1)


def test_the_reference_has_as_many_rows_of_each_class(tmp_path: Path) -> None:
    parts = {"training": draw_rows(60, 0), "held_out": draw_rows(400, 1), "synthetic": draw_rows(300, 2)}
    found = compared(parts, tmp_path / "one")
    assert found.rows == 60
    # both are samples of what held-out rows are: neither is nearer
    assert found.synthetic.column_distance == pytest.approx(found.real.column_distance, abs=0.06)
    assert found.synthetic.association_difference == pytest.approx(found.real.association_difference, abs=0.08)


def test_repetitions_are_averaged_and_told_apart(tmp_path: Path) -> None:
    found = []
    for number in range(2):
        parts = {
            name: draw_rows(40, 3 * number + seed) for seed, name in enumerate(("training", "held_out", "synthetic"))
        }
        found.append(compared(parts, tmp_path / str(number), number))
    mean = summarise_tables([tmp_path / "0", tmp_path / "1"], tmp_path)
    assert mean.synthetic.column_distance == pytest.approx(np.mean([one.synthetic.column_distance for one in found]))
    assert mean.real.association_difference == pytest.approx(
        np.mean([one.real.association_difference for one in found])
    )
    assert mean.similarity.near_copies == sum(one.similarity.near_copies for one in found)
    for name in FRAMES:
        assert pd.read_parquet(tmp_path / name)["repetition"].unique().tolist() == [0, 1]
