"""Studies to and from files: TOML as people write it, JSON beside the artifacts of a run."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from gansynth.errors import ArtifactError, StudyError
from gansynth.remote import is_url
from gansynth.replacing import flush_one
from gansynth.runs import Run
from gansynth.sections import is_named
from gansynth.study import Study, fill_defaults

LONGEST_VALUE = 80
PATHS = (("source", "path"), ("evaluation", "inception_weights"))
Model = TypeVar("Model", bound=BaseModel)


def load_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """Read a study from a TOML file.

    Args:
        path: The file. Relative paths in it start at the file's folder.
        overrides: Settings such as `gan.kimg=200` that replace those of the file. The value is read as TOML,
            or taken as it stands if it is none. Relative paths given here start at the current folder.

    Raises:
        StudyError: The file cannot be read, or a setting is missing, misspelt or out of range.
    """
    data = _read_toml(path)
    for section, name in PATHS:
        settings = data.get(section)
        if isinstance(settings, dict) and isinstance(settings.get(name), str):
            settings[name] = _absolute(settings[name], path.parent, f"{path}: {section}.{name}")
    return _build(data, overrides, str(path))


def with_absolute_paths(study: Study) -> Study:
    """Return the study with paths that do not depend on the current folder; relative ones start there."""
    for section, name in PATHS:
        settings = getattr(study, section)
        path = getattr(settings, name)
        if path is not None:
            absolute = settings.model_copy(update={name: _absolute(path, Path.cwd(), f"{section}.{name}")})
            study = study.model_copy(update={section: absolute})
    return study


def check_settings(model: type[Model], data: dict[str, Any]) -> Model:
    """Build settings from plain data.

    Raises:
        StudyError: One is missing, unknown or out of range.
    """
    try:
        return _validate(model, data, ())
    except _Rejected as rejected:
        raise StudyError(str(rejected)) from None


def save_study(study: Study, path: Path) -> None:
    """Write the resolved study as JSON, whole or not at all.

    Raises:
        ArtifactError: It cannot be written.
    """
    write_whole(path, study.model_dump_json(indent=1).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        ArtifactError: It cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        flush_one(partial)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise ArtifactError(
            f"{path}: cannot be written ({error.strerror or error}); make room or choose another --run-dir"
        ) from error


def read_study(run: Run, overrides: Sequence[str] = ()) -> Study:
    """Read the study of a run folder, with settings replaced as in `load_study`.

    Raises:
        ArtifactError: The folder holds no study, or a damaged one.
        StudyError: A setting is unknown to this version, or an override is wrong.
    """
    path = run.study_file
    try:
        data = json.loads(path.read_text())
        if not isinstance(data, dict):
            raise ValueError("it holds no settings")  # noqa: TRY004, TRY301 told like other damage
    except FileNotFoundError:
        raise ArtifactError(
            f"{run.root}: not a run folder, for there is no run there ({path.name} is missing);"
            " make one with `gansynth augment STUDY.toml`"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: damaged ({error}); run again from the study's TOML file") from None
    return _build(data, overrides, str(path))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise StudyError(f"{path}: not a text file in UTF-8; a study is a TOML file") from None
    except (ValueError, RecursionError) as error:  # numbers of very many digits, or lists in lists, are no TOML errors
        place = re.search(r"^(.*) \(at (.*)\)$", str(error))
        reason = f"{place[2]}: {place[1]}" if place else str(error)
        raise StudyError(f"{path}: {reason}; mend the TOML syntax there") from None
    except OSError as error:
        raise StudyError(f"{path}: {error.strerror}; give the path of a study's TOML file") from None


def _absolute(source: str, folder: Path, where: str) -> str:
    if is_named(source) or is_url(source):
        return source
    try:
        return str((folder / Path(source).expanduser()).resolve())
    except (OSError, ValueError, RuntimeError) as error:  # a zero byte, the home of an unknown user, links in a circle
        raise StudyError(f"{where}: {source!r} is no path ({error}); mend it") from None


def _build(data: dict[str, Any], overrides: Sequence[str], where: str) -> Study:
    for override in overrides:
        _override(data, override)
    keys = [override.partition("=")[0].strip() for override in overrides]
    data = fill_defaults(data)
    try:
        for name, kinds in _unions():
            if name in data:
                data[name] = _validate_kind(name, data[name], kinds)
        return _validate(Study, data, ())
    except _Rejected as rejected:
        by_override = any(f"{rejected.field}.".startswith(f"{key}.") for key in keys)
        # a rule across settings may have been broken by one of them
        within = [key for key in keys if not rejected.field or key.startswith(f"{rejected.field}.")]
        also = f" with --set {', '.join(within)}" if within else ""
        raise StudyError(f"{'--set' if by_override else where + also}: {rejected}") from None


def _override(data: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    *sections, name = [part.strip() for part in key.split(".")]
    if not separator or not name or not all(sections):
        raise StudyError(f"--set: {override!r} is no setting; write it like gan.kimg=200")
    value = _value(text.strip())
    if (*sections, name) in PATHS:
        value = _absolute(str(value), Path.cwd(), f"--set {key.strip()}")
    for section in sections:
        data = data.setdefault(section, {})
        if not isinstance(data, dict):
            raise StudyError(f"--set: {key.strip()}: {section!r} is a single setting and has none inside")
    data[name] = value


def _value(text: str) -> Any:  # noqa: ANN401 - whatever TOML can express
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text


class _Rejected(Exception):  # noqa: N818 - never leaves this file
    """A setting that cannot be: its dotted name, and the rule with the value given."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}" if field else rule)
        self.field = field


