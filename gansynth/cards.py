"""The dataset card beside delivered samples, as Hugging Face reads it.

It tells how the samples were made, and what the run's evaluation found. Samples are often there before that, so a card
can be renewed; they stay as they are.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from gansynth import formats
from gansynth.arms import DESCRIPTIONS, has_gan
from gansynth.artifacts import amend, file_digest, read_manifest
from gansynth.hub import front_matter
from gansynth.markup import escape, table
from gansynth.privacy import Estimate
from gansynth.provenance import DIGITAL_SOURCE_TYPE, Origin
from gansynth.results import Summary

CARD_FILE = "README.md"
LONGEST_NAME = 60

FILTERS = {
    "teacher": "low probability of the label by a classifier trained on the real training rows",
    "discriminator": "low realness by the discriminator",
    "distance": "near copy of a training row, in the embedding of a classifier trained on those rows",
}

USE = "Augmenting the training set of a classifier of these classes."
LABELS = "Labels are those the generator was asked for; nobody has checked them."
BIASES = "Faults, gaps and biases of the training rows are likely here too, and variety may be lower than in real data."
LIKENESS = "Samples may resemble training rows, so the care that those need is needed here as well."
MISUSE = "Do not use these samples to test or validate a model, or as evidence of anything real."

UNREAL = {"image": "none is a photograph of anything", "table": "none is a record of anything"}
"""What samples of each modality are not."""

CARD = """\
---
{front_matter}
---
# Synthetic {things} of the study {study}

{kept} {things}, all of them generated: {unreal}.

## How it was made

A class-conditional generative adversarial network was trained by gansynth on the real training rows of the study
(model `{model_digest}`, seed {seed}). {candidates} candidates were generated and {kept} kept.

{rejections}

{classes}

Every {marked} is marked as `{source_type}`{marks}. A sample's label and `seed_index` give it again from the same
model and seed. `manifest.json` has the SHA-256 of every file, and `croissant.json` describes them to programs; whoever
publishes them adds `creator`, `url` and `datePublished` there.

## Gain, fidelity, similarity and privacy

{findings}

## Intended use

{use} Whether that helps, and by how much, the gain above tells.

## Limits

{limits}
- Licence of the source data: {licence}. Its terms may extend to samples made from it.
"""

UNMEASURED = """\
Not measured yet: when this card was written, the run held no evaluation that fits its study and its models. Once it
does, `gansynth report` completes the card of the run's own samples, and the command that made a batch of samples, given
again, completes that of the batch."""

FINDINGS = """\
Measured on real held-out rows, in {repetitions} repetitions. Each trained a generator of its own on its training rows
alone; the samples here are of one more generator, fitted in the same way on all training rows, and no number was
measured on them. `report/index.html` in the run folder tells the whole story.

> {sentence}

Recommended for this data: the arm `{recommended}`. An arm is a way to train one and the same classifier:

{arms}

{gain}

{taught}Gains are in points, with their intervals.

{likeness}

Distances are those of this embedding: {embedding}. They compare with no other numbers, and are no proof of privacy. The
attack was made on the generators of the repetitions, by somebody who has their samples and other real rows; it uses its
own view of the rows. That it finds nothing is no proof of privacy either."""

TAUGHT = """\
**These rows carry other labels than those that were measured.** In the arms with a GAN, synthetic rows had their labels
from a committee of classifiers fitted on the real training rows (half of each, if `evaluation.labels` of the study is
`soft`, and none, if it is `hard`), and half of each real row's label came from it too, unless the study's own
classifier ranks rows as well as the committee does. The rows here have the class that they were asked for and, beside
it, probabilities by one small network, the teacher (`teacher_probability` and the like). Adding them to the training
rows as they are is not what was measured, and may gain less. What was measured, real rows included, lies in the run
folder: `training_set/training_set.parquet`, with the labels and weights of the recommended arm.

