"""How far runs are and what they took, read from their manifests: nothing is hashed, and nothing heavy is imported.

What lies in a run folder counts only as far as it answers the study there: after a change of settings, work that has to
be done again is not done.
"""

import json
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from gansynth.artifacts import MANIFEST, Manifest, read_manifest
from gansynth.errors import ArtifactError, first_line
from gansynth.notes import dataset_notes
from gansynth.requests import expected
from gansynth.results import Summary, read_summary
from gansynth.runs import LOCK_FILE, OWNER_FILE, Run

if TYPE_CHECKING:  # it brings torch with it
    from gansynth.study import Study

REACHED = {
    "ingest": "ingested",
    "train": "trained",
    "generate": "generated",
    "evaluate": "evaluated",
    "report": "reported",
}
"""The stages in their order, and what a run is after each."""

Content = TypeVar("Content")

UNITS = ("", "repetitions/*/", "repetitions/*/arms/")
MANIFESTS = tuple(f"{unit}*/{MANIFEST}" for unit in UNITS)
LEFTOVERS = (OWNER_FILE, ".progress/*.json", *(f"{unit}.*.{end}" for unit in UNITS for end in ("partial", "resume")))
"""What work that is stopped leaves behind, and finished work does not."""


class _Part(BaseModel):
    """A part of a study as it is stored: what is named here, and any other settings, unchecked."""

    model_config = ConfigDict(extra="allow", frozen=True)


class _Source(_Part):
    path: str
    licence: str


class _Scarcity(_Part):
    per_class: int | None
    rare_classes: tuple[str, ...]
    rare_per_class: int
    imbalance: float


class _Gan(_Part):
    kind: str
    kimg: float
    privacy: dict[str, Any] | None = None


class _Evaluation(_Part):
    repetitions: int
    arms: tuple[str, ...]
    metric: str
    anomaly: str | None = None


class _Compute(_Part):
    precision: str
    devices: int


class StoredStudy(_Part):
    """A study without its types, which come with what trains: for those who only look at its run."""

    name: str
    seed: int
    source: _Source
    modality: _Part
    scarcity: _Scarcity
    split: _Part
    gan: _Gan
    generation: _Part
    evaluation: _Evaluation
    compute: _Compute


@dataclass(frozen=True)
class Cost:
    """What artifacts took together: sums of the times in seconds, the largest memory in MiB."""

    artifacts: int
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float

    @classmethod
    def of(cls, manifests: Collection[Manifest]) -> Self:
        """Return the cost of these artifacts."""
        return cls(
            artifacts=len(manifests),
            seconds=sum(one.seconds for one in manifests),
            cpu_seconds=sum(one.cpu_seconds for one in manifests),
            peak_memory_mb=max((one.peak_memory_mb for one in manifests), default=0.0),
        )


@dataclass(frozen=True)
class StageState:
    """How many artifacts a stage makes, and what those took that are there."""

    total: int
    cost: Cost

    @property
    def done(self) -> int:
        """How many of them are there."""
        return self.cost.artifacts


@dataclass(frozen=True)
class RunState:
    """What is known of a run without opening its artifacts.

    Attributes:
        run: Its folder.
        study: The study as it is stored there; nothing yet if the run has only just begun.
        stages: The state of each stage, in their order.
        counts: What the dataset counts.
        notes: What people should know of the dataset.
        holder: The process that is writing there.
        interrupted: Whether work was stopped halfway there.
        changed: When something was last begun or finished there, in UTC.
        size: Bytes of the artifacts that count.
        summary: What the evaluation found, if it answers the study.
        warnings: What the report warns of, or before there is one, the evaluation.
    """

    run: Run
    study: StoredStudy | None
    stages: dict[str, StageState]
    counts: dict[str, int]
    notes: list[str]
    holder: str | None
    interrupted: bool
    changed: datetime
    size: int
    summary: Summary | None
    warnings: list[str]

    @property
    def progress(self) -> str:
        """How far the run is, like 'trained 3 of 6': the last stage that is whole, or what of the next is there."""
        stages = list(self.stages)
        whole = [number for number, one in enumerate(self.stages.values(), 1) if one.done == one.total > 0]
        begun = max(whole, default=0)
        if begun < len(stages) and (of_next := self.stages[stages[begun]]).done:
            return f"{REACHED[stages[begun]]} {of_next.done} of {of_next.total}"
        return REACHED[stages[begun - 1]] if begun else "nothing yet"

    @property
    def words(self) -> str:
        """The same, and whether the run is running or was interrupted."""
        if self.holder:
            return f"running ({self.holder}): {self.progress}"
        return f"interrupted: {self.progress}" if self.interrupted else self.progress

    @property
    def seconds(self) -> float:
        """What the run took: the sum over all its artifacts, also of those that were made side by side."""
        return sum(stage.cost.seconds for stage in self.stages.values())


