from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from gansynth.errors import SourceError
from gansynth.ingestion import ingest
from gansynth.ingestion.tables import TableSource, read_csv
from gansynth.modalities.table.config import TableConfig
from gansynth.modalities.table.rows import prepare
from gansynth.notes import read_columns
from gansynth.runs import Run
from gansynth.study import Study

ROWS = 300


def text(folder: Path, rows: list[str], header: str = "x,town,class") -> str:
    file = folder / "table.csv"
    file.write_text("\n".join([header, *rows, ""]))
    return str(file)


def ordinary(row: int) -> str:
    return f"{row * 0.5},{'Rome' if row % 2 else 'Oslo'},{'yes' if row % 3 else 'no'}"


def read(folder: Path, rows: list[str], header: str = "x,town,class") -> TableSource:
    return read_csv(text(folder, rows, header))


@pytest.mark.parametrize(
    ("strays", "why"),
    [
        ({10: '5.0,"Oslo,yes'}, "nothing closes it"),
        ({10: '5.0,Oslo,"yes'}, "nothing closes it"),
        ({10: '5.0,"Oslo,yes', 200: '100.0,"Rome,no'}, "it closes 190 line\\(s\\) later, before other text"),
        ({10: '5.0,"Oslo,yes', 11: '5.5,"Rome,no'}, "it closes 1 line\\(s\\) later, before other text"),
        ({10: '5.0,"Oslo,yes', 200: '100.0,"the town, Rome",no'}, "it closes 190 line\\(s\\) later, before other text"),
        ({10: '5.0,"Oslo,yes', 200: '100.0,Rome",no'}, "it closes 190 line\\(s\\) later, and what lies between looks"),
        ({10: '5.0,"Oslo,yes', 11: '5.5,Rome",no'}, "it closes 1 line\\(s\\) later, and what lies between looks"),
        ({10: '5.0,Oslo,"yes', 40: '20.0,Rome,no"'}, "it closes 30 line\\(s\\) later, and what lies between looks"),
        ({10: '"5.0,Oslo,yes', 40: '20.0",Rome,no'}, "it closes 30 line\\(s\\) later, and what lies between looks"),
    ],
)
def test_a_stray_quotation_mark_that_takes_in_rows_is_refused_with_its_line(
    tmp_path: Path, strays: dict[int, str], why: str
) -> None:
    rows = [strays.get(row, ordinary(row)) for row in range(ROWS)]
    with pytest.raises(SourceError, match=rf"table\.csv: the quotation mark .* in line 12 is stray: {why}.*; remove"):
        read(tmp_path, rows)


def test_a_stray_quotation_mark_before_more_text_than_a_reader_holds_is_refused_too(tmp_path: Path) -> None:
    rows = [f"{row},{'a long text ' * 10},yes" for row in range(20_000)]
    rows[4] = '4,"a long text,no'
    with pytest.raises(SourceError, match="in line 6 is stray: nothing closes it"):
        read(tmp_path, rows)


@pytest.mark.parametrize(
    ("header", "quoted"),
    [
        ("x,text,class", '7,"first line\nsecond, with a comma\n\nand a ""word"", and another",yes'),
        ("x,text,class", '7,"Dear Sir, Madam, all\nI am here, there, yonder\nyours",yes'),
        ("address,class", '"12 High Street,\nLondon,\nEngland",yes'),
        ("address,class", '"Dear Sir,\nhello",yes'),
        ("x,recipe", '7,"1, eggs\n2, milk\n3, ham"'),
        ("text,class", '"one\r\ntwo",yes'),
    ],
)
def test_quoted_text_of_several_lines_is_read(tmp_path: Path, header: str, quoted: str) -> None:
    width = header.count(",") + 1
    rows = [",".join(ordinary(row).split(",")[-width:]) for row in range(ROWS)]
    source = read(tmp_path, [quoted, *rows, quoted], header)
    assert source.table.num_rows == ROWS + 2
    assert source.quarantine == []


def test_inches_and_half_quoted_words_are_read(tmp_path: Path) -> None:
    source = read(tmp_path, ['1,a 5" pipe,yes', '2,"a ""pipe""",no'] * 10)
    assert source.table["town"].to_pylist() == ['a 5" pipe', 'a "pipe"'] * 10


@pytest.mark.parametrize("rare", ["None", "NA", "?", "null", "nan"])
def test_words_for_none_are_classes_in_the_label_column(tmp_path: Path, rare: str) -> None:
    rows = [f"{row},{rare if row % 3 else 'Rome'},{rare if row % 30 == 0 else 'a'}" for row in range(ROWS)]
    rows[1] = "1,Oslo, "
    source = read_csv(text(tmp_path, rows), "class")
    found = source.table["class"].to_pylist()
    assert found == [None if row == 1 else rare if row % 30 == 0 else "a" for row in range(ROWS)]
    assert source.table["town"].null_count == 199
    assert source.notes[1:] == [
        f"town: {rare!r} in 199 row(s) is read as no value; if it is one, give it another name",
        f"class: {rare!r} in 10 row(s) is a class; if it means that there is no label, empty those cells",
    ]


