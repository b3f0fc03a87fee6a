"""Writes docs/cli.md and docs/settings.md from the code: `python -m pipelines.docs`; with --check it only compares."""

import argparse
import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer import Context
from typer.main import get_command

from gansynth.study import TABLE_DEFAULTS, Study
from pipelines.cli import app

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    """Write the generated pages, or say which of them differ from the code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is out of date")
    check = parser.parse_args().check
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if check:
        sys.exit("".join(f"{path}: out of date; run `python -m pipelines.docs`\n" for path in stale) or 0)
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(pages()[path], encoding="utf-8")


def pages() -> dict[Path, str]:
    """Return the text of every generated page."""
    return {DOCS / "cli.md": commands_page(), DOCS / "settings.md": settings_page()}


def commands_page() -> str:
    """Return the help of every command as Markdown."""
    group: Any = get_command(app)
    lines = ["# The command line", "", "Generated from the code by `python -m pipelines.docs`.", ""]
    lines += _help_text(group)
    lines += ["| option | meaning |", "|---|---|", *_options(group), ""]
    for name, command in group.commands.items():
        lines += [f"## gansynth {name}", "", *_help_text(command), *_table(command), ""]
    return "\n".join(lines).rstrip() + "\n"


def settings_page() -> str:
    """Return every setting of a study, with its default and its description, as Markdown."""
    lines = ["# The settings of a study", "", "Generated from the code by `python -m pipelines.docs`.", ""]
    lines += ["A study is a TOML file. Only `name` and `source.path` are required.", ""]
    lines += [
        "The defaults are those of images. A study of a table has others, where it leaves these settings open:",
        "",
    ]
    lines += ["| setting | default for tables |", "|---|---|"]
    for section, defaults in TABLE_DEFAULTS.items():
        lines += [f"| `{section}.{name}` | `{_toml(value)}` |" for name, value in defaults.items()]
    lines += ["", "`--set section.setting=value` on the command line replaces a setting of the file.", ""]
    lines += _settings("", Study, [name for name, field in Study.model_fields.items() if not _branches(field)])
    for section, field in Study.model_fields.items():
        for model in _branches(field):
            kind = model.model_fields.get("kind")
            title = f"[{section}]" if kind is None else f'[{section}] with kind = "{kind.default}"'
            lines += [f"## {title}", "", inspect.getdoc(model) or "", ""]
            lines += _settings(f"{section}.", model, list(model.model_fields))
    return "\n".join(lines).rstrip() + "\n"


def _help_text(command: Any) -> Iterator[str]:  # noqa: ANN401 - click ships no types through typer
    """Yield the paragraphs of a help text; one that click must not join is a heading with code below it."""
    for paragraph in inspect.cleandoc(command.help).split("\n\n"):
        first, *rest = paragraph.split("\n")
        if first == "\b":
            yield from [rest[0], "", "```", *(line.strip() for line in rest[1:]), "```", ""]
        else:
            yield from [" ".join([first, *rest]), ""]


def _table(command: Any) -> list[str]:  # noqa: ANN401 - click ships no types through typer
    return ["| argument or option | meaning |", "|---|---|", *_options(command)]


def _options(command: Any) -> Iterator[str]:  # noqa: ANN401 - click ships no types through typer
    context = Context(command)
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            name, meaning = (" ".join(text.split()).replace("|", "\\|") for text in record)
            yield f"| `{name}` | {meaning} |"


def _branches(field: FieldInfo) -> list[type[BaseModel]]:
    """Return the section, or the kinds of a section, that a field of the study holds."""
    candidates = get_args(field.annotation) or (field.annotation,)
    return [one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)]


def _settings(prefix: str, model: type[BaseModel], names: list[str]) -> list[str]:
    lines = ["| setting | values | default | meaning |", "|---|---|---|---|"]
    for name in names:
        field = model.model_fields[name]
        default = "required" if field.is_required() else f"`{_toml(field.get_default(call_default_factory=True))}`"
        cells = (f"`{prefix}{name}`", _values(field), default, field.description or "")
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return [*lines, ""]


def _values(field: FieldInfo) -> str:
    return ", ".join([_type_name(field.annotation), *_bounds(field.metadata)])


def _bounds(rules: Sequence[object]) -> list[str]:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "a multiple of"}
    limits = [(sign, getattr(rule, name, None)) for rule in rules for name, sign in signs.items()]
    return [f"{sign} {limit}" for sign, limit in limits if limit is not None]


def _type_name(annotation: Any) -> str:  # noqa: ANN401 - any annotation there is
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}"
    if origin is Annotated:
        return ", ".join([_type_name(arguments[0]), *_bounds(arguments[1].metadata)])
    if arguments:
        return " or ".join(_type_name(one) for one in arguments if one is not type(None))
    if issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return "{" + "; ".join(f"{name}: {_type_name(field.annotation)}" for name, field in fields) + "}"
    names = {int: "whole number", float: "number", str: "text", bool: "`true`, `false`"}
    return names[annotation]


def _toml(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return str(value)


if __name__ == "__main__":
    main()
