"""What a run found, as the artifacts that Prefect's UI shows.

They belong to the outermost flow run, for that is the one that people start and look at.
"""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pandas as pd
from PIL import Image
from prefect.artifacts import MarkdownArtifact, TableArtifact
from prefect.runtime import flow_run

from gansynth.artifacts import Manifest
from gansynth.markup import escape, table
from gansynth.remote import is_url
from gansynth.results import GRID_FILE, read_summary
from gansynth.runs import Run
from pipelines.findings import gain_table

if TYPE_CHECKING:  # what batches and scores take is imported where there are some
    from gansynth.generation import Order
    from gansynth.scoring import Scored
    from gansynth.study import Study

THUMBNAIL = 48
SAMPLES_PER_KIND = 4
LARGEST_PICTURE = 200_000


def artifact_key(study_name: str, what: str) -> str:
    """Return the key of an artifact; Prefect allows no underscores there."""
    return f"{study_name.replace('_', '-')}-{what}"


def outermost_flow_run() -> UUID:
    """Return the id of the flow run that all others at work here are part of."""
    return UUID(flow_run.root_flow_run_id)


def show_findings(run: Run, study_name: str, report: str) -> None:
    """Show a run card, and a table of all arms.

    Args:
        run: The run; it holds its evaluation.
        study_name: Names the artifacts.
        report: Where the report has been published: a folder or a URL.
    """
    outermost = outermost_flow_run()
    MarkdownArtifact(
        key=artifact_key(study_name, "findings"),
        markdown=findings_markdown(run, report),
        description=f"Findings of {study_name}",
        flow_run_id=outermost,
    ).create()
    heading, *rows = gain_table(read_summary(run.evaluation))
    TableArtifact(
        key=artifact_key(study_name, "arms"),
        table=[dict(zip(heading, row, strict=True)) for row in rows],
        description=f"Arms of {study_name}",
        flow_run_id=outermost,
    ).create()


def show_batch(wanted: "Order", found: Manifest) -> None:
    """Show where a batch lies, and how many samples of which class it has."""
    rows = [(name, f"{found.counts.get(f'kept_{label}', 0):,}") for label, name in enumerate(wanted.class_names)]
    lines = [f"**{found.counts['kept']:,} samples**: `{wanted.address}`", ""]
    lines.append(table(("class", "samples"), rows))
    MarkdownArtifact(
        key=artifact_key(wanted.study.name, "batch"),
        markdown="\n".join(lines),
        description=f"Batch of {wanted.study.name}",
        flow_run_id=outermost_flow_run(),
    ).create()


def show_scores(study: "Study", found: "Scored") -> None:
    """Show where scores lie, and how many rows are far out."""
    rows = [(f"at most {share}", f"{count:,}") for share, count in found.alarms.items()]
    lines = [f"**{found.rows:,} rows scored**, {found.unreadable:,} of them unreadable: `{found.out}`", ""]
    lines += [f"Normal is {escape(found.normal)}, by {found.train_rows:,} training rows.", ""]
    lines.append(table(("tail share", "rows"), rows))
    MarkdownArtifact(
        key=artifact_key(study.name, "scores"),
        markdown="\n".join([*lines, "", *(f"- {escape(note)}" for note in found.notes)]),
        description=f"Scores by {study.name}",
        flow_run_id=outermost_flow_run(),
    ).create()


def findings_markdown(run: Run, report: str) -> str:
    """Return the findings of an evaluated run as Markdown: verdict, gain table, paths, and a picture of samples."""
    summary = read_summary(run.evaluation)
    heading, *rows = gain_table(summary)
    lines = [f"**{summary.verdict.sentence}**", ""]
    lines.append(table(heading, rows))
    lines += ["", f"Recommended arm: `{summary.recommended_arm}`."]
    page = f"{report if is_url(report) else Path(report).resolve()}/index.html"
    lines += ["", f"Report: `{page}`  ", f"Synthetic dataset: `{run.synthetic(None)}`"]
    picture = base64.b64encode(samples_picture(run)).decode()
    if 0 < len(picture) <= LARGEST_PICTURE:
        lines += [
            "",
            f"One class per row: {SAMPLES_PER_KIND} real samples, then {SAMPLES_PER_KIND} synthetic ones.",
            "",
            f"![real and synthetic samples](data:image/png;base64,{picture})",
        ]
    return "\n".join([*lines, "", *(f"- {escape(warning)}" for warning in summary.warnings)])


def samples_picture(run: Run) -> bytes:
    """Return a PNG with a row for each class: real samples, then synthetic ones; nothing of what cannot be seen."""
    grid = pd.read_parquet(run.evaluation / GRID_FILE)
    if grid.empty:
        return b""
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
