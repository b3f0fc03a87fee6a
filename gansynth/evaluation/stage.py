"""The evaluation stage: arms and fidelity of each repetition, then what follows from all of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gansynth.arms import ARMS, ArmName
from gansynth.artifacts import is_current, publish
from gansynth.checkpoints import TrainedModel, load_model
from gansynth.classifiers import Classifier, Diet, fit_classifier
from gansynth.datasets import load_dataset, load_synthetic
from gansynth.evaluation import pictures
from gansynth.evaluation.anomaly import evaluate_anomaly
from gansynth.evaluation.arms import fit_arm
from gansynth.evaluation.fidelity import Embedded, FidelityRow, fidelity_table, match_classes
from gansynth.evaluation.membership import attack_membership
from gansynth.evaluation.metrics import per_class_recall, score
from gansynth.evaluation.recipes import check_rows, prepare
from gansynth.evaluation.similarity import closest_pairs, copying, similarity
from gansynth.evaluation.summary import summarise
from gansynth.evaluation.tables import compare_tables
from gansynth.evaluation.training_set import compose_training_set
from gansynth.modalities.image import Inception
from gansynth.progress import Progress
from gansynth.requests import arm_parents, arm_request, fidelity_parents, fidelity_request
from gansynth.results import (
    BLINDED_FILE,
    CHOICE_FILE,
    FIDELITY_FILE,
    GRID_FILE,
    PAIRS_FILE,
    PREDICTIONS_FILE,
    PRIVACY_FILE,
    SIMILARITY_FILE,
)
from gansynth.runs import Run
from gansynth.samples import Samples
from gansynth.seeding import derive_seed
from gansynth.splits import draw_split
from gansynth.study import Study

CLOSEST_PAIRS = 12


def evaluate(study: Study, run: Run) -> Path:
    """Evaluate every repetition and summarise them; of a table, compose the training set of the recommended arm."""
    for repetition in range(study.evaluation.repetitions):
        for arm in study.evaluation.arms:
            evaluate_arm(study, run, repetition, arm)
        evaluate_fidelity(study, run, repetition)
        if study.evaluation.anomaly is not None:
            evaluate_anomaly(study, run, repetition)
    summary = summarise(study, run)
    if study.modality.kind == "table":
        compose_training_set(study, run)
    return summary


def together(study: Study) -> list[tuple[ArmName, ...]]:
    """Return the arms of a study in groups that are best evaluated by one process: a committee is fitted once there."""
    arms = study.evaluation.arms
    taught = tuple(arm for arm in arms if ARMS[study.modality.kind][arm].taught)
    alone: list[tuple[ArmName, ...]] = [(arm,) for arm in arms if arm not in taught]
    return [*alone, taught] if taught else alone


def evaluate_arms(study: Study, run: Run, repetition: int, arms: Sequence[str]) -> list[Path]:
    """Evaluate arms of one repetition, one after another."""
    return [evaluate_arm(study, run, repetition, arm) for arm in arms]


def evaluate_arm(study: Study, run: Run, repetition: int, arm: str) -> Path:
    """Train one arm of one repetition and publish its test predictions and its chosen mix."""
    directory = run.arm(repetition, arm)
    spec = ARMS[study.modality.kind][arm]
    request, parents = arm_request(study, repetition, arm), arm_parents(study, run, repetition, arm)
    if is_current(directory, request, parents):
        return directory
    dataset = load_dataset(run.dataset)
    split = draw_split(dataset, study, repetition)
    label = f"evaluate {arm}, repetition {repetition + 1}"
    progress_file = run.progress / f"evaluate-{arm}-{repetition}.json"
    with publish(directory, "evaluate", request, parents) as draft, Progress(progress_file, label, 1):
        recipe = prepare(study, run, repetition, arm, dataset, split)
        found = fit_arm(study, recipe.diet, repetition, recipe.model).probabilities(dataset.samples.values[split.test])
        predictions = {
            "row": split.test,
            "label": dataset.samples.labels[split.test],
            "probabilities": list(found),
            "predicted": (found * recipe.factors).argmax(axis=1),
        }
        pq.write_table(pa.table(predictions), draft.path / PREDICTIONS_FILE)
        candidates = [{**candidate._asdict(), "loss": loss} for candidate, loss in recipe.losses.items()]
        choice = {
            "policy": recipe.mix.policy,
            "ratio": recipe.mix.ratio if spec.synthetic else None,
            "losses": candidates,
        }
        (draft.path / CHOICE_FILE).write_text(json.dumps(choice))
        draft.counts.update(train=len(split.train), test=len(split.test))
    return directory


def evaluate_fidelity(study: Study, run: Run, repetition: int) -> Path:
    """Compare one repetition's synthetic samples with held-out and training rows, and publish what was found."""
    directory = run.fidelity(repetition)
    request, parents = fidelity_request(study, repetition), fidelity_parents(study, run, repetition)
    if is_current(directory, request, parents):
        return directory
    dataset = load_dataset(run.dataset)
    split = draw_split(dataset, study, repetition)
    model = load_model(run.model(repetition), study.compute)
    check_rows(model, split)
    parts = {
        "training": dataset.samples.take(split.train),
        "held_out": dataset.samples.take(split.test),
        "synthetic": load_synthetic(run.synthetic(repetition)),
    }
    training, held_out, synthetic = (Embedded(model.teacher.embed(part.values), part.labels) for part in parts.values())
    seed = derive_seed(study.seed, "fidelity", repetition)
    with publish(directory, "evaluate", request, parents) as draft:
        table = _fidelity(study, parts["held_out"], parts["synthetic"], model, seed)
        table += [
            FidelityRow("c_t", model.class_names[label], z)
            for label, z in copying(training, held_out, synthetic).items()
        ]
        rows = [row._asdict() for row in table] + _learnability(study, repetition, parts, model.teacher)
        pq.write_table(pa.Table.from_pylist(rows), draft.path / FIDELITY_FILE)
        found = similarity(training, held_out, synthetic, seed)
        (draft.path / SIMILARITY_FILE).write_text(found.model_dump_json())
        attacked = attack_membership(
            parts["training"], parts["held_out"], dataset.groups[split.test], parts["synthetic"], seed
        )
        (draft.path / PRIVACY_FILE).write_text(attacked.model_dump_json())
        pairs = closest_pairs(training, held_out, synthetic, CLOSEST_PAIRS)
        shown = {
            PAIRS_FILE: (pictures.pairs(study, pairs, parts), pictures.PAIRS),
            GRID_FILE: (pictures.grid(study, parts, repetition), pictures.PICTURES),
            BLINDED_FILE: (pictures.blinded(study, parts, repetition), pictures.PICTURES),
        }
        for name, (drawn, schema) in shown.items():
            pq.write_table(pa.Table.from_pylist(drawn, schema), draft.path / name)
        if study.modality.kind == "table":
            compare_tables(dataset.samples, parts, seed, CLOSEST_PAIRS, draft.path)
        draft.counts.update(held_out=len(split.test), synthetic=len(parts["synthetic"]))
    return directory


