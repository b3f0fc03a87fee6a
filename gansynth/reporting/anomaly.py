"""What the report says of the detection of anomalies, if the study names a normal class."""

from typing import Any

from gansynth import formats
from gansynth.reporting import figures
from gansynth.reporting.findings import Findings
from gansynth.reporting.tables import Table
from gansynth.results import AnomalySummary, Comparison

DETECTORS = {
    "gan": "the discriminator: how far its logit, given the normal class, and its features are from those of normal"
    " training rows; it was trained on the training rows of all classes",
    "isolation_forest": "an isolation forest of scikit-learn on the rows themselves",
    "neighbours": "the mean distance to the five nearest normal training rows, on the rows themselves",
    "teacher": "the same on the embedding of the teacher, a classifier trained on the training rows of all"
    " classes: the control for what the labels of known anomalies give without a GAN",
}


def protocol(findings: Findings) -> list[tuple[str, str]]:
    """Return how anomalies were detected, as a headed paragraph, if they were."""
    found = findings.summary.anomaly
    if found is None:
        return []
    rows = (
        "numbers standardised, categories one-hot"
        if findings.study.modality.kind == "table"
        else "pixels from 0 to 1, one after another"
    )
    text = (
        f"{found.normal} was called normal. In each repetition every detector was fitted on the same"
        f" {found.train_rows:,} normal training rows ({rows}) and rated the {found.test_rows:,} test rows, of which"
        f" {found.anomalies:,} are of other classes. What a detector is made of was fixed before. Average precision"
        " depends on the share of anomalies among the test rows. The test is that of the arms, with Holm's correction"
        " over the comparisons of the GAN's detector with the others."
    )
    return [("Detection of anomalies", text)]


def lines(findings: Findings) -> list[str]:
    """Return what was found, in words."""
    found = findings.summary.anomaly
    if found is None:
        return []
    alarms = (
        f"Of normal test rows, {formats.share(found.false_alarms)} have a tail share by the GAN's detector of at most"
        f" {formats.share(0.05, 0)}: that is how many false alarms a rate of 5{formats.SPACE}% gives. Tail shares are"
        " taken among normal training rows, which the discriminator has met, so a little more than 5 are usual."
    )
    return [formats.typeset(found.sentence), alarms]


def detector_table(findings: Findings) -> Table:
    """Every detector's scores; means over repetitions."""
    found = findings.summary.anomaly
    rows = [
        [
            name,
            f"{formats.metric_value('average_precision', one.mean)} ± {100 * one.sd:.1f}",
            formats.metric_value("roc_auc", one.roc_auc),
        ]
        for name, one in (found.detectors.items() if found else ())
    ]
    return Table(["Detector", f"Average precision{formats.SPACE}(%)", f"Area under ROC{formats.SPACE}(%)"], rows)


def section(findings: Findings) -> dict[str, Any] | None:
    """Return what the page shows of it; None if the study names no normal class."""
    found = findings.summary.anomaly
    if found is None:
        return None
    return {
        "normal": found.normal,
        "lines": lines(findings),
        "strip": _strip(found),
        "forest": _forest(findings, found.comparisons),
        "table": detector_table(findings),
        "means": {name: formats.share(one.mean) for name, one in found.detectors.items()},
        "descriptions": DETECTORS,
    }


def _strip(found: AnomalySummary) -> dict[str, Any]:
    scale = figures.Scale.over([value for one in found.detectors.values() for value in one.values])
    drawn = [(figures.kind_of(name), one.values, one.mean) for name, one in found.detectors.items()]
    told = "; ".join(f"{name} {formats.share(one.mean)}" for name, one in found.detectors.items())
    label = f"average precision of each detector in each repetition; means: {told}"
    return {
        "figure": figures.strip_plot(scale, drawn, label),
        "axis": figures.axis(scale, [f"{100 * tick:g}" for tick in scale.ticks]),
    }


def _forest(findings: Findings, comparisons: list[Comparison]) -> dict[str, Any]:
    scale = figures.Scale.over([0.0, *(end for one in comparisons for end in (one.ci_low, one.ci_high))])
    smallest = findings.study.evaluation.smallest_gain

    def figure(one: Comparison) -> Any:  # noqa: ANN401  # Markup
        label = f"gan against {one.against}: {formats.gain(one.gain)} points, interval"
        label += f" {formats.interval(one.ci_low, one.ci_high)}"
        return figures.forest_row(scale, "gan", one.gain, one.ci_low, one.ci_high, smallest, label)

    return {
        "rows": [(one, figure(one)) for one in comparisons],
        "axis": figures.axis(scale, [formats.gain(tick).removesuffix(".0") for tick in scale.ticks]),
    }
