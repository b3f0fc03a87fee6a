"""The tables of the report as plain text: shared by the page and the Markdown."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from gansynth import formats
from gansynth.reporting.findings import Findings, arm_deviations, class_fidelity, costs, kept_per_class, rejected
from gansynth.results import Comparison
from gansynth.runs import repetition_label
from gansynth.states import Cost

LOWER_IS_BETTER = ("log_loss", "calibration_error")
DELIVERED = "the delivered dataset"


MOST_VALUES = 5


class Table(NamedTuple):
    """Cells of text. The first column names the row; `best` are the places (row, column) of the best values."""

    header: list[str]
    rows: list[list[str]]
    best: frozenset[tuple[int, int]] = frozenset()


def arm_table(findings: Findings) -> Table:
    """Every metric of every arm, mean ± standard deviation over repetitions, the study's metric first."""
    arms, deviations = findings.summary.arms, arm_deviations(findings)
    metrics = formats.ordered([findings.summary.metric, *(metric for arm in arms.values() for metric in arm.metrics)])
    metrics.sort(key=lambda metric: metric != findings.summary.metric)
    rows, best = [], set()
    for name, arm in arms.items():
        row = [name]
        for metric in metrics:
            mean = formats.metric_value(metric, arm.metrics.get(metric, math.nan))
            spread = deviations[name].get(metric, math.nan)
            row.append(f"{mean} ± {formats.metric_value(metric, spread)}")
        row.append(formats.share(sum(arm.ratios) / len(arm.ratios), 0) if arm.ratios else formats.NOTHING)
        rows.append(row)
    for column, metric in enumerate(metrics, start=1):
        sign = -1 if metric in LOWER_IS_BETTER else 1
        values = [sign * arm.metrics.get(metric, math.nan) for arm in arms.values()]
        finite = [value for value in values if math.isfinite(value)]
        best |= {(row, column) for row, value in enumerate(values) if finite and value == max(finite)}
    units = {metric: "" if metric == "log_loss" else f"{formats.SPACE}(%)" for metric in metrics}
    names = [formats.capitalised(formats.metric_name(metric)) + units[metric] for metric in metrics]
    return Table(["Arm", *names, "Synthetic share"], rows, frozenset(best))


def comparison_table(findings: Findings, comparisons: Sequence[Comparison]) -> Table:
    """Tests that were made, gains in points."""
    interval = f"{formats.share(1 - findings.study.evaluation.alpha, 0)} interval"
    return Table(
        ["Arm", "Against", "Gain", interval, "p", "p (Holm)", "Verdict"],
        [
            [
                one.arm,
                one.against,
                formats.gain(one.gain),
                formats.interval(one.ci_low, one.ci_high),
                formats.probability(one.p_value),
                formats.probability(one.p_holm),
                one.verdict,
            ]
            for one in comparisons
        ],
    )


def recall_table(findings: Findings) -> Table:
    """Mean recall of each class in every arm, with the training rows of the class."""
    arms = findings.summary.arms
    return Table(
        ["Class", "Training rows", *arms],
        [
            [name, formats.count(rows), *(formats.share(arm.recall.get(name, math.nan)) for arm in arms.values())]
            for name, rows in findings.summary.train_rows.items()
        ],
    )


def fidelity_table(findings: Findings) -> Table:
    """Likeness over all classes, with how to read each number."""
    found = findings.summary.fidelity
    chose = "teacher" in findings.study.generation.active_filters
    teacher = "the teacher, which also chose them," if chose else "the teacher"
    of_held_out = formats.share(found.held_out_agreement)
    return Table(
        ["Measure", "Value", "How to read it"],
        [
            ["Kernel distance (KID)", formats.number(found.kid), "0 for equal distributions; lower is nearer"],
            ["Fréchet distance (FID)", formats.number(found.fid), "0 for equal distributions; lower is nearer"],
            ["Precision", formats.share(found.precision), "synthetic samples that lie among real ones"],
            ["Recall", formats.share(found.recall), "real samples that lie among synthetic ones: diversity"],
            ["Density", formats.number(found.density), "about 1 for equal distributions; above 1 samples crowd"],
            ["Coverage", formats.share(found.coverage), "real samples with a synthetic one nearby"],
            [
                formats.learnt_metric_name(findings.summary.metric),
                formats.share(found.classification_accuracy_score),
                "on held-out rows, of a classifier trained on synthetic samples alone",
            ],
            [
                "Label agreement",
                formats.share(found.label_agreement),
                f"samples whose class {teacher} recognises; held-out rows: {of_held_out}",
            ],
        ],
    )


