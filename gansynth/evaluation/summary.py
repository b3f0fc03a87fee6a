"""What follows from all repetitions: scores, corrected tests, the verdict."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from gansynth.arms import ARMS
from gansynth.artifacts import is_current, publish
from gansynth.datasets import load_dataset
from gansynth.evaluation.anomaly import summarise_anomaly
from gansynth.evaluation.metrics import per_class_recall, score
from gansynth.evaluation.statistics import assumed_correlation, compare_arms
from gansynth.evaluation.tables import summarise_tables
from gansynth.evaluation.verdict import decide, doubts, recommend
from gansynth.privacy import Privacy, Similarity
from gansynth.requests import summary_parents, summary_request
from gansynth.results import (
    BLINDED_FILE,
    CHOICE_FILE,
    FIDELITY_FILE,
    GRID_FILE,
    PAIRS_FILE,
    PREDICTIONS_FILE,
    PRIVACY_FILE,
    SCORES_FILE,
    SIMILARITY_FILE,
    SUMMARY_FILE,
    ArmSummary,
    Fidelity,
    Summary,
)
from gansynth.runs import Run
from gansynth.samples import Dataset, Split
from gansynth.splits import draw_split, shared_rows
from gansynth.study import Study

TEACHER_EMBEDDING = "penultimate features of the teacher, a classifier trained on the real training rows"
INCEPTION_EMBEDDING = "features of the Inception network, from the weights file that the study names"
FEW_PER_CLASS = 5
SMALL_TEST_PER_CLASS = 20
Found = TypeVar("Found", Similarity, Privacy)


def summarise(study: Study, run: Run) -> Path:
    """Score the arms of all repetitions, test their differences, and publish the verdict."""
    settings = study.evaluation
    repetitions = range(settings.repetitions)
    request, parents = summary_request(study), summary_parents(study, run)
    if is_current(run.evaluation, request, parents):
        return run.evaluation
    dataset = load_dataset(run.dataset)
    minority = int(dataset.samples.take(draw_split(dataset, study, 0).train).counts.argmin())
    scores = pd.concat([_scores(run, r, arm, dataset, minority) for r in repetitions for arm in settings.arms])
    fidelity = pd.concat([pd.read_parquet(run.fidelity(r) / FIDELITY_FILE).assign(repetition=r) for r in repetitions])
    with publish(run.evaluation, "evaluate", request, parents) as draft:
        summary = _summarise(study, run, dataset, scores, fidelity)
        if study.modality.kind == "table":
            table = summarise_tables([run.fidelity(r) for r in repetitions], draft.path)
            summary = summary.model_copy(update={"table": table})
        (draft.path / SUMMARY_FILE).write_text(summary.model_dump_json(indent=1))
        scores.to_parquet(draft.path / SCORES_FILE, index=False)
        fidelity.to_parquet(draft.path / FIDELITY_FILE, index=False)
        pairs = [pd.read_parquet(run.fidelity(r) / PAIRS_FILE).assign(repetition=r) for r in repetitions]
        pd.concat(pairs).sort_values("distance").to_parquet(draft.path / PAIRS_FILE, index=False)
        for name in (GRID_FILE, BLINDED_FILE):
            (draft.path / name).write_bytes((run.fidelity(0) / name).read_bytes())
        draft.counts.update(arms=len(settings.arms), repetitions=settings.repetitions)
    return run.evaluation


def _scores(run: Run, repetition: int, arm: str, dataset: Dataset, minority: int) -> pd.DataFrame:
    """Return the tidy scores of one arm in one repetition: arm, repetition, metric, class_name, value."""
    table = pq.read_table(run.arm(repetition, arm) / PREDICTIONS_FILE)
    labels, predicted = table["label"].to_numpy(), table["predicted"].to_numpy()
    probabilities = np.stack(table["probabilities"].to_numpy())
    rows = [(metric, "", value) for metric, value in score(labels, probabilities, predicted, minority).items()]
    names = dataset.samples.class_names
    recall = zip(names, per_class_recall(labels, predicted, len(names)), strict=True)
    rows += [("recall", name, float(value)) for name, value in recall]
    frame = pd.DataFrame(rows, columns=["metric", "class_name", "value"])
    frame.insert(0, "arm", arm)
    frame.insert(1, "repetition", repetition)
    return frame


def _summarise(study: Study, run: Run, dataset: Dataset, scores: pd.DataFrame, fidelity: pd.DataFrame) -> Summary:
    settings = study.evaluation
    of_metric = scores[scores.metric == settings.metric]
    values: dict[str, npt.NDArray[np.float64]] = {}
    for arm in settings.arms:
        own = of_metric[of_metric.arm == arm].sort_values("repetition")
        values[arm] = own.value.to_numpy(np.float64)
    splits = [draw_split(dataset, study, repetition) for repetition in range(settings.repetitions)]
    counts = _rows_per_class(dataset, splits[0])
    n_train, n_test = sum(counts["train"].values()), sum(counts["test"].values())
    correlation = assumed_correlation(shared_rows(dataset, splits), n_train, n_test)
    comparisons = compare_arms(values, correlation, n_test, settings.alpha, settings.smallest_gain)
    arms: dict[str, ArmSummary] = {
        arm: _arm_summary(arm, values[arm], scores, run, settings.repetitions) for arm in settings.arms
    }
    compared = {arm: ARMS[study.modality.kind][arm] for arm in arms}
    doubted = doubts(compared, {arm: found.ratios for arm, found in arms.items() if found.ratios})
    return Summary(
        metric=settings.metric,
        verdict=decide(comparisons, values, settings.metric, settings.alpha, doubted),
        recommended_arm=recommend(comparisons, values, settings.alpha, doubted),
        arms=arms,
        comparisons=comparisons,
        fidelity=_fidelity(study, fidelity),
        similarity=_over(Similarity, SIMILARITY_FILE, run, settings.repetitions),
        privacy=_over(Privacy, PRIVACY_FILE, run, settings.repetitions),
        train_rows=counts["train"],
        test_rows=counts["test"],
        repetitions=settings.repetitions,
        correlation=correlation,
        warnings=[*_warnings(counts, correlation), *_unlearnt(run, values)],
        anomaly=summarise_anomaly(study, run, correlation),
    )


def _rows_per_class(dataset: Dataset, split: Split) -> dict[str, dict[str, int]]:
    names = dataset.samples.class_names
    parts = {"train": split.train, "test": split.test}
    return {
        part: dict(zip(names, dataset.samples.take(rows).counts.tolist(), strict=True)) for part, rows in parts.items()
    }


def _arm_summary(
    arm: str, values: npt.NDArray[np.float64], scores: pd.DataFrame, run: Run, repetitions: int
) -> ArmSummary:
    own = scores[scores.arm == arm]
    choices = [json.loads((run.arm(r, arm) / CHOICE_FILE).read_text()) for r in range(repetitions)]
    return ArmSummary(
        mean=float(values.mean()),
        sd=float(values.std(ddof=1)),
        values=values.tolist(),
        metrics=_means(own[own.class_name == ""], "metric"),
        recall=_means(own[own.metric == "recall"], "class_name"),
        ratios=[choice["ratio"] for choice in choices if choice["ratio"] is not None],
        policies=[choice["policy"] for choice in choices if choice["policy"] is not None],
    )


def _fidelity(study: Study, table: pd.DataFrame) -> Fidelity:
    embedding = INCEPTION_EMBEDDING if study.evaluation.inception_weights else TEACHER_EMBEDDING
    return Fidelity(embedding=embedding, **_means(table[table.class_name == ""], "metric"))


def _means(table: pd.DataFrame, column: str) -> dict[str, float]:
    """Return the mean of `value` for each entry of a column, in order of appearance."""
    means = table.groupby(column, sort=False).value.mean()
    return {str(name): float(value) for name, value in means.items()}


def _over(kind: type[Found], file: str, run: Run, repetitions: int) -> Found:
    """Return the mean over repetitions of what a file of their fidelity holds."""
    texts = [(run.fidelity(r) / file).read_text() for r in range(repetitions)]
    return kind.over([kind.model_validate_json(text) for text in texts])


def _unlearnt(run: Run, values: dict[str, npt.NDArray[np.float64]]) -> Iterable[str]:
    """Tell of arms that have learnt nothing, and of a metric that leaves nothing to gain."""
    for arm, scores in values.items():
        alike = sum(_says_the_same(run.arm(repetition, arm)) for repetition in range(len(scores)))
        if alike:
            yield (
                f"{arm}: its classifier says the same of every test row in {alike} of {len(scores)} repetitions, for it"
                " could learn nothing from its training rows; give it more of them."
            )
    if all(bool((scores == 1).all()) for scores in values.values()):
        yield "Every arm reaches the best score in every repetition: nothing is left to gain here."


def _says_the_same(arm: Path) -> bool:
    said = np.stack(pq.read_table(arm / PREDICTIONS_FILE, columns=["probabilities"])["probabilities"].to_numpy())
    return bool((said == said[0]).all())


def _warnings(counts: dict[str, dict[str, int]], correlation: float) -> Iterable[str]:
    few = [name for name, count in counts["train"].items() if count < FEW_PER_CLASS]
    if few:
        yield f"Fewer than {FEW_PER_CLASS} training rows: {', '.join(few)}. Their scores say little."
    small = [name for name, count in counts["test"].items() if count < SMALL_TEST_PER_CLASS]
    if small:
        yield f"Fewer than {SMALL_TEST_PER_CLASS} test rows: {', '.join(small)}. Their recall is coarse."
    if correlation >= 1:
        yield (
            "All repetitions share the test rows of a class, so their spread says nothing of other rows, and no gain"
            " can be told from chance; give that class more test rows, or set split.test to 'random'."
        )