def find_runs(folder: Path) -> list[Run]:
    """Return the run folders in a folder, the last changed first."""
    runs = [Run(mark.parent) for mark in folder.glob("[!.]*/study.json")]
    # a run that has just begun has no study yet; one that never came to that is none
    begun = [Run(mark.parent) for mark in folder.glob(f"[!.]*/{LOCK_FILE}")]
    runs += [run for run in begun if not run.study_file.exists() and run.holder]
    return sorted(runs, key=last_changed, reverse=True)


def last_changed(run: Run) -> datetime:
    """Return when something was last begun or finished in a run folder, in UTC."""
    times = []
    for path in (run.root, run.study_file, *(path for pattern in MANIFESTS for path in run.root.glob(pattern))):
        with suppress(OSError):  # replaced at this moment
            times.append(path.stat().st_mtime)
    return datetime.fromtimestamp(max(times, default=0), UTC)


def read_state(run: Run) -> RunState:
    """Return the state of a run.

    Raises:
        ArtifactError: The folder holds no run, or something there is damaged or cannot be read.
    """
    try:
        return _read_state(run)
    except OSError as error:
        raise ArtifactError(f"{run.root}: cannot be read ({error.strerror or error})") from None
    except KeyError as error:
        raise ArtifactError(f"{run.root}: this version of gansynth does not know {error}") from None


def _read_state(run: Run) -> RunState:
    holder = run.holder
    if holder is None and not run.study_file.exists():
        raise ArtifactError(f"{run.root}: holds no run; make one with `gansynth augment STUDY.toml`")
    study = _read_study(run.study_file)
    made = _answering(study, run)
    found = {stage: [one for one in places.values() if one] for stage, places in made.items()}
    reported = bool(found["report"])
    summary = _read(read_summary, run.evaluation) if made["evaluate"].get(run.evaluation) else None
    dataset = made["ingest"].get(run.dataset)
    left = any(path for pattern in LEFTOVERS for path in run.root.glob(pattern))
    return RunState(
        run=run,
        study=study,
        stages={stage: StageState(len(places), Cost.of(found[stage])) for stage, places in made.items()},
        counts=dataset.counts if dataset else {},
        notes=dataset_notes(run.dataset) if dataset else [],
        holder=holder,
        interrupted=left and holder is None and not reported,
        changed=last_changed(run),
        size=sum(file.size for ones in found.values() for one in ones for file in one.files.values()),
        summary=summary,
        warnings=_read(_report_warnings, run.report) if reported else summary.warnings if summary else [],
    )


def _read_study(path: Path) -> StoredStudy | None:
    """Return the study of a run folder; a run that has only just begun has none."""
    try:
        return StoredStudy.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
        raise ArtifactError(f"{path}: damaged ({reason}); run again from the study's TOML file") from None


def _answering(study: StoredStudy | None, run: Run) -> dict[str, dict[Path, Manifest | None]]:
    """Return the manifests of all that a run should hold, by stage and place: nothing for what is not there yet.

    Whether the dataset answers its source is not looked at, for that means to read the source.
    """
    made: dict[str, dict[Path, Manifest | None]] = {stage: {} for stage in REACHED}
    if study is None:
        return made
    dataset = made["ingest"][run.dataset] = _manifest(run.dataset)
    digests = {run.dataset: dataset.digest} if dataset else {}
    outdated: set[Path] = set()
    # requests ask nothing of a study but its settings, and those are the same
    for one in expected(cast("Study", study), run):
        manifest = _manifest(one.directory)
        if manifest is not None:
            digests[one.directory] = manifest.digest
            if outdated & set(one.parents.values()) or not one.is_answered_by(manifest, digests):
                outdated.add(one.directory)
                manifest = None
        made[one.stage][one.directory] = manifest
    report = _manifest(run.report)
    if report is not None:
        parents = {place.relative_to(run.root).as_posix(): digest for place, digest in digests.items()}
        of_study = report.request.get("study") == study.model_dump(mode="json")
        if outdated or not of_study or not parents.items() <= report.parents.items():
            report = None
    made["report"][run.report] = report
    return made


def _manifest(directory: Path) -> Manifest | None:
    return read_manifest(directory) if (directory / MANIFEST).exists() else None


def _report_warnings(directory: Path) -> list[str]:
    warnings: list[str] = json.loads((directory / "report.json").read_text())["warnings"]
    return warnings


def _read(read: Callable[[Path], Content], directory: Path) -> Content:
    try:
        return read(directory)
    except (OSError, ValueError, KeyError) as error:
        reason = first_line(error)
        raise ArtifactError(f"{directory}: damaged ({reason}); delete it and run again") from None