def test_labels_of_numbers_keep_their_type_where_some_are_empty(tmp_path: Path) -> None:
    source = read_csv(text(tmp_path, ["1,a,0", "2,b,", "3,a,1"]), "class")
    assert source.table["class"].to_pylist() == [0, None, 1]


def test_years_of_two_digits_are_read_as_strptime_reads_them(tmp_path: Path) -> None:
    rows = ["24.12.20,a,yes", "1.2.68,a,no", "29.02.72,b,no", ",b,yes"]
    source = read(tmp_path, rows)
    found = source.table["x"].cast(pa.date32()).to_pylist()
    assert found == [date(2020, 12, 24), date(2068, 2, 1), date(1972, 2, 29), None]
    assert source.notes[1] == "x: years of two digits, read as 1969 to 2068"


def test_dates_with_names_of_months_are_dates(tmp_path: Path) -> None:
    rows = [
        "24-Dec-2020,24 December 2020,24-dec-20",
        '1-May-1968,"May 1, 1968",1-May-68',
        ",,",
        ",29 Feb 2072,29-Feb-72",
    ]
    source = read(tmp_path, rows, "x,town,class")
    first, second, third = (source.table[name].cast(pa.date32()).to_pylist() for name in ("x", "town", "class"))
    assert first == [date(2020, 12, 24), date(1968, 5, 1), None, None]
    assert second == [date(2020, 12, 24), date(1968, 5, 1), None, date(2072, 2, 29)]
    assert third == [date(2020, 12, 24), date(2068, 5, 1), None, date(1972, 2, 29)]
    assert source.notes[1:] == ["class: years of two digits, read as 1969 to 2068"]


@pytest.mark.parametrize(
    "dates", [["24-Dec-20", "24-Dec-2020"], ["24.12.20", "24.12.2020"], ["20/12/24", "20/12/25"], ["1.2.3", "1.10.2"]]
)
def test_years_of_two_digits_that_are_not_certain_stay_text(tmp_path: Path, dates: list[str]) -> None:
    source = read(tmp_path, [f"{date},a,yes" for date in dates])
    assert source.table["x"].to_pylist() == dates
    assert "years of less than four digits" in source.notes[1]


def test_the_first_year_is_a_date_as_any_other(tmp_path: Path) -> None:
    source = read(tmp_path, ["0001-01-01 00:00:00,a,yes", "2020-12-24 10:00:00,b,no"])
    assert source.table["x"].cast(pa.string()).to_pylist() == ["0001-01-01 00:00:00", "2020-12-24 10:00:00"]


def test_codes_keep_their_digits_wherever_the_first_zero_or_large_one_stands(tmp_path: Path) -> None:
    zips = [str(row % 90 + 10) if row < 5000 else f"0{row % 9}" for row in range(6000)]
    hashes = [str(row % 50 * 0x9E3779B97F4A7C15 % 2**64) for row in range(6000)]
    labels = [str(2**63 + row % 3) for row in range(6000)]
    rows = [",".join(row) for row in zip(zips, hashes, labels, strict=True)]
    source = read_csv(text(tmp_path, rows), "class")
    assert source.table.to_pydict() == {"x": zips, "town": hashes, "class": labels}
    prepared = prepare(source.table, TableConfig(label="class"))
    assert prepared.table.to_pydict() == source.table.to_pydict()


def test_words_for_none_are_none_among_codes(tmp_path: Path) -> None:
    codes = [str(row % 90 + 10) if row < 5000 else "NA" if row % 2 else f"0{row % 9}" for row in range(6000)]
    source = read(tmp_path, [f"{code},a,yes" for code in codes])
    assert source.table["x"].to_pylist() == [None if code == "NA" else code for code in codes]


def test_large_numbers_that_are_not_all_whole_stay_numbers(tmp_path: Path) -> None:
    source = read(tmp_path, ["1e30,1.5,yes", "20000000000000000000,2,no"])
    assert source.table["x"].to_pylist() == [1e30, 2e19]


def test_long_names_are_shortened_in_errors(tmp_path: Path) -> None:
    rows = [f"{row % 7},Rome,{'long ' * 2000 if row == 0 else 'short'}" for row in range(ROWS)]
    source = {"path": text(tmp_path, rows)}
    study = Study.model_validate({"name": "s", "source": source, "modality": {"kind": "table", "label": "class"}})
    with pytest.raises(SourceError, match=r"class 'long long .*…' of .* has 1 usable sample\(s\)") as caught:
        ingest(study, Run(tmp_path / "run"))
    assert len(str(caught.value)) < 500


def test_what_is_told_of_categories_follows_the_setting(tmp_path: Path) -> None:
    source = {"path": text(tmp_path, [f"{row * 0.5},town {row % 150},{'ab'[row % 2]}" for row in range(ROWS)])}
    for most, told in ((100, ["rare"]), (200, []), (100, ["rare"])):
        modality = {"kind": "table", "label": "class", "most_categories": most}
        study = Study.model_validate({"name": "s", "source": source, "modality": modality})
        about = read_columns(ingest(study, Run(tmp_path / "run")))
        assert [finding["what"] for finding in about["findings"]] == told
