"""What was done, in prose that is generated from the study: shared by the page and the Markdown."""

from collections import Counter
from collections.abc import Sequence

from gansynth import formats
from gansynth.arms import DESCRIPTIONS
from gansynth.gans.base import PenaltyName
from gansynth.modalities import ImageConfig, TableConfig
from gansynth.modalities.table.estimators import is_estimator
from gansynth.reporting import teaching
from gansynth.reporting.findings import Findings
from gansynth.sections import ScarcityConfig
from gansynth.study import Study

POLICY_NAMES: dict[str, str] = {
    "none": "none",
    "affine": "random affine maps",
    "affine+flip": "affine maps with flips",
    "affine+mixup": "affine maps with MixUp",
    "affine+cutmix": "affine maps with CutMix",
    "trivialaugment": "TrivialAugment",
}


def arm_descriptions(study: Study) -> dict[str, str]:
    """Return a line on each arm of the study."""
    described = DESCRIPTIONS[study.modality.kind]
    policy = f": {_policy(study)}" if isinstance(study.modality, ImageConfig) else ""
    return {arm: described[arm] + (policy if arm == "classical" else "") for arm in study.evaluation.arms}


def _policy(study: Study) -> str:
    """Return what classical augmentation of images is."""
    policies = [POLICY_NAMES[policy] for policy in study.modality.classical]
    policy = policies[0] if len(policies) == 1 else f"one of {formats.listed(policies)}, chosen by inner validation"
    if isinstance(study.modality, ImageConfig) and study.modality.flip:
        policy += ", and flips"
    return policy


def protocol(findings: Findings) -> list[tuple[str, str]]:
    """Return what was done, as headed paragraphs."""
    study = findings.study
    return [
        ("Fixed beforehand", _fixed(study)),
        ("Data", _data(findings)),
        ("Repetitions", _repetitions(findings)),
        *(
            teaching.arms_of_table(study)
            if study.modality.kind == "table"
            else [("Classical augmentation", _classical(findings))]
        ),
        ("GAN", describe_gan(study)),
        ("Synthetic samples", _synthetic(study)),
        ("Test", _test(findings)),
        *([("Columns and rows", _columns_and_rows())] if findings.summary.table else []),
        ("Delivery", _delivery()),
    ]


PENALTIES: dict[PenaltyName, str] = {
    "r1_r2": "R1 and R2 penalties",
    "r1": "an R1 penalty",
    "interpolated": "a gradient penalty between real and generated samples",
}


def _fixed(study: Study) -> str:
    rule = study.evaluation
    also = ", and by the comparison of anomaly detectors" if rule.anomaly is not None else ""
    return (
        f"The metric ({formats.metric_name(rule.metric)}), the arms, the number of repetitions and the test were set"
        " in the study before the run. No generator and no arm learns from test rows or is chosen by them. They were"
        " read after training: by the arms' final scores, and by what describes the samples: fidelity, training"
        f" on synthetic samples alone, similarity and the membership attack{also}."
    )


def _data(findings: Findings) -> str:
    source, kinds, modality = findings.study.source, "Exact duplicates", findings.study.modality
    grouped = "were grouped first; a group never straddles training and test"
    if isinstance(modality, TableConfig):
        kinds = "Rows whose cells are equal, whatever their labels,"
        if modality.equal_rows == "keep":
            grouped = "count as different cases, as the study says, and may be on both sides of a split"
    elif source.near_duplicate_distance >= 0:
        kinds = f"Exact and near duplicates (perceptual hashes within {source.near_duplicate_distance} bits)"
    return (
        f"{kinds} {grouped}."
        f" {_scarcity(findings.study.scarcity)} {_preparation(findings.study)} Licence of the source: {source.licence}."
    )


