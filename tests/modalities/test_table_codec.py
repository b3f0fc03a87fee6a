import json

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tables import LABEL, tables

from gansynth.errors import SourceError
from gansynth.modalities.table.cells import Cells
from gansynth.modalities.table.codec import TableCodec
from gansynth.modalities.table.config import TableConfig
from gansynth.modalities.table.survey import survey
from gansynth.samples import Column, Samples, Schema

RANDOM = np.random.default_rng(0)
NUMBER = Column("x", "numeric", "double")
WHOLE = Column("n", "integer", "int64")
HEAVY_TAILS = {
    "cauchy": RANDOM.standard_cauchy(20_000),
    "lognormal": RANDOM.lognormal(0, 8, 20_000),
    "both ends": np.r_[-1e300, RANDOM.normal(size=20_000), 1e300],
    "uniform": RANDOM.random(20_000),
}


def samples_of(columns: dict[Column, npt.ArrayLike]) -> Samples:
    values = np.stack([np.asarray(cells, dtype=np.float64) for cells in columns.values()], axis=1)
    return Samples(
        values,
        np.zeros(len(values), dtype=np.int64),
        ("a",),
        Schema(tuple(columns), Column(LABEL, "categorical", "string", ("a",))),
    )


def fit(cells: npt.ArrayLike, column: Column = NUMBER, most: int = 100) -> TableCodec:
    return TableCodec.fit(samples_of({column: cells}), TableConfig(label="y", most_categories=most))


def towns(count: int) -> Column:
    return Column("town", "categorical", "string", tuple(f"town {number}" for number in range(count)))


def encode(codec: TableCodec, *cells: float) -> list[list[float]]:
    rows: list[list[float]] = codec.hold(np.array(cells, dtype=np.float64)[:, None]).tolist()
    return rows


@given(tables(), st.integers(2, 6))
@settings(max_examples=100, deadline=None)
def test_rows_of_any_table_come_back_as_they_were(table: pa.Table, most: int) -> None:
    try:
        samples = survey(table, TableConfig(label=LABEL)).samples
        codec = TableCodec.fit(samples, TableConfig(label="y", most_categories=most))
    except SourceError:
        assume(False)
        raise
    encoded = codec.hold(samples.values)
    assert encoded.dtype == torch.float32
    assert encoded.shape == (len(samples), sum(codec.shape))
    for block in encoded.split(codec.shape, dim=1):
        if block.shape[1] == 1:
            assert block.abs().max() <= 1
        else:
            assert torch.equal(block.sum(1), torch.ones(len(block)))
            assert set(block.unique().tolist()) <= {0.0, 1.0}

    restored = TableCodec.restore(json.loads(json.dumps(codec.describe())))
    assert restored == codec
    decoded = restored.decode(encoded)
    for cells, back, column in zip(samples.values.T, decoded.T, samples.columns, strict=True):
        if column.categories:  # rare ones share a place
            values, counts = np.unique(cells[~np.isnan(cells)], return_counts=True)
            frequent = values[np.argsort(-counts, kind="stable")[:most]]
            is_kept = np.isin(cells, frequent) | np.isnan(cells)
            np.testing.assert_array_equal(back[is_kept], cells[is_kept])
            assert not np.isin(back[~is_kept], frequent).any()
        else:
            np.testing.assert_array_equal(back, cells)


