"""Of a table, what the classifier of the recommended arm learns from: to be taken as it is by any other classifier.

What an arm gains, it gains with certain labels, weights and a certain threshold. Synthetic rows alone, with the classes
that they were asked for, are not what was measured.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from gansynth.arms import ARMS
from gansynth.artifacts import is_current, publish
from gansynth.classifiers import rows_taken
from gansynth.datasets import load_dataset
from gansynth.evaluation.recipes import prepare
from gansynth.modalities import MODALITIES
from gansynth.modalities.table.estimators import divided, rows_per_leaf
from gansynth.requests import training_set_parents, training_set_request
from gansynth.results import DECISION_FILE, TRAINING_SET_FILE, read_summary
from gansynth.runs import Run
from gansynth.samples import Samples
from gansynth.seeding import seed_index
from gansynth.splits import draw_split
from gansynth.study import Study


class Decision(BaseModel):
    """How a classifier that has learnt from the training set is to be set up and to decide."""

    arm: str = Field(description="The arm that the training set is of: the recommended one.")
    classifier: str = Field(description="The classifier with which its gain was measured.")
    classes: list[str] = Field(description="The classes, in the order of the factors.")
    factors: list[float] = Field(
        description="What a row's class probabilities are multiplied by before the class with the largest is taken."
    )
    lines_per_row: float = Field(
        description="Lines of the training set for each row, since one that belongs to several classes in part has a"
        " line for each: a limit that counts rows, such as those of a leaf, is to be multiplied by it."
    )
    rows_per_leaf: int = Field(
        description="Whole rows that each leaf of the boosted trees held at least, if they were the classifier."
    )


def compose_training_set(study: Study, run: Run) -> Path:
    """Publish the training set of the recommended arm, from all training rows of the run and its delivered samples.

    `training_set.parquet` has the columns of the source with its label, `sample_weight`, and `sample_origin`: "real",
    "smote", "copy" or "synthetic". `decision.json` is a `Decision`.
    """
    request, parents = training_set_request(study), training_set_parents(study, run)
    if is_current(run.training_set, request, parents):
        return run.training_set
    arm, name = read_summary(run.evaluation).recommended_arm, study.evaluation.classifier
    dataset = load_dataset(run.dataset)
    with publish(run.training_set, "evaluate", request, parents) as draft:
        recipe = prepare(study, run, None, arm, dataset, draw_split(dataset, study, None))
        taken = rows_taken(study, recipe.diet, seed_index(None), "arm")
        row, label, weights = divided(taken.targets, taken.weights)
        lines = Samples(taken.rows.values[row], label, taken.rows.class_names, taken.rows.schema)
        origins = taken.origins[row]
        if ARMS["table"][arm].copied:
            origins = np.where(origins == "synthetic", "copy", origins)
        beside = {"sample_weight": pa.array(weights), "sample_origin": pa.array(origins.tolist())}
        table = MODALITIES["table"].to_arrow(lines, beside, (), 1)
        pq.write_table(table, draft.path / TRAINING_SET_FILE, compression="zstd")
        decision = Decision(
            arm=arm,
            classifier=name,
            classes=list(lines.class_names),
            factors=recipe.factors.tolist(),
            lines_per_row=len(row) / len(taken.rows),
            rows_per_leaf=rows_per_leaf(len(recipe.diet.real)),
        )
        (draft.path / DECISION_FILE).write_text(decision.model_dump_json(indent=1), encoding="utf-8")
        draft.counts.update(rows=len(taken.rows), lines=len(row))
    return run.training_set
