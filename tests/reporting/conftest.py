"""A run folder as the earlier stages leave it, with made-up numbers and pictures."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from summaries import SIMILARITY, privacy

from gansynth.arms import ARMS
from gansynth.artifacts import publish, read_manifest
from gansynth.evaluation.statistics import compare_arms
from gansynth.evaluation.verdict import decide, recommend
from gansynth.modalities.image.storage import encode_png
from gansynth.requests import arm_request, fidelity_request, model_request, summary_request, synthetic_request
from gansynth.results import (
    BLINDED_FILE,
    FIDELITY_FILE,
    GRID_FILE,
    PAIRS_FILE,
    SCORES_FILE,
    SUMMARY_FILE,
    ArmSummary,
    Fidelity,
    Summary,
)
from gansynth.runs import Run
from gansynth.study import Study

MEANS = {"real": 0.634, "oversampled": 0.686, "classical": 0.753, "gan": 0.724, "gan+classical": 0.761}
FIDELITY = {"kid": 0.0213, "precision": 0.81, "recall": 0.62, "density": 0.93, "coverage": 0.77}
Draw = Callable[[int, str, int], np.ndarray]


def draw_pattern(label: int, kind: str, index: int) -> np.ndarray:
    """Return a small grey picture, uint8 of shape (16, 16, 1), that depends on all three."""
    random = np.random.default_rng([label, kind == "real", index])
    rows, columns = np.mgrid[0:16, 0:16]
    waves = np.sin((label + 1) * rows / 5) + np.cos((label + 2) * columns / 7)
    return np.clip(127 + 50 * waves + random.normal(0, 12, (16, 16)), 0, 255).astype(np.uint8)[:, :, None]


def write_run(
    root: Path,
    classes: Sequence[str] = ("round", "square", "long", "flat"),
    *,
    repetitions: int = 3,
    arms: Sequence[str] = tuple(MEANS),
    optional: bool = True,
    draw: Draw = draw_pattern,
    name: str = "shapes",
    licence: str = "MIT",
    modality: dict[str, str] | None = None,
) -> tuple[Study, Run]:
    """Write the artifacts of a run; every second class is rare. Without `optional`, only the evaluation is there."""
    random = np.random.default_rng(7)
    rare = list(classes[1::2])
    study = Study.model_validate(
        {
            "name": name,
            "source": {"path": "shapes", "licence": licence},
            "modality": modality or {"kind": "image"},
            "scarcity": {"per_class": 200, "rare_classes": rare, "rare_per_class": 10},
            "evaluation": {"repetitions": repetitions, "arms": arms},
        }
    )
    run = Run(root)
    shift = random.normal(0, 0.012, repetitions)
    values = {arm: MEANS.get(arm, 0.64) + shift + random.normal(0, 0.006, repetitions) for arm in arms}
    if optional:
        _write_others(study, run, list(classes), random)
    _write_evaluation(study, run, list(classes), values, draw, random)
    return study, run


def _write_evaluation(
    study: Study, run: Run, classes: list[str], values: dict[str, np.ndarray], draw: Draw, random: np.random.Generator
) -> None:
    rule = study.evaluation
    train = {label: 10 if label in study.scarcity.rare_classes else 200 for label in classes}
    test = dict.fromkeys(classes, 200)
    metrics = {
        "balanced_accuracy": 0.0,
        "accuracy": 0.01,
        "macro_f1": -0.004,
        "average_precision": 0.06,
        "log_loss": 0.3,
    }
    scores = [
        (arm, repetition, metric, "", value + offset)
        for arm, row in values.items()
        for metric, offset in metrics.items()
        for repetition, value in enumerate(row)
    ]
    for arm, row in values.items():
        for repetition, value in enumerate(row):
            recalls = [value - 0.24 * (0.8 - value) / 0.2 * (train[label] == 10) + 0.1 for label in classes]
            noisy = np.clip(np.array(recalls) + random.normal(0, 0.08, len(classes)), 0, 1)
            scores += [(arm, repetition, "recall", label, recall) for label, recall in zip(classes, noisy, strict=True)]
    frame = pd.DataFrame(scores, columns=["arm", "repetition", "metric", "class_name", "value"])
    whole, recall = frame[frame.class_name == ""], frame[frame.metric == "recall"]
    comparisons = compare_arms(values, 0.25, 500, rule.alpha, rule.smallest_gain)
    summary = Summary(
        metric=rule.metric,
        verdict=decide(comparisons, values, rule.metric, rule.alpha),
        recommended_arm=recommend(comparisons, values, rule.alpha),
        arms={
            arm: ArmSummary(
                mean=row.mean(),
                sd=row.std(ddof=1),
                values=row.tolist(),
                metrics=whole[whole.arm == arm].groupby("metric").value.mean().to_dict(),
                recall=recall[recall.arm == arm].groupby("class_name", sort=False).value.mean().to_dict(),
                ratios=[0.5, 0.0, *[0.5] * (len(row) - 2)] if "gan" in arm else [],
                policies=["trivialaugment", *["affine"] * (len(row) - 1)] if "classical" in arm else [],
            )
            for arm, row in values.items()
        },
        comparisons=comparisons,
        fidelity=Fidelity(
            embedding="penultimate features of the teacher",
            fid=4.31,
            classification_accuracy_score=0.58,
            label_agreement=0.952,
            held_out_agreement=0.8,
            **FIDELITY,
        ),
        similarity=SIMILARITY,
        privacy=privacy(*classes, repetitions=rule.repetitions),
        train_rows=train,
        test_rows=test,
        repetitions=rule.repetitions,
        correlation=0.25,
        warnings=["The recall of rare classes rests on few training rows."],
    )
    fidelity = [
        (repetition, metric, label, value * random.uniform(0.8, 1.1))
        for repetition in range(rule.repetitions)
        for label in ["", *classes]
        for metric, value in FIDELITY.items()
    ]
    pairs = [
        (
            index % rule.repetitions,
            classes[index % len(classes)],
            0.2 + 0.03 * index,
            0.25 + 0.02 * index,
            encode_png(draw(index % len(classes), "synthetic", index)),
            encode_png(draw(index % len(classes), "real", index)),
        )
        for index in range(14)
    ]
    grid = [
        (name, kind, encode_png(draw(label, kind, index)))
        for label, name in enumerate(classes)
        for kind in ("real", "synthetic")
        for index in range(8)
    ]
    with publish(run.evaluation, "evaluate", summary_request(study), _evaluated(study, run)) as draft:
        (draft.path / SUMMARY_FILE).write_text(summary.model_dump_json())
        frame.to_parquet(draft.path / SCORES_FILE)
        pd.DataFrame(fidelity, columns=["repetition", "metric", "class_name", "value"]).to_parquet(
            draft.path / FIDELITY_FILE
        )
        columns = ["repetition", "class_name", "distance", "held_out_distance", "synthetic", "training"]
        pd.DataFrame(pairs, columns=columns).to_parquet(draft.path / PAIRS_FILE)
        for name in (GRID_FILE, BLINDED_FILE):
            pd.DataFrame(grid, columns=["class_name", "kind", "image"]).to_parquet(draft.path / name)


def _write_others(study: Study, run: Run, classes: list[str], random: np.random.Generator) -> None:
    counts = {"rows": 5000, "exact_duplicates": 3, "near_duplicates": 11, "conflicting_labels": 2}
    with publish(run.dataset, "ingest", {}, {}) as draft:
        draft.counts.update(counts, classes=len(classes))
        quarantine = [{"source": "square/broken<1>.png", "reason": "is no image"}]
        (draft.path / "quarantine.json").write_text(json.dumps(quarantine))
    data = digests(dataset=run.dataset)
    for unit in (None, *range(study.evaluation.repetitions)):
        with publish(run.model(unit), "train", model_request(study, unit), data) as draft:
            (draft.path / "metrics.jsonl").write_text("".join(_curve(random)))
        model = digests(model=run.model(unit))
        with publish(run.synthetic(unit), "generate", synthetic_request(study, unit), model) as draft:
            kept = {f"kept_{label}": 400 for label in range(len(classes))}
            rejected = {f"rejected_teacher_{label}": 200 for label in range(len(classes))}
            draft.counts.update(
                kept=400 * len(classes), candidates=600 * len(classes), rejected_teacher=200 * len(classes)
            )
            draft.counts.update(kept | rejected)
    for repetition in range(study.evaluation.repetitions):
        samples = data | digests(model=run.model(repetition), synthetic=run.synthetic(repetition))
        for arm in study.evaluation.arms:
            parents = {name: samples[name] for name in ARMS[study.modality.kind][arm].parents}
            with publish(run.arm(repetition, arm), "evaluate", arm_request(study, repetition, arm), parents) as draft:
                draft.counts.update(test=2000)
        with publish(run.fidelity(repetition), "evaluate", fidelity_request(study, repetition), samples):
            pass


def _evaluated(study: Study, run: Run) -> dict[str, str]:
    """Return the digests of what an evaluation speaks of, made up where it is not there."""
    repetitions = range(study.evaluation.repetitions)
    arms = {f"arm {arm} {r}": run.arm(r, arm) for r in repetitions for arm in study.evaluation.arms}
    return digests(**arms, **{f"fidelity {r}": run.fidelity(r) for r in repetitions})


def digests(**places: Path) -> dict[str, str]:
    return {name: read_manifest(place).digest if place.exists() else "gone" for name, place in places.items()}


def _curve(random: np.random.Generator) -> list[str]:
    lines = []
    for step in range(0, 1750, 10):
        settled = 1 - np.exp(-step / 300)
        numbers = {
            "d_loss": 0.69 - 0.22 * settled + random.normal(0, 0.03),
            "g_loss": 0.69 + 0.31 * settled + random.normal(0, 0.04),
            "d_real": 0.9 * settled + random.normal(0, 0.1),
            "d_fake": -0.8 * settled + random.normal(0, 0.1),
            "penalty": 0.1 * np.exp(-step / 500) + 0.02 + random.uniform(0, 0.01),
        }
        lines.append(json.dumps({"step": step, "kimg": step * 0.032, "seconds": step * 0.05, **numbers}) + "\n")
    return lines


@pytest.fixture
def run_folder(tmp_path: Path) -> tuple[Study, Run]:
    """A finished run of four classes, two of them rare, over three repetitions."""
    return write_run(tmp_path / "run")


@pytest.fixture(scope="session")
def make_run() -> Callable[..., tuple[Study, Run]]:
    """The function that writes run folders."""
    return write_run
