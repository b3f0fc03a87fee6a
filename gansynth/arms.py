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
    """

    balanced: bool = False
    weighted: bool = False
    augmented: bool = False
    synthetic: bool = False
    copied: bool = False
    shuffled: bool = False
    tuned: bool = False
    taught: bool = False

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the artifacts that an arm is made from; the model holds the choice of classical augmentation."""
        if self.synthetic:
            return ("dataset", "model", "synthetic")
        return ("dataset", "model") if self.augmented else ("dataset",)


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
        "gan": Arm(balanced=True, synthetic=True),
        "gan+classical": Arm(balanced=True, augmented=True, synthetic=True),
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
        "gan": Arm(synthetic=True, tuned=True, taught=True),
        "gan+smote": Arm(augmented=True, synthetic=True, tuned=True, taught=True),
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
