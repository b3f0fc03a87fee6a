"""Tables that are not what they should be, from the file to what is told of them."""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from measured import peak_growth_mb

from gansynth.artifacts import read_manifest
from gansynth.datasets import load_dataset
from gansynth.errors import SourceError
from gansynth.ingestion import ingest
from gansynth.ingestion.sniffing import BOMB_BYTES
from gansynth.ingestion.tables import read_csv
from gansynth.modalities.table.cells import as_words
from gansynth.runs import Run
from gansynth.splits import draw_split
from gansynth.study import Study

ROWS = 400
RANDOM = np.random.default_rng(0)


def study_of(path: Path, **modality: Any) -> Study:  # noqa: ANN401 settings of any type
    return Study.model_validate(
        {
            "name": "s",
            "source": {"path": str(path), "max_bad_share": 0.2},
            "modality": {"kind": "table", "label": "left", **modality},
        }
    )


def frame() -> pd.DataFrame:
    """Return customers, with one column of each kind of trouble."""
    left = np.arange(ROWS) % 2
    age = RANDOM.normal(40 - 5 * left, 8)
    table = pd.DataFrame(
        {
            "age": age.round(1),
            "nothing": np.full(ROWS, np.nan),
            "constant": "same",
            "id": [f"customer {row:05d}-{row * 7919 % 1000}" for row in range(ROWS)],
            "refund": left * 10 + RANDOM.random(ROWS),
            "since": pd.Timestamp("2020-01-31") + pd.to_timedelta(RANDOM.integers(0, 900, ROWS), "D"),
            "mixed": [f"{value:.2f}" if row != 5 else "n.a." for row, value in enumerate(age)],
            "town": RANDOM.choice([f"town {number}" for number in range(30)], ROWS),
            "left": np.where(left, "yes", "no"),
        }
    )
    table.loc[3, "age"], table.loc[4, "age"], table.loc[8, "left"] = np.nan, np.inf, None
    return pd.concat([table, table.iloc[[10, 11]]])  # two customers come twice


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_becomes_of_troubled_columns_and_rows_is_told(tmp_path: Path, form: str) -> None:
    file = tmp_path / f"customers.{form}"
    table = frame()
    table.to_csv(file, index=False) if form == "csv" else table.to_parquet(file, index=False)
    run = Run(tmp_path / "run")
    ingest(study_of(file), run)
    about = json.loads((run.dataset / "columns.json").read_text())
    findings = {(finding["column"], finding["what"]): finding for finding in about["findings"]}
    assert set(findings) == {
        ("nothing", "dropped"),
        ("constant", "dropped"),
        ("id", "dropped"),
        ("refund", "leak"),
        ("mixed", "mixed"),
    }
    assert findings["refund", "leak"]["score"] > 0.99
    reasons = [entry["reason"] for entry in json.loads((run.dataset / "quarantine.json").read_text())]
    assert reasons == ["age: inf is infinite, or as good as that", "mixed: 'n.a.' is no number", "has no label"]
    counts = read_manifest(run.dataset).counts
    told = ("rows", "quarantined", "nulls", "dropped", "leaks", "exact_duplicates", "columns")
    assert [counts[name] for name in told] == [ROWS - 1, 3, 1, 3, 1, 2, 5]


def test_a_leak_may_be_left_out_and_duplicates_never_straddle_a_split(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "customers.csv", index=False)
    study = study_of(tmp_path / "customers.csv", columns=[{"name": "refund", "kind": "drop"}])
    run = Run(tmp_path / "run")
    ingest(study, run)
    dataset = load_dataset(run.dataset)
    assert "refund" not in [column.name for column in dataset.samples.columns]
    assert read_manifest(run.dataset).counts["leaks"] == 0
    for repetition in range(5):
        split = draw_split(dataset, study, repetition)
        assert not set(dataset.groups[split.train]) & set(dataset.groups[split.test])


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (["yes"] * 40, SourceError, "has too few classes: 'yes'"),
        (["yes"] * 39 + ["no"], SourceError, r"class 'no' of .* has 1 usable sample\(s\), at least 3 are needed"),
        (["yes"] * 38 + ["no"] * 2, SourceError, r"class 'no' of .* has 2 usable sample\(s\), at least 3 are needed"),
    ],
)
def test_classes_that_are_too_small_are_refused_before_training(
    tmp_path: Path, labels: list[str], error: type[Exception], message: str
) -> None:
    file = tmp_path / "rows.csv"
    pd.DataFrame({"x": RANDOM.normal(size=40), "left": labels}).to_csv(file, index=False)
    study, run = study_of(file), Run(tmp_path / "run")
    with pytest.raises(error, match=message):
        draw_split(load_dataset(ingest(study, run)), study, 0)


