"""Settings of the image modality."""

from typing import Literal

from pydantic import Field

from gansynth.settings import Settings


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
        description="Whether a mirrored image is as valid as the original; lets classical augmentation flip.",
    )
    classical: Literal["affine", "trivialaugment"] = Field(
        default="affine", description="Policy of the arms with classical augmentation."
    )
    mixing: Literal["none", "mixup", "cutmix"] = Field(
        default="none", description="MixUp or CutMix on top of the policy in the arms with classical augmentation."
    )
