"""The arms of the comparison: what each trains on."""

from typing import NamedTuple


class Arm(NamedTuple):
    """How an arm trains: class-balanced draws, classical augmentation, synthetic samples, and their labels shuffled."""

    balanced: bool
    augmented: bool = False
    synthetic: bool = False
    shuffled: bool = False

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the artifacts that an arm is made from; the `classical` arm's classifier is the model's teacher."""
        if self.synthetic:
            return ("dataset", "model", "synthetic")
        return ("dataset", "model") if self.augmented else ("dataset",)


ARMS = {
    "real": Arm(balanced=False),
    "oversampled": Arm(balanced=True),
    "classical": Arm(balanced=True, augmented=True),
    "gan": Arm(balanced=True, synthetic=True),
    "gan+classical": Arm(balanced=True, augmented=True, synthetic=True),
    "shuffled": Arm(balanced=True, synthetic=True, shuffled=True),
}
