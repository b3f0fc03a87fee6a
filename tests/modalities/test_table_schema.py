import math
import string
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tables import LABEL, tables

from gansynth.errors import SourceError
from gansynth.modalities.table import storage
from gansynth.modalities.table.cells import arrow_type, to_arrow, to_cells
from gansynth.modalities.table.config import ColumnSetting, TableConfig
from gansynth.modalities.table.profile import find_equal_rows
from gansynth.modalities.table.survey import Survey, survey
from gansynth.samples import Column

ROWS = 200
HALF = [f"class {row % 2}" for row in range(ROWS)]
RANDOM = np.random.default_rng(0)
WORDS = ["".join(RANDOM.choice(list(string.ascii_lowercase), 5)) for _ in range(50)]


def look(settings: tuple[ColumnSetting, ...] = (), label: list[object] | None = None, **columns: object) -> Survey:
    table = pa.table({**columns, LABEL: label or HALF})
    return survey(table, TableConfig(label=LABEL, columns=settings))


def setting(name: str, kind: str, **more: object) -> ColumnSetting:
    return ColumnSetting.model_validate({"name": name, "kind": kind, **more})


def kinds(found: Survey) -> dict[str, str]:
    return {column.name: column.kind for column in found.samples.columns}


def told(found: Survey, what: str) -> dict[str, str]:
    return {finding.column: finding.reason for finding in found.findings if finding.what == what}


@pytest.mark.parametrize("position", range(4))
def test_the_label_comes_out_where_it_stood_among_the_columns_that_are_kept(position: int) -> None:
    columns = {"id": WORDS * 4, "x": RANDOM.normal(size=ROWS), "y": RANDOM.normal(size=ROWS)}
    table = pa.table(columns).add_column(position, LABEL, [HALF])
    found = survey(table, TableConfig(label=LABEL, columns=(setting("id", "drop"),)))
    written = storage.to_arrow(found.samples, {"synthetic": pa.array([True] * ROWS)})
    kept = [name for name in table.column_names if name != "id"]
    assert written.column_names == [*kept, "synthetic"]
    assert written.select(kept).equals(table.select(kept))
    assert storage.from_arrow(written).schema == found.samples.schema


@given(tables())
@settings(max_examples=100, deadline=None)
def test_cells_of_any_table_come_back_as_they_were(table: pa.Table) -> None:
    try:
        found = survey(table, TableConfig(label=LABEL))
    except SourceError as error:
        assume("no column beside the label is left" not in str(error))
        raise
    back = to_arrow(found.samples.values, found.samples.columns)
    original = table.take(pa.array(found.rows)).select(back.column_names)
    assert back.schema.types == original.schema.types
    for name in back.column_names:
        assert back[name].to_pylist() == original[name].to_pylist()
    dropped = told(found, "dropped")
    assert {*back.column_names, *dropped, LABEL} == set(table.column_names)


def test_kinds_are_inferred() -> None:
    numbers = RANDOM.normal(size=ROWS).round(2)
    found = look(
        price=numbers,
        whole=RANDOM.integers(0, 90, ROWS),
        flag=RANDOM.integers(0, 2, ROWS),
        truth=RANDOM.random(ROWS) < 0.5,
        town=RANDOM.choice(WORDS, ROWS),
        size=pa.array(pd.Categorical(RANDOM.choice(["S", "M", "L"], ROWS), ["S", "M", "L"], ordered=True)),
        day=pa.array(RANDOM.integers(0, 9999, ROWS), pa.int32()).cast(pa.date32()),
        mixed=[f"{number}" if row != 7 else "n.a." for row, number in enumerate(numbers)],
        codes=[f"0{row % 90}" for row in range(ROWS)],
    )
    assert kinds(found) == {
        "price": "numeric",
        "whole": "integer",
        "flag": "boolean",
        "truth": "boolean",
        "town": "categorical",
        "size": "ordinal",
        "day": "datetime",
        "mixed": "numeric",
        "codes": "categorical",
    }
    columns = {column.name: column for column in found.samples.columns}
    assert columns["price"].decimals == 2
    assert columns["flag"].categories == ("0", "1")
    assert columns["size"].categories == ("S", "M", "L")
    assert found.unusable == {7: "mixed: 'n.a.' is no number"}
    assert told(found, "mixed") == {"mixed": "text read as numbers; 1 row(s) with other text set aside"}


