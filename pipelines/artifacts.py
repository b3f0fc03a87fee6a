"""What a run found, in short: the table that the command line prints and the artifact that Prefect's UI shows."""

import base64
import io
from typing import NamedTuple

import pandas as pd
from PIL import Image
from rich.console import Console
from rich.table import Table

from gansynth.reporting.formats import SPACE, gain, interval, metric_name, metric_value, typeset
from gansynth.results import GRID_FILE, Summary, read_summary
from gansynth.runs import Run

THUMBNAIL = 48
SAMPLES_PER_KIND = 4
LARGEST_PICTURE = 200_000


class GainRow(NamedTuple):
    """One line of the gain table, in percent and points, as people read it."""

    arm: str
    mean: str
    gain: str
    interval: str
    verdict: str


def gain_table(summary: Summary) -> list[GainRow]:
    """Return the gain table: its heading, then a row for each arm, with its gain over `real` where it has one."""
    rows = [GainRow("arm", f"{metric_name(summary.metric)}, %", "gain over real", "interval", "verdict")]
    against_real = {found.arm: found for found in summary.comparisons if found.against == "real"}
    for name, arm in summary.arms.items():
        mean = metric_value(summary.metric, arm.mean)
        found = against_real.get(name)
        if found is None:
            rows.append(GainRow(name, mean, "", "", ""))
        else:
            spread = interval(found.ci_low, found.ci_high)
            rows.append(GainRow(name, mean, gain(found.gain), spread, found.verdict))
    return rows


def print_findings(run: Run) -> None:
    """Print the verdict and the gain table of an evaluated run."""
    summary = read_summary(run.evaluation)
    heading, *rows = gain_table(summary)
    table = Table(heading.arm, box=None, pad_edge=False)
    for title in heading[1:-1]:
        table.add_column(title, justify="right")
    table.add_column(heading.verdict)
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, soft_wrap=True)
    console.print(typeset(summary.verdict.sentence).replace(SPACE, " "), markup=False)
    console.print()
    console.print(table)
    console.print()


def findings_markdown(run: Run) -> str:
    """Return the findings of an evaluated run as Markdown: verdict, gain table, and a picture of samples if small."""
    summary = read_summary(run.evaluation)
    heading, *rows = gain_table(summary)
    ruler = GainRow("---", "---:", "---:", "---:", "---")
    lines = [f"**{summary.verdict.sentence}**", ""]
    lines += [f"| {' | '.join(row)} |" for row in (heading, ruler, *rows)]
    lines += ["", f"Recommended arm: `{summary.recommended_arm}`."]
    picture = base64.b64encode(samples_picture(run)).decode()
    if len(picture) <= LARGEST_PICTURE:
        lines += [
            "",
            f"One class per row: {SAMPLES_PER_KIND} real samples, then {SAMPLES_PER_KIND} synthetic ones.",
            "",
            f"![real and synthetic samples](data:image/png;base64,{picture})",
        ]
    return "\n".join([*lines, "", *(f"- {warning}" for warning in summary.warnings)])


def samples_picture(run: Run) -> bytes:
    """Return a PNG with a row for each class: real samples, then synthetic ones."""
    grid = pd.read_parquet(run.evaluation / GRID_FILE)
    classes = list(dict.fromkeys(grid.class_name))
    width = (2 * SAMPLES_PER_KIND + 1) * THUMBNAIL
    picture = Image.new("RGB", (width, len(classes) * THUMBNAIL), "white")
    for row, class_name in enumerate(classes):
        for start, kind in ((0, "real"), (SAMPLES_PER_KIND + 1, "synthetic")):
            chosen = grid[(grid.class_name == class_name) & (grid.kind == kind)].image[:SAMPLES_PER_KIND]
            for column, data in enumerate(chosen, start):
                sample = Image.open(io.BytesIO(data)).convert("RGB").resize((THUMBNAIL, THUMBNAIL))
                picture.paste(sample, (column * THUMBNAIL, row * THUMBNAIL))
    buffer = io.BytesIO()
    picture.quantize(64).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
