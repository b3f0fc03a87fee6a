"""Tables that are read as the training data was."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.csv import write_csv

from gansynth.errors import SourceError
from gansynth.ingestion.rows import FoundRows, read_rows
from gansynth.ingestion.sniffing import Dialect
from gansynth.ingestion.unlabelled import FurtherRows, read_further_rows
from gansynth.modalities.table.cells import to_arrow
from gansynth.modalities.table.config import TableConfig

DAY_FIRST = "read unlike the training data: dates like 31/12/2020 month first, not day first"
FEBRUARY, MARCH = np.datetime64("2024-02-01", "us").astype(float), np.datetime64("2024-03-25", "us").astype(float)


def read(folder: Path, content: str, training: str) -> FurtherRows:
    """Read a file as the rows that a model of a training file may score."""
    (folder / "training.csv").write_text(training)
    (folder / "new.csv").write_text(content)
    found = read_rows(str(folder / "training.csv"), "csv", TableConfig(label="y"))
    about = json.loads(json.dumps(found.about))  # as columns.json holds it
    schema = found.dataset.samples.schema
    assert schema is not None
    return read_further_rows(str(folder / "new.csv"), schema, Dialect.restore(about["dialect"]), about["null_words"])


def dated(folder: Path, *days: str) -> FurtherRows:
    rows = "".join(f"{day:02}/0{day % 9 + 1}/2023,{day % 7},{'ab'[day % 2]}\n" for day in range(1, 29))
    return read(folder, "when,n\n" + "".join(f"{day},1\n" for day in days), f"when,n,y\n{rows}")


def test_dates_that_do_not_tell_day_from_month_are_read_like_those_of_the_training_data(tmp_path: Path) -> None:
    found = dated(tmp_path, "01/02/2024", "01/02/2024")
    (part,) = found.parts
    assert part.problems == ["", ""]
    assert part.values[:, 0].tolist() == [FEBRUARY] * 2
    assert found.notes == []


def test_dates_in_another_order_than_those_of_the_training_data_are_noted(tmp_path: Path) -> None:
    found = dated(tmp_path, "03/25/2024")
    (part,) = found.parts
    assert part.values[:, 0].tolist() == [MARCH]
    assert found.notes == [DAY_FIRST]


def test_a_date_that_is_none_sets_its_own_row_aside_alone(tmp_path: Path) -> None:
    (part,) = dated(tmp_path, "01/02/2024", "soon", "25/03/2024").parts
    assert part.problems == ["", "when: 'soon' is no time in ISO 8601", ""]
    assert part.values[:, 0].tolist() == [FEBRUARY, MARCH]


def test_delimiter_and_decimal_mark_are_those_of_the_training_data_where_the_file_fits_them(tmp_path: Path) -> None:
    training = "x;town;y\n" + "".join(f"{n},5;a, b {n % 3};{'uv'[n % 2]}\n" for n in range(30))
    found = read(tmp_path, "x;town\n1,5;a, b 0\n2,5;a, b 1\n", training)
    (part,) = found.parts
    assert part.values.tolist() == [[1.5, 0], [2.5, 1]]
    assert found.notes == []
    found = read(tmp_path, 'x,town\n1.5,"a, b 0"\n', training)
    (part,) = found.parts
    assert part.values.tolist() == [[1.5, 0]]
    assert found.notes == ["read unlike the training data: comma between values, not semicolon"]
    found = read(tmp_path, "x;town\n1.5;a, b 0\n", training)
    (part,) = found.parts
    assert part.values.tolist() == [[1.5, 0]]
    assert found.notes == ["read unlike the training data: decimal point, not decimal comma"]


def test_text_that_looks_like_numbers_in_one_file_alone_stays_text(tmp_path: Path) -> None:
    training = "x,size,y\n" + "".join(f"{n % 7},{('1.50', '2.0', 'XL')[n % 3]},{'uv'[n % 2]}\n" for n in range(30))
    found = read(tmp_path, "x,size\n1,1.50\n2,2.0\n", training)
    (part,) = found.parts
    assert part.values.tolist() == [[1, 0], [2, 1]]
    assert found.notes == []


def test_a_file_without_a_header_like_the_training_data_has_none(tmp_path: Path) -> None:
    training = "".join(f"{n % 9},{n % 5}.5,{'uv'[n % 2]}\n" for n in range(30))
    (tmp_path / "training.csv").write_text(training)
    config = TableConfig(label="column_3")
    found = read_rows(str(tmp_path / "training.csv"), "csv", config)
    assert found.dataset.samples.schema is not None
    (tmp_path / "new.csv").write_text("NA,1.5\n3,2.5\n")
    dialect = Dialect.restore(found.about["dialect"])
    further = read_further_rows(str(tmp_path / "new.csv"), found.dataset.samples.schema, dialect)
    (part,) = further.parts
    np.testing.assert_array_equal(part.values, [[np.nan, 1.5], [3, 2.5]])


def test_a_label_that_no_first_row_names_is_told_with_that_row(tmp_path: Path) -> None:
    (tmp_path / "years.csv").write_text("2019,2020,class\n1,2,a\n3,4,b\n")
    with pytest.raises(SourceError, match=r"no column 'y'.*first row \('2019', '2020', 'class'\) was taken for values"):
        read_rows(str(tmp_path / "years.csv"), "csv", TableConfig(label="y"))


POINT, COMMA = ",", ";"


def measured(delimiter: str, odd: str = "", dates: str = "{:02}.{:02}.2023") -> str:
    """Return a file of labelled numbers and dates in the notation that goes with a delimiter."""
    mark = "," if delimiter == COMMA else "."
    numbers = [f"{row * 1.25:.2f}".replace(".", mark) for row in range(1, 61)]
    rows = [(numbers[row], dates.format(row % 28 + 1, row % 12 + 1), "ab"[row % 2]) for row in range(60)]
    if odd:
        rows[7] = (odd, odd, "a")
    return "\n".join(delimiter.join(line) for line in [("x", "when", "y"), *rows, ()])


def taken(folder: Path, content: str, **kinds: str) -> FoundRows:
    (folder / "training.csv").write_text(content)
    columns = [{"name": name, "kind": kind} for name, kind in kinds.items()]
    config = TableConfig.model_validate({"label": "y", "columns": columns})
    return read_rows(str(folder / "training.csv"), "csv", config)


@pytest.mark.parametrize("delimiter", [POINT, COMMA])
@pytest.mark.parametrize("kinds", [{}, {"x": "numeric", "when": "datetime"}])
@pytest.mark.parametrize(
    "dates", ["{:02}.{:02}.2023", "2023-{1:02}-{0:02}", "{:02}/{:02}/2023", "{}.{}.2023 10:05", "{}-Jul-20{:02}"]
)
def test_one_odd_cell_does_not_make_numbers_or_dates_text(
    tmp_path: Path, delimiter: str, kinds: dict[str, str], dates: str
) -> None:
    whole, odd = (taken(tmp_path, measured(delimiter, cell, dates), **kinds) for cell in ("", "k.A."))
    assert odd.quarantine == [{"source": "training.csv row 8", "reason": "x: 'k.A.' is no number"}]
    samples, others = whole.dataset.samples, odd.dataset.samples
    assert others.schema is not None
    assert [column.kind for column in others.schema.columns] == ["numeric", "datetime"]
    np.testing.assert_array_equal(others.values, np.delete(samples.values, 7, axis=0))
    assert [finding["what"] for finding in odd.about["findings"]] == ([] if kinds else ["mixed"] * 2)


@pytest.mark.parametrize("delimiter", [POINT, COMMA])
@pytest.mark.parametrize("dates", ["{:02}.{:02}.2023", "{:02}/{:02}/2023", "{:02} March 20{:02}"])
def test_words_that_were_nulls_in_training_are_so_where_rows_are_scored(
    tmp_path: Path, delimiter: str, dates: str
) -> None:
    header, *rows = measured(delimiter, dates=dates).splitlines()
    worded = [delimiter.join(["unknown", "-", "a"]) if number % 5 == 0 else row for number, row in enumerate(rows)]
    training = "\n".join([header, *worded, ""])
    found = taken(tmp_path, training)
    samples = found.dataset.samples
    assert found.quarantine == []
    assert [column.kind for column in samples.columns] == ["numeric", "datetime"]
    assert np.isnan(samples.values).sum(0).tolist() == [12, 12]
    assert found.about["null_words"] == {"x": ("unknown",), "when": ("-",)}
    (part,) = read(tmp_path, training, training).parts
    np.testing.assert_array_equal(part.values, samples.values)
    # in a file of one row, of nulls alone, with a word that is another column's, and with words that were not known
    for new, problem in (
        ("unknown;-", ""),
        ("-;-", "x: '-' is no number"),
        ("often;-", "x: 'often' is no number"),
        ("often;-\noften;-", "x: 'often' is no number"),
    ):
        content = f"x;when\n{new}\n".replace(";", delimiter)
        (part,) = read(tmp_path, content, training).parts
        assert set(part.problems) == {problem}
        np.testing.assert_array_equal(part.values, np.full((0 if problem else 1, 2), np.nan))


@pytest.mark.parametrize("unit", [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")], ids=str)
def test_times_of_day_from_parquet_are_read_again_from_csv(tmp_path: Path, unit: pa.DataType) -> None:
    seconds = pa.array([row * 997 % 86_400 for row in range(60)], pa.int32()).cast(pa.time32("s"))
    at = pa.chunked_array([seconds.cast(unit)])
    table = pa.table({"at": at, "x": [row / 4 for row in range(60)], "y": ["a", "b"] * 30})
    pq.write_table(table, tmp_path / "training.parquet")
    found = read_rows(str(tmp_path / "training.parquet"), "parquet", TableConfig(label="y")).dataset.samples
    assert found.schema is not None
    back = to_arrow(found.values, found.columns)
    write_csv(back, tmp_path / "new.csv")
    (part,) = read_further_rows(str(tmp_path / "new.csv"), found.schema, None, {}).parts
    assert set(part.problems) == {""}
    np.testing.assert_array_equal(part.values, found.values)
    # a cell that is none, and a table of text
    odd = back.set_column(0, "at", pa.array(["25:00:00", *back["at"].cast(pa.string()).to_pylist()[1:]]))
    for name, write in (("odd.csv", write_csv), ("odd.parquet", pq.write_table)):
        write(odd, tmp_path / name)
        (part,) = read_further_rows(str(tmp_path / name), found.schema, None, {}).parts
        assert [problem for problem in part.problems if problem] == ["at: '25:00:00' is no time of day"]
        np.testing.assert_array_equal(part.values, found.values[1:])
    # ingested as they are
    write_csv(back.append_column("y", table["y"]), tmp_path / "again.csv")
    again = read_rows(str(tmp_path / "again.csv"), "csv", TableConfig(label="y")).dataset.samples
    assert (again.columns[0].kind, again.columns[0].dtype) == ("integer", "time32[s]")
    assert (
        to_arrow(again.values, again.columns)["at"].cast(pa.string()).to_pylist()
        == seconds.cast(pa.string()).to_pylist()
    )


@pytest.mark.parametrize("delimiter", [POINT, COMMA])
def test_one_odd_cell_to_be_scored_sets_its_own_row_aside_alone(tmp_path: Path, delimiter: str) -> None:
    found = read(tmp_path, measured(delimiter, "viel"), measured(delimiter))
    (part,) = found.parts
    assert {place: problem for place, problem in zip(part.places, part.problems, strict=True) if problem} == {
        "new.csv row 8": "x: 'viel' is no number"
    }
    (whole,) = read(tmp_path, measured(delimiter), measured(delimiter)).parts
    np.testing.assert_array_equal(part.values, np.delete(whole.values, 7, axis=0))


def test_what_may_be_thousands_is_no_number_beside_decimal_commas(tmp_path: Path) -> None:
    rows = "".join(f"{row * 0.25:.2f};{row * 997:,};{'ab'[row % 2]}\n".replace(",", "!") for row in range(2, 62))
    content = "x;n;y\n" + rows.replace(".", ",").replace("!", ".")
    found = taken(tmp_path, content)
    assert "decimal comma" in found.about["notes"][0]
    assert [(one["column"], one["what"]) for one in found.about["findings"]] == [("n", "dropped")]
    assert "write its numbers without signs and thousands separators" in found.about["findings"][0]["reason"]
    single = taken(tmp_path, measured(COMMA).replace("\n1,25;", "\n1.250;"))
    assert single.quarantine == [{"source": "training.csv row 1", "reason": "x: '1.250' is no number"}]
