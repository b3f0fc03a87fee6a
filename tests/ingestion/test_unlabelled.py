"""Tables that are read as the training data was."""

import json
from pathlib import Path

import numpy as np
import pytest

from gansynth.errors import SourceError
from gansynth.ingestion.rows import read_rows
from gansynth.ingestion.sniffing import Dialect
from gansynth.ingestion.unlabelled import FurtherRows, read_further_rows
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
    return read_further_rows(str(folder / "new.csv"), schema, Dialect.restore(about["dialect"]))


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
