"""Settings of the image modality."""

from typing import Literal

from pydantic import Field

from gansynth.settings import Settings

Policy = Literal["none", "affine", "affine+flip", "affine+mixup", "affine+cutmix", "trivialaugment"]


class ImageConfig(Settings):
    """How images are prepared and classically augmented."""

    kind: Literal["image"] = Field(default="image", description="Samples are images.")
    size: int = Field(
        default=32, ge=8, le=512, multiple_of=4, description="Side in pixels to which every image is resized."
    )
    channels: Literal["auto", "gray", "rgb"] = Field(
        default="auto",
        description="`auto`: one channel if every image is grey, with equal channels in every pixel; else RGB.",
    )
    fit: Literal["pad", "crop", "stretch"] = Field(
        default="pad",
        description="How an oblong image becomes square: black bars, the central crop, or a changed aspect.",
    )
    flip: bool = Field(
        default=False,
        description="Whether a mirrored image is as valid as the original; every policy of classical augmentation then"
        " flips, and `gan.augmentation` may.",
    )
    classical: tuple[Policy, ...] = Field(
        default=("affine", "trivialaugment", "affine+mixup", "affine+cutmix"),
        min_length=1,
        description="Candidate policies of classical augmentation: `affine`, small random affine maps, alone or with"
        " flips, MixUp (arXiv 1710.09412) or CutMix (arXiv 1905.04899); `trivialaugment` (arXiv 2103.10158); `none`."
        " Inner validation on training rows chooses one per repetition for the arm `classical`, and one together with"
        " the share of synthetic samples for the arm `gan+classical`.",
    )
