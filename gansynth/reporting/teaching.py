"""How arms of tables were taught, balanced and tuned, in prose that is generated from the study."""

from gansynth import formats
from gansynth.arms import ARMS, Arm, decides_for
from gansynth.modalities.table.estimators import ESTIMATORS, LINEAR, ROW_LIMITS
from gansynth.modalities.table.oversampling import NEIGHBOURS
from gansynth.modalities.table.teachers import MEMBERS
from gansynth.study import Study

MEMBER_NAMES = {
    "hist_gradient_boosting": "histogram gradient boosting",
    "logistic_regression": "logistic regression",
    "extra_trees": "extremely randomised trees",
    "stochastic_boosting": "stochastic gradient boosting",
}


def arms_of_table(study: Study) -> list[tuple[str, str]]:
    """Return how arms of tables are made, as headed paragraphs; those that no arm of the study needs are left out."""
    specs: dict[str, Arm] = {name: ARMS["table"][name] for name in study.evaluation.arms}
    augmented, taught, tuned = (
        [name for name, spec in specs.items() if getattr(spec, trait)] for trait in ("augmented", "taught", "tuned")
    )
    return [
        *([("Classical augmentation", _smote(augmented))] if augmented else []),
        *([("Teaching", _teaching(study, {name: specs[name] for name in taught}))] if taught else []),
        *([("Thresholds", _thresholds(study, {name: specs[name] for name in tuned}))] if tuned else []),
    ]


def effort(study: Study) -> str:
    """Return what is the same in every arm of a table whose classifier is an estimator of scikit-learn."""
    told = " and settings; such a classifier has no steps that could be counted"
    if study.evaluation.classifier not in LINEAR:
        limits = ", ".join(sorted(ROW_LIMITS))
        told += f", and what limits a number of rows ({limits}, where it has them) counts whole rows in every arm"
    return told


def label_source(study: Study) -> str:
    """Return where the labels of synthetic rows come from."""
    return {
        "soft": "the mean of the class asked for and the committee's probabilities",
        "hard": "the class asked for",
        "teacher": "the committee's probabilities",
    }[study.evaluation.labels]


def shares(study: Study) -> str:
    """Return how much of all weight is synthetic, and how that was chosen, for the arms with and without SMOTE."""
    rule = study.evaluation
    groups: dict[tuple[float, ...], list[str]] = {}
    for name in rule.arms:
        spec = ARMS["table"][name]
        if spec.synthetic:
            candidates = rule.ratios_with_classical if spec.augmented else rule.ratios
            groups.setdefault(tuple(sorted(set(candidates))), []).append(name)
    return " ".join(_share(names, candidates, rule.inner_folds) for candidates, names in groups.items())


def _share(arms: list[str], candidates: tuple[float, ...], folds: int) -> str:
    listed = formats.listed([formats.share(candidate, 0) for candidate in candidates])
    share = f"In {formats.listed(arms)}, their share of all weight"
    if len(candidates) == 1:
        return f"{share} was {listed}."
    return f"{share} was chosen from {listed} by the log-loss in a {folds}-fold validation on training rows."


def _smote(arms: list[str]) -> str:
    return (
        f"In {formats.listed(arms)}, SMOTE fills each class up to the size of the largest one, with rows between a row"
        f" and one of its {NEIGHBOURS} nearest of the class; numbers are standardised first, and columns of categories"
        " are taken as SMOTENC does."
    )


def _teaching(study: Study, arms: dict[str, Arm]) -> str:
    rule = study.evaluation
    of_logarithms = "the logarithms of " if rule.classifier in LINEAR else ""
    unless = ""
    if rule.classifier in ESTIMATORS:
        unless = (
            f", unless {rule.classifier} alone ranks rows that it did not see no worse than all of them together: then"
            " real rows keep their labels"
        )
    told = (
        f"Labels in {formats.listed(list(arms))} come from a committee of {len(MEMBERS)} classifiers:"
        f" {formats.listed([MEMBER_NAMES[name] for name in MEMBERS])}. Each was fitted on the training rows without"
        f" those of one of {rule.inner_folds} folds, once for every fold; the committee says the mean of"
        f" {of_logarithms}their probabilities. Half of a real row's label is its class, the other half what members"
        f" say that did not see the row{unless}."
    )
    if any(spec.augmented for spec in arms.values()):
        told += " Rows by SMOTE have their whole label from the committee."
    if copied := [name for name, spec in arms.items() if spec.copied]:
        told += (
            f" In {formats.listed(copied)}, a random training row of the same class takes the place of each synthetic"
            " one; what the committee says of it is by members that did not see that row. What such an arm gains is no"
            " merit of the generator."
        )
    return (
        f"{told} Where a fold judges a share of synthetic rows, neither the classifier nor who taught it has seen the"
        " fold's rows; the generator has."
    )


def _thresholds(study: Study, arms: dict[str, Arm]) -> str:
    aim = formats.metric_name(decides_for(study.evaluation.metric))
    taught, alone = ([name for name, spec in arms.items() if spec.taught is so] for so in (True, False))
    folds = f"classifiers trained without each of {study.evaluation.inner_folds} folds say of its rows"
    sources = [
        *([f"for {formats.listed(alone)} on what {folds}"] if alone else []),
        *([f"for {formats.listed(taught)} on what the committee says of rows that it did not see"] if taught else []),
    ]
    return (
        f"{formats.listed(list(arms))} predict the class with the largest product of its probability and a factor of"
        f" the class; the other arms, the most probable class. The factors were chosen for the highest {aim} of"
        f" training rows, {formats.listed(sources)}. They move decisions, and so accuracy, balanced accuracy, macro-F1"
        " and recall. Average precision, ROC-AUC, log-loss and calibration error are taken of the probabilities as"
        " they are, and owe nothing to them."
    )
