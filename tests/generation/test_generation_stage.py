from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tampering import alter_training_rows

from gansynth.artifacts import read_manifest
from gansynth.checkpoints import load_model
from gansynth.datasets import load_synthetic, load_teacher_probabilities
from gansynth.errors import ArtifactError, StudyError
from gansynth.generation import export, generate, generate_repetition
from gansynth.generation.sampler import Sampler
from gansynth.generation.writers import DIGITAL_SOURCE_TYPE
from gansynth.runs import Run
from gansynth.seeding import derive_seed
from gansynth.study import ComputeConfig, Study

RunMaker = Callable[..., tuple[Run, Study]]


def changed(study: Study, **generation: object) -> Study:
    return study.model_copy(update={"generation": study.generation.model_copy(update=generation)})


def contents(run: Run, study: Study) -> str:
    generate_repetition(study, run, 0)
    return read_manifest(run.synthetic(0)).digest


def test_all_repetitions_and_the_delivered_samples_are_generated(make_run: RunMaker) -> None:
    run, study = make_run(repetitions=(0, 1, None), generation={"format": "folder"})
    generate(study, run)
    first, second = load_synthetic(run.synthetic(0)), load_synthetic(run.synthetic(1))
    assert first.counts.tolist() == second.counts.tolist() == [10, 10, 10]
    assert not np.array_equal(first.values, second.values)
    assert not (run.synthetic(0) / "README.md").exists()
    assert (run.synthetic(None) / "README.md").exists()
    assert len(list(run.synthetic(None).glob("cat/*.png"))) == 10
    assert not list(run.progress.iterdir())


def test_the_teachers_probabilities_are_stored_with_the_samples(make_run: RunMaker) -> None:
    run, study = make_run(repetitions=(0,), generation={"shard_size": 7})
    generate_repetition(study, run, 0)
    samples, probabilities = load_synthetic(run.synthetic(0)), load_teacher_probabilities(run.synthetic(0))
    teacher = load_model(run.model(0), study.compute).teacher
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, teacher.probabilities(samples.values), rtol=1e-4, atol=1e-6)


def test_the_best_by_the_teacher_are_kept_and_the_rest_is_counted(make_run: RunMaker) -> None:
    run, study = make_run(repetitions=(0,), generation={"oversample": 3})
    generate_repetition(study, run, 0)
    counts = read_manifest(run.synthetic(0)).counts
    assert (counts["kept"], counts["candidates"], counts["rejected_teacher"]) == (30, 90, 60)
    assert [counts[f"kept_{label}"] for label in range(3)] == [10, 10, 10]
    assert [counts[f"rejected_teacher_{label}"] for label in range(3)] == [20, 20, 20]
    model, seed = load_model(run.model(0), study.compute), derive_seed(study.seed, "generation", 0)
    candidates = Sampler(model, seed, study.generation.latent_scale).draw(1, 0, 30)
    best = np.sort(np.argsort(-candidates.agreement, kind="stable")[:10])
    samples = load_synthetic(run.synthetic(0))
    np.testing.assert_array_equal(samples.values[samples.labels == 1], candidates.values[best])


@pytest.mark.parametrize("asked", [True, False])
def test_the_discriminator_is_asked_only_if_a_filter_needs_it(make_run: RunMaker, *, asked: bool) -> None:
    run, study = make_run(repetitions=(0,), generation={"filters": ["discriminator"] if asked else ["teacher"]})
    generate_repetition(study, run, 0)
    (shard,) = run.synthetic(0).glob("*.parquet")
    table = pq.read_table(shard)
    assert table["discriminator_logit"].null_count == (0 if asked else len(table))


def test_a_second_call_keeps_what_is_there_and_a_changed_study_makes_it_anew(make_run: RunMaker) -> None:
    run, study = make_run(repetitions=(0,))
    generate_repetition(study, run, 0)
    written = read_manifest(run.synthetic(0))
    generate_repetition(changed(study, format="folder"), run, 0)
    assert read_manifest(run.synthetic(0)) == written
    generate_repetition(changed(study, amount=4), run, 0)
    assert read_manifest(run.synthetic(0)).counts["kept"] == 12


def test_the_same_study_gives_the_same_bytes(make_run: RunMaker) -> None:
    run, study = make_run(repetitions=(0,), gan="residual")
    digest = contents(run, study)
    for path in sorted(run.synthetic(0).rglob("*")):
        path.unlink()
    assert contents(run, study) == digest


def test_counts_follow_the_real_training_rows(make_run: RunMaker) -> None:
    run, study = make_run(repetitions=(0,), generation={"plan": "ratio", "amount": 0.5})
    generate_repetition(study, run, 0)
    assert load_synthetic(run.synthetic(0)).counts.tolist() == [6, 6, 6]


