"""The study: one typed, frozen description of a run. Its fields are also the TOML keys and the Prefect form."""

from typing import Any

from pydantic import Field, model_validator

from gansynth.arms import ARMS, STANDARD_ARMS
from gansynth.gans import FAMILIES, AnyGan, ResidualConfig
from gansynth.gans.private import TELLING_FILTERS
from gansynth.modalities import AnyModality, ImageConfig, TableConfig
from gansynth.sections import (
    FORMATS_OF,
    ComputeConfig,
    EvaluationConfig,
    GenerationConfig,
    ScarcityConfig,
    SourceConfig,
    SplitConfig,
)
from gansynth.settings import Settings

THINGS = {"image": "images", "table": "tables"}
TABLE_DEFAULTS: dict[str, dict[str, Any]] = {
    "gan": {"kind": "tabular"},
    "generation": {"amount": 1000, "latent_scale": 1.0},
    "evaluation": {
        "arms": STANDARD_ARMS["table"],
        "metric": "average_precision",
        "classifier": "hist_gradient_boosting",
        "labels": "teacher",
        "ratios": (0.0, 0.5),
        "ratios_with_classical": (0.0, 0.5),
        "inner_folds": 5,
        "smallest_gain": 0.01,
    },
}
"""Defaults that a study of a table has instead of those of images."""


class Study(Settings):
    """One run, completely described."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="Names the run folder and the report: lower case, digits, `_` and `-`.",
    )
    seed: int = Field(default=0, ge=0, description="Root of every random number of the run.")
    source: SourceConfig = Field(description="Where the labelled data come from.")
    modality: AnyModality = Field(default_factory=ImageConfig, description="What a sample is, and how it is prepared.")
    scarcity: ScarcityConfig = Field(
        default_factory=ScarcityConfig, description="Simulated scarcity of the training rows."
    )
    split: SplitConfig = Field(default_factory=SplitConfig, description="How each repetition divides the data.")
    gan: AnyGan = Field(default_factory=ResidualConfig, description="The adversarial family and its training.")
    generation: GenerationConfig = Field(
        default_factory=GenerationConfig, description="How many samples are generated and kept."
    )
    evaluation: EvaluationConfig = Field(
        default_factory=EvaluationConfig, description="The protocol of the comparison."
    )
    compute: ComputeConfig = Field(default_factory=ComputeConfig, description="Where the work runs.")

    @model_validator(mode="before")
    @classmethod
    def _take_defaults_of_tables(cls, data: Any) -> Any:  # noqa: ANN401  # unchecked input
        return fill_defaults(data) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _check_modality(self) -> "Study":
        kind = self.modality.kind
        if FAMILIES[self.gan.kind].modality != kind:
            fitting = [name for name, family in FAMILIES.items() if family.modality == kind]
            raise ValueError(f"gan.kind: {self.gan.kind!r} makes no {THINGS[kind]}; use {' or '.join(fitting)}")
        for arm in self.evaluation.arms:
            if arm not in ARMS[kind]:
                raise ValueError(f"evaluation.arms: {arm!r} is no arm for {THINGS[kind]}; use {', '.join(ARMS[kind])}")
        if self.generation.format not in FORMATS_OF[kind]:
            raise ValueError(f"generation.format: {THINGS[kind]} are written as {' or '.join(FORMATS_OF[kind])}")
        if kind == "table" and self.evaluation.inner_folds < 3:
            raise ValueError("evaluation.inner_folds: tables need at least 3, so that none teaches what judges it")
        if kind == "table" and self.gan.augmentation:
            raise ValueError("gan.augmentation: is for images; tables have none")
        if kind == "table" and self.evaluation.inception_weights:
            raise ValueError("evaluation.inception_weights: are for images; leave them out")
        return self

    @model_validator(mode="after")
    def _check_privacy(self) -> "Study":
        telling = [name for name in self.generation.active_filters if name in TELLING_FILTERS]
        if self.gan.privacy is not None and telling:
            raise ValueError(
                f"generation.filters: with gan.privacy, {' and '.join(telling)} would choose samples by training rows,"
                " and the guarantee would be lost; set it to [] or ['discriminator']"
            )
        return self

    @model_validator(mode="after")
    def _check_flip(self) -> "Study":
        if "flip" in self.gan.augmentation and isinstance(self.modality, ImageConfig) and not self.modality.flip:
            raise ValueError(
                "gan.augmentation may include 'flip' only if modality.flip says that mirror images are valid"
            )
        return self


def fill_defaults(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a study in which what a study of a table leaves open is as TABLE_DEFAULTS says."""
    modality = data.get("modality")
    if not _is_table(modality):
        return data
    filled = dict(data)
    if isinstance(modality, dict):
        filled["modality"] = {"kind": "table"} | modality
    for section, settings in TABLE_DEFAULTS.items():
        given = data.get(section, {})
        if isinstance(given, dict) and not (section == "gan" and "kind" in given):
            filled[section] = settings | given
    return filled


def _is_table(modality: Any) -> bool:  # noqa: ANN401  # unchecked input
    if isinstance(modality, dict):
        return bool(modality.get("kind", "table" if "label" in modality else "image") == "table")
    return isinstance(modality, TableConfig)
