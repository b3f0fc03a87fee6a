"""The report for programs: everything the page says, as JSON."""

import json
import math
from dataclasses import asdict

import pandas as pd

from gansynth.reporting import columns, words
from gansynth.reporting.findings import Findings, arm_deviations, class_fidelity, costs

STAGES = ("ingest", "train", "generate", "evaluate")


def render_json(findings: Findings, date: str, seconds: float) -> str:
    """Return the report as JSON; a number that is not finite, and the cost of a stage that left nothing, is null.

    Args:
        findings: What the run found.
        date: The day of the report, as YYYY-MM-DD.
        seconds: What making the report took so far.
    """
    summary, deviations, cost = findings.summary, arm_deviations(findings), costs(findings)
    evaluation = findings.manifests["evaluate"][findings.run.evaluation.name]
    content = {
        "name": findings.study.name,
        "date": date,
        "metric": summary.metric,
        "verdict": summary.verdict.model_dump(),
        "recommended_arm": summary.recommended_arm,
        "repetitions": summary.repetitions,
        "correlation": summary.correlation,
        "train_rows": summary.train_rows,
        "test_rows": summary.test_rows,
        "arms": {name: arm.model_dump() | {"metrics_sd": deviations[name]} for name, arm in summary.arms.items()},
        "comparisons": [one.model_dump() for one in summary.comparisons],
        "fidelity": summary.fidelity.model_dump() | {"per_class": class_fidelity(findings)},
        "similarity": summary.similarity.model_dump(),
        "privacy": summary.privacy.model_dump(),
        "differential_privacy": {label: one.model_dump() for label, one in findings.guarantees.items()},
        **({"source": findings.columns} if findings.columns else {}),
        **_of_tables(findings),
        "anomaly": summary.anomaly and summary.anomaly.model_dump(),
        "synthetic": {place: manifest.counts for place, manifest in findings.manifests["generate"].items()},
        "cost_seconds": {stage: cost[stage].seconds if stage in cost else None for stage in STAGES}
        | {"report": seconds},
        "cost": {stage: asdict(one) for stage, one in cost.items()},
        "warnings": words.warnings(findings),
        "quarantine": findings.quarantine,
        "seed": findings.study.seed,
        "versions": evaluation.versions,
        "digests": {place: one.digest for found in findings.manifests.values() for place, one in found.items()},
        "study": findings.study.model_dump(mode="json"),
    }
    return json.dumps(_finite(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _of_tables(findings: Findings) -> dict[str, object]:
    """Return what only tables have."""
    found = findings.summary.table
    if found is None:
        return {}
    return {
        "table": found.model_dump()
        | {
            "columns": columns.column_distances(findings).to_dict("records"),
            "associations": columns.associations(findings).to_dict("records"),
            "closest_rows": [_closest(pair) for pair in columns.closest_rows(findings)],
        }
    }


def _closest(pair: pd.DataFrame) -> dict[str, object]:
    first = pair.iloc[0]
    return {
        "class_name": first["class_name"],
        "distance": float(first["distance"]),
        "held_out_distance": float(first["held_out_distance"]),
        "cells": pair[["column", "synthetic", "training", "differs"]].to_dict("records"),
    }


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