def test_near_copies_are_replaced_by_later_candidates(make_run: RunMaker) -> None:
    run, study = make_run(repetitions=(0,), generation={"filters": ["distance"], "amount": 12})
    model = load_model(run.model(0), study.compute)
    seed = derive_seed(study.seed, "generation", 0)
    collapsed = Sampler(model, seed, study.generation.latent_scale).draw(2, 0, 6)
    plant_embeddings(run, model.teacher.embed(collapsed.values))
    generate_repetition(study, run, 0)
    counts = read_manifest(run.synthetic(0)).counts
    assert counts["rejected_distance"] >= 6
    assert counts["kept"] == 36
    assert counts["candidates"] == counts["kept"] + counts["rejected_distance"]
    kept = load_synthetic(run.synthetic(0)).values
    assert not any((image == copied).all() for image in kept for copied in collapsed.values)


def plant_embeddings(run: Run, embeddings: np.ndarray) -> None:
    """Give the first training rows of class 2 these places in the teacher's embedding."""
    labels = load_model(run.model(0), ComputeConfig()).training_labels
    alter_training_rows(run.model(0), "embeddings", np.flatnonzero(labels == 2)[: len(embeddings)], embeddings)


def test_export_draws_evenly_from_the_delivered_model(make_run: RunMaker, tmp_path: Path) -> None:
    run, study = make_run(generation={"shard_size": 4, "filters": []})
    out = export(run, tmp_path / "more" / "batch", count=11, format="parquet", seed=study.seed)
    assert sorted(path.name for path in out.glob("*.parquet")) == [
        f"synthetic-{shard:05d}-of-00003.parquet" for shard in range(3)
    ]
    batch = load_synthetic(out)
    assert batch.counts.tolist() == [4, 4, 3]
    delivered = load_synthetic(generate_repetition(study, run, None)).values
    assert not any((image == other).all() for image in batch.values for other in delivered)
    footer = pq.read_schema(out / "synthetic-00002-of-00003.parquet").metadata
    assert footer[b"digital_source_type"].decode() == DIGITAL_SOURCE_TYPE
    assert footer[b"model_digest"].decode() == read_manifest(run.model(None)).digest
    assert (footer[b"study"], footer[b"seed"], footer[b"licence"]) == (b"tiny", b"5", b"MIT")
    assert b"gansynth_version" in footer
    card = (out / "README.md").read_text()
    assert "license: mit" in card
    assert "annotations_creators: [machine-generated]" in card


def test_an_earlier_export_is_replaced_but_nothing_else(make_run: RunMaker, tmp_path: Path) -> None:
    run, _ = make_run()
    out = tmp_path / "out"
    out.mkdir()
    export(run, out, count=3, format="folder", seed=0)
    export(run, out, count=6, format="folder", seed=0)
    assert len(list(out.glob("*/*.png"))) == 6
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactError, match=r"notes\.txt"):
        export(run, out, count=3, format="folder", seed=0)
    assert (out / "notes.txt").read_text() == "mine"
    with pytest.raises(ArtifactError, match="other files"):
        export(run, run.model(None), count=3, format="folder", seed=0)
    (out / "notes.txt").unlink()
    (out / "mine").mkdir()
    with pytest.raises(ArtifactError, match="holds 'mine'"):
        export(run, out, count=3, format="folder", seed=0)
    (out / "mine").rmdir()
    picture = next(out.glob("*/*.png"))
    picture.write_bytes(picture.read_bytes() + b"edited")
    with pytest.raises(ArtifactError, match="may hold work of yours"):
        export(run, out, count=3, format="folder", seed=0)
    with pytest.raises(ArtifactError, match="is a file"):
        export(run, run.study_file, count=3, format="folder", seed=0)


@pytest.mark.parametrize(("count", "file_format"), [(0, "parquet"), (-3, "folder"), (3, "zip")])
def test_bad_orders_are_refused_in_one_line(make_run: RunMaker, tmp_path: Path, count: int, file_format: str) -> None:
    run, _ = make_run()
    with pytest.raises(StudyError, match="count" if count < 1 else "parquet, folder") as caught:
        export(run, tmp_path / "out", count=count, format=file_format, seed=0)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_run_without_model_or_study_is_refused_in_one_line(make_run: RunMaker, tmp_path: Path) -> None:
    run, _ = make_run(repetitions=())
    with pytest.raises(ArtifactError, match="model: nothing there yet"):
        export(run, tmp_path / "out", count=3, format="folder", seed=0)
    with pytest.raises(ArtifactError, match="no run there"):
        export(Run(tmp_path / "elsewhere"), tmp_path / "out", count=3, format="folder", seed=0)


def test_when_every_candidate_is_a_copy_it_says_so(make_run: RunMaker) -> None:
    run, study = make_run(repetitions=(0,), generation={"filters": ["distance"], "amount": 2})
    features = load_model(run.model(0), study.compute).training_embeddings.shape[1]
    plant_embeddings(run, 1e4 * np.arange(12)[:, None] * np.eye(1, features))
    with pytest.raises(StudyError, match="near copies"):
        generate_repetition(study, run, 0)
    assert not run.synthetic(0).exists()
