import gzip
import time
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.utils import Bunch

from gansynth.artifacts import read_manifest
from gansynth.datasets import load_dataset
from gansynth.errors import SourceError, StudyError
from gansynth.ingestion import ingest
from gansynth.ingestion.parquet import MOST_COLUMNS
from gansynth.ingestion.rows import read_rows
from gansynth.ingestion.tables import (
    SKLEARN,
    TableSource,
    choose_table_format,
    read_csv,
    read_frame,
    read_openml,
    read_parquet,
    read_sklearn,
)
from gansynth.modalities.table.cells import to_arrow
from gansynth.modalities.table.config import ColumnSetting, TableConfig
from gansynth.modalities.table.survey import survey
from gansynth.runs import Run
from gansynth.study import Study

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ROWS = 400
TABLE = pa.table(
    {
        "x": np.random.default_rng(0).normal(size=ROWS),
        "town": [f"town {row % 37}" for row in range(ROWS)],
        "when": pa.array(np.arange(ROWS), pa.timestamp("us", "UTC")),
    }
)


def text(folder: Path, content: str | bytes, name: str = "table.csv", encoding: str = "utf-8") -> str:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return str(file)


def cells(source: TableSource) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = source.table.to_pydict()
    return found


def test_csv_types_and_nulls_are_recognised(tmp_path: Path) -> None:
    source = read_csv(
        text(
            tmp_path,
            "n,x,town,is,day,at,code\n"
            "1, 2.5 , Rome,true,2020-01-31,2020-01-31 12:30:00,007\n"
            '2,NA,"a, ""b""\nc",false,2020-02-01,2020-02-01T00:00:00,123\n'
            ",-1e3,?,,,,\n",
        )
    )
    assert cells(source) == {
        "n": [1, 2, None],
        "x": [2.5, None, -1000],
        "town": ["Rome", 'a, "b"\nc', None],
        "is": [True, False, None],
        "day": [date(2020, 1, 31), date(2020, 2, 1), None],
        "at": [datetime(2020, 1, 31, 12, 30), datetime(2020, 2, 1), None],  # noqa: DTZ001 they have no zone
        "code": ["007", "123", None],
    }
    assert source.notes == ["read as utf-8, comma between values, decimal point, first row names the columns"]
    assert source.is_test.tolist() == [False] * 3


@pytest.mark.parametrize(
    ("content", "encoding", "note"),
    [
        ("prénom;x\nZoë;1,5\nAda;2,25\n", "cp1252", "cp1252, semicolon between values, decimal comma"),
        ("prénom\tx\nZoë\t1.5\nAda\t2.25\n", "utf-16", "utf-16, tab between values, decimal point"),
        ("prénom\tx\nZoë\t1.5\nAda\t2.25\n", "utf-32", "utf-32, tab between values, decimal point"),
        ("prénom|x\r\nZoë|1.5\r\nAda|2.25\r\n", "utf-8-sig", "utf-8-sig, bar between values, decimal point"),
    ],
)
def test_csv_dialects_are_sniffed_and_noted(tmp_path: Path, content: str, encoding: str, note: str) -> None:
    source = read_csv(text(tmp_path, content, encoding=encoding))
    assert cells(source) == {"prénom": ["Zoë", "Ada"], "x": [1.5, 2.25]}
    assert source.notes == [f"read as {note}, first row names the columns"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("a;b\n5.123;4,87\n6.250;3,10\n", {"a": ["5.123", "6.250"], "b": [4.87, 3.1]}),
        ("a;b\n5.12;4,875\n6.25;3,105\n", {"a": [5.12, 6.25], "b": ["4,875", "3,105"]}),
        ("a;b\n0.125;4,87\n0.250;3,10\n", {"a": [0.125, 0.25], "b": ["4,87", "3,10"]}),
        ("a;b\n5.123;x\n6.250;y\n", {"a": [5.123, 6.25], "b": ["x", "y"]}),
    ],
)
def test_points_before_three_digits_part_thousands_beside_decimal_commas(
    tmp_path: Path, content: str, found: dict[str, list[Any]]
) -> None:
    assert cells(read_csv(text(tmp_path, content))) == found


def test_csv_without_a_header_numbers_its_columns(tmp_path: Path) -> None:
    source = read_csv(text(tmp_path, "1,2.5,a\n2,3.5,b\n"))
    assert cells(source) == {"column_1": [1, 2], "column_2": [2.5, 3.5], "column_3": ["a", "b"]}
    assert "no header" in source.notes[0]
    # a number may name a column, and a first column may have no name
    assert read_csv(text(tmp_path, ",2019\na,b\n")).table.column_names == ["column_1", "2019"]