"""
"""What the gain of tables was measured with, which is not what is delivered."""

MARKS = {
    "parquet": " in the footer of its file and by the column `synthetic`",
    "csv": " by the column `synthetic`",
    "folder": " in its XMP metadata; `metadata.csv` describes each one and `classes.json` gives the true class names",
    "webdataset": " in its XMP metadata and in the JSON beside it; `classes.json` gives the true class names",
}


def render_card(origin: Origin, file_format: str, counts: Mapping[str, int], summary: Summary | None) -> str:
    """Return README.md: YAML front matter, how the samples were made, what was measured, what for, and their limits.

    Args:
        origin: Where the samples come from.
        file_format: How they are written.
        counts: Those of the manifest: `kept`, `candidates`, and where it applies `rejected_FILTER` and `kept_LABEL`.
        summary: What the evaluation of their run found; None if there is none yet.
    """
    rejected = [
        f"- {counts[f'rejected_{name}']} rejected: {reason}."
        for name, reason in FILTERS.items()
        if f"rejected_{name}" in counts
    ]
    classes = [
        (str(label), _shown(name), str(counts.get(f"kept_{label}", 0))) for label, name in enumerate(origin.class_names)
    ]
    return CARD.format(
        front_matter=front_matter(origin, file_format, counts["kept"]),
        study=origin.study,
        kept=counts["kept"],
        candidates=counts["candidates"],
        model_digest=origin.model_digest[:16],
        seed=origin.seed,
        rejections="\n".join(rejected) or "No filter was used.",
        classes=table(("label", "class", origin.things), classes),
        things=origin.things,
        unreal=UNREAL[origin.modality],
        marked="image" if origin.modality == "image" else "file",
        source_type=DIGITAL_SOURCE_TYPE,
        marks=MARKS[file_format],
        findings=UNMEASURED if summary is None else _findings(origin, summary),
        use=USE,
        limits="\n".join(f"- {limit}" for limit in (LABELS, BIASES, LIKENESS, MISUSE, origin.guarantee) if limit),
        licence=escape(_shown(origin.licence)),
    )


def renew_card(directory: Path, origin: Origin, file_format: str, summary: Summary) -> None:
    """Let the card of an artifact of samples tell what the evaluation of their run found; the samples stay.

    A card that someone has changed is left alone.

    Raises:
        ArtifactError: There is no artifact, or it cannot be written.
    """
    manifest = read_manifest(directory)
    card = render_card(origin, file_format, manifest.counts, summary).encode()
    written = manifest.files[CARD_FILE].sha256
    is_ours = file_digest(directory / CARD_FILE) == written
    if is_ours and hashlib.sha256(card).hexdigest() != written:
        amend(directory, CARD_FILE, card)


def _findings(origin: Origin, summary: Summary) -> str:
    arms = [f"- `{arm}`: {DESCRIPTIONS[origin.modality][arm]}." for arm in summary.arms]
    return FINDINGS.format(
        repetitions=summary.repetitions,
        sentence=summary.verdict.sentence,
        recommended=summary.recommended_arm,
        arms="\n".join(arms),
        gain=_gain(summary),
        taught=TAUGHT if origin.modality == "table" else "",
        likeness=_likeness(summary),
        embedding=summary.fidelity.embedding,
    )


def _gain(summary: Summary) -> str:
    """Return the table of the arms with a GAN: their gain over `real`, and over the best arm without one."""
    rivals = list(dict.fromkeys(("real", summary.verdict.best_without_gan)))
    means = {name: formats.metric_value(summary.metric, arm.mean) for name, arm in summary.arms.items()}
    heads = [f"gain over {rival} ({means[rival]})" for rival in rivals]
    rows = []
    tests = {(one.arm, one.against): one for one in summary.comparisons}
    for name, mean in means.items():
        if has_gan(name):
            found = [tests[name, rival] for rival in rivals]
            gains = [f"{formats.gain(one.gain)} ({formats.interval(one.ci_low, one.ci_high)})" for one in found]
            rows.append([name, mean, *gains])
    return table(["Arm", f"{formats.metric_name(summary.metric)}, %", *heads], rows)


def _likeness(summary: Summary) -> str:
    """Return the table of fidelity, similarity and privacy, with how to read each number."""
    found, copied, privacy = summary.fidelity, summary.similarity, summary.privacy
    exposed = [one.auc for one in privacy.by_class.values() if one.auc]
    rows = [
        ("Kernel distance (KID)", f"{found.kid:.3g}", "0 for equal distributions"),
        ("Fréchet distance (FID)", f"{found.fid:.3g}", "0 for equal distributions"),
        ("Precision", f"{found.precision:.2f}", "synthetic samples that lie among real ones"),
        ("Recall", f"{found.recall:.2f}", "real samples that lie among synthetic ones"),
        ("Density", f"{found.density:.2f}", "about 1 for equal distributions"),
        ("Coverage", f"{found.coverage:.2f}", "real samples with a synthetic one nearby"),
        (
            formats.learnt_metric_name(summary.metric),
            f"{found.classification_accuracy_score:.2f}",
            "on held-out rows, of a classifier that saw synthetic ones alone",
        ),
        ("Label agreement", f"{found.label_agreement:.2f}", "samples that a classifier gives the label asked for"),
        ("Real label agreement", f"{found.held_out_agreement:.2f}", "real rows that it gives their own label"),
        (
            "Nearer to training",
            f"{copied.share_nearer_to_training:.2f}",
            "than to held-out rows; 0.5 if nothing is copied",
        ),
        (
            "Distance ratio",
            f"{copied.median_distance_ratio:.2f}",
            "to training over held-out rows; copies: far below 1",
        ),
        (
            "Data copying (C_T)",
            f"{copied.c_t:+.1f}",
            "0 if nothing is copied; far below: copies, or very typical samples",
        ),
        (
            "Closest record",
            f"{copied.closest_training:.3g}",
            f"5th percentile of distances to training rows; to as many held-out rows {copied.closest_held_out:.3g}",
        ),
        ("Near copies", f"{copied.near_copies}", f"of {copied.checked}; by chance {copied.near_copies_by_chance:.0f}"),
        (
            "Membership attack (AUC)",
            _estimate(privacy.overall.auc),
            "how often it tells a training row from another; 0.5 by guessing",
        ),
        (
            "The same, most exposed class",
            _estimate(max(exposed, key=_value, default=None)),
            f"the highest of {len(exposed)}, of which some are high by chance; rows of rare classes are copied most",
        ),
        (
            "Training rows found (TPR)",
            _estimate(privacy.overall.tpr),
            "where at most 1 % of other rows are falsely named; 0.01 by guessing",
        ),
    ]
    return table(("Measure", "Value", "How to read it"), rows)


def _estimate(found: Estimate | None) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})" if found else "not measured: too few rows"


def _value(found: Estimate) -> float:
    return found.value


def _shown(name: str) -> str:
    """Return foreign text of a bearable length."""
    shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
    return shown or "(empty)"
