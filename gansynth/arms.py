"""The arms of the comparison: what each trains on."""

from typing import Literal, NamedTuple


class Arm(NamedTuple):
    """How an arm trains.

    Attributes:
        balanced: Every class is drawn equally often, by repeating its rows.
        weighted: Every class counts equally much in the loss.
        augmented: Real rows are augmented classically.
        synthetic: There are synthetic samples.
        copied: Each synthetic sample is replaced by a copy of a training row of its class.
        shuffled: Their labels are shuffled.
        tuned: How probable a class must be to be predicted is chosen on training rows.
        taught: Rows have half of their label from classifiers that did not see them, and synthetic ones all of it.
        controls: Of an arm with a GAN, those that have all that it has but the GAN. A gain is not known to be the GAN's
            unless they were compared.
    """

    balanced: bool = False
    weighted: bool = False
    augmented: bool = False
    synthetic: bool = False
    copied: bool = False
    shuffled: bool = False
    tuned: bool = False
    taught: bool = False
    controls: tuple[str, ...] = ()

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the artifacts that an arm is made from; the model holds the choice of classical augmentation."""
        if self.synthetic:
            return ("dataset", "model", "synthetic")
        return ("dataset", "model") if self.augmented else ("dataset",)


def decides_for(metric: str) -> Literal["balanced_accuracy", "macro_f1"]:
    """Return the score that an arm which is tuned decides for, where a study is about this metric."""
    return "balanced_accuracy" if metric == "balanced_accuracy" else "macro_f1"


def has_gan(arm: str) -> bool:
    """Tell by its name whether an arm has a GAN."""
    return "gan" in arm.split("+")


ArmName = Literal[
    "real",
    "threshold",
    "weights",
    "oversampled",
    "softened",
    "classical",
    "smote",
    "copies",
    "copies+smote",
    "gan",
    "gan+classical",
    "gan+smote",
    "shuffled",
]

ARMS: dict[str, dict[str, Arm]] = {
    "image": {
        "real": Arm(),
        "oversampled": Arm(balanced=True),
        "classical": Arm(balanced=True, augmented=True),
        "gan": Arm(balanced=True, synthetic=True, controls=("oversampled",)),
        "gan+classical": Arm(balanced=True, augmented=True, synthetic=True, controls=("classical",)),
        "shuffled": Arm(balanced=True, synthetic=True, shuffled=True),
    },
    # what helps arms with a GAN, a tuned threshold, softened labels and more rows with them, helps one without it too
    "table": {
        "real": Arm(),
        "threshold": Arm(tuned=True),
        "weights": Arm(weighted=True),
        "oversampled": Arm(balanced=True),
        "softened": Arm(tuned=True, taught=True),
        "smote": Arm(augmented=True),
        "copies": Arm(synthetic=True, copied=True, tuned=True, taught=True),
        "copies+smote": Arm(augmented=True, synthetic=True, copied=True, tuned=True, taught=True),
        "gan": Arm(synthetic=True, tuned=True, taught=True, controls=("softened", "copies")),
        "gan+smote": Arm(
            augmented=True, synthetic=True, tuned=True, taught=True, controls=("softened", "copies+smote")
        ),
        "shuffled": Arm(synthetic=True, shuffled=True, tuned=True, taught=True),
    },
}
"""The arms of each modality by name."""

STANDARD_ARMS: dict[str, tuple[ArmName, ...]] = {
    "image": ("real", "oversampled", "classical", "gan", "gan+classical"),
    "table": (
        "real",
        "threshold",
        "weights",
        "oversampled",
        "softened",
        "smote",
        "copies",
        "copies+smote",
        "gan",
        "gan+smote",
    ),
}
"""Those that are compared unless a study names others."""

_TUNED = "how probable a class must be to be predicted chosen on training rows"
_SHUFFLED = "the negative control: as gan, with the labels of the synthetic samples shuffled; it must not help"

DESCRIPTIONS: dict[str, dict[str, str]] = {
    "image": {
        "real": "the real training rows as they are, nothing added",
        "oversampled": "real rows, every class drawn equally often: the control for mere resampling",
        "classical": "oversampled real rows with classical augmentation",
        "gan": "oversampled real rows, and synthetic samples in every batch",
        "gan+classical": "as classical, and synthetic samples in every batch, more of the rarer classes",
        "shuffled": _SHUFFLED,
    },
    "table": {
        "real": "the real training rows as they are, nothing added",
        "threshold": f"the same, with {_TUNED}: the control for mere tuning",
        "weights": "real rows, every class counting equally much",
        "oversampled": "real rows, those of smaller classes repeated: the control for mere resampling",
        "softened": f"real rows, half of each label from classifiers that did not see the row, {_TUNED}: the control"
        " for mere teaching",
        "smote": "real rows, smaller classes filled up by SMOTE",
        "copies": f"as softened, and copies of real rows, all of their label from these classifiers, {_TUNED}: the"
        " control for mere numbers of rows",
        "copies+smote": f"the same, and rows by SMOTE, {_TUNED}",
        "gan": f"as softened, and synthetic rows, all of their label from these classifiers, {_TUNED}",
        "gan+smote": f"the same, and rows by SMOTE, {_TUNED}",
        "shuffled": _SHUFFLED,
    },
}
"""What each arm trains on, in words, for whoever reads a report or a dataset card."""