@pytest.mark.parametrize(
    ("content", "label", "names"),
    [
        ("2019,2020,total\n1,2,3\n4,5,6\n", "", ["2019", "2020", "total"]),  # a word above numbers
        ("2019,2020,y\n1,2,a\n4,5,b\n", "y", ["2019", "2020", "y"]),  # the label
        ("1,NA,3,x\n4,5,6,y\n", "", ["column_1", "column_2", "column_3", "column_4"]),  # a word for none
        ("1,<5,3\n4,5,6\n", "", ["column_1", "column_2", "column_3"]),  # an amount
    ],
)
def test_csv_with_years_as_names_has_a_header(tmp_path: Path, content: str, label: str, names: list[str]) -> None:
    assert read_csv(text(tmp_path, content), label).table.column_names == names


def test_csv_rows_that_do_not_fit_are_set_aside_by_their_number(tmp_path: Path) -> None:
    source = read_csv(text(tmp_path, 'a,b\n1,2\n3\n"x\ny",4\n\n5,6,7\n8,9\n'))
    assert cells(source) == {"a": ["1", "x\ny", "8"], "b": [2, 4, 9]}
    assert source.quarantine == [
        {"source": "table.csv row 2", "reason": "has 1 values, not 2"},
        {"source": "table.csv row 4", "reason": "has 3 values, not 2"},
    ]
    assert [source.origin(row) for row in range(3)] == ["table.csv row 1", "table.csv row 3", "table.csv row 5"]
    with pytest.raises(IndexError):
        source.origin(3)


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["31/12/2020", "01/02/2020"], [datetime(2020, 12, 31), datetime(2020, 2, 1)]),  # noqa: DTZ001
        (["12/31/2020", "01/02/2020"], [datetime(2020, 12, 31), datetime(2020, 1, 2)]),  # noqa: DTZ001
        (["31.12.2020", "1.2.2020"], [datetime(2020, 12, 31), datetime(2020, 2, 1)]),  # noqa: DTZ001
        (["31.12.2020 9:05", "1.2.2020"], [datetime(2020, 12, 31, 9, 5), datetime(2020, 2, 1)]),  # noqa: DTZ001
        (["31/12/2020 09:05:59", "01/02/2020 10:00"], [datetime(2020, 12, 31, 9, 5, 59), datetime(2020, 2, 1, 10)]),  # noqa: DTZ001
        (["31.12.20 09:05", "01.02.2020 10:00"], ["31.12.20 09:05", "01.02.2020 10:00"]),
        (["03/04/2020", "01/02/2020"], ["03/04/2020", "01/02/2020"]),
        (["31/12/2020", "12/31/2020"], ["31/12/2020", "12/31/2020"]),
    ],
)
def test_csv_dates_are_read_where_day_and_month_are_certain(tmp_path: Path, dates: list[str], expected: list) -> None:
    rows = "".join(f"{one},a\n" for one in dates)
    assert cells(read_csv(text(tmp_path, f"when,b\n{rows}")))["when"] == expected


def test_csv_of_many_rows_keeps_a_late_change_of_type(tmp_path: Path) -> None:
    content = "a,b\n" + "1,2\n" * 400_000 + "x,2.5\n"
    source = read_csv(text(tmp_path, gzip.compress(content.encode(), 1), "table.csv.gz"))
    assert source.table.num_rows == 400_001
    assert str(source.table.schema.field("a").type) == "string"
    assert source.table["b"][-1].as_py() == 2.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"abc\ndef\n", "no delimiter found, tried comma, semicolon, tab, bar"),
        (b"a,b,a\n1,2,3\n", "names the column 'a' twice"),
        (b"a,\0\n", "is no text, for it holds a zero byte"),
        (b"a,b\n1,2,3\n4,5,6\n", "none of its rows has 2 values like its first, row 1 has 3"),
        (b"a,b\n\x81,2\n", "neither UTF-8 nor Windows-1252; save it as UTF-8"),
    ],
)
def test_csv_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=f"table.csv: .*{message}"):
        read_csv(text(tmp_path, content))
    with pytest.raises(SourceError, match=r"missing\.csv: cannot be read"):
        read_csv(str(tmp_path / "missing.csv"))


