"""The sentences of the report on what was found: shared by the page and the Markdown."""

import json

from gansynth import formats
from gansynth.arms import has_gan
from gansynth.notes import leaks, row_notes
from gansynth.privacy import Similarity
from gansynth.reporting.findings import Findings, class_fidelity, group_recall
from gansynth.reporting.protocol import arm_descriptions
from gansynth.results import TableFidelity, VerdictWord
from gansynth.runs import SETBACKS_FILE
from gansynth.study import Study

WARNED_REJECTED_SHARE = 0.9
WARNED_AGREEMENT = 0.2


def verdict_words(study: Study) -> dict[VerdictWord, str]:
    """Return what each word of the verdict means under the study's settings."""
    protocol = study.evaluation
    level = formats.share(protocol.alpha, 0)
    smallest = formats.points(protocol.smallest_gain)
    return {
        "helps": f"The corrected test tells the gain from zero at the {level} level, and the arm beats its controls"
        " without a GAN as well.",
        "no evidence": "The corrected test does not tell a gain of the GAN from zero, or from what its controls give"
        f" without one. It was sharp enough: the interval reaches at most {smallest} to either side, the smallest gain"
        " that the study calls worth having.",
        "harms": f"The corrected test tells the difference from zero at the {level} level, and it is a loss.",
        "underpowered": f"Undecided: the interval reaches further than {smallest} to either side, so a gain worth"
        " having may hide in it, and more repetitions may decide it; or there was nothing to compare, for scores are"
        " equal or a control without a GAN is missing.",
    }


def dataset_line(findings: Findings) -> str:
    """Return one line on the data of a repetition."""
    train, test = findings.summary.train_rows, findings.summary.test_rows
    least, most = min(train.values()), max(train.values())
    spread = f"{formats.count(least)} in every class" if least == most else f"{least:,} to {most:,} in a class"
    return (
        f"{formats.plural(len(train), 'class', 'classes')} · {formats.count(sum(train.values()))} training rows"
        f" ({spread}) · {formats.count(sum(test.values()))} test rows"
        f" · {findings.summary.repetitions} repetitions"
    )


def recommendation(findings: Findings) -> str:
    """Return what to do, as a sentence on the arm that is recommended."""
    arm = findings.summary.recommended_arm
    told = arm_descriptions(findings.study).get(arm, "")
    told += "." if has_gan(arm) else ". No arm with a GAN has shown that it does better."
    delivered = findings.manifest(findings.run.training_set)
    if delivered is not None:
        lines, place = formats.plural(delivered.counts["lines"], "line"), findings.run.training_set.name
        told += f" What it learns from, with labels and weights, is in {place}/ of the run folder: {lines}."
    return told


def similarity(findings: Findings) -> list[str]:
    """Return the distances to training rows in words."""
    found = findings.summary.similarity
    nearer = formats.share(found.share_nearer_to_training)
    copies = formats.plural(found.near_copies, "sample lies", "samples lie")
    side = (
        f"Of {formats.count(found.checked)} synthetic samples, {nearer} lie nearer to a training row than to any"
        " held-out row; with equally many of both, a generator that copies nothing gives about one half."
    )
    pull = (
        f"The median distance to the nearest training row is {formats.number(found.median_distance_ratio)} times that"
        " to the nearest held-out row; 1 means no pull towards the training rows, far below 1 means copies."
    )
    record = (
        "One sample in twenty lies within a distance of"
        f" {formats.number(found.closest_training)} of its closest training record; with as many held-out rows, within"
        f" {formats.number(found.closest_held_out)}."
    )
    if found.neighbour_ratio_training is not None and found.neighbour_ratio_held_out is not None:
        record += (
            " The distance to the nearest record is that to the second nearest times"
            f" {formats.number(found.neighbour_ratio_training)} or less for as many, among held-out rows times"
            f" {formats.number(found.neighbour_ratio_held_out)}: far smaller among training rows would mean copies."
        )
    by_class = {name: row["c_t"] for name, row in class_fidelity(findings).items() if "c_t" in row}
    lowest = min(by_class, key=by_class.__getitem__, default=None)
    least = f", and least for {lowest}, {by_class[lowest]:+.1f}" if lowest is not None else ""
    copying = formats.typeset(
        f"The data-copying test gives C_T = {found.c_t:+.1f} on average{least}. Fresh rows would give 0 in a class,"
        " give or take 1. Far below, samples lie nearer to training rows than held-out rows do: they are copies, or"
        " more typical than real ones, as filters make them. Far above, they miss what the training rows show."
    )
    near = (
        f"{copies} nearer to a training row than any held-out row of the class does; without copying about"
        f" {formats.count(round(found.near_copies_by_chance))} would, by chance."
    )
    plain = [] if findings.summary.table is None else [_plain(findings.summary.table.similarity)]
    return [side, pull, record, copying, near, *plain, "These numbers describe likeness. They are no proof of privacy."]


def _plain(found: Similarity) -> str:
    nearer, ratio = formats.share(found.share_nearer_to_training), formats.number(found.median_distance_ratio)
    return formats.typeset(
        f"Compared cell by cell, without the embedding, {nearer} lie nearer to a training row, the ratio of the"
        f" distances is {ratio}, C_T = {found.c_t:+.1f}, and"
        f" {formats.plural(found.near_copies, 'sample lies', 'samples lie')}"
        " nearer to a training row than any held-out row does; about"
        f" {formats.count(round(found.near_copies_by_chance))} would, by chance."
    )


