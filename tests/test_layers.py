"""Imports go down only; read from the code itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GROUND = (
    "samples",
    "artifacts",
    "replacing",
    "memory",
    "runs",
    "progress",
    "seeding",
    "settings",
    "errors",
    "threads",
    "processes",
    "drawing",
    "warping",
    "stopping",
    "formats",
    "markup",
    "provenance",
    "remote",
)
AXES = ("modalities", "gans")
STUDY = (
    "sections",
    "study",
    "study_files",
    "arms",
    "datasets",
    "splits",
    "checkpoints",
    "classifiers",
    "detectors",
    "validation",
    "thresholds",
    "requests",
    "devices",
    "privacy",
    "results",
    "states",
    "notes",
    "cards",
    "hub",
)
STAGES = ("ingestion", "training", "generation", "evaluation", "reporting")
USES = ("scoring",)
LAYERS = (GROUND, AXES, STUDY, STAGES, USES)
APART = (AXES, STAGES)
"""Layers whose members never import each other."""

MODULES = sorted([*(ROOT / "gansynth").rglob("*.py"), *(ROOT / "pipelines").rglob("*.py")])


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide what depends on what"
            if node.module == "gansynth":
                yield from (f"gansynth.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def layer_of(member: str) -> int:
    for height, members in enumerate(LAYERS):
        if member in members:
            return height
    raise AssertionError(f"gansynth.{member} has no place in LAYERS yet: give it one")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_down_only(path: Path) -> None:
    package, member = path.relative_to(ROOT).with_suffix("").parts[:2]
    if package == "pipelines" or member == "__init__":
        return
    for name in imported(path):
        top, _, rest = name.partition(".")
        assert top not in {"pipelines", "prefect"}, f"{path}: imports {name}"
        other = rest.split(".")[0]
        if top != "gansynth" or other == member:
            continue
        assert layer_of(other) <= layer_of(member), f"{path}: imports {name}, which lies above"
        if layer_of(other) == layer_of(member):
            assert LAYERS[layer_of(member)] not in APART, f"{path}: imports its neighbour {name}"


def test_every_member_of_a_layer_is_there() -> None:
    there = {path.stem for path in (ROOT / "gansynth").iterdir()}
    assert {member for layer in LAYERS for member in layer} <= there