@given(st.one_of(st.binary(max_size=200), st.text(',;\t|"\n\r 0a.é/-', max_size=200).map(str.encode)))
@FUZZ
def test_csv_of_any_bytes_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    with suppress(SourceError):
        source = read_csv(text(tmp_path, content))
        assert len(source.is_test) == source.table.num_rows


def test_parquet_file_and_folder_keep_their_types(tmp_path: Path) -> None:
    pq.write_table(TABLE.slice(0, 300), tmp_path / "train-0.parquet")
    pq.write_table(TABLE.slice(300).select(["when", "x", "town"]), tmp_path / "test.parquet")
    source = read_parquet(str(tmp_path))
    assert source.table.equals(TABLE)
    assert source.is_test.tolist() == [False] * 300 + [True] * 100
    assert source.origin(301) == "test.parquet row 2"
    assert read_parquet(str(tmp_path / "train-0.parquet")).table.equals(TABLE.slice(0, 300))


def test_views_of_text_in_parquet_are_read_as_text(tmp_path: Path) -> None:
    table = pa.table({"town": pa.array(["Rome", None, "Oslo"] * 20, pa.string_view()), "class": ["a", "b", "b"] * 20})
    pq.write_table(table, tmp_path / "views.parquet")
    found = read_parquet(str(tmp_path / "views.parquet")).table
    assert found.schema.field("town").type == pa.string()
    (town,) = survey(found, TableConfig(label="class")).samples.columns
    assert town.categories == ("Oslo", "Rome")


def test_parquet_of_pandas_loses_its_index(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1, 2]}, index=[7, 9])
    frame.to_parquet(tmp_path / "frame.parquet")
    source = read_parquet(str(tmp_path / "frame.parquet"))
    assert cells(source) == {"x": [1, 2]}
    assert source.notes == ["__index_level_0__ left out, the index of a pandas frame"]