@given(tables(), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_whatever_a_network_says_is_a_row_like_those_of_the_table(table: pa.Table, seed: int) -> None:
    try:
        samples = survey(table, TableConfig(label=LABEL)).samples
        codec = TableCodec.fit(samples, TableConfig(label="y", most_categories=3))
    except SourceError:
        assume(False)
        raise
    noise = torch.randn(64, sum(codec.shape), generator=torch.Generator().manual_seed(seed)) * 2
    decoded = codec.decode(noise)
    for cells, back, column in zip(samples.values.T, decoded.T, samples.columns, strict=True):
        nulls, held = np.isnan(back), cells[~np.isnan(cells)]
        assert not nulls.any() or np.isnan(cells).any(), "nulls only where there were some"
        if column.categories:
            assert np.isin(back[~nulls], held).all()
            continue
        if not nulls.all():
            assert held.min() <= back[~nulls].min() <= back[~nulls].max() <= held.max()
        if column.decimals is not None:
            np.testing.assert_array_equal(np.round(back, column.decimals), back)
        if column.kind == "integer":
            np.testing.assert_array_equal(np.rint(back), back)


@pytest.mark.parametrize("cells", HEAVY_TAILS.values(), ids=HEAVY_TAILS)
def test_heavy_tails_keep_their_order_and_their_values(cells: Cells) -> None:
    codec = fit(cells)
    assert codec.shape == (1,)
    ordered = np.sort(cells)
    encoded = codec.hold(ordered[:, None])
    assert (encoded.diff(dim=0) >= 0).all(), "monotone"
    assert encoded[[0, -1]].flatten().tolist() == [-1, 1]
    # extremes do not press the others together
    assert encoded.std() > 0.15
    assert encoded.abs().median() > 0.1
    decoded = codec.decode(encoded)[:, 0]
    # a thousandth of the rows around a number says how exact it needs to be
    around = np.abs(np.roll(ordered, -20) - np.roll(ordered, 20))[20:-20]
    error = np.abs(decoded - ordered)
    assert (error[20:-20] <= 1e-3 * around).all()
    np.testing.assert_array_equal(decoded[[0, 1, 2, -3, -2, -1]], ordered[[0, 1, 2, -3, -2, -1]])


def test_a_value_that_many_rows_share_and_nulls_are_choices() -> None:
    amounts = np.r_[np.zeros(60), np.full(10, np.nan), RANDOM.lognormal(size=130).round(2)]
    codec = fit(amounts, Column("amount", "numeric", "double", decimals=2))
    assert codec.shape == (1, 3)
    zero, null, least, most = encode(codec, 0, np.nan, np.nanmin(amounts[70:]), np.nanmax(amounts))
    assert zero == [0, 0, 1, 0]
    assert null == [0, 0, 0, 1]
    assert least == [-1, 1, 0, 0]
    assert most == [1, 1, 0, 0]
    np.testing.assert_array_equal(
        codec.decode(torch.tensor([[0.7, 0.1, 0.9, 0.2], [0.7, 0.1, 0.2, 0.9]]))[:, 0], [0, np.nan]
    )


def test_few_values_are_choices_and_others_count_as_the_nearest() -> None:
    codec = fit(np.repeat([1, 2, 5], [30, 50, 20]), WHOLE)
    assert codec.shape == (3,)
    assert encode(codec, 2, 1, 5) == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert encode(codec, -7, 3, 4, 99) == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]]


def test_few_rows_do_not_make_choices_of_numbers() -> None:
    assert fit(RANDOM.normal(size=8)).shape == (1,)


def test_numbers_beyond_the_training_rows_are_encoded_as_their_bounds() -> None:
    codec = fit(np.arange(100), WHOLE)
    assert encode(codec, -1e9, 1e9, np.nan) == [[-1], [1], [0]]
    assert codec.decode(torch.tensor([[-3.0], [3.0]])).tolist() == [[0], [99]]


def test_rare_categories_share_a_place_and_so_do_unknown_ones() -> None:
    column = towns(10_000)
    counts = np.r_[50, 40, 30, 20, np.ones(8000, dtype=np.int64)]
    codec = fit(np.repeat(np.arange(len(counts)), counts), column, most=3)
    assert codec.shape == (4,)
    assert encode(codec, 0, 1, 2) == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert encode(codec, 3, 4000, 9999) == [[1, 0, 0, 0]] * 3
    assert codec.decode(torch.eye(4))[:, 0].tolist() == [3, 0, 1, 2]


def test_what_no_training_row_holds_has_no_place() -> None:
    codec = fit([0, 0, 1], towns(3))
    assert encode(codec, 2, np.nan) == [[0, 0]] * 2
    assert encode(fit([0.5, 1.5, 2.5, 3.5]), np.nan) == [[0]]


