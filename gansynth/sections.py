"""The sections of a study that no family and no modality owns: where data come from, how they are used and judged."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gansynth.arms import STANDARD_ARMS, ArmName, has_gan
from gansynth.remote import is_url, split_url
from gansynth.settings import Settings

MetricName = Literal[
    "balanced_accuracy", "accuracy", "macro_f1", "average_precision", "minority_average_precision", "roc_auc"
]
FileFormat = Literal["parquet", "folder", "webdataset", "csv"]
FORMATS_OF: dict[str, tuple[FileFormat, ...]] = {
    "image": ("parquet", "folder", "webdataset"),
    "table": ("parquet", "csv"),
}
"""The formats that samples of each modality are written in."""
Share = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(ge=0, lt=1)]


NAMED_SOURCES = ("torchvision:", "sklearn:", "openml:")


def is_named(path: str) -> bool:
    """Tell whether a source is a dataset of a library, by its name."""
    return path.startswith(NAMED_SOURCES)


class SourceConfig(Settings):
    """Where the labelled data come from."""

    path: str = Field(
        description="Of images: a folder, a Parquet file, or a folder with `train` and `test` parts of either; of a"
        " table: a CSV or Parquet file. Or the same at an `s3://` or `gs://` URL, or a dataset by its name:"
        " `torchvision:NAME`, `sklearn:NAME`, `openml:NAME`. Relative paths start at the study file. Links in a folder"
        " are followed; archives are not unpacked. Credentials for a URL are taken from the environment and never"
        " stored."
    )
    format: Literal["auto", "image_folder", "parquet", "labels_csv", "torchvision", "csv", "sklearn", "openml"] = Field(
        default="auto", description="How the source is laid out; `auto` looks at what is there."
    )
    max_bad_share: Share = Field(default=0.05, description="Share of unreadable samples above which ingestion stops.")
    near_duplicate_distance: int = Field(
        default=4,
        ge=-1,
        le=16,
        description="Images whose 64-bit perceptual hashes differ in at most this many bits, and whose pixels are"
        " much nearer than those of other images, count as duplicates and never straddle a split; -1 finds exact"
        " duplicates only.",
    )
    licence: str = Field(default="unknown", description="Licence of the source; it is carried into every output.")

    @model_validator(mode="after")
    def _check_url(self) -> "SourceConfig":
        if is_url(self.path):
            try:
                split_url(self.path)
            except ValueError as error:
                raise ValueError(f"path: {error}") from None
        return self


class ScarcityConfig(Settings):
    """Simulated scarcity: how many training samples a repetition may draw. The default takes the data as they are."""

    per_class: int | None = Field(default=None, ge=2, description="At most this many training samples of each class.")
    rare_classes: tuple[str, ...] = Field(default=(), description="Names of the classes that are made rare.")
    rare_per_class: int = Field(default=10, ge=2, description="At most this many training samples of each rare class.")
    imbalance: float = Field(
        default=1.0,
        ge=1,
        description="Long tail: the first class keeps `per_class` samples, the last this many times fewer,"
        " geometrically in between.",
    )


class SplitConfig(Settings):
    """How each repetition divides the data."""

    test: Literal["auto", "provided", "random"] = Field(
        default="auto",
        description="`provided`: test rows come from the source's own test part; `random`: from all rows;"
        " `auto`: provided where there is such a part.",
    )
    test_share: float = Field(
        default=0.2, gt=0, lt=1, description="Share of the rows of each class that a random test part takes."
    )
    test_per_class: int | None = Field(
        default=None,
        ge=1,
        description="At most this many test rows of each class per repetition, drawn afresh, and at most half of a test"
        " part of the source's own. The more of its rows two repetitions share, the stricter the corrected test.",
    )
    train_share: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="Share of the training rows of each class that a repetition may draw if the source has its own test"
        " part; 1 takes all, and the interval then does not speak of other training rows.",
    )


class GenerationConfig(Settings):
    """How many samples are generated, which are kept, and how they are written."""

    plan: Literal["absolute", "ratio", "balance"] = Field(
        default="absolute",
        description="`absolute`: `amount` samples of each class; `ratio`: `amount` times as many as real ones;"
        " `balance`: as many as lift each class to the largest one, times `amount`.",
    )
    amount: float = Field(default=800, gt=0, description="The number that `plan` speaks of.")
    oversample: float = Field(
        default=1.1,
        ge=1,
        description="Candidates generated for each sample that is kept; the filters choose. 1 switches them off.",
    )
    latent_scale: float = Field(
        default=1.5,
        gt=0,
        description="Standard deviation of the latents. Above 1 samples are more diverse than in training, which helps"
        " classifiers (GaFi, arXiv 2305.10118); below 1 they are more typical.",
    )
    filters: tuple[Literal["teacher", "discriminator", "distance"], ...] = Field(
        default=("teacher",),
        description="What ranks the candidates of a class: `teacher`, the asked label's probability by a classifier"
        " trained on the real training rows; `discriminator`, its logit; `distance`, rejects near copies of"
        " training rows. Ranks of several filters are averaged.",
    )
    format: FileFormat = Field(
        default="parquet",
        description="Output: `parquet`, shards of it; of images also `folder`, one of PNG files per class, or"
        " `webdataset`, its tar shards; of tables also `csv`: texts in quotes and as they are, nulls empty. A"
        " spreadsheet may take a text that begins with `=` for a formula: import such columns as text.",
    )
    shard_size: int = Field(default=10_000, ge=1, description="Samples per shard, about: the shards are of equal size.")

    @property
    def active_filters(self) -> tuple[str, ...]:
        """The filters that have candidates to choose from."""
        return self.filters if self.oversample > 1 else ()


class EvaluationConfig(Settings):
    """The protocol of the comparison. It is fixed before the run."""

    repetitions: int = Field(
        default=5, ge=2, le=99, description="Independent repetitions: split, generator, classifiers."
    )
    arms: tuple[ArmName, ...] = Field(
        default=STANDARD_ARMS["image"],
        description="What is compared. `shuffled` is the negative control: `gan` with shuffled synthetic labels. Of"
        " images: `real`, `oversampled`, `classical`, `gan`, `gan+classical`; of tables: `real`, `threshold`,"
        " `weights`, `oversampled`, `softened`, `smote`, `copies`, `copies+smote`, `gan`, `gan+smote`.",
    )
    metric: MetricName = Field(
        default="balanced_accuracy",
        description="The metric that the verdict speaks of. `minority` is the class with the fewest training rows.",
    )
    classifier: str = Field(
        default="small_resnet",
        description="Downstream classifier: of images, `small_resnet` or the name of a torchvision classifier; of"
        " tables, `hist_gradient_boosting`, `logistic_regression`, `mlp`, or the import"
        " path of a classifier with the interface of scikit-learn, `package.module:Class`, from a module that Python"
        " finds (PYTHONPATH): it is given numbers standardised, their nulls imputed and flagged, and all other columns"
        " one-hot.",
    )
    steps: int = Field(
        default=400,
        ge=1,
        description="Optimiser steps of every classifier: of the arms, and of the teacher trained with the GAN.",
    )
    batch_size: int = Field(default=64, ge=2, description="Samples in each of these steps.")
    learning_rate: float = Field(default=3e-3, gt=0, description="Peak learning rate of AdamW.")
    labels: Literal["soft", "hard", "teacher"] = Field(
        default="soft",
        description="Label of a synthetic sample: `hard`, the class it was asked for; `teacher`, the probabilities by"
        " what was trained on real training rows, of images the teacher, of tables a committee of classifiers; `soft`,"
        " the mean of both.",
    )
    ratios: tuple[Ratio, ...] = Field(
        default=(0.0, 0.9),
        min_length=1,
        description="Candidate shares of synthetic samples, of images in a batch, of tables of all weight, for the arms"
        " without classical augmentation; inner validation on training rows chooses per repetition. With 0 among them,"
        " no synthetic samples at all is a possible choice.",
    )
    ratios_with_classical: tuple[Ratio, ...] = Field(
        default=(0.0, 0.5),
        min_length=1,
        description="The same for the arms with classical augmentation. Of images, chosen together with its policy;"
        " this is then the share of the rarest class, and one with n times as many rows takes less by the square root"
        " of n.",
    )
    inner_folds: int = Field(default=2, ge=2, description="Folds of that inner validation.")
    inner_steps: int = Field(
        default=100, ge=1, description="Optimiser steps of each classifier of the inner validation."
    )
    inception_weights: str | None = Field(
        default=None,
        description="Weights file of the Inception network, as torch-fidelity publishes it: fidelity is then measured"
        " on its features, else on those of the teacher. Relative paths start at the study file.",
    )
    anomaly: str | None = Field(
        default=None,
        description="Name of the class that is normal: every repetition then also rates its test rows by how unlike"
        " normal training rows they are, by the GAN and by other detectors, all other classes being the anomalies."
        " Without it, nothing of the kind is done.",
    )
    alpha: float = Field(default=0.05, gt=0, lt=0.5, description="Level of the tests; intervals cover 1 - alpha.")
    smallest_gain: float = Field(
        default=0.03,
        gt=0,
        description="Smallest gain of the metric worth having: a test whose interval is wider than this to either"
        " side, and decides nothing, is called underpowered.",
    )

    @model_validator(mode="after")
    def _check_arms(self) -> "EvaluationConfig":
        if len(set(self.arms)) != len(self.arms):
            raise ValueError("arms must not repeat")
        if "real" not in self.arms:
            raise ValueError("arms must include 'real', which every other arm is compared with")
        if not any(has_gan(arm) for arm in self.arms):
            raise ValueError("arms must include one with a GAN, such as 'gan', which the verdict is about")
        beside = any(has_gan(arm) and arm != "gan" for arm in self.arms)
        for field, used in (("ratios", "gan" in self.arms), ("ratios_with_classical", beside)):
            if used and not any(getattr(self, field)):
                raise ValueError(f"{field} must have a share above 0, or an arm with a GAN would be none")
        return self


class ComputeConfig(Settings):
    """Where the work runs. Only `precision` changes results by more than last digits."""

    accelerator: str = Field(default="auto", description="Lightning Fabric accelerator: `auto`, `cpu`, `cuda`, `mps`.")
    devices: int = Field(
        default=1,
        ge=1,
        description="Processes or devices of this machine that train one generator together; `gan.batch_size` must be a"
        " multiple of it.",
    )
    strategy: Literal["auto", "ddp"] = Field(
        default="auto",
        description="How several devices train together: `ddp`, each with an equal part of every batch; `auto`, that.",
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = Field(
        default="32-true", description="Lightning Fabric precision of the networks."
    )
    workers: int = Field(
        default=0, ge=0, description="Repetitions and arms run side by side; 0: one per processor core, or 1 on a GPU."
    )
    threads: int = Field(default=1, ge=1, description="Processor threads of torch in each worker.")
    task_runner: Literal["local", "ray", "dask"] = Field(
        default="local",
        description="What starts the workers: `local`, this machine; `ray` or `dask`, a cluster that reaches the run"
        " folder under the same path. Every worker is a process of its own everywhere.",
    )
    cluster: str | None = Field(
        default=None,
        description="Address of that cluster, such as ray://HOST:10001 or tcp://HOST:8786; without one, a temporary"
        " cluster on this machine.",
    )

    @model_validator(mode="after")
    def _check_cluster(self) -> "ComputeConfig":
        if self.cluster and self.task_runner == "local":
            raise ValueError("cluster: has no use with task_runner 'local'; choose 'ray' or 'dask'")
        return self
