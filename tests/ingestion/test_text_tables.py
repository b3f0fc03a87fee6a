from pathlib import Path

import pytest

from gansynth.errors import SourceError
from gansynth.ingestion.tables import TableSource, read_csv

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
