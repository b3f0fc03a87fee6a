"""The README's five calls, on a tiny study, and what must hold of every run."""

import json
import re
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shapes import draw_shapes
from tampering import alter_training_rows

from gansynth.artifacts import publish, read_manifest
from gansynth.checkpoints import load_model
from gansynth.datasets import load_dataset, load_synthetic, write_dataset
from gansynth.errors import ArtifactError, EvaluationError, StudyError
from gansynth.evaluation import evaluate, evaluate_arm, evaluate_fidelity
from gansynth.generation import Batch, export, generate_repetition
from gansynth.modalities.image.storage import features, image_column
from gansynth.requests import model_parent, synthetic_request
from gansynth.runs import Run
from gansynth.samples import Dataset, Samples
from gansynth.sections import SourceConfig, is_named
from gansynth.study import Study
from gansynth.study_files import load_study
from gansynth.training import train_repetition

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source in the Hugging Face convention with a train and a test part."""
    folder = tmp_path_factory.mktemp("source")
    for part, samples in (("train", draw_shapes(16)), ("test", draw_shapes(10, seed=9))):
        columns = {"image": image_column(samples.values), "label": pa.array(samples.labels)}
        table = pa.table(columns).replace_schema_metadata(features(samples.class_names, {}))
        pq.write_table(table, folder / f"{part}.parquet")
    return folder


def test_the_readme_five_calls_give_a_report(source: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    code = next(block for block in blocks if "from gansynth.training import train" in block)
    study_file = tmp_path / "tiny.toml"
    study_file.write_text(
        f'name = "tiny"\nsource.path = "{source}"\nmodality.size = 16\n'
        "gan.kimg = 0.32\ngeneration.amount = 12\n"
        "evaluation = { repetitions = 2, steps = 20, batch_size = 16, inner_steps = 5, ratios = [0.0, 0.5] }\n"
    )
    text = code.replace("data/studies/fashion_rare.toml", str(study_file))
    text = text.replace("runs/notebook", str(tmp_path / "run"))
    exec(compile(text, "README.md", "exec"), {})  # noqa: S102  # the README's own code is what is tested
    found = json.loads((tmp_path / "run" / "report" / "report.json").read_text())
    assert set(found["arms"]) == {"real", "oversampled", "classical", "gan", "gan+classical"}
    assert found["verdict"]["against_real"] in {"helps", "no evidence", "harms", "underpowered"}
    assert {"metric", "recommended_arm", "comparisons", "fidelity", "similarity", "privacy", "cost_seconds"} <= set(
        found
    )
    delivered = load_synthetic(tmp_path / "run" / "synthetic")
    np.testing.assert_array_equal(delivered.counts, [12, 12, 12])
    assert found["verdict"]["sentence"] in (tmp_path / "run" / "synthetic" / "README.md").read_text()
    batch = export(Run(tmp_path / "run"), tmp_path / "batch", Batch(count=3))
    assert found["verdict"]["sentence"] in (batch / "README.md").read_text()
    # a second pass finds everything done
    digest = read_manifest(tmp_path / "run" / "report").digest
    exec(compile(text, "README.md", "exec"), {})  # noqa: S102  # the same
    assert read_manifest(tmp_path / "run" / "report").digest == digest


def dataset_artifact(run: Run, train: Samples, test: Samples) -> None:
    both = Samples.concatenate([train, test])
    is_test = np.arange(len(both)) >= len(train)
    with publish(run.dataset, "ingest", {}, {}) as draft:
        write_dataset(draft.path, Dataset(both, is_test, np.arange(len(both))))


def contents(directory: Path) -> dict[str, bytes]:
    """Return every file of an artifact but those that hold times."""
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    return {path.name: path.read_bytes() for path in files if path.name != "manifest.json"}


def test_test_rows_change_nothing_upstream(tiny_study: Study, tmp_path: Path) -> None:
    marked = draw_shapes(8, seed=1)
    marked.values[:] = 255
    marked.values[:, ::2] = 0  # a pattern that no training row has
    seen, arms = [], ("classical", "gan", "gan+classical")
    for name, test in (("plain", draw_shapes(8, seed=1)), ("marked", marked)):
        run = Run(tmp_path / name)
        dataset_artifact(run, draw_shapes(12), test)
        train_repetition(tiny_study, run, 0)
        generate_repetition(tiny_study, run, 0)
        for arm in arms:
            evaluate_arm(tiny_study, run, 0, arm)
        samples = load_synthetic(run.synthetic(0))
        choices = [(run.arm(0, arm) / "choice.json").read_text() for arm in arms]
        predictions = [pq.read_table(run.arm(0, arm) / "predictions.parquet") for arm in arms]
        seen.append((contents(run.model(0)), samples.values.tobytes(), choices, predictions))
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] == seen[1][1]
    assert seen[0][2] == seen[1][2]
    # the rows that are scored are others, so the marker did reach the test part
    for plain, other in zip(seen[0][3], seen[1][3], strict=True):
        assert plain["row"] == other["row"]
        assert plain["probabilities"] != other["probabilities"]


def test_the_same_study_gives_the_same_bytes(tiny_study: Study, tmp_path: Path) -> None:
    seen = []
    for name in ("first", "second"):
        run = Run(tmp_path / name)
        dataset_artifact(run, draw_shapes(12), draw_shapes(8, seed=1))
        train_repetition(tiny_study, run, 0)
        generate_repetition(tiny_study, run, 0)
        evaluate_arm(tiny_study, run, 0, "gan+classical")
        evaluate_fidelity(tiny_study, run, 0)
        places = (run.dataset, run.model(0), run.synthetic(0), run.arm(0, "gan+classical"), run.fidelity(0))
        seen.append([contents(place) for place in places])
    assert seen[0] == seen[1]


def test_work_of_different_settings_never_mixes(tiny_study: Study, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    dataset_artifact(run, draw_shapes(12), draw_shapes(8, seed=1))
    train_repetition(tiny_study, run, 0)
    generate_repetition(tiny_study, run, 0)
    reseeded = tiny_study.model_copy(update={"seed": 7})
    for stage in (generate_repetition, evaluate_fidelity):
        with pytest.raises(ArtifactError, match=r"model: was made with other settings.*run `gansynth train` again"):
            stage(reseeded, run, 0)
    dataset_artifact(run, draw_shapes(13), draw_shapes(8, seed=1))
    with pytest.raises(ArtifactError, match="from other data"):
        evaluate_arm(tiny_study, run, 0, "gan")


@pytest.mark.slow
def test_fidelity_is_measured_on_inception_where_its_weights_are_given(
    tiny_study: Study, inception_weights: Path, tmp_path: Path
) -> None:
    def on(weights: Path) -> Study:
        evaluation = tiny_study.evaluation.model_copy(update={"inception_weights": str(weights)})
        return tiny_study.model_copy(update={"evaluation": evaluation})

    run = Run(tmp_path / "run")
    dataset_artifact(run, draw_shapes(12), draw_shapes(8, seed=1))
    with pytest.raises(StudyError, match=r"inception_weights: .*gone\.pth: No such file"):
        train_repetition(on(tmp_path / "gone.pth"), run, 0)
    train_repetition(tiny_study, run, 0)
    generate_repetition(tiny_study, run, 0)
    evaluate_arm(tiny_study, run, 0, "gan")
    found, stamps = [], []
    for study in (tiny_study, on(inception_weights)):
        table = pq.read_table(evaluate_fidelity(study, run, 0) / "fidelity.parquet").to_pandas()
        found.append(table.set_index(["metric", "class_name"]).value)
        stamps.append((evaluate_arm(study, run, 0, "gan") / "manifest.json").stat().st_mtime_ns)
    assert found[0]["kid", ""] != found[1]["kid", ""]
    same = [
        (metric, name) for metric, name in found[0].index if metric in {"c_t", "label_agreement", "held_out_agreement"}
    ]
    assert len(same) == 11
    assert found[0][same].equals(found[1][same])  # these are the teacher's business
    assert stamps[0] == stamps[1]  # arms do not depend on it


def test_arms_choose_their_mix_alike_and_the_teacher_is_the_classical_one(tiny_study: Study, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    dataset_artifact(run, draw_shapes(12), draw_shapes(8, seed=1))
    train_repetition(tiny_study, run, 0)
    generate_repetition(tiny_study, run, 0)
    arms = {arm: evaluate_arm(tiny_study, run, 0, arm) for arm in ("real", "classical", "gan", "gan+classical")}
    choices = {arm: json.loads((folder / "choice.json").read_text()) for arm, folder in arms.items()}
    chosen = load_model(run.model(0), tiny_study.compute)
    assert chosen.policy == min(chosen.policy_losses, key=chosen.policy_losses.__getitem__)
    assert set(chosen.policy_losses) == set(tiny_study.modality.classical)
    assert {arm: choices[arm]["policy"] for arm in ("real", "classical", "gan")} == {
        "real": None,
        "classical": chosen.policy,
        "gan": None,
    }
    assert [choices[arm]["ratio"] for arm in ("real", "classical")] == [None, None]
    losses = {(found["policy"], found["ratio"]): found["loss"] for found in choices["gan+classical"]["losses"]}
    assert set(losses) == set(product(tiny_study.modality.classical, (0.0, 0.5)))
    assert {policy: losses[policy, 0.0] for policy in chosen.policy_losses} == chosen.policy_losses
    best = min(losses, key=losses.__getitem__)
    assert (choices["gan+classical"]["policy"], choices["gan+classical"]["ratio"]) == best
    predicted = pq.read_table(arms["classical"] / "predictions.parquet")
    dataset = load_dataset(run.dataset)
    expected = chosen.teacher.probabilities(dataset.samples.values[predicted["row"].to_numpy()])
    np.testing.assert_array_equal(np.stack(predicted["probabilities"].to_numpy()), expected)


def test_a_generator_that_knows_other_rows_is_not_evaluated(tiny_study: Study, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    dataset_artifact(run, draw_shapes(12), draw_shapes(8, seed=1))
    train_repetition(tiny_study, run, 0)
    alter_training_rows(run.model(0), "rows", 0, 12 * 3)  # the first test row
    generate_repetition(tiny_study, run, 0)
    with pytest.raises(EvaluationError, match="trained on other rows"):
        evaluate_arm(tiny_study, run, 0, "gan")
    with pytest.raises(EvaluationError, match="trained on other rows"):
        evaluate_fidelity(tiny_study, run, 0)


def replace_synthetic(study: Study, run: Run, repetition: int, samples: Samples) -> None:
    """Put other samples in the place of a repetition's synthetic ones, with certain labels."""
    certain = np.eye(len(samples.class_names), dtype=np.float32)[samples.labels]
    columns = {
        "image": image_column(samples.values),
        "label": pa.array(samples.labels),
        "teacher_probabilities": pa.array(list(certain)),
    }
    table = pa.table(columns).replace_schema_metadata(features(samples.class_names, {}))
    shutil.rmtree(run.synthetic(repetition), ignore_errors=True)
    request = synthetic_request(study, repetition)
    with publish(run.synthetic(repetition), "generate", request, model_parent(study, run, repetition)) as draft:
        pq.write_table(table, draft.path / "synthetic-00000-of-00001.parquet")