def test_columns_that_teach_nothing_are_dropped_with_their_reason() -> None:
    found = look(
        number=list(range(1000, 1000 + ROWS)),
        uuid=[f"{row:x}-{row * 7919:x}" for row in range(ROWS)],
        huge=[2**60 + row * 12345 for row in range(ROWS)],
        essay=[" ".join(RANDOM.choice(WORDS, 8)) for _ in range(ROWS)],
        constant=["same"] * ROWS,
        nothing=pa.nulls(ROWS, pa.float64()),
        untyped=pa.nulls(ROWS),
        nested=[[row] for row in range(ROWS)],
        unwanted=RANDOM.normal(size=ROWS),
        # one value or none is something to learn
        seldom=[None if row % 3 else "yes" for row in range(ROWS)],
        settings=(setting("unwanted", "drop"),),
    )
    assert kinds(found) == {"seldom": "categorical"}
    reasons = told(found, "dropped")
    for name in ("number", "uuid", "huge"):
        assert reasons[name].startswith("is an id: 200")
    assert reasons["essay"].startswith("is free text: 200 texts of 8 words")
    assert reasons["constant"] == "holds the same value in every row: 'same'"
    assert reasons["nothing"] == "holds only nulls"
    assert reasons["untyped"] == "holds only nulls"
    assert reasons["nested"] == "is list<item: int64>, which is neither numbers, text nor times"
    assert reasons["unwanted"] == "is left out by modality.columns"


def test_whole_numbers_with_gaps_and_none_twice_are_told_as_perhaps_ids() -> None:
    found = look(
        account=RANDOM.permutation(100_000)[:ROWS],
        invoice=[1000 + 3 * row for row in range(ROWS)],
        paid=RANDOM.integers(0, 500, ROWS),
        known=[7 * row for row in range(ROWS)],
        settings=(setting("known", "integer"),),
    )
    assert set(kinds(found)) == {"account", "invoice", "paid", "known"}
    reason = "may be an id: no two of its 200 numbers are equal; if it is one, drop it by modality.columns"
    assert told(found, "id") == {"account": reason, "invoice": reason}


@pytest.mark.parametrize(
    ("pattern", "remedy"),
    [
        ("31/12/2020 10:{:03}", "write its times as 2020-12-31 10:00; as it is, it can only be categorical"),
        ("${}.50", "write its numbers without signs and thousands separators; as it is, it can only be categorical"),
        ("1,{:03}", "write its numbers without signs"),
        ("{} EUR", "write its numbers without signs"),
        ("{}%", "write its numbers without signs"),
        ("u{:05}", "give its kind in modality.columns"),
        ("{:05}", "give its kind in modality.columns"),
    ],
)
def test_text_that_is_taken_for_ids_is_told_with_what_helps(pattern: str, remedy: str) -> None:
    found = look(text=[pattern.format(row) for row in range(ROWS)], x=RANDOM.normal(size=ROWS))
    assert f"is an id: 200 values in 200 rows; if it is not, {remedy}" in told(found, "dropped")["text"]


@pytest.mark.parametrize(
    ("pattern", "looks", "remedy"),
    [
        ("{}%", "numbers with signs or thousands separators", "write its numbers without signs"),
        ("€{}", "numbers with signs or thousands separators", "write its numbers without signs"),
        ("{},5", "numbers with decimal commas", "write its numbers with a decimal point"),
        ("{}/02/2020", "times", "write its times as 2020-12-31 10:00"),
        ("{}-Feb-20", "times", "write its times as 2020-12-31 10:00"),
        ("May {}, 99", "times", "write its times as 2020-12-31 10:00"),
        ("{} dec", "", ""),
        ("size {}", "", ""),
        ("0{}", "", ""),
    ],
)
def test_text_that_looks_like_numbers_is_told_where_it_becomes_categories(
    pattern: str, looks: str, remedy: str
) -> None:
    texts = [pattern.format(10 + row % 40) for row in range(ROWS)]
    found = look(text=texts, known=texts, settings=(setting("known", "categorical"),))
    assert kinds(found) == {"text": "categorical", "known": "categorical"}
    reasons = told(found, "text")
    assert set(reasons) == ({"text"} if looks else set())
    assert all(one.startswith(f"looks like {looks}, but is text") and remedy in one for one in reasons.values())