def test_parquet_with_other_columns_or_types_is_refused(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet")
    pq.write_table(TABLE.drop_columns("x"), tmp_path / "b.parquet")
    with pytest.raises(SourceError, match=r"b\.parquet: lacks the column 'x' that a\.parquet has"):
        read_parquet(str(tmp_path))
    pq.write_table(TABLE.append_column("y", TABLE["x"]), tmp_path / "b.parquet")
    with pytest.raises(SourceError, match=r"a\.parquet: lacks the column 'y' that b\.parquet has"):
        read_parquet(str(tmp_path))
    pq.write_table(TABLE.set_column(0, "x", TABLE["town"]), tmp_path / "b.parquet")
    with pytest.raises(SourceError, match=r"b\.parquet: column 'x' is string, in a\.parquet it is double"):
        read_parquet(str(tmp_path))
    pq.write_table(pa.table([[1], [2]], names=["x", "x"]), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"a\.parquet: (has the column 'x' twice|.*x)"):
        read_parquet(str(tmp_path / "a.parquet"))


def test_damaged_parquet_is_told_by_file_row_group_and_column(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(TABLE, file, row_group_size=150, write_page_checksum=True)
    content = bytearray(file.read_bytes())
    chunk = pq.read_metadata(file).row_group(1).column(1)
    content[chunk.dictionary_page_offset + chunk.total_compressed_size // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.parquet: damaged in row group 2 of 3, column 'town' .*; fetch it again"):
        read_parquet(str(file))
    file.write_bytes(content[:-20])
    with pytest.raises(SourceError, match=r"a\.parquet: not a readable Parquet file"):
        read_parquet(str(file))


@given(st.integers(0, 10**6), st.integers(0, 7), st.booleans())
@FUZZ
def test_parquet_with_a_flipped_bit_or_cut_is_whole_or_refused(tmp_path: Path, place: int, bit: int, cut: bool) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(TABLE, file, row_group_size=150, write_page_checksum=True)
    content = bytearray(file.read_bytes())
    place %= len(content)
    content[place] ^= 1 << bit
    file.write_bytes(content[:place] if cut else content)
    with suppress(SourceError):
        assert read_parquet(str(file)).table.equals(TABLE)


@pytest.mark.parametrize(("name", "shape"), [("breast_cancer", (569, 31)), ("wine", (178, 14)), ("iris", (150, 5))])
def test_datasets_of_sklearn_are_read_by_name(name: str, shape: tuple[int, int]) -> None:
    source = read_sklearn(f"sklearn:{name}")
    assert source.table.shape == shape
    assert source.table.column_names[-1] == "target"
    assert source.origin(0) == f"{name} row 1"
    assert source.quarantine == []


def test_labels_of_sklearn_are_the_names_of_its_classes() -> None:
    assert set(cells(read_sklearn("sklearn:breast_cancer"))["target"]) == {"malignant", "benign"}
    with pytest.raises(SourceError, match="sklearn:boston: scikit-learn brings breast_cancer, digits, iris, wine"):
        read_sklearn("sklearn:boston")


@pytest.mark.filterwarnings("ignore:A network error")
def test_openml_without_a_network_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    with pytest.raises(SourceError, match=r"openml:31 cannot be fetched .*; go online and check its name, or save"):
        read_openml("openml:31")


def test_a_frame_is_taken_with_its_types() -> None:
    frame = pd.DataFrame(
        {
            "mixed": [1, "x", None],
            "size": pd.Categorical(["S", "L", None], ["S", "M", "L"], ordered=True),
            "x": [1.5, np.nan, 2],
            5: pd.array([1, None, 3], "Int64"),
        },
        index=[3, 4, 5],
    )
    source = read_frame(frame)
    assert cells(source) == {
        "mixed": ["1", "x", None],
        "size": ["S", "L", None],
        "x": [1.5, None, 2],
        "5": [1, None, 3],
    }
    assert source.table.schema.field("size").type.ordered
    assert source.notes == ["mixed holds values of several types, read as text"]
    with pytest.raises(SourceError, match="frame: has the column 'x' twice"):
        read_frame(pd.DataFrame([[1, 2]], columns=["x", "x"]))


def test_the_format_of_a_table_is_told_by_its_name(tmp_path: Path) -> None:
    for name in ("A.CSV", "a.tsv", "a.csv.gz", "a.png"):
        (tmp_path / name).touch()
    pq.write_table(TABLE, tmp_path / "a.parquet")
    files = {str(tmp_path / name): "csv" for name in ("A.CSV", "a.tsv", "a.csv.gz")}
    named = {"sklearn:iris": "sklearn", "openml:31": "openml", str(tmp_path / "a.parquet"): "parquet"}
    for path, expected in {**files, **named, str(tmp_path): "parquet"}.items():
        assert choose_table_format(path) == expected
    assert choose_table_format(str(tmp_path / "a.png"), "csv") == "csv"
    for path, wanted, reason in (
        (tmp_path / "a.png", "auto", "is no CSV or Parquet file by its name"),
        (tmp_path / "b.csv", "auto", "does not exist"),
        (tmp_path / "A.CSV", "openml", "does not fit the table"),
        ("sklearn:iris", "csv", "does not fit the table"),
        (tmp_path / "A.CSV", "image_folder", "does not fit the table"),
    ):
        with pytest.raises(SourceError, match=reason):
            choose_table_format(str(path), wanted)


def test_a_column_with_a_name_of_ours_is_refused_unless_it_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"x": np.arange(40) % 7, "group": np.arange(40) % 3, "target": np.arange(40) % 2})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.setitem(
        SKLEARN,
        "grouped",
        lambda as_frame: Bunch(data=frame[["x", "group"]], target=frame["target"], target_names=["a", "b"]),  # noqa: ARG005
    )
    drop = r"drop it by modality\.columns: \{name = \"group\", kind = \"drop\"\}"
    with pytest.raises(SourceError, match=rf"column 'group' has a name .* of its own; rename it, or {drop}"):
        read_rows(str(tmp_path / "rows.csv"), "csv", TableConfig(label="target"))
    with pytest.raises(SourceError, match=rf"column 'group' has a name .* of its own; {drop}"):
        read_rows("sklearn:grouped", "sklearn", TableConfig(label="target"))
    dropped = (ColumnSetting(name="group", kind="drop"),)
    for path, layout in ((str(tmp_path / "rows.csv"), "csv"), ("sklearn:grouped", "sklearn")):
        found = read_rows(path, layout, TableConfig(label="target", columns=dropped))
        assert [column.name for column in found.dataset.samples.columns] == ["x"]


def test_a_frame_is_ingested_in_place_of_a_source(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(12) / 4, "town": ["Rome", "Oslo", None] * 4, "y": ["a", "b"] * 6})
    about = {"name": "s", "source": {"path": "customers"}, "modality": {"kind": "table", "label": "y"}}
    study, run = Study.model_validate(about), Run(tmp_path / "run")
    rows = load_dataset(ingest(study, run, frame)).samples.take(np.arange(12))
    assert [column.name for column in rows.columns] == ["x", "town"]
    np.testing.assert_array_equal(to_arrow(rows.values, rows.columns)["x"], frame["x"])
    stamp, digest = (run.dataset / "manifest.json").stat().st_mtime_ns, read_manifest(run.dataset).digest
    ingest(study, run, frame.copy())
    assert (run.dataset / "manifest.json").stat().st_mtime_ns == stamp
    ingest(study, run, frame.assign(x=0.5 + frame["x"]))
    assert read_manifest(run.dataset).digest != digest
    with pytest.raises(SourceError, match=r"customers: column 'seed_index' has a name that gansynth gives"):
        ingest(study, run, frame.rename(columns={"town": "seed_index"}))
    images = Study.model_validate({"name": "s", "source": {"path": "customers"}})
    with pytest.raises(StudyError, match=r"modality\.kind: a pandas frame holds rows of a table"):
        ingest(images, run, frame)