def _unions() -> Iterator[tuple[str, dict[str, type[BaseModel]]]]:
    """Yield the sections whose settings depend on their `kind`, the default kind first."""
    for name, field in Study.model_fields.items():
        branches = get_args(field.annotation)
        if branches and all(isinstance(branch, type) and issubclass(branch, BaseModel) for branch in branches):
            default = type(field.get_default(call_default_factory=True, validated_data={}))
            ordered = sorted(branches, key=lambda branch: branch is not default)
            yield name, {branch.model_fields["kind"].default: branch for branch in ordered}


def _validate_kind(name: str, data: Any, kinds: dict[str, type[BaseModel]]) -> BaseModel:  # noqa: ANN401 - unchecked input
    if not isinstance(data, dict):
        raise _no_section(name, data)
    kind = data.get("kind", next(iter(kinds)))
    if not isinstance(kind, str) or kind not in kinds:
        known = ", ".join(repr(known) for known in kinds)
        raise _Rejected(f"{name}.kind", f"must be one of {known} (given: {_shown(kind)}){_nearest(str(kind), kinds)}")
    return _validate(kinds[kind], data, (name,))


def _validate(model: type[Model], data: Any, section: tuple[str, ...]) -> Model:  # noqa: ANN401 - unchecked input
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors()
    # a misspelt name also leaves the right one missing: the misspelling is what to tell
    first = min(details, key=lambda detail: detail["type"] != "extra_forbidden")
    *above, name = [*section, *(str(part) for part in first["loc"])] or [""]
    field = ".".join([*above, name])
    if first["type"] == "extra_forbidden":
        known = _fields_of(model, first["loc"][:-1])
        listing = _nearest(name, known) or f"; there are {', '.join(known)}"
        is_own = "kind" in known and len(first["loc"]) == 1
        kind = f" in kind {model.model_fields['kind'].default!r}" if is_own else ""
        raise _Rejected(field, f"no such setting{kind}{listing}")
    if first["type"] == "missing":
        raise _Rejected(field, "is required; add it to the study")
    if first["type"] == "model_type":
        raise _no_section(field, first["input"])
    rule = re.sub(r"^[A-Z]\w+ should", "must", first["msg"]).removeprefix("Value error, ")
    rule = rule.replace("a valid tuple", "a list, in square brackets")
    across = first["type"] == "value_error" and isinstance(first["input"], dict)
    raise _Rejected(field, rule if across else f"{rule} (given: {_shown(first['input'])})")


def _no_section(field: str, given: object) -> _Rejected:
    return _Rejected(field, f"must be a section with settings inside (given: {_shown(given)})")


def _fields_of(model: type[BaseModel], section: Sequence[str | int]) -> list[str]:
    """Return the settings of a section within a model; one may be optional, or an item of a list."""
    for name in section:
        if isinstance(name, str):
            model = next(_models_in(model.model_fields[name].annotation))
    return list(model.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 any type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _nearest(name: str, known: Sequence[str] | dict[str, Any]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
