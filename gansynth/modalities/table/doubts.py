"""What is to be told of columns: findings, and doubts whether a column is what it was taken for."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gansynth.errors import shortened
from gansynth.modalities.table.cells import family_of, numbers, plain
from gansynth.modalities.table.texts import FEW_NUMBERS, NAMED
from gansynth.samples import Column

ID_ROWS = 20
ID_SHARE = 0.9
MAYBE_ID = "may be an id: no two of its {:,} numbers are equal; if it is one, drop it by modality.columns"
MAYBE_NUMBERS = "looks like {}, but is text and so taken as categories; {}, or make it categorical in modality.columns"
MAYBE_DATES = (
    "looks like dates such as {:.0f}, but is whole numbers and so taken as numbers; write its dates as 2020-12-31, or"
    " make it integer in modality.columns"
)
RARE = (
    "{:,} categories, of which networks tell the {:,} most frequent apart; all rarer ones are drawn as the most"
    " frequent of them; if they matter, raise modality.most_categories"
)
ALIKE = "classes {} differ by case or blanks alone; if they are the same, write them alike"
MOST_ALIKE = 5
FIRST_DATE, LAST_DATE = 19_000_101, 21_001_231
"""Between these, whole numbers may be dates: year, month and day."""


class Finding(NamedTuple):
    """Something about a column that people should know.

    Attributes:
        column: Its name.
        what: `dropped`, left out; `leak`, suspected to tell the label; `mixed`, converted from text; `id`, kept though
            it may be one; `text`, kept as categories though its text may stand for numbers or times; `dates`, kept as
            numbers though they may be; `rare`, has categories that no generator tells apart;
            `alike`, the label, some of whose classes may be the same.
        reason: Why, for people.
        score: Of a leak, the area under the ROC curve of this column alone.
    """

    column: str
    what: Literal["dropped", "leak", "mixed", "id", "text", "dates", "rare", "alike"]
    reason: str
    score: float | None = None


class Look(NamedTuple):
    """What a text looks like, and what helps if it is that."""

    what: str
    remedy: str


AMOUNT = (
    r"^\s*[+-]?(\p{Sc}\s*[+-]?\d[\d., ']*|\d[\d., ']*\s*(%|\p{Sc}| [A-Z]{3})"
    r"|\d{1,3}([., ']\d{3})+([.,]\d+)?)\s*$"
)
LOOKS = {
    rf"^\s*(\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}}|{NAMED})([ T]|$)": Look(
        "times", "write its times as 2020-12-31 10:00"
    ),
    AMOUNT: Look(
        "numbers with signs or thousands separators", "write its numbers without signs and thousands separators"
    ),
    r"^\s*[+-]?\d*,\d+\s*$": Look("numbers with decimal commas", "write its numbers with a decimal point"),
}
"""By their pattern, texts that no kind fits as they are."""


def find_doubt(array: pa.ChunkedArray, column: Column) -> Finding | None:
    """Return why the kind of a column that was inferred may be wrong."""
    rows = len(array) - array.null_count
    if column.kind in {"integer", "numeric"} and _are_dates(array):
        return Finding(column.name, "dates", MAYBE_DATES.format(pc.min(plain(array)).as_py()))
    if column.kind == "integer" and family_of(array.type) == "whole":
        is_id = rows >= ID_ROWS and pc.count_distinct(plain(array)).as_py() == rows
        return Finding(column.name, "id", MAYBE_ID.format(rows)) if is_id else None
    if column.kind == "categorical" and family_of(array.type) == "text":
        look = _look(plain(array).unique().drop_null().cast(pa.string()))
        return Finding(column.name, "text", MAYBE_NUMBERS.format(*look)) if look else None
    return None


def find_rare(column: Column, most_categories: int) -> Finding | None:
    """Return how many categories of a column are too many for networks to tell apart, if any are."""
    many = len(column.categories)
    return Finding(column.name, "rare", RARE.format(many, most_categories)) if many > most_categories else None


def find_alike(label: Column) -> Finding | None:
    """Return which classes differ by upper and lower case or by blanks alone."""
    groups: dict[str, list[str]] = {}
    for name in label.categories:
        groups.setdefault(" ".join(name.casefold().split()), []).append(repr(shortened(name)))
    alike = [" / ".join(names) for names in groups.values() if len(names) > 1]
    if not alike:
        return None
    return Finding(label.name, "alike", ALIKE.format(", ".join(alike[:MOST_ALIKE])))


def remedy(texts: pa.Array) -> str:
    """Say how to keep text that was taken for ids: as most of it is written."""
    look = _look(texts)
    return f"{look.remedy}; as it is, it can only be categorical" if look else "give its kind in modality.columns"


def _are_dates(array: pa.ChunkedArray) -> bool:
    """Whether numbers all are days of the calendar, such as 20201231."""
    if family_of(array.type) not in {"whole", "number"}:
        return False
    values = numbers(array)
    values = values[~np.isnan(values)]
    if not len(values) or values.min() < FIRST_DATE or values.max() > LAST_DATE or np.any(values % 1):
        return False
    days = pd.Series(np.unique(values).astype(np.int64).astype(str))
    return len(days) > FEW_NUMBERS and bool(pd.to_datetime(days, format="%Y%m%d", errors="coerce").notna().all())


def _look(texts: pa.Array) -> Look | None:
    """Return what more than 90 % of some texts look like."""
    for pattern, look in LOOKS.items():
        if (pc.mean(pc.match_substring_regex(texts, pattern).cast(pa.float64())).as_py() or 0) > ID_SHARE:
            return look
    return None
