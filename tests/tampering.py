"""Artifacts that are not what their maker made, and whose manifests do not show it."""

import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from gansynth.artifacts import MANIFEST, publish, read_manifest
from gansynth.checkpoints import TRAINING_ROWS


def alter_training_rows(model: Path, name: str, where: np.ndarray | int, values: np.ndarray | int) -> None:
    """Change what a model knows of its training rows: in the array `name`, the entries at `where`."""
    known = load_file(model / TRAINING_ROWS)
    known[name][where] = values
    manifest = read_manifest(model)
    with publish(model, manifest.stage, manifest.request, manifest.parents) as draft:
        shutil.copytree(model, draft.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))
        save_file(known, draft.path / TRAINING_ROWS)
