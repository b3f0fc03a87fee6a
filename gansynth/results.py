"""What an evaluation found: written by the evaluation stage as `summary.json`, read by the report and dataset cards."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field, ValidationError

from gansynth.artifacts import verify
from gansynth.errors import ArtifactError
from gansynth.privacy import Privacy, Similarity
from gansynth.requests import check_run
from gansynth.runs import Run

if TYPE_CHECKING:  # a study brings torch with it, and a summary shall be read at once
    from gansynth.study import Study

VerdictWord = Literal["helps", "no evidence", "harms", "underpowered"]

SUMMARY_FILE = "summary.json"
SCORES_FILE = "scores.parquet"
PREDICTIONS_FILE = "predictions.parquet"
CHOICE_FILE = "choice.json"
FIDELITY_FILE = "fidelity.parquet"
SIMILARITY_FILE = "similarity.json"
PRIVACY_FILE = "privacy.json"
PAIRS_FILE = "pairs.parquet"
GRID_FILE = "grid.parquet"
BLINDED_FILE = "blinded.parquet"
TABLE_FILE = "table.json"
COLUMN_DISTANCES_FILE = "column_distances.parquet"
ASSOCIATIONS_FILE = "associations.parquet"
DISTRIBUTIONS_FILE = "distributions.parquet"
CLOSEST_ROWS_FILE = "closest_rows.parquet"
RATINGS_FILE = "ratings.parquet"
TRAINING_SET_FILE = "training_set.parquet"
DECISION_FILE = "decision.json"


class ArmSummary(BaseModel):
    """One arm over all repetitions. Shares and metrics lie in 0 to 1."""

    mean: float = Field(description="Mean of the study's metric.")
    sd: float = Field(description="Standard deviation of the metric over repetitions.")
    values: list[float] = Field(description="The metric in each repetition.")
    metrics: dict[str, float] = Field(description="Mean of every metric that `evaluation.metrics.score` returns.")
    recall: dict[str, float] = Field(description="Mean recall of each class.")
    ratios: list[float] = Field(
        description="Share of synthetic samples in a batch that inner validation chose, per repetition; empty"
        " for arms without a GAN. With classical augmentation it is that of the rarest class."
    )
    policies: list[str] = Field(
        description="Policy of classical augmentation that inner validation chose, per repetition; empty for arms"
        " without it."
    )


class Comparison(BaseModel):
    """The corrected paired test of one arm against another; gains are differences of the metric."""

    arm: str
    against: str
    gain: float = Field(description="Mean difference over repetitions.")
    ci_low: float
    ci_high: float
    p_value: float = Field(description="Two-sided, corrected t-test.")
    p_holm: float = Field(description="After Holm's correction among the arms compared with the same one.")
    verdict: VerdictWord


class DetectorSummary(BaseModel):
    """A detector of anomalies over all repetitions. All numbers lie in 0 to 1."""

    mean: float = Field(description="Mean average precision of anomalies against normal test rows.")
    sd: float = Field(description="Its standard deviation over repetitions.")
    values: list[float] = Field(description="The average precision in each repetition.")
    roc_auc: float = Field(description="Mean area under the ROC curve.")


class AnomalySummary(BaseModel):
    """How well detectors that are fitted on normal training rows tell anomalies from normal test rows."""

    normal: str = Field(description="Name of the normal class; all others are anomalies.")
    train_rows: int = Field(description="Normal training rows in a repetition.")
    test_rows: int = Field(description="Test rows in a repetition.")
    anomalies: int = Field(description="Anomalies among these.")
    detectors: dict[str, DetectorSummary]
    comparisons: list[Comparison] = Field(
        description="The GAN's detector against each of the others; gains are differences of average precision."
    )
    false_alarms: float = Field(
        description="Mean share of normal test rows whose tail share by the GAN's detector is at most 0.05."
    )
    sentence: str = Field(description="What was found, for people, with numbers.")


class Verdict(BaseModel):
    """The answer of the study."""

    against_real: VerdictWord
    against_best_without_gan: VerdictWord
    arms: dict[str, str] = Field(
        description="The arm with a GAN that each of these words is about, by the arm it was compared with."
    )
    best_without_gan: str = Field(description="The arm without a GAN that has the highest mean.")
    best_with_gan: str = Field(description="The arm with a GAN that has the highest mean.")
    sentence: str = Field(description="The same for people, with numbers.")


class Fidelity(BaseModel):
    """Likeness of synthetic samples and held-out real ones, on the teacher's embedding: means over repetitions."""

    embedding: str = Field(description="What the embedding is; never comparable with published FIDs.")
    fid: float
    kid: float
    precision: float
    recall: float
    density: float
    coverage: float
    classification_accuracy_score: float = Field(
        description="The study's metric for a classifier trained on synthetic samples alone."
    )
    label_agreement: float = Field(
        description="Share of synthetic samples to which the teacher gives the class they were asked for, mean over"
        " the classes."
    )
    held_out_agreement: float = Field(
        description="Share of held-out real rows to which the teacher gives their class, mean over the classes."
    )


