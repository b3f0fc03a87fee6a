"""The parts of the page that only tables have: figures of their columns, and the closest pairs of rows."""

from typing import Any

import pandas as pd

from gansynth import formats
from gansynth.reporting import column_figures, columns, words
from gansynth.reporting.findings import Findings
from gansynth.results import COLUMN_DISTANCES_FILE

MOST_DRAWN = 12
MOST_IN_MATRIX = 24


def table_parts(findings: Findings) -> dict[str, Any] | None:
    """Return what the page shows of the columns and rows of a table; None for images."""
    found = findings.summary.table
    if found is None:
        return None
    distances, related = columns.column_distances(findings), columns.associations(findings)
    return {
        "compared": words.compared_rows(found),
        "worst_column": columns.WORST_COLUMN,
        "worst_pair": columns.WORST_PAIR,
        "likeness": columns.likeness_table(found),
        "plots": _plots(findings, distances.head(MOST_DRAWN)),
        "columns": columns.column_distance_table(findings),
        "matrix": _matrix(findings, related),
        "pairs": columns.pair_table(findings),
        "closest": [_closest(pair) for pair in columns.closest_rows(findings)],
    }


def _plots(findings: Findings, worst: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a figure for each of these columns: a histogram of numbers, or bars of values."""
    bins = columns.distributions(findings)
    return [{**_plot(bins[row["column"]], row), "name": row["column"]} for row in worst.to_dict("records")]


def _plot(bins: pd.DataFrame, row: dict[Any, Any]) -> dict[str, Any]:
    distance = f"{formats.number(row['synthetic'])} (real rows {formats.number(row['training'])})"
    ranges, values = bins[bins["low"].notna()], bins[bins["low"].isna()]
    figure, ends = None, None
    if len(ranges):
        label = f"Distribution of {row['column']} among held-out and synthetic rows; distance {distance}"
        figure = column_figures.histogram(ranges["held_out"].tolist(), ranges["synthetic"].tolist(), label)
        ends = column_figures.range_texts(ranges, row["kind"])
    most = float(values[["held_out", "synthetic"]].to_numpy().max(initial=0)) or 1.0
    bars = [
        {
            "label": one["label"],
            "figure": column_figures.value_bars(one["held_out"], one["synthetic"], most),
            "shares": f"{100 * one['held_out']:.0f} · {100 * one['synthetic']:.0f}",
        }
        for one in values.to_dict("records")
    ]
    return {"distance": distance, "figure": figure, "ends": ends, "bars": bars}


def _matrix(findings: Findings, related: pd.DataFrame) -> dict[str, Any]:
    """Return the picture of all associations; of many columns, of those whose associations differ most."""
    both = zip(related["column"], related["other"], related["held_out"], related["synthetic"], strict=True)
    pairs = {(column, other): (held_out, synthetic) for column, other, held_out, synthetic in both}
    # in the order of the table; the label, which has no distance of its own, stands last in every pair
    order = list(dict.fromkeys([*findings.frames[COLUMN_DISTANCES_FILE]["column"], *related["other"]]))
    excess = related["difference"] - related["reference"]
    by_column = pd.concat([excess.groupby(related[end]).sum() for end in ("column", "other")]).groupby(level=0).sum()
    shown = set(by_column.nlargest(MOST_IN_MATRIX).index)
    names = [name for name in order if name in shown]
    figure = column_figures.association_matrix(names, pairs)
    return {"figure": figure, "names": names, "hidden": len(order) - len(names)}


def _closest(pair: pd.DataFrame) -> dict[str, Any]:
    """Return two rows of cells, each with whether it differs from the one in the other row."""
    return {
        "class_name": pair["class_name"].iloc[0],
        "distance": formats.number(float(pair["distance"].iloc[0])),
        "held_out": formats.number(float(pair["held_out_distance"].iloc[0])),
        "differing": f"{int(pair['differs'].sum()):,} of {len(pair):,} cells differ",
        "names": pair["column"].tolist(),
        "rows": {
            kind: [
                (columns.cell_text(cell), bool(differs))
                for cell, differs in zip(pair[kind], pair["differs"], strict=True)
            ]
            for kind in ("synthetic", "training")
        },
    }
