"""The page of the gain benchmark: a forest plot for each regime, and the means over the datasets."""

import pandas as pd
from markupsafe import Markup

from gansynth.formats import gain, interval, metric_name, ordered
from gansynth.reporting.figures import Scale, axis, forest_row, kind_of
from gansynth.sections import EvaluationConfig

SMALLEST_GAIN = 100 * EvaluationConfig().smallest_gain

STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --soft: #66727f; --line: #dfe4e9; --gan: #0b7a75; --plain: #8a6d1f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --soft: #98a4b0; --line: #35404b; --gan: #4cc0b8;
  --plain: #d8b860; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; } table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); }
td { font-variant-numeric: tabular-nums; } p { color: var(--soft); }
.line { display: grid; grid-template-columns: 25rem 1fr; align-items: center; column-gap: 1rem; font-size: .9rem; }
.line b { font-weight: 600; } .line small { color: var(--soft); display: block; }
@media (max-width: 42rem) { .line { grid-template-columns: 1fr; } }
svg { overflow: visible; } .tick { stroke: var(--line); } .zero { stroke: var(--soft); }
.band { fill: var(--soft); opacity: .12; }
.interval, .cap { stroke-width: 2; } .gan { stroke: var(--gan); fill: var(--gan); }
.plain, .real, .control { stroke: var(--plain); fill: var(--plain); } .axis text { fill: var(--soft); font-size: 12px; }
"""


def render_gains(table: pd.DataFrame, means: pd.DataFrame) -> str:
    """Return the tables of `benchmarks.gain` as one self-contained HTML page."""
    bodies = [
        _regime(str(regime), rows, means[means["regime"] == regime])
        for regime, rows in table.groupby("regime", sort=False)
    ]
    page = Markup(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Gain benchmark</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><style>{}</style></head><body>'
        "<h1>What augmentation gains</h1><p>Percentage points of the metric, with the interval of the corrected test;"
        " the band holds gains below {:g} points.</p>{}</body></html>\n"
    )
    return page.format(Markup(STYLE), SMALLEST_GAIN, Markup("").join(bodies))  # noqa: S704  # a constant of ours


def _regime(regime: str, rows: pd.DataFrame, means: pd.DataFrame) -> Markup:
    chosen = rows[(rows["against"] == "real") | rows["best_without_gan"]].drop_duplicates(["dataset", "arm", "against"])
    scale = Scale.over([0.0, *chosen["ci_low"], *chosen["ci_high"]])
    lines = [
        Markup('<div class="line"><div><b>{}</b>: {} over {}<small>{} ({}), {}{}</small></div>{}</div>').format(
            row["dataset"],
            row["arm"],
            row["against"],
            gain(row["gain"] / 100),
            interval(row["ci_low"] / 100, row["ci_high"] / 100),
            row["verdict"],
            f"; imbalance {row['imbalance']:.0f}" if row["imbalance"] > 1 else "",
            forest_row(
                scale,
                kind_of(row["arm"]),
                row["gain"],
                row["ci_low"],
                row["ci_high"],
                SMALLEST_GAIN,
                f"{row['dataset']}: {row['arm']} against {row['against']}",
            ),
        )
        for _, row in chosen.iterrows()
    ]
    ticks = axis(scale, [gain(tick / 100) for tick in scale.ticks])
    foot = Markup('<div class="line"><div></div>{}</div>').format(ticks)
    return Markup("<h2>{}</h2>{}{}{}").format(regime, _means(means), Markup("").join(lines), foot)


def _means(means: pd.DataFrame) -> Markup:
    """Return a small table: the mean over the datasets of what an arm with a GAN gains."""
    metrics = ordered(means["metric"])
    cells = Markup("").join(
        Markup("<tr><td>{} over {}</td>{}</tr>").format(
            arm, against, Markup("").join(_cell(rows[rows["metric"] == metric]) for metric in metrics)
        )
        for (arm, against), rows in means.groupby(["arm", "against"], sort=False)
    )
    names = Markup("").join(Markup("<th>{}</th>").format(metric_name(metric)) for metric in metrics)
    return Markup("<table><tr><th>mean over the datasets</th>{}</tr>{}</table>").format(names, cells)


def _cell(found: pd.DataFrame) -> Markup:
    numbers = found[["gain", "low", "high"]].to_numpy() / 100
    told = [f"{gain(mean)} ({interval(low, high)})" for mean, low, high in numbers]
    return Markup("<td>{}</td>").format(", ".join(told))
