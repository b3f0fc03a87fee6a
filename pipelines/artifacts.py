"""What a run found, as the artifact that Prefect's UI shows."""

import base64
import io

import pandas as pd
from PIL import Image

from gansynth.results import GRID_FILE, read_summary
from gansynth.runs import Run
from pipelines.findings import GainRow, gain_table

THUMBNAIL = 48
SAMPLES_PER_KIND = 4
LARGEST_PICTURE = 200_000


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