def compared_rows(found: TableFidelity) -> str:
    """Return what the figures of a table's columns and rows were measured on."""
    return (
        f"{formats.count(found.rows)} held-out rows of each repetition were compared with as many synthetic rows, class"
        " by class. What as many real rows give, those for training, stands beside it: two samples always differ, and"
        " no generator can be asked to do better."
    )


def warnings(findings: Findings) -> list[str]:
    """Return everything a reader should know before trusting the numbers."""
    return [
        *findings.summary.warnings,
        *_data_warnings(findings),
        *_training_warnings(findings),
        *_generation_warnings(findings),
        *_too_typical(findings),
        *_mixed(findings),
    ]


def _data_warnings(findings: Findings) -> list[str]:
    dataset = findings.manifest(findings.run.dataset)
    counts = dataset.counts if dataset else {}
    found = []
    if findings.quarantine:
        samples = formats.plural(len(findings.quarantine), "sample")
        found.append(f"{samples} of the source could not be used and stayed out; see the list.")
    return leaks(findings.columns) + found + row_notes(counts)


def _training_warnings(findings: Findings) -> list[str]:
    found = []
    for place, manifest in findings.manifests["train"].items():
        if setbacks := manifest.counts.get("setbacks", 0):
            file = findings.run.root / place / SETBACKS_FILE
            reasons = f" ({'; '.join(json.loads(file.read_text()))})" if SETBACKS_FILE in manifest.files else ""
            found.append(
                f"{place}: training went wrong {formats.plural(setbacks, 'time')}{reasons}; it was rolled back to its"
                " last sound state and went on at a lower learning rate."
            )
        if manifest.counts.get("ended_alike", 0):
            found.append(
                f"{place}: the generator ended collapsed: samples of a class vary less than a tenth of what its real"
                " rows do; train longer, or at a lower learning rate."
            )
    return found


def _generation_warnings(findings: Findings) -> list[str]:
    found = []
    for place, manifest in findings.manifests["generate"].items():
        candidates, kept = manifest.counts.get("candidates", 0), manifest.counts.get("kept", 0)
        missing = manifest.counts.get("missing", 0)
        if missing:
            found.append(
                f"{place}: {formats.plural(missing, 'planned sample')} could not be made; too many were copies."
            )
        if candidates - kept > WARNED_REJECTED_SHARE * candidates:
            found.append(f"{place}: the filters rejected {candidates - kept:,} of {candidates:,} candidates.")
    return found


def _too_typical(findings: Findings) -> list[str]:
    """Warn where synthetic samples are far easier to tell apart than real ones."""
    found = findings.summary.fidelity
    if found.label_agreement - found.held_out_agreement <= WARNED_AGREEMENT:
        return []
    recognised, of_real = formats.share(found.label_agreement), formats.share(found.held_out_agreement)
    return [
        (
            f"The teacher recognises the class of {recognised} of synthetic samples, but of only {of_real} of held-out"
            " rows: samples of different classes are further apart than real ones are, so do not read relations to the"
            " label off them."
        )
    ]


def _mixed(findings: Findings) -> list[str]:
    """Warn where artifacts of one run were made by different versions."""
    made = [one.versions for found in findings.manifests.values() for one in found.values()]
    names = sorted({name for versions in made for name in versions})
    mixed = {name: sorted({versions[name] for versions in made if name in versions}) for name in names}
    return [
        f"Parts of this run were made by different versions of {name}: {', '.join(versions)}."
        for name, versions in mixed.items()
        if len(versions) > 1
    ]


def headline(findings: Findings) -> list[tuple[str, str, str]]:
    """Return the figures a hurried reader takes home: each a label, a value and a remark."""
    summary, verdict = findings.summary, findings.summary.verdict
    best, rival, arms = verdict.best_with_gan, verdict.best_without_gan, findings.summary.arms
    metric = formats.capitalised(formats.metric_name(summary.metric))
    others = list(dict.fromkeys(("real", rival)))
    tiles = [
        (
            metric,
            formats.share(arms[best].mean),
            f"{best}; " + ", ".join(f"{formats.share(arms[other].mean)} {other}" for other in others),
        )
    ]
    for other in others:
        test = findings.comparison(best, other)
        if test is not None:
            remark = f"{best}; {formats.interval(test.ci_low, test.ci_high)}"
            tiles.append((f"Gain over {other}", f"{formats.gain(test.gain)} points", remark))
    rare = findings.rare_classes
    if rare:
        beside = [arm for arm in _recall_controls(best) if arm in arms] or others
        recalls = {arm: formats.share(group_recall(findings, arm, rare)) for arm in (*beside, best)}
        remark = f"{best}; " + ", ".join(f"{recalls[other]} {other}" for other in beside)
        tiles.append(("Recall of the rare classes", recalls[best], remark))
    return tiles


def _recall_controls(arm: str) -> tuple[str, ...]:
    """Return the arms of tables whose decisions are tuned as those of an arm with a GAN are; images have none.

    A moved threshold alone makes rare classes recognised more often, so the recall of untuned arms would flatter it.
    """
    return "threshold", arm.replace("gan", "copies")
