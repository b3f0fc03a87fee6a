"""The page: one HTML file with its style sheet, figures and pictures inside, without scripts."""

import json
from typing import Any

from markupsafe import Markup

from gansynth import formats
from gansynth.notes import column_notes
from gansynth.reporting import anomaly, figures, pictures, privacy, protocol, tables, words
from gansynth.reporting.findings import Findings, class_fidelity, group_recall
from gansynth.reporting.table_page import table_parts
from gansynth.reporting.templates import asset, environment
from gansynth.results import Comparison, VerdictWord

ICONS: dict[VerdictWord, str] = {"helps": "▲", "no evidence": "●", "harms": "▼", "underpowered": "◆"}
CHARTS = (("Adversarial losses", ("d_loss", "g_loss")), ("Logits of the discriminator", ("d_real", "d_fake")))
CURVE_NAMES = {
    "d_loss": "discriminator",
    "g_loss": "generator",
    "d_real": "real",
    "d_fake": "generated",
    "penalty": "gradient penalty",
}
CLOCKS = ("kimg", "step", "seconds")
MANY_CLASSES = 16
FEW_PICTURES = 4


def render_page(findings: Findings, date: str) -> str:
    """Return the page as HTML. Everything that comes from the study or the data is escaped."""
    template = environment().get_template("template.html.j2")
    many = len(findings.summary.train_rows) > MANY_CLASSES
    return template.render(
        style=asset("style.css"),
        date=date,
        study=findings.study,
        summary=findings.summary,
        rare=findings.rare_classes,
        many=many,
        formats=formats,
        tables=tables,
        findings=findings,
        icons=ICONS,
        kind_of=figures.kind_of,
        meanings=words.verdict_words(findings.study),
        sentence=formats.typeset(findings.summary.verdict.sentence),
        shared=protocol.shared_effort(findings.study),
        ratio_words=protocol.ratio_words(findings.study),
        descriptions=protocol.arm_descriptions(findings.study),
        dataset_line=words.dataset_line(findings),
        recommendation=words.recommendation(findings),
        headline=words.headline(findings),
        answers=_answers(findings),
        forest=_forest(findings),
        strip=_strip(findings),
        recalls=_recalls(findings),
        columns=tables.column_table(findings),
        column_notes=column_notes(findings.columns),
        images=pictures.grid_pictures(findings.grid, FEW_PICTURES if many else pictures.MOST_PER_CLASS),
        class_fidelity=_class_fidelity(findings),
        similarity=words.similarity(findings),
        chance=_chance(findings),
        privacy=privacy.lines(findings),
        exposure=privacy.chance(findings),
        attacks=privacy.attack_table(findings),
        pairs=_pairs(findings),
        of_table=table_parts(findings),
        anomaly=anomaly.section(findings),
        charts=_charts(findings),
        protocol=protocol.protocol(findings) + anomaly.protocol(findings),
        warnings=words.warnings(findings),
        study_json=json.dumps(findings.study.model_dump(mode="json"), indent=2, ensure_ascii=False),
    )


def _answers(findings: Findings) -> list[dict[str, str]]:
    """Return the two answers of the verdict; there is one if real data alone is the best arm without a GAN."""
    verdict = findings.summary.verdict
    rival = verdict.best_without_gan
    if rival == "real":
        return [{"question": "against real data alone, the best arm without a GAN", "word": verdict.against_real}]
    return [
        {"question": "against real data alone", "word": verdict.against_real},
        {"question": f"against the best arm without a GAN, {rival}", "word": verdict.against_best_without_gan},
    ]


def _forest(findings: Findings) -> dict[str, Any]:
    comparisons, rule = findings.summary.comparisons, findings.study.evaluation
    ends = [end for one in comparisons for end in (one.ci_low, one.ci_high)]
    scale = figures.Scale.over([0.0, *ends])
    best = findings.summary.verdict.best_without_gan
    titles = {best: f"Against {best}, the best arm without a GAN", "real": "Against real data alone"}
    order = sorted({one.against for one in comparisons}, key=lambda name: (name != "real", name != best, name))

    def row(one: Comparison) -> dict[str, Any]:
        label = f"{one.arm} against {one.against}: {formats.gain(one.gain)} points, interval"
        label += f" {formats.interval(one.ci_low, one.ci_high)}"
        kind = figures.kind_of(one.arm)
        figure = figures.forest_row(scale, kind, one.gain, one.ci_low, one.ci_high, rule.smallest_gain, label)
        return {"test": one, "figure": figure}

    return {
        "groups": [
            (
                titles.get(against, f"Against {against}, a control"),
                [row(one) for one in comparisons if one.against == against],
            )
            for against in order
        ],
        "axis": figures.axis(scale, [formats.gain(tick).removesuffix(".0") for tick in scale.ticks]),
    }