def test_categories_that_no_generator_tells_apart_are_told() -> None:
    towns = [f"town {row % 150}" for row in range(ROWS)]
    table = pa.table({"town": towns, "known": towns, "few": [row % 100 for row in range(ROWS)], LABEL: HALF})
    columns = (setting("known", "categorical"), setting("few", "categorical"))
    config = TableConfig(label=LABEL, columns=columns)
    reason = (
        "150 categories, of which networks tell the 100 most frequent apart; all rarer ones are drawn as the most"
        " frequent of them; if they matter, raise modality.most_categories"
    )
    assert told(survey(table, config), "rare") == {"town": reason, "known": reason}
    assert told(survey(table, config.model_copy(update={"most_categories": 150})), "rare") == {}


def test_whole_numbers_that_look_like_dates_are_told_so_and_kept() -> None:
    days = pd.date_range("1999-01-01", periods=ROWS, freq="9D").strftime("%Y%m%d").astype(int).tolist()
    found = look(
        day=days,
        nulls=[float("nan") if row % 7 == 0 else float(day) for row, day in enumerate(days)],
        known=days,
        few=[days[row % 20] for row in range(ROWS)],
        none=[*days[:-1], 19990229],
        early=[18000101 + row % 28 for row in range(ROWS)],
        settings=(setting("known", "integer"),),
    )
    assert set(kinds(found)) == {"day", "nulls", "known", "few", "none", "early"}
    assert kinds(found)["day"] == "integer"
    reasons = told(found, "dates")
    assert set(reasons) == {"day", "nulls"}
    assert reasons["day"] == (
        "looks like dates such as 19990101, but is whole numbers and so taken as numbers; write its dates as"
        " 2020-12-31, or make it integer in modality.columns"
    )


@pytest.mark.parametrize("form", ["%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d %b %Y %H:%M"])
def test_text_with_names_of_months_is_read_as_times(form: str) -> None:
    days = pd.date_range("2020-01-01", periods=ROWS, freq="5D")
    texts = with_words(days.strftime(form).tolist(), "unknown")
    texts[3] = texts[3].upper()
    found = look(when=texts)
    assert kinds(found) == {"when": "datetime"}
    back = to_arrow(found.samples.values, found.samples.columns)["when"].to_pylist()
    assert back == [None if row % 5 == 0 else day for row, day in enumerate(days.to_pydatetime())]


@pytest.mark.parametrize(
    ("unit", "far"), [(pa.timestamp("s"), 2**60), (pa.timestamp("ms"), -(2**63)), (pa.date32(), -(2**31))]
)
def test_rows_with_times_beyond_64_bits_of_microseconds_are_set_aside(unit: pa.DataType, far: int) -> None:
    raw = pa.int32() if unit == pa.date32() else pa.int64()
    when = pa.array([far if row == 4 else None if row == 5 else row for row in range(ROWS)], raw).cast(unit)
    found = look(when=when)
    assert found.unusable == {4: "when: is a time beyond 64 bits of microseconds"}
    assert np.nanmax(np.abs(found.samples.values)) < 1e14