@pytest.mark.parametrize("null", ["shuffled labels", "copies of real rows"])
def test_the_verdict_on_worthless_samples_is_not_helps(null: str, tiny_study: Study, tmp_path: Path) -> None:
    evaluation = tiny_study.evaluation.model_copy(update={"repetitions": 3, "steps": 60, "ratios": (0.5,)})
    study = tiny_study.model_copy(update={"evaluation": evaluation})
    run = Run(tmp_path / "run")
    train = draw_shapes(12)
    dataset_artifact(run, train, draw_shapes(12, seed=1))
    random = np.random.default_rng(0)
    for repetition in range(3):
        train_repetition(study, run, repetition)
        rows = random.integers(0, len(train), 120)
        labels = random.permutation(train.labels[rows]) if null == "shuffled labels" else train.labels[rows]
        replace_synthetic(study, run, repetition, Samples(train.values[rows], labels, train.class_names))
    summary = json.loads((evaluate(study, run) / "summary.json").read_text())
    assert summary["verdict"]["against_real"] != "helps"
    assert summary["verdict"]["against_best_without_gan"] != "helps"
    assert "gan" not in summary["recommended_arm"]


def test_studies_that_ship_are_valid_and_find_their_data() -> None:
    for path in sorted((README.parent / "data" / "studies").glob("*.toml")):
        study = load_study(path)
        assert isinstance(study.source, SourceConfig)
        assert study.name == "fraud" or is_named(study.source.path) or Path(study.source.path).is_dir()