def test_unusual_types_are_read_and_told_in_words(tmp_path: Path) -> None:
    rows = 40
    table = pa.table(
        {
            "far": pa.array([2**62 + row * 10**9 for row in range(rows)], pa.timestamp("us")),
            "nowhere": pa.array(
                [row * 10**17 if row % 5 else None for row in range(rows)], pa.timestamp("ns", "No/Zone")
            ),
            "view": pa.array(["p", "q"] * (rows // 2), pa.string_view()),
            "uuid": pa.ExtensionArray.from_storage(
                pa.uuid(), pa.array([bytes([row] * 16) for row in range(rows)], pa.binary(16))
            ),
            "left": pa.array(["yes", "no", "no", "yes"] * (rows // 4), pa.string_view()),
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    samples = load_dataset(ingest(study_of(tmp_path / "rows.parquet"), Run(tmp_path / "run"))).samples
    assert samples.class_names == ("no", "yes")
    words = as_words(samples.values, samples.columns)
    assert [column.name for column in samples.columns] == ["far", "nowhere", "view"]
    assert words[0] == ["148108-07-06T14:00:27.387904", None, "p"]
    assert words[1][1] == "1973-03-03T09:46:40.000000000"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_compressed_table_that_grows_beyond_all_measure_is_refused(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "rows.csv.gz"
    file.write_bytes(gzip.compress(("x,left\n" + "1,yes\n" * (BOMB_BYTES // 4)).encode(encoding)))
    assert file.stat().st_size < 2**20
    with pytest.raises(SourceError, match=r"rows\.csv\.gz: grows more than 250-fold when it is decompressed"):
        read_csv(str(file))


@pytest.mark.parametrize("damage", ["cut", "flip", "start"])
def test_a_damaged_compressed_table_is_refused(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "rows.csv.gz"
    content = bytearray(
        gzip.compress(b"x,left\n" + b"".join(b"%d,%d\n" % (row * 7919, row % 2) for row in range(9999)))
    )
    match damage:
        case "cut":
            del content[len(content) // 2 :]
        case "flip":
            content[len(content) // 2] ^= 0xFF
        case _:
            content[2:9] = b"broken!"
    file.write_bytes(content)
    with pytest.raises(SourceError, match=r"rows\.csv\.gz: cannot be read"):
        ingest(study_of(file), Run(tmp_path / "run"))


def test_labels_that_do_not_fit_their_table_are_told(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label,file\na.png,cat,b.png\n")
    study = Study.model_validate({"name": "s", "source": {"path": str(tmp_path)}})
    with pytest.raises(SourceError, match=r"labels\.csv: has the column 'file' twice"):
        ingest(study, Run(tmp_path / "run"))
    (tmp_path / "labels.csv").write_text('file,label\n"../a\nb.png",cat\n')
    with pytest.raises(SourceError, match=r"the first is .*: \.\./a\\nb\.png lies outside the source") as caught:
        ingest(study, Run(tmp_path / "run"))
    assert len(str(caught.value).splitlines()) == 1
    (tmp_path / "labels.csv").write_text("file,label\na.png,cat,1,2\n")
    with pytest.raises(SourceError, match="has 4 values, not 2"):
        ingest(study, Run(tmp_path / "run"))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_grows_with_the_rows_by_less_than_a_kilobyte_each(tmp_path: Path) -> None:
    small, large = 30_000, 150_000
    for rows in (small, large):
        columns = {f"x{number}": RANDOM.normal(size=rows).round(4) for number in range(8)}
        town = RANDOM.choice([f"town {number}" for number in range(500)], rows)
        table = pd.DataFrame({**columns, "town": town, "left": np.arange(rows) % 2})
        table.to_csv(tmp_path / f"{rows}.csv", index=False)
    setup = """
    from gansynth.ingestion.rows import read_rows
    from gansynth.modalities import TableConfig
    """
    code = "read_rows(item, 'csv', TableConfig(label='left'))"
    first, second = peak_growth_mb(setup, code, [tmp_path / f"{small}.csv", tmp_path / f"{large}.csv"])
    assert (second - first) * 2**20 / (large - small) < 1000, "a million rows would take a gigabyte"


def test_very_many_classes_of_a_table_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    names = [f"class {row % 100_000}" for row in range(200_000)]
    pd.DataFrame({"x": np.arange(200_000) / 7, "left": names}).to_csv(file, index=False)
    with pytest.raises(SourceError, match="has 100000 distinct values, at most 1000 classes can be told apart"):
        ingest(study_of(file), Run(tmp_path / "run"))