class RowLikeness(BaseModel):
    """How far rows of a table are from as many held-out real rows of the same classes: means over repetitions."""

    column_distance: float = Field(
        description="Distance of a column's distributions, mean over columns: 0 for equal ones, 1 for disjoint ones;"
        " that of Kolmogorov and Smirnov for numbers and times, total variation for others. A null is a value."
    )
    largest_column_distance: float = Field(description="The same of the column where it is largest.")
    association_difference: float = Field(
        description="Absolute difference of the association of two columns, mean over all pairs, the label among them:"
        " of rank correlations, correlation ratios or Cramér's V."
    )
    detection_auc: float = Field(
        description="Area under the ROC curve with which gradient-boosted trees tell the rows from held-out ones: 0.5"
        " not at all, 1 always."
    )


class TableFidelity(BaseModel):
    """Likeness of synthetic and held-out rows of a table, column by column and as wholes: means over repetitions."""

    synthetic: RowLikeness = Field(description="Of synthetic rows.")
    real: RowLikeness = Field(
        description="Of training rows, as many as of synthetic ones: what a generator would reach whose rows are drawn"
        " like real ones. Not 0, for two finite samples of one distribution differ."
    )
    rows: int = Field(description="How many rows of each kind were compared in a repetition.")
    similarity: Similarity = Field(
        description="Distances on plain cells, without the embedding: mismatches of categories and differences of"
        " scaled numbers, mean over columns."
    )


class Summary(BaseModel):
    """All that the report says about the comparison.

    Beside it lie `scores.parquet` (arm, repetition, metric, class_name, value; class_name is empty unless the
    metric is `recall`), `fidelity.parquet` (repetition, metric, class_name, value), `pairs.parquet` (repetition,
    class_name, distance, held_out_distance, synthetic, training; the last two PNG bytes, closest first), and
    `grid.parquet` and `blinded.parquet` (class_name, kind 'real' or 'synthetic', image as PNG bytes).

    Of tables, there are also, each with a column repetition, `column_distances.parquet` (column, kind, measure 'ks' or
    'tv', and the distances of the synthetic and the training rows to held-out ones), `associations.parquet` (column,
    other, measure, and their association among held_out, synthetic and training rows), `distributions.parquet` (column,
    bin, label or low and high, and the shares of held_out, synthetic and training rows), and `closest_rows.parquet`
    (pair, class_name, distance, held_out_distance, column, the values synthetic and training in words, differs).
    """

    metric: str
    verdict: Verdict
    recommended_arm: str
    arms: dict[str, ArmSummary]
    comparisons: list[Comparison]
    fidelity: Fidelity
    similarity: Similarity
    privacy: Privacy
    table: TableFidelity | None = Field(default=None, description="Of tables, what only they have.")
    train_rows: dict[str, int] = Field(description="Training rows per class in a repetition.")
    test_rows: dict[str, int] = Field(description="Test rows per class in a repetition.")
    repetitions: int
    correlation: float = Field(description="The correlation of two repetitions' differences that the test allows for.")
    warnings: list[str]
    anomaly: AnomalySummary | None = Field(
        default=None, description="Detection of anomalies, where the study names a normal class."
    )

    def comparison(self, arm: str, against: str) -> Comparison | None:
        """Return the test of `arm` against another one, if it was made."""
        found = [one for one in self.comparisons if (one.arm, one.against) == (arm, against)]
        return found[0] if found else None


def read_summary(directory: Path) -> Summary:
    """Read the summary of the evaluation artifact at `directory`."""
    return Summary.model_validate_json((directory / SUMMARY_FILE).read_text())


def current_summary(study: "Study", run: Run) -> Summary | None:
    """Read what the evaluation of a run found; None if it has none, or none that fits its study and its models."""
    try:
        check_run(study, run)
        verify(run.evaluation)
        return read_summary(run.evaluation)
    except (ArtifactError, ValidationError):
        return None
