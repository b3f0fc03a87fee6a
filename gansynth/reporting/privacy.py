"""What the report says of privacy: what an attacker could tell, and what that does not prove."""

from markupsafe import Markup

from gansynth import formats
from gansynth.privacy import GUARANTEE_SCOPE, LEAST_ROWS, Attack, Estimate
from gansynth.reporting import figures
from gansynth.reporting.findings import Findings
from gansynth.reporting.tables import Table

GUESSING = 0.5
UNTOLD = f"not measured: needs at least {LEAST_ROWS} training rows, held-out rows and synthetic samples of a class"
UNTOLD_RATE = "not measured: needs so many held-out rows that none counts for more than 1\N{NO-BREAK SPACE}% of them"
ONE_ATTACK = (
    "This is one attack, by somebody who has the samples alone. Others may find more, all the more with the model at"
    " hand: its folder holds an embedding of every training row. So to find no more than guessing proves no privacy,"
    " while an interval above it is evidence that the samples tell of training rows."
)
OTHER_GENERATOR = (
    "The generators of the repetitions were attacked, each by other rows; the delivered one was not. Intervals are"
    " those of the rows that were scored. Where the source sets its test part apart, what differs between its parts"
    " counts as telling too."
)


def lines(findings: Findings) -> list[str]:
    """Return what the attack found, in words."""
    found = findings.summary.privacy
    attack = found.overall
    idea = (
        "An attacker who has the synthetic samples and other real rows, but not the generator, wants to know which rows"
        " trained it, and names those around which samples lie denser than others do (DOMIAS, arXiv 2302.12580)."
    )
    if attack.auc is None:
        return [*_guarantees(findings), idea, f"All classes: {UNTOLD}."]
    sizes = (
        f"In a repetition, {formats.count(attack.members)} training rows and {formats.count(attack.non_members)}"
        f" held-out rows were told apart by {formats.plural(attack.synthetic, 'synthetic sample')} and"
        f" {formats.count(attack.reference)} held-out rows, which are neither trained on nor scored at the same time."
    )
    return [
        *_guarantees(findings),
        idea,
        _told("all classes together", attack),
        _of_rarest(findings),
        sizes,
        ONE_ATTACK,
        OTHER_GENERATOR,
    ]


def _guarantees(findings: Findings) -> list[str]:
    """Return what differential privacy guarantees of the generators."""
    by_numbers: dict[str, list[str]] = {}
    for label, guarantee in findings.guarantees.items():
        by_numbers.setdefault(guarantee.numbers, []).append(label)
    if not by_numbers:
        return []
    told = "; ".join(f"{formats.listed(labels)}, {numbers}" for numbers, labels in by_numbers.items())
    return [f"Generators were trained with differential privacy: {told}.", *GUARANTEE_SCOPE]


def _told(of: str, attack: Attack) -> str:
    """Return what the attack finds of some classes."""
    if attack.auc is None:
        return f"Of {of}: {UNTOLD}."
    auc = attack.auc
    verdict = (
        "training rows can be told"
        if auc.low > GUESSING
        else "this attack does worse than guessing"
        if auc.high < GUESSING
        else "this attack does not do better than guessing, as far as these rows show"
    )
    rate = f"its best guesses: {UNTOLD_RATE}" if attack.tpr is None else _rate(attack.tpr)
    return (
        f"Of {of}: given a training row and another row, it names the right one in {_shown(auc)} of cases; guessing"
        f" gives 50{formats.SPACE}%. So {verdict}. {formats.capitalised(rate)}."
    )


def _rate(tpr: Estimate) -> str:
    return (
        f"where it accuses at most 1{formats.SPACE}% of the other rows wrongly, it finds {_shown(tpr)} of the training"
        f" rows; guessing finds 1{formats.SPACE}%"
    )


def _of_rarest(findings: Findings) -> str:
    """Return the same of the rarest class, whose rows are copied most; of several, the one that is told best."""
    rows, found = findings.summary.train_rows, findings.summary.privacy.by_class

    def order(name: str) -> tuple[int, float]:
        auc = found[name].auc
        return rows[name], -auc.value if auc else 0.0

    rarest = min(found, key=order)
    size, equal = formats.plural(rows[rarest], "training row"), sum(rows[name] == rows[rarest] for name in found)
    if equal == 1:
        return _told(f"the rarest class, {rarest}, with {size}", found[rarest])
    best = f"{rarest}, the best told of {formats.count(equal)} classes that all have {size}"
    chosen = "" if found[rarest].auc is None else " The best of many looks better than it is, by chance."
    return _told(best, found[rarest]) + chosen


def chance(findings: Findings) -> Markup | None:
    """Return the area under the curve of all classes as a bar with a mark at one half."""
    auc = findings.summary.privacy.overall.auc
    if auc is None:
        return None
    return figures.chance_bar(
        auc.value, f"the attack names the right row in {_shown(auc)} of cases; one half is chance"
    )


def attack_table(findings: Findings) -> Table:
    """What the attack found of all classes and of each, the rarest first."""
    rows, found = findings.summary.train_rows, findings.summary.privacy
    each = {name: [one.by_class[name] for one in found.repetitions] for name in found.by_class}
    table = [_row("All classes", found.overall, [one.overall for one in found.repetitions])]
    table += [_row(name, found.by_class[name], each[name]) for name in sorted(found.by_class, key=rows.__getitem__)]
    header = ["Class", "Training rows scored", "Held-out rows scored", "Right of two", "In each repetition"]
    return Table([*header, "Found with 1\N{NO-BREAK SPACE}% false"], table)


def _row(name: str, attack: Attack, repetitions: list[Attack]) -> list[str]:
    counts = [formats.count(attack.members), formats.count(attack.non_members)]
    if attack.auc is None:
        return [name, *counts, "too few rows", formats.NOTHING, formats.NOTHING]
    single = [formats.share(one.auc.value) if one.auc else formats.NOTHING for one in repetitions]
    tpr = "too few rows" if attack.tpr is None else _shown(attack.tpr)
    return [name, *counts, _shown(attack.auc), ", ".join(single), tpr]


def _shown(found: Estimate) -> str:
    return f"{formats.share(found.value)} ({100 * found.low:.1f} to {100 * found.high:.1f})"
