"""Settings of differential privacy, and what it demands of all others."""

from pydantic import Field

from gansynth.settings import Settings

DEMANDS: tuple[tuple[str, object, str], ...] = (
    ("loss", "non_saturating", "'non_saturating'"),
    ("penalty", 0, "0"),
    ("lecam", 0, "0"),
    ("feature_matching", 0, "0"),
    ("auxiliary", 0, "0"),
    ("class_balanced", False, "false"),
    ("augmentation", (), "[]"),
    ("augmentation_control", "fixed", "'fixed'"),
    ("max_seconds", None, "nothing"),
)
"""Settings, what they must be, and how that is written.

Others would show rows to the generator, let a gradient depend on several rows, draw rows of rare classes more often
than is accounted for, change with what real rows look like, or stop at a time that may depend on the rows.
"""

TELLING_FILTERS = ("teacher", "distance")
"""Filters that choose samples by what training rows are, without noise: what they leave has no guarantee."""


class PrivacyConfig(Settings):
    """Settings of training with differential privacy."""

    noise_multiplier: float = Field(
        gt=0, description="Standard deviation of the noise on the summed gradient, as a multiple of `max_grad_norm`."
    )
    delta: float = Field(
        default=1e-5, gt=0, lt=1, description="Probability with which the guarantee may fail; well below 1 / rows."
    )
    max_grad_norm: float = Field(default=1.0, gt=0, description="Norm to which the gradient of each row is clipped.")
