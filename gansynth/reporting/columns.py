"""What the report shows of the columns and rows of a table beside the embedding: its numbers, as tables of text."""

import numpy as np
import pandas as pd

from gansynth import formats
from gansynth.reporting.findings import Findings
from gansynth.reporting.tables import Table
from gansynth.results import (
    ASSOCIATIONS_FILE,
    CLOSEST_ROWS_FILE,
    COLUMN_DISTANCES_FILE,
    DISTRIBUTIONS_FILE,
    TableFidelity,
)

MOST_PAIRS = 12
MOST_CLOSEST = 8
MEASURES = {"ks": "Kolmogorov-Smirnov", "tv": "total variation"}
DIFFERS = "≠"
WORST_COLUMN = "The worst column is that whose distance exceeds by most what real rows give."
WORST_PAIR = (
    "The worst pair is that whose deviation from held-out rows exceeds by most that of real rows. A deviation is taken"
    " in each repetition, without its sign, and then averaged: it is no difference of the averages beside it."
)


def column_distances(findings: Findings) -> pd.DataFrame:
    """Return column, kind, measure, synthetic and training, means over repetitions, the worst column first.

    The worst is not the one with the greatest distance, but that whose distance exceeds the reference by most: what
    finite samples give by chance depends on the column.
    """
    found = findings.frames[COLUMN_DISTANCES_FILE]
    means = found.groupby(["column", "kind", "measure"], sort=False)[["synthetic", "training"]].mean().reset_index()
    return _by_excess(means, means["synthetic"], means["training"])


def associations(findings: Findings) -> pd.DataFrame:
    """Return column, other, measure, their association by part, difference and reference, the worst pair first.

    All are means over repetitions. `difference` is the absolute difference of synthetic and held-out rows, `reference`
    that of training and held-out rows; the worst pair is that whose difference exceeds its reference by most.
    """
    found = findings.frames[ASSOCIATIONS_FILE]
    found = found.assign(
        difference=(found["synthetic"] - found["held_out"]).abs(),
        reference=(found["training"] - found["held_out"]).abs(),
    )
    numbers = ["held_out", "synthetic", "training", "difference", "reference"]
    means = found.groupby(["column", "other", "measure"], sort=False)[numbers].mean().reset_index()
    return _by_excess(means, means["difference"], means["reference"])


def distributions(findings: Findings) -> dict[str, pd.DataFrame]:
    """Return the bins of each column: label, low, high, and the mean shares held_out and synthetic."""
    how = {"label": "first", "low": "first", "high": "first", "held_out": "mean", "synthetic": "mean"}
    by_column = findings.frames[DISTRIBUTIONS_FILE].groupby("column", sort=False)
    return {str(name): of_column.groupby("bin").agg(how) for name, of_column in by_column}


def closest_rows(findings: Findings) -> list[pd.DataFrame]:
    """Return the closest pairs of rows of all repetitions, closest first: a frame each, with a line for each column.

    Columns in which most of them differ come first, so that they are seen in a wide table too.
    """
    pairs = [pair for _, pair in findings.frames[CLOSEST_ROWS_FILE].groupby(["repetition", "pair"], sort=False)]
    closest = sorted(pairs, key=lambda pair: float(pair["distance"].iloc[0]))[:MOST_CLOSEST]
    differing = sum(pair["differs"].to_numpy(int) for pair in closest)
    order = np.argsort(-np.asarray(differing), kind="stable")
    return [pair.iloc[order] for pair in closest]


def likeness_table(found: TableFidelity) -> Table:
    """The figures over all columns, beside those of real rows, with how to read each."""
    lines = [
        ("Distance of columns, mean", "column_distance", "0 for equal distributions, 1 for disjoint ones"),
        ("Distance of the worst column", "largest_column_distance", "the same for one column"),
        ("Difference of associations, mean", "association_difference", "0 where columns hang together alike"),
        ("Detection (AUC)", "detection_auc", "0.5 where trees cannot tell the rows from held-out ones, 1 where always"),
    ]
    return Table(
        ["Measure", "Synthetic rows", "Real rows", "How to read it"],
        [
            [name, formats.number(getattr(found.synthetic, field)), formats.number(getattr(found.real, field)), reading]
            for name, field, reading in lines
        ],
    )


def column_distance_table(findings: Findings) -> Table:
    """The distance of each column, the worst first."""
    return Table(
        ["Column", "Kind", "Distance", "Synthetic rows", "Real rows"],
        [
            [row["column"], row["kind"], MEASURES[row["measure"]], *_numbers(row["synthetic"], row["training"])]
            for row in column_distances(findings).to_dict("records")
        ],
    )


def pair_table(findings: Findings) -> Table:
    """The pairs of columns whose association differs most."""
    rows = associations(findings).head(MOST_PAIRS).to_dict("records")
    return Table(
        [
            "Columns",
            "Association",
            "Held-out rows",
            "Synthetic rows",
            "Typical deviation",
            "Typical deviation of real rows",
        ],
        [
            [
                f"{row['column']} and {row['other']}",
                row["measure"],
                *_numbers(row["held_out"], row["synthetic"], row["difference"], row["reference"]),
            ]
            for row in rows
        ],
    )


def closest_table(findings: Findings) -> Table:
    """The closest pairs of rows, each synthetic row above its training row, with a sign at cells that differ."""
    rows = []
    for number, pair in enumerate(closest_rows(findings), start=1):
        distance = formats.number(float(pair["distance"].iloc[0]))
        heads = {"synthetic": [f"{number}, synthetic", distance], "training": [f"{number}, training", ""]}
        for kind, head in heads.items():
            marks = [f"{DIFFERS} " if differs else "" for differs in pair["differs"]]
            cells = [mark + cell_text(cell) for mark, cell in zip(marks, pair[kind], strict=True)]
            rows.append([*head, pair["class_name"].iloc[0], *cells])
    names = closest_rows(findings)[0]["column"].tolist() if rows else []
    return Table(["Row", "Distance", "Class", *names], rows)


def cell_text(cell: object) -> str:
    """Return a value in words, a dash for a null, which frames hold as None or as NaN."""
    return cell if isinstance(cell, str) else formats.NOTHING


def _by_excess(frame: pd.DataFrame, found: pd.Series, reference: pd.Series) -> pd.DataFrame:
    order = (reference - found).argsort(kind="stable")
    return frame.iloc[order].reset_index(drop=True)


def _numbers(*values: float) -> list[str]:
    return [formats.number(value) for value in values]