def test_very_wide_parquet_is_read_in_little_time_or_refused(tmp_path: Path) -> None:
    row = np.arange(3.0)
    wide = pa.table({f"x{number}": row for number in range(MOST_COLUMNS)})
    pq.write_table(wide.slice(0, 1).select(range(2000)), tmp_path / "a.parquet")
    pq.write_table(wide.slice(1, 2).select(range(2000)), tmp_path / "b.parquet")
    started = time.process_time()
    assert read_parquet(str(tmp_path)).table.shape == (3, 2000)
    assert time.process_time() - started < 10
    pq.write_table(wide.append_column("left", pa.array(["a", "b", "a"])), tmp_path / "c.parquet")
    with pytest.raises(SourceError, match=r"c\.parquet: has 10,001 columns, at most 10,000 can be read"):
        read_parquet(str(tmp_path / "c.parquet"))


def test_parquet_that_grows_beyond_all_measure_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bomb.parquet"
    monkeypatch.setattr("gansynth.ingestion.parquet.BOMB_CELLS", 2**22)  # so that the bombs are small
    monkeypatch.setattr("gansynth.ingestion.parquet.BOMB_BYTES", 2**22)
    pq.write_table(pa.table({"x": pa.repeat(1.5, 2**22 + 1)}), file, compression="zstd")
    with pytest.raises(
        SourceError, match=r"bomb\.parquet: its .* bytes hold 4,194,305 values, as those of no table do"
    ):
        read_parquet(str(file))
    pq.write_table(pa.table({"x": ["a" * (2**22 + 1)]}), file, compression="zstd")
    with pytest.raises(SourceError, match=r"bomb\.parquet: its .* bytes become 4,.* or more when they are read"):
        read_parquet(str(file))


TEXTS = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.int32(), pa.string()),
]


ENCODINGS = ["", "PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"]
# Arrow itself cannot read dictionaries from the last two
WRITTEN = [(dtype, encoding) for dtype in TEXTS for encoding in ENCODINGS[: 2 if dtype == TEXTS[3] else 4]]