def _strip(findings: Findings) -> dict[str, Any]:
    arms = findings.summary.arms
    scale = figures.Scale.over([value for arm in arms.values() for value in arm.values])
    drawn = [(figures.kind_of(name), arm.values, arm.mean) for name, arm in arms.items()]
    told = "; ".join(f"{name} {formats.share(arm.mean)}" for name, arm in arms.items())
    label = f"{formats.metric_name(findings.summary.metric)} of each arm in each repetition; means: {told}"
    return {
        "figure": figures.strip_plot(scale, drawn, label),
        "axis": figures.axis(scale, [f"{100 * tick:g}" for tick in scale.ticks]),
    }


def _recalls(findings: Findings) -> dict[str, Any]:
    summary, verdict = findings.summary, findings.summary.verdict
    rival = verdict.best_without_gan if verdict.best_without_gan != "real" else ""
    arms = [arm for arm in ("real", rival, verdict.best_with_gan) if arm]

    def row(name: str, remark: str, classes: list[str]) -> dict[str, Any]:
        recalls = {arm: group_recall(findings, arm, classes) for arm in arms}
        label = f"{name}: " + ", ".join(f"{arm} {formats.share(recall)}" for arm, recall in recalls.items())
        before, after = recalls["real"], recalls[verdict.best_with_gan]
        figure = figures.recall_row(before, after, recalls[rival] if rival else None, label)
        return {"name": name, "remark": remark, "before": before, "after": after, "figure": figure}

    rare = findings.rare_classes
    others = [name for name in summary.train_rows if name not in rare]
    groups = {"Rare classes": rare, "Other classes": others} if rare else {"All classes": others}
    return {
        "means": [row(title, f"mean of {len(classes):,}", classes) for title, classes in groups.items()],
        "rows": [row(name, formats.count(rows), [name]) for name, rows in summary.train_rows.items()],
        "rival": rival,
        "axis": figures.axis(figures.PERCENT, ["0", "25", "50", "75", "100"]),
    }


def _class_fidelity(findings: Findings) -> dict[str, Any]:
    by_class = class_fidelity(findings)
    metrics = formats.ordered(metric for row in by_class.values() for metric in row)
    return {
        "metrics": metrics,
        "rows": [
            (name, [(metric, row.get(metric, float("nan"))) for metric in metrics]) for name, row in by_class.items()
        ],
        "bar": figures.share_bar,
    }


def _chance(findings: Findings) -> Markup:
    nearer = findings.summary.similarity.share_nearer_to_training
    label = f"{formats.share(nearer)} of the synthetic samples lie nearer to a training row; one half is chance"
    return figures.chance_bar(nearer, label)


def _pairs(findings: Findings) -> list[dict[str, Any]]:
    closest = findings.pairs.sort_values("distance", kind="stable").head(pictures.MOST_PAIRS)
    return [
        {
            "class_name": row["class_name"],
            "distance": formats.number(row["distance"]),
            "held_out": formats.number(row["held_out_distance"]),
            "synthetic": pictures.data_uri(row["synthetic"]),
            "training": pictures.data_uri(row["training"]),
        }
        for row in closest.to_dict("records")
    ]


def _charts(findings: Findings) -> list[dict[str, Any]]:
    """Return a chart for each pair of recorded numbers that belong together, and for each of the others."""
    curves = findings.curves
    recorded = list(dict.fromkeys(column for frame in curves.values() for column in frame.columns))
    clock = next((name for name in CLOCKS if name in recorded), None)
    if clock is None:
        return []
    grouped = [(title, [name for name in names if name in recorded]) for title, names in CHARTS]
    paired = {name for _, names in CHARTS for name in names}
    single = [name for name in recorded if name not in paired and name not in CLOCKS]
    grouped += [(formats.capitalised(CURVE_NAMES.get(name, name.replace("_", " "))), [name]) for name in single]
    return [
        {
            "title": title,
            "names": [CURVE_NAMES.get(name, name.replace("_", " ")) for name in names],
            "figure": figures.curve_chart(curves, clock, names, f"{title} over the course of training"),
            "end": f"{max(frame[clock].max() for frame in curves.values()):,.0f}",
            "clock": {"kimg": "thousand real samples shown", "step": "steps", "seconds": "seconds"}[clock],
        }
        for title, names in grouped
        if names
    ]