def _scarcity(scarcity: ScarcityConfig) -> str:
    if scarcity == ScarcityConfig():
        return "Training rows are as many as the source gives."
    parts = []
    if scarcity.per_class is not None:
        parts.append(f"at most {scarcity.per_class:,} rows a class")
    if scarcity.imbalance > 1:
        fall = f"a long tail that falls {scarcity.imbalance:g}-fold to the last class"
        parts.append(f"{fall}, as far as the source has the rows")
    if scarcity.rare_classes:
        parts.append(f"at most {scarcity.rare_per_class:,} of each rare class ({', '.join(scarcity.rare_classes)})")
    return f"Scarcity is simulated: {formats.listed(parts)} for training."


def _preparation(study: Study) -> str:
    modality = study.modality
    if isinstance(modality, TableConfig):
        return f"Columns are what the dataset's columns.json says; the label is {modality.label}."
    fit = {"pad": "with bars", "crop": "by the central crop", "stretch": "by stretching"}[modality.fit]
    return f"Images are {modality.size} by {modality.size} pixels; oblong ones became square {fit}."


def _repetitions(findings: Findings) -> str:
    rule = findings.study.evaluation
    train, test = sum(findings.summary.train_rows.values()), sum(findings.summary.test_rows.values())
    return (
        f"Each of the {findings.summary.repetitions} repetitions draws its own {train:,} training and {test:,} test"
        " rows, trains its own GAN on those training rows alone, generates, and trains every arm's classifier"
        f" ({rule.classifier}) with the same seed{_effort(findings.study)}."
        f" The root seed is {findings.study.seed}; every other seed is derived from it."
    )


def shared_effort(study: Study) -> str:
    """Return what the classifiers of all arms share, in few words."""
    return "the number of optimiser steps" if _has_steps(study) else "settings"


def ratio_words(study: Study) -> str:
    """Return what the column of shares in the table of arms says."""
    if isinstance(study.modality, TableConfig):
        return "The last column is the share of all weight that is synthetic, chosen by inner validation, on average."
    return (
        "The last column is the share of synthetic samples in a batch that inner validation chose, on average; with"
        " classical augmentation it is that of the first step."
    )


def _has_steps(study: Study) -> bool:
    return study.modality.kind != "table" or not is_estimator(study.evaluation.classifier)


def _effort(study: Study) -> str:
    rule = study.evaluation
    if not _has_steps(study):
        return teaching.effort(study)
    return f" for the same {rule.steps:,} optimiser steps of {rule.batch_size} samples"


def _classical(findings: Findings) -> str:
    arms = {name: arm.policies for name, arm in findings.summary.arms.items() if arm.policies}
    rule, candidates = findings.study.evaluation, [POLICY_NAMES[policy] for policy in findings.study.modality.classical]
    if len(candidates) == 1:
        return f"The policy is {candidates[0]}."
    if not arms:
        return f"No arm uses it; the teacher's policy was chosen among {formats.listed(candidates)} on training rows."
    chosen = [f"for {name} {_tally(policies)}" for name, policies in arms.items()]
    return (
        f"The policy is one of {formats.listed(candidates)}: that with the lowest log-loss, each at its best"
        f" temperature, in a {rule.inner_folds}-fold validation on training rows. Each arm chooses its own in every"
        f" repetition, an arm with a GAN together with its share of synthetic samples; it was {'; '.join(chosen)}."
    )


def _tally(policies: Sequence[str]) -> str:
    counted = Counter(policies).most_common()
    return formats.listed([f"{POLICY_NAMES[policy]} {formats.plural(times, 'time')}" for policy, times in counted])


def describe_gan(study: Study) -> str:
    """Return how the generators of a study were trained, in a sentence."""
    gan = study.gan
    terms = [f"{gan.loss.replace('_', '-')} loss"]
    if gan.penalty:
        steps = f"every {gan.penalty_every} steps" if gan.penalty_every > 1 else "at every step"
        terms.append(f"{PENALTIES[gan.penalty_kind]} of {gan.penalty:g} {steps}")
    if gan.lecam:
        terms.append(f"LeCam regularisation of {gan.lecam:g}")
    if gan.feature_matching:
        terms.append(f"feature matching of {gan.feature_matching:g}")
    if gan.privacy:
        terms.append(f"differential privacy by noise of {gan.privacy.noise_multiplier:g} times the clipped gradient")
    augmented = formats.listed(list(gan.augmentation)) or "none"
    if gan.augmentation_control == "adaptive":
        augmented += f", adaptive from a share of {gan.augmentation_probability:g}"
    elif gan.augmentation and gan.augmentation_probability < 1:
        augmented += f", at a share of {gan.augmentation_probability:g}"
    limit = f" or {formats.duration(gan.max_seconds)}" if gan.max_seconds is not None else ""
    return (
        f"Family {gan.kind}, {formats.listed(terms)}; {gan.kimg:g} thousand real samples shown{limit} in batches of"
        f" {gan.batch_size}; differentiable augmentation: {augmented}."
    )


