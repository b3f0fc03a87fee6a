"""Everything the report reads: the evaluation, and what the other artifacts of the run folder say about themselves."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from gansynth.artifacts import MANIFEST, Manifest, read_manifest
from gansynth.checkpoints import read_guarantee
from gansynth.errors import ArtifactError, first_line
from gansynth.notes import read_columns
from gansynth.privacy import Guarantee
from gansynth.results import (
    ASSOCIATIONS_FILE,
    BLINDED_FILE,
    CLOSEST_ROWS_FILE,
    COLUMN_DISTANCES_FILE,
    DISTRIBUTIONS_FILE,
    FIDELITY_FILE,
    GRID_FILE,
    PAIRS_FILE,
    SCORES_FILE,
    Comparison,
    Summary,
    read_summary,
)
from gansynth.runs import METRICS_FILE, QUARANTINE_FILE, Run, repetition_label
from gansynth.states import Cost
from gansynth.study import Study

FRAMES_OF_TABLES = (COLUMN_DISTANCES_FILE, ASSOCIATIONS_FILE, DISTRIBUTIONS_FILE, CLOSEST_ROWS_FILE)
REJECTED = re.compile(r"rejected_([a-z]+)")


@dataclass(frozen=True)
class Findings:
    """What a run found.

    Attributes:
        study: The study that was run.
        run: Its folder.
        summary: The comparison of the arms.
        scores: Columns arm, repetition, metric, class_name, value.
        fidelity: Columns repetition, metric, class_name, value.
        pairs: Columns repetition, class_name, distance, held_out_distance, synthetic, training; the last two PNG.
        grid: Columns class_name, kind ('real' or 'synthetic'), image; the last PNG.
        blinded: The same for the blinded page, in the order of its questions.
        frames: Of a table, what the evaluation found of its columns and rows, by file, as `Summary` describes them.
        curves: What adversarial training recorded, a frame per generator, by the generator's label.
        quarantine: Sources that could not be used, each with `source` and `reason`.
        guarantees: What differential privacy guarantees of the generators that were trained with it, by their label.
        columns: What ingestion found out about a table: `notes`, `findings`, `columns`; nothing of images.
        manifests: Manifest of every artifact found, by stage and by its path within the run folder.
    """

    study: Study
    run: Run
    summary: Summary
    scores: pd.DataFrame
    fidelity: pd.DataFrame
    pairs: pd.DataFrame
    grid: pd.DataFrame
    blinded: pd.DataFrame
    frames: dict[str, pd.DataFrame]
    curves: dict[str, pd.DataFrame]
    quarantine: list[dict[str, str]]
    guarantees: dict[str, Guarantee]
    columns: dict[str, Any]
    manifests: dict[str, dict[str, Manifest]]

    def comparison(self, arm: str, against: str) -> Comparison | None:
        """Return the test of `arm` against another one, if it was made."""
        return self.summary.comparison(arm, against)

    @property
    def rare_classes(self) -> list[str]:
        """Classes with less than half as many training rows as the largest one."""
        rows = self.summary.train_rows
        return [name for name, count in rows.items() if count < max(rows.values()) / 2]

    def manifest(self, directory: Path) -> Manifest | None:
        """Return the manifest of the artifact at `directory`, if it was found."""
        name = directory.relative_to(self.run.root).as_posix()
        return next((found[name] for found in self.manifests.values() if name in found), None)


def read_manifests(study: Study, run: Run) -> dict[str, dict[str, Manifest]]:
    """Return the manifests of the artifacts in a run folder, by stage and by path within the folder.

    The evaluation must be there; others that are not are left out.

    Raises:
        ArtifactError: There is no evaluation, or a manifest is damaged.
    """
    read_manifest(run.evaluation)
    repetitions = range(study.evaluation.repetitions)
    units = [*repetitions, None]
    arms = [run.arm(repetition, arm) for repetition in repetitions for arm in study.evaluation.arms]
    fidelity = [run.fidelity(repetition) for repetition in repetitions]
    anomaly = [run.anomaly(repetition) for repetition in repetitions] if study.evaluation.anomaly is not None else []
    places = {
        "ingest": [run.dataset],
        "train": [run.model(unit) for unit in units],
        "generate": [run.synthetic(unit) for unit in units],
        "evaluate": [*arms, *fidelity, *anomaly, run.evaluation, run.training_set],
    }
    return {
        stage: {
            place.relative_to(run.root).as_posix(): read_manifest(place)
            for place in directories
            if (place / MANIFEST).exists()
        }
        for stage, directories in places.items()
    }


def read_findings(study: Study, run: Run, manifests: dict[str, dict[str, Manifest]]) -> Findings:
    """Read what the report shows.

    Raises:
        ArtifactError: A file of the evaluation is missing or damaged.
    """
    try:
        summary = read_summary(run.evaluation)
        frames = [
            pd.read_parquet(run.evaluation / name)
            for name in (SCORES_FILE, FIDELITY_FILE, PAIRS_FILE, GRID_FILE, BLINDED_FILE)
        ]
        of_tables = {name: pd.read_parquet(run.evaluation / name) for name in FRAMES_OF_TABLES if summary.table}
    except (OSError, ValidationError, ValueError) as error:
        reason = first_line(error)
        raise ArtifactError(f"{run.evaluation}: damaged ({reason}); delete it and evaluate again") from error
    units = [None, *range(study.evaluation.repetitions)]
    curves = {repetition_label(unit): _read_curves(run.model(unit) / METRICS_FILE) for unit in units}
    found = {repetition_label(unit): read_guarantee(run.model(unit)) for unit in units if run.model(unit).exists()}
    # reports are passed on: the folders of the machine that made them are nobody's business
    source = study.source.model_copy(update={"path": Path(study.source.path).name})
    weights = study.evaluation.inception_weights
    evaluation = study.evaluation.model_copy(update={"inception_weights": weights and Path(weights).name})
    return Findings(
        study=study.model_copy(update={"source": source, "evaluation": evaluation}),
        run=run,
        summary=summary,
        scores=frames[0],
        fidelity=frames[1],
        pairs=frames[2],
        grid=frames[3],
        blinded=frames[4],
        frames=of_tables,
        curves={label: frame for label, frame in curves.items() if not frame.empty},
        quarantine=_read_quarantine(run.dataset / QUARANTINE_FILE),
        guarantees={label: guarantee for label, guarantee in found.items() if guarantee is not None},
        columns=read_columns(run.dataset),
        manifests=manifests,
    )


def costs(findings: Findings) -> dict[str, Cost]:
    """Return the cost of each stage that left artifacts."""
    return {stage: Cost.of(found.values()) for stage, found in findings.manifests.items() if found}


def arm_deviations(findings: Findings) -> dict[str, dict[str, float]]:
    """Return the standard deviation over repetitions of every metric of every arm."""
    whole = findings.scores[findings.scores["class_name"] == ""]
    spread = whole.groupby(["arm", "metric"])["value"].std(ddof=1).reset_index()
    deviations: dict[str, dict[str, float]] = {arm: {} for arm in findings.summary.arms}
    for arm, metric, value in zip(spread["arm"], spread["metric"], spread["value"], strict=True):
        deviations[arm][metric] = float(value)
    return deviations


def class_fidelity(findings: Findings) -> dict[str, dict[str, float]]:
    """Return the mean over repetitions of every fidelity metric that is known per class, by class and metric."""
    per_class = findings.fidelity[findings.fidelity["class_name"] != ""]
    means = per_class.groupby(["class_name", "metric"])["value"].mean().reset_index()
    table: dict[str, dict[str, float]] = {name: {} for name in findings.summary.train_rows}
    for name, metric, value in zip(means["class_name"], means["metric"], means["value"], strict=True):
        table[name][metric] = float(value)
    return {name: row for name, row in table.items() if row}


def group_recall(findings: Findings, arm: str, classes: list[str]) -> float:
    """Return an arm's mean recall over some classes, at least one."""
    recalls = [findings.summary.arms[arm].recall[name] for name in classes]
    return sum(recalls) / len(recalls)


def rejected(counts: dict[str, int]) -> dict[str, int]:
    """Return the counts of rejected candidates of a synthetic artifact, by filter."""
    found = {REJECTED.fullmatch(name): count for name, count in counts.items()}
    return {match[1]: count for match, count in found.items() if match}


def kept_per_class(findings: Findings, counts: dict[str, int]) -> list[int]:
    """Return the samples of each class in a synthetic artifact."""
    return [counts.get(f"kept_{label}", 0) for label in range(len(findings.summary.train_rows))]


def _read_curves(path: Path) -> pd.DataFrame:
    """Return the numbers of a file with a JSON object a line; an absent file gives an empty frame."""
    if not path.exists():
        return pd.DataFrame()
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    return pd.DataFrame(_parse(f"[{','.join(lines)}]", path)).select_dtypes("number")


def _read_quarantine(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    return _parse(path.read_text(), path)


def _parse(text: str, path: Path) -> list[dict[str, Any]]:
    try:
        listed: list[dict[str, Any]] = json.loads(text)
    except ValueError as error:
        raise ArtifactError(f"{path}: damaged ({error}); delete {path.parent} and run again") from None
    return listed
