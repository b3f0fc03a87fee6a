"""The documentation against the code."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from gansynth.sections import is_named
from gansynth.study import Study
from gansynth.study_files import load_study
from pipelines.cli import app
from pipelines.docs import pages

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(path for folder in (".", "docs", "data") for path in (ROOT / folder).glob("*.md"))
TEMPLATES = ("fraud",)
"""Studies that name a source of the user's."""
COMMANDS = get_command(app).commands
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def command_lines(text: str) -> Iterator[str]:
    """Yield what stands in code blocks and in code spans and calls gansynth."""
    blocks = [line for _, block in FENCE.findall(text) for line in block.splitlines()]
    spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    for line in [*blocks, *spans]:
        call = line.strip().removeprefix("$ ").partition("#")[0].strip()
        if call.startswith("gansynth "):
            yield call


@pytest.mark.parametrize("path", list(pages()), ids=lambda path: path.name)
def test_generated_pages_are_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == pages()[path], "run `python -m pipelines.docs`"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documented_commands_and_options_exist(path: Path) -> None:
    for call in command_lines(path.read_text(encoding="utf-8")):
        name = call.split()[1]
        if name.startswith("--"):
            assert name in {"--version", "--help"}, call
            continue
        for command in name.split("|"):
            assert command in COMMANDS, call
            known = {option for parameter in COMMANDS[command].params for option in parameter.opts} | {"--help"}
            assert set(re.findall(r"(?<!\S)--[a-z-]+", call)) <= known, call


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documented_settings_exist(path: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text('name = "a"\nsource.path = "b"\n')
    for call in command_lines(path.read_text(encoding="utf-8")):
        load_study(study, re.findall(r"--set (\S+=\S+)", call))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documented_studies_are_valid(path: Path, tmp_path: Path) -> None:
    for language, block in FENCE.findall(path.read_text(encoding="utf-8")):
        if language == "toml":
            study = tmp_path / "study.toml"
            study.write_text(block)
            load_study(study)


@pytest.mark.parametrize("path", sorted((ROOT / "data" / "studies").glob("*.toml")), ids=lambda path: path.name)
def test_shipped_studies_are_valid_and_named_after_their_file(path: Path) -> None:
    study = load_study(path)
    assert study.name == path.stem
    assert study.name in TEMPLATES or is_named(study.source.path) or Path(study.source.path).exists()


def test_every_setting_has_a_description() -> None:
    """The settings page, the form of Prefect and the error messages all draw on them."""
    schema = Study.model_json_schema()
    for model in [schema, *schema["$defs"].values()]:
        for name, field in model["properties"].items():
            assert "$ref" in field or field.get("description"), f"{model['title']}.{name}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_pictures_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target
