"""The dataset card beside delivered samples, as Hugging Face reads it."""

import html
import json
from collections.abc import Mapping
from pathlib import Path

from gansynth.generation.writers import DIGITAL_SOURCE_TYPE, Origin
from gansynth.study import GenerationConfig

CARD_FILE = "README.md"
LONGEST_NAME = 60

# identifiers of the Hugging Face hub; any other licence is "other", with its name
HUB_LICENCES = {
    "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "mit", "odbl", "odc-by", "pddl", "unknown",
}  # fmt: skip

SIZE_CATEGORIES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
LARGEST_CATEGORY = "n>1M"

FILTERS = {
    "teacher": "low probability of the label by a classifier trained on the real training rows",
    "discriminator": "low realness by the discriminator",
    "distance": "near copy of a training row, in the embedding of a classifier trained on those rows",
}

CARD = """\
---
{front_matter}
---
# Synthetic images of the study {study}

{kept} images, all of them generated: none is a photograph or a measurement.

## How it was made

A class-conditional generative adversarial network was trained by gansynth on the real training rows of the study
(model `{model_digest}`, seed {seed}). {candidates} candidates were generated and {kept} kept.

{rejections}

| label | class | images |
|---|---|---|
{classes}

Every image is marked as `{source_type}`{marks}. A sample's label and `seed_index` give it again from the same
model and seed.

## Intended use

Augmenting the training set of a classifier of these classes. Whether that helps, and by how much, is measured on real
held-out rows in the report of the study, `report/index.html` in its run folder.

## Limits

- Labels are those the generator was asked for; nobody has checked them.
- Faults, gaps and biases of the training rows are likely here too, and variety may be lower than in real data.
- Samples may resemble training rows, so the care that those need is needed here as well.
- Do not use these images to test or validate a model, or as evidence of anything real.
- Licence of the source data: {licence}. Its terms may extend to samples made from it.
"""

MARKS = {
    "parquet": " in the footer of its file and by the column `synthetic`",
    "folder": " in its XMP metadata; `metadata.csv` describes each one and `classes.json` gives the true class names",
    "webdataset": " in its XMP metadata and in the JSON beside it; `classes.json` gives the true class names",
}

SHARD_FILES = {"parquet": "*.parquet", "webdataset": "*.tar"}


def write_card(directory: Path, origin: Origin, settings: GenerationConfig, counts: Mapping[str, int]) -> None:
    """Write README.md: YAML front matter, how the samples were made, what for, and their limits.

    `counts` are those of the manifest: `kept`, `candidates`, and where it applies `rejected_FILTER` and `kept_LABEL`.
    """
    rejected = [
        f"- {counts[f'rejected_{name}']} rejected: {reason}."
        for name, reason in FILTERS.items()
        if f"rejected_{name}" in counts
    ]
    classes = [
        f"| {label} | {_cell(name)} | {counts.get(f'kept_{label}', 0)} |"
        for label, name in enumerate(origin.class_names)
    ]
    card = CARD.format(
        front_matter=_front_matter(origin, settings.format, counts["kept"]),
        study=origin.study,
        kept=counts["kept"],
        candidates=counts["candidates"],
        model_digest=origin.model_digest[:16],
        seed=origin.seed,
        rejections="\n".join(rejected) or "No filter was used.",
        classes="\n".join(classes),
        source_type=DIGITAL_SOURCE_TYPE,
        marks=MARKS[settings.format],
        licence=_cell(origin.licence),
    )
    (directory / CARD_FILE).write_text(card, encoding="utf-8")


def _front_matter(origin: Origin, file_format: str, kept: int) -> str:
    licence = origin.licence.lower()
    known = licence in HUB_LICENCES
    lines = [f"license: {licence if known else 'other'}"]
    lines += [] if known else [f"license_name: {json.dumps(origin.licence)}"]
    lines += [
        f"pretty_name: {json.dumps(f'Synthetic images of the study {origin.study}')}",
        "tags: [synthetic, gan, gansynth]",
        "annotations_creators: [machine-generated]",
        "task_categories: [image-classification]",
        f"size_categories: [{_size_category(kept)}]",
    ]
    if file_format in SHARD_FILES:
        lines += ["configs:", "- config_name: default"]
        lines += [f'  data_files: [{{split: train, path: "{SHARD_FILES[file_format]}"}}]']
    return "\n".join(lines)


def _size_category(count: int) -> str:
    return next((name for limit, name in SIZE_CATEGORIES.items() if count < limit), LARGEST_CATEGORY)


def _cell(name: str) -> str:
    """Return foreign text as one harmless, visible cell of a Markdown table."""
    shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    escaped = html.escape(visible)
    for character in "\\`*_[]|~":
        escaped = escaped.replace(character, f"\\{character}")
    return escaped or "(empty)"