@pytest.mark.parametrize(("dtype", "encoding"), WRITTEN, ids=str)
def test_a_long_text_in_each_of_many_rows_is_refused_unread(
    dtype: pa.DataType, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gansynth.ingestion.parquet.BOMB_BYTES", 2**22)
    written: dict[str, Any] = {"use_dictionary": False, "column_encoding": {"x": encoding}} if encoding else {}
    few, many = tmp_path / "few.parquet", tmp_path / "many.parquet"
    for file, rows in ((few, 10), (many, 500)):
        column = (
            pa.array(["a" * 2**15] * rows).cast(dtype) if dtype != TEXTS[2] else pa.array(["a" * 2**15] * rows, dtype)
        )
        pq.write_table(pa.table({"x": column}), file, compression="zstd", **written)
    assert read_parquet(str(few)).table["x"].to_pylist() == ["a" * 2**15] * 10
    with pytest.raises(SourceError, match=r"many\.parquet: its .* bytes become .* or more when they are read"):
        read_parquet(str(many))


def test_more_text_than_a_column_may_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gansynth.ingestion.parquet.MOST_TEXT", 10_000)
    pq.write_table(pa.table({"x": ["a"] * 2000, "y": ["long"] * 2000}), tmp_path / "a.parquet", row_group_size=300)
    assert len(read_parquet(str(tmp_path / "a.parquet")).table) == 2000
    pq.write_table(pa.table({"x": ["a"] * 2000, "y": ["longer"] * 2000}), tmp_path / "a.parquet", row_group_size=300)
    with pytest.raises(SourceError, match=r"a\.parquet: column 'y' holds more than 2 GiB of text"):
        read_parquet(str(tmp_path / "a.parquet"))


UNREADABLE = {
    "list": pa.array([["a"]], pa.list_(pa.string())),
    "list of views": pa.array([["a"]], pa.list_(pa.string_view())),
    "map": pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string())),
    "struct": pa.array([{"a": [1]}]),
    "binary": pa.array([b"a"]),
    "view": pa.array([b"a"], pa.binary_view()),
    "fixed": pa.array([b"a" * 2**15], pa.binary(2**15)),
    "long": pa.array([["a" * 2**15]]),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_types_that_no_column_may_have_are_not_read_but_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gansynth.ingestion.parquet.BOMB_BYTES", 2**20)
    odd = pa.concat_arrays([UNREADABLE[name]] * 100)
    table = pa.table({"left": ["a", "b"] * 49 + [None, "a"], "odd": odd, "x": np.arange(100) * 1.5})
    pq.write_table(table, tmp_path / "rows.parquet", compression="zstd")
    found = read_rows(str(tmp_path / "rows.parquet"), "parquet", TableConfig(label="left"))
    assert [(one["column"], one["what"]) for one in found.about["findings"]] == [("odd", "dropped")]
    assert "which is neither numbers, text nor times" in found.about["findings"][0]["reason"]
    np.testing.assert_array_equal(found.dataset.samples.values[:, 0], np.delete(np.arange(100) * 1.5, 98))  # noqa: PD011 no frame


def test_types_that_no_column_may_have_take_no_room_and_are_no_labels(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    long = pa.array([b"a" * 2**18], pa.binary(2**18)).take(pa.array([0] * 500))
    pq.write_table(pa.table({"x": np.arange(500), "left": ["a", "b"] * 250, "long": long}), file, compression="zstd")
    assert read_parquet(str(file)).table.nbytes < 2**16
    with pytest.raises(SourceError, match=r"column 'long' is fixed_size_binary\[262144\]; labels are text"):
        read_rows(str(file), "parquet", TableConfig(label="long"))


def test_files_of_which_one_allows_no_nulls_are_one_table(tmp_path: Path) -> None:
    for name, nullable in (("a", True), ("b", False)):
        schema = pa.schema(
            [pa.field("x", pa.string(), nullable=nullable), pa.field("left", pa.int64(), nullable=nullable)]
        )
        pq.write_table(pa.table({"x": ["a", "b"], "left": [0, 1]}, schema=schema), tmp_path / f"{name}.parquet")
    assert read_parquet(str(tmp_path)).table.to_pydict() == {"x": ["a", "b"] * 2, "left": [0, 1] * 2}


def test_many_texts_of_few_bytes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gansynth.ingestion.parquet.BOMB_BYTES", 2**22)
    table = pa.table({"x": [None, *map(str, range(20_000))], "y": pa.array(["", *20_000 * ["yes"]], pa.large_string())})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=3000)
    assert read_parquet(str(tmp_path / "rows.parquet")).table.equals(table)


def test_constant_columns_are_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gansynth.ingestion.parquet.BOMB_CELLS", 2**20)
    rows = 100_000
    constants = {f"x{number}": pa.repeat(float(number), rows) for number in range(40)}
    table = pa.table({"x": np.random.default_rng(0).random(rows), "left": np.arange(rows) % 2, **constants})
    pq.write_table(table, tmp_path / "rows.parquet", compression="zstd")
    assert read_parquet(str(tmp_path / "rows.parquet")).table.equals(table)


def test_half_floats_may_be_labels_and_values(tmp_path: Path) -> None:
    values = (np.arange(60) % 23 / 8).astype(np.float16)
    table = pa.table({"x": values, "left": (np.arange(60) % 3 / 2).astype(np.float16)})
    pq.write_table(table, tmp_path / "rows.parquet")
    samples = read_rows(str(tmp_path / "rows.parquet"), "parquet", TableConfig(label="left")).dataset.samples
    assert samples.class_names == ("0", "0.5", "1")
    np.testing.assert_array_equal(samples.labels, np.arange(60) % 3)
    np.testing.assert_array_equal(samples.values[:, 0], values.astype(np.float64))  # noqa: PD011 no frame
