from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gansynth.errors import SourceError
from gansynth.ingestion.footers import values_of_columns
from gansynth.ingestion.parquet import read_footer


@pytest.fixture
def nested(tmp_path: Path) -> Path:
    """A file with columns of all shapes, in several row groups."""
    table = pa.table(
        {
            "number": [1.5, None] * 50,
            "truth": [True, False] * 50,
            "list": [[1, 2], None] * 50,
            "map": pa.array([[("key", 1)], []] * 50, pa.map_(pa.string(), pa.int32())),
            "image": [{"bytes": b"x", "path": None}] * 100,
        }
    )
    file = tmp_path / "nested.parquet"
    pq.write_table(table, file, row_group_size=60, write_page_index=True)
    return file


def test_numbers_of_values_are_those_that_pyarrow_tells(nested: Path) -> None:
    footer = pq.read_metadata(nested)
    assert footer.num_row_groups == 2
    assert values_of_columns(nested) == [
        [footer.row_group(group).column(column).num_values for column in range(footer.num_columns)]
        for group in range(footer.num_row_groups)
    ]


@pytest.mark.parametrize("added", [1, 16])
def test_no_damaged_byte_of_a_footer_ends_the_process(nested: Path, added: int) -> None:
    whole = nested.read_bytes()
    length = int.from_bytes(whole[-8:-4], "little")
    refused = 0
    for place in range(len(whole) - 8 - length, len(whole) - 8):
        nested.write_bytes(whole[:place] + bytes([(whole[place] + added) % 256]) + whole[place + 1 :])
        try:
            read_footer(nested)
        except SourceError:
            refused += 1
    assert refused > 50