def test_a_kind_that_is_given_is_taken() -> None:
    found = look(
        number=list(range(ROWS)),
        rank=RANDOM.choice(["low", "high"], ROWS),
        zip=RANDOM.integers(10000, 10040, ROWS),
        text=[str(row % 7) if row != 3 else "many" for row in range(ROWS)],
        when=[f"2020-01-{row % 28 + 1:02}" if row != 5 else "soon" for row in range(ROWS)],
        count=[float(row % 30) if row != 9 else 0.5 for row in range(ROWS)],
        settings=(
            setting("number", "integer"),
            setting("rank", "ordinal", order=["low", "middle", "high"]),
            setting("zip", "categorical"),
            setting("text", "numeric"),
            setting("when", "datetime"),
            setting("count", "integer"),
        ),
    )
    assert list(kinds(found).values()) == ["integer", "ordinal", "categorical", "numeric", "datetime", "integer"]
    assert found.unusable == {
        3: "text: 'many' is no number",
        5: "when: 'soon' is no time in ISO 8601",
        9: "count: 0.5 is no whole number",
    }
    back = to_arrow(found.samples.values, found.samples.columns)
    assert back["zip"].type == pa.int64()
    assert back["when"][1].as_py() == datetime(2020, 1, 2)  # noqa: DTZ001 it has no zone