def _synthetic(study: Study) -> str:
    made, rule = study.generation, study.evaluation
    amount = {
        "absolute": f"{made.amount:g} samples of each class",
        "ratio": f"{made.amount:g} times as many samples as real ones",
        "balance": f"as many samples as lift each class to {made.amount:g} times the largest one",
    }[made.plan]
    filters = {
        "teacher": "the probability that the teacher gives to the class asked for",
        "discriminator": "the logit of the discriminator",
        "distance": "their distance to the training rows, which rejects near copies",
    }
    chosen = (
        f"kept from {made.oversample:g} times as many candidates by"
        f" {formats.listed([filters[name] for name in made.filters])}"
        if made.filters and made.oversample > 1
        else "without a filter"
    )
    if study.modality.kind == "table":
        label = teaching.label_source(study)
        return f"{formats.capitalised(amount)}, {chosen}. Their label is {label}. {teaching.shares(study)}"
    labels = {
        "soft": "the mean of the class asked for and the probabilities of a teacher trained on real training rows",
        "hard": "the class asked for",
        "teacher": "the probabilities of classifiers fitted on real training rows",
    }[rule.labels]
    without, with_classical = (
        formats.listed([formats.share(ratio, 0) for ratio in ratios])
        for ratios in (rule.ratios, rule.ratios_with_classical)
    )
    picked = (
        f"their share of a batch was chosen by {rule.inner_folds}-fold validation on training rows: from {without}"
        f" without classical augmentation and from {with_classical} with it, where that is the share of the rarest"
        " class, and one with n times as many rows takes less by the square root of n"
    )
    return f"{formats.capitalised(amount)}, {chosen}. Their label is {labels}; {picked}."


def _test(findings: Findings) -> str:
    rule = findings.study.evaluation
    return (
        "Arms are compared repetition by repetition. Repetitions share data, so the t-test carries a correction,"
        " without which it would find gains that are not there: it allows for a correlation of"
        f" {findings.summary.correlation:.2f} between repetitions, which is that of Nadeau and Bengio, or the share of"
        " rows that repetitions have in common where that is lower. It is two-sided, at the"
        f" {formats.share(rule.alpha, 0)} level. Against each reference, Holm's correction covers the arms with a GAN"
        f" together, and those without one together. Intervals cover {formats.share(1 - rule.alpha, 0)}, each by"
        f" itself. The smallest gain worth having was set to {formats.points(rule.smallest_gain)}."
    )


def _columns_and_rows() -> str:
    return (
        "Held-out, synthetic and training rows were cut to equally many of each class. Columns: the Kolmogorov-Smirnov"
        " distance of numbers and times, total variation of all others, a null being a value of its own. Pairs of"
        " columns, the label among them: Spearman's rank correlation of two numbers, the correlation ratio of the ranks"
        " of a number between categories, and Cramér's V of two categories, the last two without their bias; rows whose"
        " number is null are left out. Detection: gradient-boosted trees that see all cells and the label, in"
        " cross-validation. Distances of rows cell by cell: 1 for categories that are not the same, the difference of"
        " numbers in units of what lies between the 5th and the 95th percentile of the training rows; their mean over"
        " columns, within a class."
    )


def _delivery() -> str:
    return (
        "One more generator is fitted, on every row that the study leaves for training. Its samples are the dataset"
        " that is delivered; no number of this report was measured on them."
    )