def _fidelity(study: Study, held_out: Samples, synthetic: Samples, model: TrainedModel, seed: int) -> list[FidelityRow]:
    """Compare as many held-out as synthetic samples of each class on the embedding that the study asks for."""
    weights = study.evaluation.inception_weights
    embed = Inception(Path(weights), model.device).embed if weights else model.teacher.embed
    rows = match_classes([held_out.labels, synthetic.labels], seed)
    real, made = (part.take(of_part) for part, of_part in zip((held_out, synthetic), rows, strict=True))
    embedded = [Embedded(embed(part.values), part.labels) for part in (real, made)]
    return fidelity_table(embedded[0], embedded[1], model.class_names, seed)


def _learnability(
    study: Study, repetition: int, parts: Mapping[str, Samples], teacher: Classifier
) -> list[dict[str, Any]]:
    """Score a classifier trained on synthetic samples alone (arXiv 1905.10887) and the teacher's agreement with labels.

    That with the labels that samples were asked for stands beside that with the labels of held-out rows, of which no
    generator can be asked to do much better.
    """
    synthetic, held_out = parts["synthetic"], parts["held_out"]
    classifier = fit_classifier(study, Diet(synthetic), study.evaluation.steps, repetition, "synthetic only")
    said = classifier.probabilities(held_out.values)
    minority = int(parts["training"].counts.argmin())
    learned = score(held_out.labels, said, said.argmax(axis=1), minority)[study.evaluation.metric]
    rows: list[dict[str, Any]] = [{"metric": "classification_accuracy_score", "class_name": "", "value": learned}]
    names = held_out.class_names
    for metric, part in (("label_agreement", synthetic), ("held_out_agreement", held_out)):
        recall = per_class_recall(part.labels, teacher.probabilities(part.values).argmax(axis=1), len(names))
        by_class = {"": float(np.nanmean(recall)), **dict(zip(names, recall.tolist(), strict=True))}
        rows += [{"metric": metric, "class_name": name, "value": value} for name, value in by_class.items()]
    return rows
