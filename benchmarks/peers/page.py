"""The page of the comparison with CTGAN: what `speed.csv` and `gain.csv` hold."""

import pandas as pd
from markupsafe import Markup

from benchmarks.page import STYLE
from benchmarks.peers.environment import OUT
from benchmarks.peers.gain import GAIN, means
from benchmarks.peers.speed import SPEED


def write() -> None:
    """Write `peers.html` from the tables that are there."""
    parts = []
    if SPEED.exists():
        found = pd.read_csv(SPEED)
        found["ratio"] = [f"{ratio:.2f}" for ratio in found["ratio"]]
        note = "The ratio is how many times better gansynth is: faster, smaller, or more often right."
        parts.append(_section("Speed, memory and labels", note, found))
    if GAIN.exists():
        note = (
            "Differences to the classifier trained on real rows alone, in points, the mean over the tables with its"
            " standard error; the same rows, the same classifier."
        )
        parts.append(_section("Gain", note, means(pd.read_csv(GAIN))))
    page = Markup(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Beside CTGAN</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><style>{}</style></head><body>'
        "<h1>gansynth beside CTGAN 0.12.1</h1>{}</body></html>\n"
    )
    (OUT / "peers.html").write_text(page.format(Markup(STYLE), Markup("").join(parts)), encoding="utf-8")  # noqa: S704


def _section(title: str, note: str, found: pd.DataFrame) -> Markup:
    head = Markup("").join(Markup("<th>{}</th>").format(name.replace("_", " ")) for name in found.columns)
    rows = [
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(_shown(cell)) for cell in row))
        for row in found.itertuples(index=False)
    ]
    body = Markup("").join(rows)
    return Markup("<h2>{}</h2><p>{}</p><table><tr>{}</tr>{}</table>").format(title, note, head, body)


def _shown(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"
