"""A run folder with tiny trained models: real networks and a real teacher, made in a second."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from summaries import SIMILARITY, privacy

from gansynth.artifacts import publish
from gansynth.checkpoints import Networks, TrainedModel, load_model, read_classes, save_model
from gansynth.classifiers import Diet, fit_classifier
from gansynth.evaluation.statistics import compare_arms
from gansynth.evaluation.verdict import decide, recommend
from gansynth.gans import FAMILIES
from gansynth.requests import dataset_parent, model_request, summary_request
from gansynth.results import SUMMARY_FILE, ArmSummary, Fidelity, Summary
from gansynth.runs import Run
from gansynth.samples import Samples
from gansynth.seeding import seeded_globally
from gansynth.study import Study

SIZE = 16

RunMaker = Callable[..., tuple[Run, Study]]


def real_rows(class_names: tuple[str, ...], channels: int, seed: int = 7, per_class: int = 12) -> Samples:
    """Images whose left columns are bright according to their class, with noise."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(class_names)), per_class)
    values = random.integers(0, 60, (len(labels), SIZE, SIZE, channels)).astype(np.uint8)
    for image, label in zip(values, labels, strict=True):
        image[:, : 2 + 2 * label] += 150
    return Samples(values, labels, class_names)


@pytest.fixture
def make_run(tmp_path: Path) -> RunMaker:
    """Return a maker of run folders: of a study's settings, the class names, and the repetitions that have a model."""

    def make(
        class_names: tuple[str, ...] = ("cat", "dog", "owl"),
        *,
        repetitions: tuple[int | None, ...] = (None,),
        channels: int = 1,
        gan: str = "mlp",
        generation: dict[str, object] | None = None,
    ) -> tuple[Run, Study]:
        study = Study.model_validate(
            {
                "name": "tiny",
                "seed": 5,
                "source": {"path": "nowhere", "licence": "MIT"},
                "modality": {"size": SIZE},
                "gan": {"kind": gan} | ({"width": 16} if gan == "mlp" else {}),
                "generation": {"amount": 10, **(generation or {})},
                "evaluation": {"repetitions": 2, "steps": 30, "batch_size": 8},
                "compute": {"accelerator": "cpu"},
            }
        )
        run = Run(tmp_path / "run")
        run.root.mkdir()
        run.study_file.write_text(study.model_dump_json())
        rows = real_rows(class_names, channels)
        with publish(run.dataset, "ingest", {}, {}) as draft:
            (draft.path / "rows.txt").write_text("the stage reads its digest alone")
        family = FAMILIES[study.gan.kind]
        shape = (channels, SIZE, SIZE)
        for repetition in repetitions:
            with seeded_globally(0, "networks", str(repetition)):
                generator = family.generator(study.gan, shape, len(class_names))
                discriminator = family.discriminator(study.gan, shape, len(class_names))
            teacher = fit_classifier(study, Diet(rows), 30, 0, "teacher")
            with publish(
                run.model(repetition), "train", model_request(study, repetition), dataset_parent(run)
            ) as draft:
                networks = Networks(generator, discriminator, teacher)
                save_model(draft.path, study, networks, "affine", {}, rows, np.arange(len(rows)))
        return run, study

    return make


@pytest.fixture
def hugging_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The `datasets` library, offline and with its cache in a temporary folder."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf" / "datasets"))
    return pytest.importorskip("datasets")


@pytest.fixture
def model(make_run: RunMaker) -> TrainedModel:
    """A convolutional model of three classes."""
    run, study = make_run(gan="residual", channels=3)
    torch.set_num_threads(1)
    return load_model(run.model(None), study.compute)


@pytest.fixture
def training_images(model: TrainedModel) -> np.ndarray:
    """The images that `model` was trained on, in their order."""
    return real_rows(model.class_names, 3).values


@pytest.fixture
def held_out_images(model: TrainedModel) -> np.ndarray:
    """Images of the same classes that `model` has never seen."""
    return real_rows(model.class_names, 3, seed=8).values


@pytest.fixture
def put_evaluation() -> Callable[[Run, Study], Summary]:
    """Return a function that puts an evaluation into a run whose repetitions are not there, and returns its summary."""

    def put(run: Run, study: Study) -> Summary:
        rule = study.evaluation
        values = {arm: np.array([0.6, 0.62]) + 0.03 * number for number, arm in enumerate(rule.arms)}
        comparisons = compare_arms(values, 0.25, 100, rule.alpha, rule.smallest_gain)
        rows = dict.fromkeys(read_classes(run.model(None))[0], 12)
        summary = Summary(
            metric=rule.metric,
            verdict=decide(comparisons, values, rule.metric, rule.alpha),
            recommended_arm=recommend(comparisons, values, rule.alpha),
            arms={
                arm: ArmSummary(
                    mean=scores.mean(), sd=scores.std(), values=scores, metrics={}, recall={}, ratios=[], policies=[]
                )
                for arm, scores in values.items()
            },
            comparisons=comparisons,
            fidelity=Fidelity(
                embedding="features of a classifier",
                fid=4.31,
                kid=0.0123,
                precision=0.61,
                recall=0.42,
                density=0.9,
                coverage=0.71,
                classification_accuracy_score=0.58,
                label_agreement=0.95,
                held_out_agreement=0.8,
            ),
            similarity=SIMILARITY,
            privacy=privacy("bar", "dot", "frame"),
            train_rows=rows,
            test_rows=rows,
            repetitions=rule.repetitions,
            correlation=0.25,
            warnings=[],
        )
        with publish(run.evaluation, "evaluate", summary_request(study), {}) as draft:
            (draft.path / SUMMARY_FILE).write_text(summary.model_dump_json())
        return summary

    return put
