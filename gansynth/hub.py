"""What the Hugging Face hub reads of a dataset card: its YAML front matter, and the licences that the hub knows."""

import json

from gansynth.provenance import Origin

HUB_LICENCES = {
    "apache-2.0": "Apache-2.0", "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause",
    "cc-by-3.0": "CC-BY-3.0", "cc-by-4.0": "CC-BY-4.0", "cc-by-nc-4.0": "CC-BY-NC-4.0",
    "cc-by-nc-sa-4.0": "CC-BY-NC-SA-4.0", "cc-by-sa-3.0": "CC-BY-SA-3.0", "cc-by-sa-4.0": "CC-BY-SA-4.0",
    "cc0-1.0": "CC0-1.0", "mit": "MIT", "odbl": "ODbL-1.0", "odc-by": "ODC-By-1.0", "pddl": "PDDL-1.0",
}  # fmt: skip
"""Identifiers of the Hugging Face hub and those of SPDX; any other licence is "other" to the hub, with its name."""

SIZE_CATEGORIES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
LARGEST_CATEGORY = "n>1M"

TASKS = {"image": "image-classification", "table": "tabular-classification"}
DATA_FILES = {
    "parquet": '"*.parquet"',
    "csv": '"*.csv"',
    "folder": '["*/*.png", "metadata.csv"]',
    "webdataset": '"*.tar"',
}


def front_matter(origin: Origin, file_format: str, kept: int) -> str:
    """Return the YAML of a card without its fences.

    Args:
        origin: Where the samples come from.
        file_format: How they are written.
        kept: How many they are.
    """
    licence = origin.licence.lower()
    known = licence in HUB_LICENCES or licence == "unknown"
    lines = [f"license: {licence if known else 'other'}"]
    lines += [] if known else [f"license_name: {json.dumps(origin.licence, ensure_ascii=False)}"]
    lines += [
        f"pretty_name: {json.dumps(f'Synthetic {origin.things} of the study {origin.study}')}",
        "tags: [synthetic, gan, gansynth]",
        "annotations_creators: [machine-generated]",
        f"task_categories: [{TASKS[origin.modality]}]",
        f"size_categories: [{_size_category(kept)}]",
        "configs:",
        "- config_name: default",
        f"  data_files: [{{split: train, path: {DATA_FILES[file_format]}}}]",
    ]
    return "\n".join(lines)


def _size_category(count: int) -> str:
    return next((name for limit, name in SIZE_CATEGORIES.items() if count < limit), LARGEST_CATEGORY)