@pytest.mark.parametrize(
    ("kind", "more", "values", "message"),
    [
        ("boolean", {}, ["a", "b", "c"], "'x' has 3 values, a boolean one has two"),
        ("ordinal", {"order": ["a", "b"]}, ["a", "b", "c"], "the order of 'x' lacks its value 'c'"),
        ("datetime", {}, [1, 2, 3], "'x' is int64, which cannot be datetime"),
        ("numeric", {}, [True, False, None], "'x' is bool, which cannot be numeric"),
        ("numeric", {}, [[1], [2], None], "'x' is list<.*>, which cannot be numeric; drop it, or write it"),
        (
            "numeric",
            {},
            pa.array([2**63, 1, 2], pa.uint64()),
            r"'x' holds whole numbers of 2\^63 and more.*; make it categorical",
        ),
        (
            "integer",
            {},
            pa.array([2**64 - 1, 1, None], pa.uint64()),
            r"'x' holds whole numbers of 2\^63 and more.*; make it categorical",
        ),
    ],
)
def test_a_kind_that_does_not_fit_is_refused(kind: str, more: dict, values: object, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        look((setting("x", kind, **more),), HALF[:3], x=values)


def test_settings_that_name_nothing_are_refused() -> None:
    with pytest.raises(SourceError, match=r"modality\.columns: the table has no column 'y'; it has 'x', 'label'"):
        look((setting("y", "drop"),), x=list(range(ROWS)))
    with pytest.raises(SourceError, match=r"modality\.label: the table has no column 'class'; it has 'x'"):
        survey(pa.table({"x": [1]}), TableConfig(label="class"))
    for wrong in (
        {"label": "x", "columns": [{"name": "x", "kind": "drop"}]},
        {"label": "y", "columns": [{"name": "x", "kind": "drop"}] * 2},
        {"label": "y", "columns": [{"name": "x", "kind": "ordinal"}]},
        {"label": "y", "columns": [{"name": "x", "kind": "drop", "order": ["a"]}]},
    ):
        with pytest.raises(ValidationError):
            TableConfig.model_validate(wrong)


def test_rows_without_a_label_or_with_an_infinite_number_are_set_aside() -> None:
    values = [float(row) for row in range(6)]
    values[1], values[2], values[4] = math.inf, math.nan, -math.inf
    found = look(x=values, y=[1.5, None, 2.5, 3.5, 4.5, 5.5], label=["a", "b", "b", None, " ", "a"])
    assert found.rows.tolist() == [0, 2, 5]
    assert found.unusable == {
        1: "x: inf is infinite, or as good as that",
        3: "has no label",
        4: "x: -inf is infinite, or as good as that",
    }
    assert found.nulls == 1, "NaN is a null"
    assert to_arrow(found.samples.values, found.samples.columns)["x"].to_pylist() == [0.0, None, 5.0]


REMEDY = "if such a word is a value, make the column categorical in modality.columns"


def with_words(cells: list[str], *words: str, every: int = 5) -> list[str]:
    """Return texts of which every fifth is one of some words, in turn."""
    return [words[row // every % len(words)] if row % every == 0 else cell for row, cell in enumerate(cells)]


@pytest.mark.parametrize("words", [("unknown",), ("-", "n.a."), (".", "?", "none"), ("NaN",), ("k. A.",)])
def test_words_that_recur_among_numbers_or_times_are_nulls(words: tuple[str, ...]) -> None:
    numbers = [f"{row / 4}" for row in range(ROWS)]
    days = [f"2020-{row % 12 + 1:02}-{row % 28 + 1:02}" for row in range(ROWS)]
    found = look(
        x=with_words(numbers, *words),
        blanks=with_words(numbers, *(f" {word} " for word in words)),
        when=with_words(days, *words),
        asked=with_words(numbers, *words, every=2),
        day=with_words(days, *words, every=2),
        settings=(setting("asked", "numeric"), setting("day", "datetime")),
    )
    assert kinds(found) == {
        "x": "numeric",
        "blanks": "numeric",
        "when": "datetime",
        "asked": "numeric",
        "day": "datetime",
    }
    assert found.unusable == {}
    back = to_arrow(found.samples.values, found.samples.columns)
    assert back["x"].to_pylist() == [None if row % 5 == 0 else row / 4 for row in range(ROWS)]
    assert back["blanks"] == back["x"]
    assert [back[name].null_count for name in ("when", "asked", "day")] == [ROWS // 5, ROWS // 2, ROWS // 2]
    assert set(found.words) == set(kinds(found))
    assert all(set(held) == set(words) for held in found.words.values())
    reasons = told(found, "mixed")
    assert reasons["x"].startswith("text read as numbers; '")
    assert reasons["when"].startswith("text read as times; '")
    assert all(f"{word!r} (" in reasons["x"] for word in words)
    assert reasons["x"].endswith(f"read as null; {REMEDY}")
    assert reasons["asked"].endswith("read as null")


@pytest.mark.parametrize(
    ("form", "dtype"),
    [("{:02}:{:02}", "time32[s]"), ("{}:{:02}:30.250", "time32[ms]"), ("{:02}:{:02}:00.000001", "time64[us]")],
)
def test_text_of_times_of_day_is_read_as_such(form: str, dtype: str) -> None:
    texts = with_words([form.format(row % 24, row % 60) for row in range(ROWS)], "unknown")
    texts[3] = "24:00"
    found = look(at=texts, asked=texts, settings=(setting("asked", "integer"),))
    assert kinds(found) == {"at": "integer", "asked": "integer"}
    assert found.unusable == {3: "at: '24:00' is no time of day"}
    assert {column.dtype for column in found.samples.columns} == {dtype}
    assert np.isnan(found.samples.values).sum(0).tolist() == [ROWS // 5] * 2
    assert told(found, "mixed")["at"].startswith("text read as times of day; 'unknown' (40 rows) read as null")
    back = to_arrow(found.samples.values, found.samples.columns)["at"].cast(pa.string()).to_pylist()
    assert back[1].startswith("01:01:")


@pytest.mark.parametrize(
    "dtype",
    [pa.time32("s"), pa.time64("ns"), pa.duration("ms"), pa.date32(), pa.timestamp("us", "Europe/Berlin")],
    ids=str,
)
def test_times_may_be_categories(dtype: pa.DataType) -> None:
    whole = pa.array([row % 7 for row in range(ROWS)], pa.int32())
    values = whole.cast(dtype) if dtype.bit_width == 32 else whole.cast(pa.int64()).cast(dtype)
    found = look(at=values, settings=(setting("at", "categorical"),))
    assert kinds(found) == {"at": "categorical"}
    back = to_arrow(found.samples.values, found.samples.columns)["at"]
    assert back.combine_chunks() == values
    found = look(at=values.dictionary_encode(), settings=(setting("at", "categorical"),))
    back = to_arrow(found.samples.values, found.samples.columns)["at"]
    assert back.combine_chunks().dictionary_decode() == values


def test_odd_cells_beside_words_for_none_are_set_aside() -> None:
    texts = with_words([f"{row / 4}" for row in range(ROWS)], "unknown")
    texts[7], texts[8] = "many", "1O5"
    found = look(x=texts, asked=texts, settings=(setting("asked", "numeric"),))
    assert found.unusable == {7: "x: 'many' is no number", 8: "x: '1O5' is no number"}
    assert told(found, "mixed") == {
        "x": f"text read as numbers; 'unknown' (40 rows) read as null; {REMEDY}; 2 row(s) with other text set aside",
        "asked": "text read as numbers; 'unknown' (40 rows) read as null",
    }


@pytest.mark.parametrize(
    "texts",
    [
        with_words([f"{row % 20}" for row in range(ROWS)], "unknown"),
        with_words([f"{row}" for row in range(ROWS)], "S", "M", "L", "XL"),
        with_words([f"{row // 2}" if row % 2 else "often" for row in range(ROWS)], "unknown"),
        with_words([f"0{row % 90}" for row in range(ROWS)], "unknown"),
        with_words([f"{row // 2}" for row in range(ROWS)], "9a", "9b"),
        with_words([f"{row // 2}" for row in range(ROWS)], *(f"word {word}" for word in WORDS)),
        with_words(["yes" if row % 2 else "no" for row in range(ROWS)], "3"),
    ],
    ids=["few numbers", "many words", "mostly words", "codes", "digits in words", "text", "no numbers"],
)
def test_other_text_among_numbers_keeps_them_text(texts: list[str]) -> None:
    found = look(x=texts, y=RANDOM.normal(size=ROWS))
    assert found.unusable == {}
    assert told(found, "mixed") == {}
    assert found.words == {}


def test_a_column_of_words_is_no_column_of_nulls_because_it_is_called_numeric() -> None:
    with pytest.raises(SourceError, match="no usable row among its 200; row 1 x: 'yes' is no number"):
        look(x=["yes", "no"] * (ROWS // 2), settings=(setting("x", "numeric"),))


@pytest.mark.parametrize("name", ["amount {EUR}", "a{", "}", "{}", "{0!r}", "{!r}", "100 %s"])
def test_a_column_may_have_any_name(name: str) -> None:
    numbers = [row / 4 for row in range(ROWS)]
    texts = ["much {0}" if row == 3 else f"{number}" for row, number in enumerate(numbers)]
    for values, asked, problem in (
        (texts, (), "'much {0}' is no number"),
        (texts, (setting(name, "numeric"),), "'much {0}' is no number"),
        ([math.inf if row == 3 else number for row, number in enumerate(numbers)], (), "inf is infinite, or as"),
        ([0.5 if row == 3 else row % 9 for row in range(ROWS)], (setting(name, "integer"),), "0.5 is no whole number"),
    ):
        found = look(asked, **{name: values})
        assert list(found.unusable) == [3]
        assert found.unusable[3].startswith(f"{name}: {problem}")


def test_labels_are_classes_in_their_order() -> None:
    x = RANDOM.normal(size=4)
    assert look(x=x, label=["b", "a", "b", "a"]).samples.class_names == ("a", "b")
    assert look(x=x, label=[10, 9, 10, 9]).samples.class_names == ("9", "10")
    assert look(x=x, label=[1.0, 0.0, 1.0, math.nan]).samples.class_names == ("0", "1")
    found = look(x=x, label=[True, False, True, False])
    assert found.samples.labels.tolist() == [1, 0, 1, 0]
    assert (
        to_arrow(found.samples.labels[:, None].astype(float), (found.samples.schema.label,))[LABEL].to_pylist()[0]
        is True
    )


def test_classes_that_differ_by_case_or_blanks_alone_are_told() -> None:
    label = [("Yes", "yes", " YES ", "no", "to pay", "To  pay", "{other}")[row % 7] for row in range(ROWS)]
    found = look(x=RANDOM.normal(size=ROWS), label=label)
    assert len(found.samples.class_names) == 7
    assert told(found, "alike") == {
        LABEL: "classes ' YES ' / 'Yes' / 'yes', 'To  pay' / 'to pay' differ by case or blanks alone; if they are the"
        " same, write them alike"
    }
    assert told(look(x=RANDOM.normal(size=ROWS)), "alike") == {}


def test_a_column_that_is_no_label_is_refused() -> None:
    x = RANDOM.normal(size=ROWS)
    with pytest.raises(SourceError, match=r"'label' has 200 distinct values, at most 100 classes"):
        look(x=x, label=list(range(ROWS)))
    with pytest.raises(SourceError, match=r"'label' is timestamp\[us\]; labels are text, numbers or booleans"):
        look(x=x, label=[datetime(2020, 1, 1)] * ROWS)  # noqa: DTZ001 it has no zone
    with pytest.raises(SourceError, match=r"no usable row among its 2; row 1 has no label"):
        look(x=[1, 2], label=["", ""])
    with pytest.raises(SourceError, match=r"modality\.label: column 'label' holds no labels; fill it, or name another"):
        look(x=[1, 2], label=[None, None])
    with pytest.raises(SourceError, match="the table has no rows; it needs some"):
        survey(pa.table({"x": pa.nulls(0), LABEL: pa.nulls(0)}), TableConfig(label=LABEL))
    with pytest.raises(SourceError, match=r"no column beside the label is left \('x' holds the same value"):
        look(x=[1] * ROWS)


def test_a_label_that_is_measured_is_told_to_be_no_class() -> None:
    x = RANDOM.normal(size=60)
    with pytest.raises(SourceError, match=r"60 distinct numbers such as -.* like a number to be predicted"):
        look(x=x, label=RANDOM.normal(size=60).tolist())
    assert len(look(x=x, label=[row % 15 / 2 for row in range(60)]).samples.class_names) == 15
    assert len(look(x=x, label=[row % 3 + 0.5 for row in range(59)] + [9.5]).samples.class_names) == 4


def test_leaks_are_told_with_their_score_and_kept() -> None:
    label = [f"class {row % 3}" for row in range(3 * ROWS)]
    classes = np.arange(3 * ROWS) % 3
    found = look(
        label=label,
        ordered=classes * 10 + RANDOM.random(3 * ROWS),
        inside_out=np.array([5, 1, 9])[classes] + RANDOM.random(3 * ROWS),
        named=[{"class 0": "x", "class 1": "y", "class 2": "z"}[name] for name in label],
        related=classes + RANDOM.normal(size=3 * ROWS),
        # near ids tell the label of the rows they were seen in, and of no other
        many=[f"{row // 2}" for row in range(3 * ROWS)],
        settings=(setting("many", "categorical"),),
    )
    leaks = {finding.column: finding.score for finding in found.findings if finding.what == "leak"}
    assert set(leaks) == {"ordered", "inside_out", "named"} <= set(kinds(found))
    assert all(score is not None and 0.99 < score <= 1 for score in leaks.values())


def test_a_column_that_tells_one_class_of_many_is_a_leak() -> None:
    classes = np.arange(10 * ROWS) % 10
    found = look(
        label=[f"class {row}" for row in classes],
        ended=(classes == 3) + RANDOM.normal(scale=0.01, size=10 * ROWS),
        other=RANDOM.normal(size=10 * ROWS),
    )
    (leak,) = [finding for finding in found.findings if finding.what == "leak"]
    assert (leak.column, leak.score) == ("ended", 1)
    assert leak.reason.startswith("tells the class 'class 3' from all others almost alone: AUC 1.000")


@pytest.mark.parametrize("rare", [2, 5, 20])
def test_no_random_column_is_a_leak_of_a_rare_class(rare: int) -> None:
    label = ["rare" if row < rare else f"class {row % 18}" for row in range(3 * ROWS)]
    noise = {f"x{number}": RANDOM.normal(size=3 * ROWS) for number in range(100)}
    assert told(look(label=label, **noise), "leak") == {}


def test_a_null_that_tells_the_label_is_a_leak() -> None:
    rare = [row % 20 == 0 for row in range(10 * ROWS)]
    values = [None if is_rare else value for is_rare, value in zip(rare, RANDOM.normal(size=10 * ROWS), strict=True)]
    found = look(label=[str(one) for one in rare], paid=values, other=RANDOM.normal(size=10 * ROWS))
    assert [finding.column for finding in found.findings] == ["paid"]


def test_statistics_duplicates_and_nulls_are_counted() -> None:
    found = look(
        label=["a", "b", "a", "b"],
        x=[1.5, 1.5, None, 4.0],
        town=["Rome", "Rome", "Rome", None],
        day=pa.array([0, 0, 2, 3], pa.int32()).cast(pa.date32()),
    )
    assert found.statistics == [
        {"name": "x", "kind": "numeric", "dtype": "double", "nulls": 1, "distinct": 2}
        | {"min": 1.5, "median": 1.5, "max": 4.0},
        {"name": "town", "kind": "categorical", "dtype": "string", "nulls": 1, "distinct": 1, "top": [["Rome", 3]]},
        {"name": "day", "kind": "datetime", "dtype": "date32[day]", "nulls": 0, "distinct": 3}
        | {"min": "1970-01-01T00:00:00", "median": "1970-01-03T00:00:00", "max": "1970-01-04T00:00:00"},
    ]
    assert (found.duplicates, found.nulls) == (1, 2)
    assert found.groups[0] == found.groups[1]


def test_equal_rows_are_cases_of_their_own_where_a_study_says_so() -> None:
    table = pa.table({"label": ["a", "b", "a", "b"], "x": [1, 1, 1, 2]})
    grouped, kept = (survey(table, TableConfig(label="label", equal_rows=how)) for how in ("group", "keep"))
    assert (grouped.duplicates, kept.duplicates) == (2, 0)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, math.nan]), st.sampled_from([0.0, math.nan])), min_size=1))
def test_rows_share_a_group_if_all_their_cells_are_equal(rows: list[tuple[float, float]]) -> None:
    groups = find_equal_rows(np.array(rows))
    texts = [repr(row) for row in rows]
    assert len(set(zip(groups.tolist(), texts, strict=True))) == len(set(texts)) == len(set(groups.tolist()))


def test_ten_thousand_categories_are_read() -> None:
    towns = [f"town {row % 10_000}" for row in range(40_000)]
    found = look(label=[str(row % 2) for row in range(40_000)], town=towns)
    (column,) = found.samples.columns
    assert len(column.categories) == 10_000
    assert to_arrow(found.samples.values, found.samples.columns)["town"].to_pylist() == towns


def test_cells_of_another_table_are_checked_against_the_columns() -> None:
    columns = (Column("town", "categorical", "string", ("Oslo", "Rome")), Column("x", "integer", "int64"))
    np.testing.assert_array_equal(to_cells(pa.table({"x": [7], "town": ["Rome"]}), columns), [[1, 7]])
    with pytest.raises(SourceError, match=r"column 'town', row 2: 'Bonn' is none of its 2 categories"):
        to_cells(pa.table({"x": [7, 8], "town": ["Rome", "Bonn"]}), columns)
    with pytest.raises(SourceError, match=r"no column 'town'; it has 'x'"):
        to_cells(pa.table({"x": [7]}), columns)
    with pytest.raises(SourceError, match=r"column 'x': string cannot be read as integer"):
        to_cells(pa.table({"x": ["seven"], "town": ["Rome"]}), columns)


@pytest.mark.parametrize(
    "dtype",
    [
        pa.dictionary(pa.int16(), pa.large_string(), ordered=True),
        pa.timestamp("ms", "America/New_York"),
        pa.decimal128(10, 2),
        pa.decimal256(40, 0),
        pa.date64(),
        pa.string_view(),
        pa.float16(),
    ],
    ids=str,
)
def test_types_are_read_back_from_their_names(dtype: pa.DataType) -> None:
    assert arrow_type(str(dtype)) == dtype


def test_times_of_day_and_durations_are_told_as_people_read_them() -> None:
    minutes = 60 * (np.arange(ROWS) % 30)
    clock, span = pa.array(minutes.astype(np.int32)).cast(pa.time32("s")), pa.array(minutes + 86_400, pa.duration("s"))
    at, took, ages = look(at=clock, took=span, ages=pa.array(minutes + 2**53, pa.duration("s"))).statistics
    assert (at["min"], at["median"], at["max"]) == ("00:00:00", "00:14:00", "00:29:00")
    assert (took["min"], took["max"]) == ("1 day, 0:00:00", "1 day, 0:29:00")
    assert ages["min"] == f"{2**53} s"  # longer than Python's own durations
