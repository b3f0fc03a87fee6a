import shutil
from collections.abc import Callable

import numpy as np
import pyarrow.parquet as pq
import pytest
from tampering import alter_training_rows

from gansynth.artifacts import read_manifest, verify
from gansynth.cards import renew_card
from gansynth.checkpoints import load_model
from gansynth.datasets import load_synthetic, load_teacher_probabilities
from gansynth.errors import StudyError
from gansynth.generation import generate, generate_repetition
from gansynth.generation.sampler import Sampler
from gansynth.generation.stage import origin_of
from gansynth.results import Summary
from gansynth.runs import Run
from gansynth.sections import ComputeConfig
from gansynth.seeding import derive_seed
from gansynth.study import Study

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
    assert "Not measured yet" in (run.synthetic(None) / "README.md").read_text()
    assert (run.synthetic(None) / "croissant.json").exists()
    assert len(list(run.synthetic(None).glob("cat/*.png"))) == 10
    assert not list(run.progress.iterdir())


def test_a_card_is_renewed_unless_someone_has_changed_it(
    make_run: RunMaker, put_evaluation: Callable[[Run, Study], Summary]
) -> None:
    run, study = make_run(repetitions=(None,), generation={"format": "folder"})
    place = generate_repetition(study, run, None)
    (place / "notes.txt").write_text("mine")
    summary = put_evaluation(run, study)
    origin = origin_of(study, load_model(run.model(None), study.compute), read_manifest(run.model(None)).digest, 5)
    renew_card(place, origin, "folder", summary)
    assert summary.verdict.sentence in (place / "README.md").read_text()
    assert (place / "notes.txt").read_text() == "mine"
    written = verify(place)
    generate_repetition(study, run, None)
    assert read_manifest(place) == written
    (place / "README.md").write_text("my own words")
    renew_card(place, origin, "folder", summary)
    assert (place / "README.md").read_text() == "my own words"


def test_the_teachers_probabilities_are_stored_with_the_samples(make_run: RunMaker) -> None:
    run, study = make_run(repetitions=(0,), generation={"shard_size": 7})
    generate_repetition(study, run, 0)
    samples, probabilities = load_synthetic(run.synthetic(0)), load_teacher_probabilities(run.synthetic(0))
    teacher = load_model(run.model(0), study.compute).teacher
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, teacher.probabilities(samples.values), rtol=1e-4, atol=1e-6)


def test_a_stray_shard_is_no_part_of_the_samples(make_run: RunMaker) -> None:
    run, study = make_run(repetitions=(0,), generation={"shard_size": 7})
    generate_repetition(study, run, 0)
    made, said = load_synthetic(run.synthetic(0)), load_teacher_probabilities(run.synthetic(0))
    shard = min(run.synthetic(0).glob("*.parquet"))
    for name in ("a.parquet", "z.parquet"):
        shutil.copy(shard, shard.with_name(name))
    np.testing.assert_array_equal(load_synthetic(run.synthetic(0)).values, made.values)
    np.testing.assert_array_equal(load_teacher_probabilities(run.synthetic(0)), said)


def test_the_best_by_the_teacher_are_kept_and_the_rest_is_counted(make_run: RunMaker) -> None:
    run, study = make_run(repetitions=(0,), generation={"oversample": 3})
    generate_repetition(study, run, 0)
    counts = read_manifest(run.synthetic(0)).counts
    assert (counts["kept"], counts["candidates"], counts["rejected_teacher"]) == (30, 90, 60)
    assert [counts[f"kept_{label}"] for label in range(3)] == [10, 10, 10]
    assert [counts[f"rejected_teacher_{label}"] for label in range(3)] == [20, 20, 20]
    model, seed = load_model(run.model(0), study.compute), derive_seed(study.seed, "generation", 0)
    candidates = Sampler(model, seed, study.generation).draw(1, 0, 30)
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
    collapsed = Sampler(model, seed, study.generation).draw(2, 0, 6)
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


def test_when_every_candidate_is_a_copy_it_says_so(make_run: RunMaker) -> None:
    run, study = make_run(repetitions=(0,), generation={"filters": ["distance"], "amount": 2})
    features = load_model(run.model(0), study.compute).training_embeddings.shape[1]
    plant_embeddings(run, 1e4 * np.arange(12)[:, None] * np.eye(1, features))
    with pytest.raises(StudyError, match="near copies"):
        generate_repetition(study, run, 0)
    assert not run.synthetic(0).exists()
