"""Random tables."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from gansynth.samples import Column, Samples, Schema

LABEL = "label"
# later, float64 does not hold every microsecond
START, END = datetime(1700, 1, 1), datetime(2255, 1, 1)  # noqa: DTZ001 a time without zone is what is tested
SPIKED = st.one_of(st.just(0.0), st.just(0.0), st.floats(-1e300, 1e300, allow_nan=False))

# (Arrow type, values) of columns that survive unchanged
TYPES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.float64(), SPIKED),
    (pa.float64(), st.floats(-1e300, 1e300, allow_nan=False)),
    (pa.float64(), st.integers(-500, 500).map(lambda number: number / 100)),
    (pa.float32(), st.floats(width=32, allow_nan=False, allow_infinity=False)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.int64(), st.integers(0, 40)),
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.bool_(), st.booleans()),
    (pa.string(), st.text(max_size=4)),
    (pa.large_string(), st.sampled_from(["yes", "no", "=cmd()", "<script>"])),
    (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["low", "mid", "high"])),
    (pa.decimal128(12, 3), st.integers(-(10**8), 10**8).map(lambda number: Decimal(number) / 1000)),
    (pa.date32(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    (pa.timestamp("s"), st.datetimes(START, END).map(lambda moment: moment.replace(microsecond=0))),
    (pa.timestamp("us", "Europe/Berlin"), st.datetimes(START, END, timezones=st.just(UTC))),
    (pa.timestamp("ns"), st.datetimes(START, END)),
    (pa.time32("s"), st.times().map(lambda time: time.replace(microsecond=0))),
    (pa.duration("ms"), st.integers(-(10**9), 10**9).map(lambda number: timedelta(milliseconds=number))),
]


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Draw a table of a few rows with a label column and up to five others of any type, some of them with nulls."""
    rows = draw(st.integers(4, 40))
    columns: dict[str, pa.Array] = {LABEL: pa.array([f"class {row % 2}" for row in range(rows)])}
    for number, (dtype, values) in enumerate(draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=5))):
        cells = st.one_of(st.none(), values) if draw(st.booleans()) else values
        columns[f"column {number}"] = pa.array(draw(st.lists(cells, min_size=rows, max_size=rows)), dtype)
    return pa.table(columns)


SCHEMA = Schema(
    (
        Column("age", "integer", "int64"),
        Column("paid", "numeric", "double", decimals=2),
        Column("plan", "categorical", "string", ("<b>long</b>", "short", "trial")),
        Column("mail", "boolean", "bool", ("false", "true")),
        Column("since", "datetime", "timestamp[us]"),
    ),
    Column("left", "categorical", "string", ("no", "yes")),
)


def draw_rows(rows: int, seed: int) -> Samples:
    """Draw customers, half of whom left: ages, plans and payments hang together; some payments and plans are null."""
    random = np.random.default_rng(seed)
    left = np.arange(rows) % 2
    age = random.normal(np.where(left, 30, 45), 8).round()
    plan = np.where(random.random(rows) < 0.7, left, random.integers(0, 3, rows)).astype(float)
    paid = np.exp(3 + age / 30 + random.normal(0, 0.5, rows)).round(2)
    since = 1.6e15 + 8.64e10 * random.integers(0, 1000, rows)
    cells = np.column_stack([age, paid, plan, random.random(rows) < 0.4, since])
    cells[random.random(rows) < 0.1, 1] = np.nan
    cells[random.random(rows) < 0.1, 2] = np.nan
    return Samples(cells, left, ("no", "yes"), SCHEMA)
