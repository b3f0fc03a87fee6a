"""The table of the benchmarks, of many kinds of columns and with a rare class; and tables as CTGAN takes them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from gansynth.ingestion.tables import TABLE_READERS, choose_table_format
from gansynth.seeding import numpy_generator

LABEL = "outcome"
CATEGORIES = {"region": 4, "channel": 6, "grade": 8, "plan": 3, "trade": 15, "country": 40, "device": 2}
MISSING = "(none)"


def mixed_table(rows: int, seed: int) -> pd.DataFrame:
    """Return a made-up table of 14 columns and a label, `yes` in about a tenth of the rows, which follows from some.

    Seven columns are numbers: bell-shaped, skewed, mostly zero, rounded, counts; seven are categories, 2 to 40 of them.
    """
    random = numpy_generator(seed, "mixed table")
    table = {name: _categories(random, name, count, rows) for name, count in CATEGORIES.items()}
    age = random.normal(45, 13, rows).clip(18, 95).round()
    income = np.exp(random.normal(8, 0.7, rows) + 0.01 * (age - 45)).round(2)
    spent = np.where(random.random(rows) < 0.7, 0, random.gamma(2, 300, rows)).round(2)
    visits = random.poisson(2 + (spent > 0) * 3, rows)
    score = random.beta(2, 5, rows) * 100
    two_humps = np.where(random.random(rows) < 0.3, random.normal(-3, 1, rows), random.normal(4, 2, rows)).round(3)
    weight = income / 100 + random.normal(0, 10, rows)
    numbers = {
        "age": age.astype(np.int64),
        "income": income,
        "spent": spent,
        "visits": visits,
        "score": score,
        "drift": two_humps,
        "weight": weight,
    }
    odds = 0.04 * (age - 45) + 0.9 * (visits > 4) - 0.03 * score + 0.5 * (table["plan"] == "plan 0")
    odds = odds + 0.8 * (table["grade"] == "grade 1") + random.logistic(0, 0.2, rows)
    labels = np.where(odds > np.quantile(odds, 0.9), "yes", "no")
    return pd.DataFrame({**numbers, **table, LABEL: labels})


def read_table(path: Path) -> pd.DataFrame:
    """Return the table in a CSV or Parquet file."""
    table: pd.DataFrame = TABLE_READERS[choose_table_format(str(path))](str(path)).table.to_pandas()
    return table


def as_ctgan_takes_it(table: pd.DataFrame, label: str) -> tuple[pd.DataFrame, list[str]]:
    """Return a table in which a null is the median of its numbers or a category, and the names of discrete columns."""
    numbers = [str(name) for name in table.select_dtypes("number").columns if name != label]
    discrete = [str(name) for name in table.columns if name not in numbers]
    filled = table.copy()
    filled[numbers] = filled[numbers].fillna(filled[numbers].median())
    for name in discrete:
        filled[name] = filled[name].astype(object).where(filled[name].notna(), MISSING).astype(str)
    return filled, discrete


def rows_of_each(table: pd.DataFrame, label: str, count: int) -> pd.DataFrame:
    """Return about `count` rows of a table in the proportions of its classes."""
    random = numpy_generator(0, "rows of each")
    share = min(1.0, count / len(table))
    kept = [
        random.permutation(np.flatnonzero(table[label] == name))[: max(2, round(share * number))]
        for name, number in table[label].value_counts().sort_index().items()
    ]
    return table.iloc[np.sort(np.concatenate(kept))].reset_index(drop=True)


def read_parquet_folder(folder: Path, columns: list[str]) -> pd.DataFrame:
    """Return some columns of all the Parquet files in a folder."""
    parts: list[pd.DataFrame] = [
        pq.read_table(file, columns=columns).to_pandas() for file in sorted(folder.glob("*.parquet"))
    ]
    return pd.concat(parts)


def _categories(random: np.random.Generator, name: str, count: int, rows: int) -> np.ndarray:
    weights = 1 / np.arange(1, count + 1)
    return np.array([f"{name} {i}" for i in range(count)])[random.choice(count, rows, p=weights / weights.sum())]