def test_a_column_with_one_value_has_no_block_and_comes_back() -> None:
    samples = samples_of({towns(2): [1, 1, 1], NUMBER: [2.5, 2.5, 2.5], WHOLE: [np.nan] * 3, towns(3): [0, 1, 2]})
    codec = TableCodec.fit(samples, TableConfig(label="y", most_categories=100))
    assert codec.shape == (3,)
    np.testing.assert_array_equal(codec.decode(codec.hold(samples.values)), samples.values)
    with pytest.raises(SourceError, match="every column has one value in all training rows"):
        fit([1, 1, 1])


def test_times_are_rounded_to_the_unit_that_fits_all_of_them() -> None:
    hour = 3_600_000_000
    codec = fit(np.arange(50) ** 3 * hour, Column("when", "datetime", "timestamp[us]"))
    decoded = codec.decode(torch.linspace(-1, 1, 500)[:, None])
    np.testing.assert_array_equal(decoded % hour, 0)
    assert len(np.unique(decoded)) > 100


@pytest.mark.parametrize(
    ("dtype", "step"),
    [
        (pa.time32("s"), 60),
        (pa.time64("us"), 60_000_000),
        (pa.time64("ns"), 60_000_000_000),
        (pa.time64("us"), 1),
        (pa.duration("ms"), 3_600_000),
        (pa.duration("s"), 86_400),
    ],
)
def test_times_of_day_and_durations_are_rounded_like_times(dtype: pa.DataType, step: int) -> None:
    moments = pa.array((RANDOM.permutation(1000) + 1) * step, pa.int64())
    table = pa.table({"at": (moments.cast(pa.int32()) if dtype.bit_width == 32 else moments).cast(dtype)})
    samples = survey(table.append_column(LABEL, [["a", "b"] * 500]), TableConfig(label=LABEL)).samples
    made = TableCodec.fit(samples, TableConfig(label=LABEL)).decode(torch.linspace(-1, 1, 4001)[:, None])
    assert len(np.unique(made)) > 900
    assert not np.any(made % step)


def test_columns_do_not_disturb_each_other() -> None:
    samples = samples_of({NUMBER: RANDOM.normal(size=50), towns(4): np.arange(50) % 4, WHOLE: np.arange(50)})
    codec = TableCodec.fit(samples, TableConfig(label="y", most_categories=2))
    assert codec.shape == (1, 3, 1)
    order = RANDOM.permutation(50)
    assert torch.equal(codec.hold(samples.values[order]), codec.hold(samples.values)[order])
    assert torch.equal(codec.hold(torch.from_numpy(samples.values)), codec.hold(samples.values))
    assert codec.hold(samples.values[:0]).shape == (0, 5)
    assert codec.decode(torch.zeros(0, 5)).shape == (0, 3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_encodes_and_decodes_alike_without_waiting() -> None:
    device = torch.device("cuda")
    numbers = np.r_[np.zeros(500), RANDOM.lognormal(size=1500)]
    samples = samples_of({NUMBER: numbers, towns(4): np.arange(2000) % 4})
    codec = TableCodec.fit(samples, TableConfig(label="y", most_categories=2))
    cells = torch.from_numpy(samples.values).to(device)
    codec.hold(cells)
    torch.cuda.set_sync_debug_mode("error")
    try:
        encoded = codec.hold(cells)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(encoded.cpu(), codec.hold(samples.values), rtol=0, atol=1e-6)
    np.testing.assert_allclose(codec.decode(encoded), codec.decode(codec.hold(samples.values)), rtol=1e-5)


def test_a_table_of_many_categories_is_chosen_from_in_blocks_of_whole_passes() -> None:
    columns = {
        Column(f"c{place}", "categorical", "string", ("a", "b", "c", "d")): RANDOM.integers(0, 4, 50)
        for place in range(30)
    }
    codec = TableCodec.fit(samples_of(columns), TableConfig(label=LABEL))
    assert codec.block_size % codec.pass_size == 0
    assert codec.block_size >= codec.pass_size