def class_fidelity_table(findings: Findings) -> Table:
    """Likeness within each class; empty if nothing is known per class."""
    by_class = class_fidelity(findings)
    metrics = formats.ordered(metric for row in by_class.values() for metric in row)
    return Table(
        ["Class", *(formats.capitalised(formats.metric_name(metric)) for metric in metrics)],
        [[name, *(formats.number(row.get(metric, math.nan)) for metric in metrics)] for name, row in by_class.items()],
    )


def synthetic_table(findings: Findings) -> Table:
    """Samples kept and candidates rejected, for each generator that left samples."""
    rows, counts = [], {}
    for unit in (None, *range(findings.study.evaluation.repetitions)):
        manifest = findings.manifest(findings.run.synthetic(unit))
        if manifest is not None:
            counts[DELIVERED if unit is None else repetition_label(unit)] = manifest.counts
    filters = sorted({name for found in counts.values() for name in rejected(found)})
    for label, found in counts.items():
        kept = kept_per_class(findings, found)
        spread = formats.count(min(kept)) if min(kept) == max(kept) else f"{min(kept):,} to {max(kept):,}"
        dropped = [formats.count(rejected(found).get(name, 0)) for name in filters]
        rows.append([formats.capitalised(label), formats.count(sum(kept)), spread, *dropped])
    return Table(["Samples of", "Kept", "Per class", *(f"Rejected by {name}" for name in filters)], rows)


def cost_table(findings: Findings) -> Table:
    """What each stage took: sums over repetitions, and the largest memory."""
    by_stage = costs(findings)
    total = Cost.of([one for found in findings.manifests.values() for one in found.values()])
    return Table(
        ["Stage", "Artifacts", "Time", "Processor time", "Peak memory"],
        [
            [
                stage,
                formats.count(cost.artifacts),
                formats.duration(cost.seconds),
                formats.duration(cost.cpu_seconds),
                formats.memory(cost.peak_memory_mb),
            ]
            for stage, cost in {**by_stage, "total": total}.items()
        ],
    )


def version_table(findings: Findings) -> Table:
    """Versions of Python and the libraries that made the evaluation."""
    manifest = findings.manifest(findings.run.evaluation)
    return Table(
        ["Package", "Version"], [[name, version] for name, version in (manifest.versions if manifest else {}).items()]
    )


def digest_table(findings: Findings) -> Table:
    """Digests of the artifacts that matter outside the run folder."""
    run = findings.run
    places = {
        "Dataset": run.dataset,
        "Delivered generator": run.model(None),
        "Delivered samples": run.synthetic(None),
        "Evaluation": run.evaluation,
    }
    found = {name: findings.manifest(place) for name, place in places.items()}
    return Table(["Artifact", "SHA-256"], [[name, one.digest] for name, one in found.items() if one is not None])


def column_table(findings: Findings) -> Table | None:
    """Return what is known of each column of a table; None for images."""
    if not findings.columns:
        return None
    rows = []
    for column in findings.columns["columns"]:
        numbers = [str(column[name]) for name in ("min", "median", "max") if name in column]
        top = [f"{value} ({count:,})" for value, count in column.get("top", [])[:MOST_VALUES]]
        values = " / ".join(numbers) or ", ".join(top)
        rows.append([column["name"], column["kind"], f"{column['nulls']:,}", f"{column['distinct']:,}", values])
    return Table(["Column", "Kind", "Nulls", "Distinct", "Least / median / greatest, or most frequent"], rows)
