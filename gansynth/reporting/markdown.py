"""The report as Markdown: the words and tables of the page, without its figures."""

import json

from gansynth import formats
from gansynth.markup import escape
from gansynth.markup import table as markdown_table
from gansynth.notes import column_notes
from gansynth.reporting import anomaly, columns, privacy, protocol, tables, words
from gansynth.reporting.findings import Findings
from gansynth.reporting.tables import Table


def render_markdown(findings: Findings, date: str) -> str:
    """Return the report as Markdown. Everything that comes from the study or the data is escaped."""
    study, summary = findings.study, findings.summary
    real, best = summary.verdict.against_real, summary.verdict.against_best_without_gan
    sections = [
        f"# {escape(study.name)}",
        escape(f"{words.dataset_line(findings)} · {date}"),
        f"> {escape(formats.typeset(summary.verdict.sentence))}",
        _bullets(
            [
                f"against real data alone: **{real}**",
                f"against the best arm without a GAN, {escape(summary.verdict.best_without_gan)}: **{best}**",
            ]
        ),
        f"**Recommended: {escape(summary.recommended_arm)}** \N{EN DASH} {escape(words.recommendation(findings))}",
        _bullets(
            [
                f"{escape(formats.capitalised(label))}: **{escape(value)}** ({escape(remark)})"
                for label, value, remark in words.headline(findings)
            ]
        ),
        "What the words mean:",
        _bullets([f"**{word}**: {escape(meaning)}" for word, meaning in words.verdict_words(study).items()]),
        "## Gain",
        "In percentage points.",
        _table(tables.comparison_table(findings, summary.comparisons)),
        "## Arms",
        _table(tables.arm_table(findings)),
        _bullets([f"`{arm}`: {escape(line)}" for arm, line in protocol.arm_descriptions(study).items()]),
        "## Recall of each class",
        _table(tables.recall_table(findings)),
        *_source_columns(findings),
        "## Fidelity",
        escape(f"Embedding: {summary.fidelity.embedding}. The numbers compare with no others."),
        _table(tables.fidelity_table(findings)),
        _table(tables.class_fidelity_table(findings)),
        *_of_tables(findings),
        "## Similarity to training rows",
        _bullets([escape(line) for line in words.similarity(findings)]),
        *_closest_rows(findings),
        "## Privacy",
        _bullets([escape(line) for line in privacy.lines(findings)]),
        _table(privacy.attack_table(findings)),
        *_anomalies(findings),
        "## Synthetic samples",
        _table(tables.synthetic_table(findings)),
        "## What was done",
        _bullets(
            [f"**{head}.** {escape(text)}" for head, text in protocol.protocol(findings) + anomaly.protocol(findings)]
        ),
        "### Cost",
        _table(tables.cost_table(findings)),
        "### Versions",
        _table(tables.version_table(findings)),
        "### Digests",
        _table(tables.digest_table(findings)),
        "## Warnings",
        _bullets([escape(line) for line in words.warnings(findings)] or ["None."]),
        _quarantine(findings),
        "## Study",
        _code(json.dumps(study.model_dump(mode="json"), indent=2)),
    ]
    return "\n\n".join(part for part in sections if part) + "\n"


def _source_columns(findings: Findings) -> list[str]:
    table = tables.column_table(findings)
    if table is None:
        return []
    return ["## Columns", _table(table), _bullets([escape(line) for line in column_notes(findings.columns)])]


def _of_tables(findings: Findings) -> list[str]:
    if findings.summary.table is None:
        return []
    return [
        "## Columns, real and synthetic",
        escape(words.compared_rows(findings.summary.table)),
        _table(columns.likeness_table(findings.summary.table)),
        "### Columns, the worst first",
        columns.WORST_COLUMN,
        _table(columns.column_distance_table(findings)),
        "### Pairs of columns, the worst first",
        columns.WORST_PAIR,
        _table(columns.pair_table(findings)),
    ]


def _closest_rows(findings: Findings) -> list[str]:
    if findings.summary.table is None:
        return []
    return [
        "### The closest pairs of rows",
        escape(f"Cells that differ are marked {columns.DIFFERS}."),
        _table(columns.closest_table(findings)),
    ]


def _anomalies(findings: Findings) -> list[str]:
    if findings.summary.anomaly is None:
        return []
    described = [f"`{name}`: {escape(line)}" for name, line in anomaly.DETECTORS.items()]
    compared = tables.comparison_table(findings, findings.summary.anomaly.comparisons)
    return [
        "## Anomalies",
        _bullets([escape(line) for line in anomaly.lines(findings)]),
        _table(anomaly.detector_table(findings)),
        _table(compared),
        _bullets(described),
    ]


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(table: Table) -> str:
    if not table.rows:
        return ""
    return markdown_table(table.header, table.rows)


def _quarantine(findings: Findings) -> str:
    if not findings.quarantine:
        return ""
    rows = [[one["source"], one["reason"]] for one in findings.quarantine]
    return "### Set aside\n\n" + _table(Table(["Source", "Reason"], rows))


def _code(text: str) -> str:
    return f"```json\n{text}\n```"
