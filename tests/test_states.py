"""How far runs are, read from what real stages and processes leave."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapes import draw_shapes

from gansynth.errors import ArtifactError
from gansynth.evaluation import evaluate
from gansynth.generation import generate, generate_repetition
from gansynth.ingestion import ingest
from gansynth.reporting import report
from gansynth.requests import expected
from gansynth.runs import Run
from gansynth.sections import ScarcityConfig
from gansynth.states import StoredStudy, find_runs, read_state
from gansynth.study import Study
from gansynth.study_files import save_study
from gansynth.training import train, train_repetition


@pytest.fixture
def study(tiny_study: Study, tmp_path: Path) -> Study:
    """The tiny study, with three arms and a folder of pictures as its source."""
    samples = draw_shapes(20)
    for number, (picture, label) in enumerate(zip(samples.values, samples.labels, strict=True)):
        folder = tmp_path / "source" / samples.class_names[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.squeeze(picture)).save(folder / f"{number}.png")
    source = tiny_study.source.model_copy(update={"path": str(tmp_path / "source")})
    evaluation = tiny_study.evaluation.model_copy(update={"arms": ("real", "oversampled", "gan")})
    return tiny_study.model_copy(update={"source": source, "evaluation": evaluation})


def changed(study: Study, section: str, **settings: object) -> Study:
    return study.model_copy(update={section: getattr(study, section).model_copy(update=settings)})


def test_a_run_tells_how_far_it_is_under_the_study_it_holds(study: Study, tmp_path: Path) -> None:
    run = Run(tmp_path / "runs" / "tiny")

    def words() -> Iterator[str]:
        ingest(study, run)
        yield read_state(run).words
        train_repetition(study, run, 0)
        yield read_state(run).words
        train(study, run)
        yield read_state(run).words
        generate_repetition(study, run, None)
        yield read_state(run).words
        generate(study, run)
        yield read_state(run).words
        evaluate(study, run)
        yield read_state(run).words
        report(study, run)
        yield read_state(run).words

    steps = ["ingested", "trained 1 of 3", "trained", "generated 1 of 3", "generated", "evaluated", "reported"]
    assert list(words()) == steps
    state = read_state(run)
    assert {name: (stage.done, stage.total) for name, stage in state.stages.items()} == {
        "ingest": (1, 1),
        "train": (3, 3),
        "generate": (3, 3),
        "evaluate": (9, 9),
        "report": (1, 1),
    }
    assert all(stage.cost.seconds > 0 and stage.cost.peak_memory_mb > 1 for stage in state.stages.values())
    assert state.counts["rows"] == 60
    assert state.summary is not None
    # with other settings, what must be made again is not done, and the old verdict is no verdict
    for other, words_then in (
        (changed(study, "evaluation", alpha=0.1), "evaluated 8 of 9"),
        (changed(study, "gan", learning_rate=5e-4), "ingested"),
        (changed(study, "evaluation", repetitions=3), "trained 3 of 4"),
        (study.model_copy(update={"compute": study.compute.model_copy(update={"workers": 2})}), "evaluated"),
    ):
        save_study(other, run.study_file)
        state = read_state(run)
        assert state.words == words_then
        assert (state.summary is None) == (words_then != "evaluated")
    save_study(study, run.study_file)
    assert read_state(run).words == "reported"
    manifest = run.model(0) / "manifest.json"
    manifest.write_text(manifest.read_text()[:99])
    with pytest.raises(ArtifactError, match=r"repetitions/00/model/manifest\.json: damaged"):
        read_state(run)


def test_a_stored_study_asks_for_what_the_study_asks_for(study: Study, tmp_path: Path) -> None:
    run = Run(tmp_path)
    scarce = ScarcityConfig(per_class=10, rare_classes=("dot",), rare_per_class=2)
    for one in (study, changed(study, "generation", format="folder"), study.model_copy(update={"scarcity": scarce})):
        save_study(one, run.study_file)
        stored = StoredStudy.model_validate_json(run.study_file.read_bytes())
        assert list(expected(stored, run)) == list(expected(one, run))


def test_a_study_from_before_there_was_a_setting_is_read(study: Study, tmp_path: Path) -> None:
    run = Run(tmp_path / "runs" / "tiny")
    ingest(study, run)
    train(study, run)
    stored = json.loads((run.root / "study.json").read_text())
    del stored["gan"]["privacy"], stored["evaluation"]["anomaly"]
    (run.root / "study.json").write_text(json.dumps(stored))
    assert read_state(run).words == "trained"


def test_only_folders_of_runs_are_found_and_damage_is_told(study: Study, tmp_path: Path) -> None:
    for name in ("first", "second"):
        save_study(study, tmp_path / name / "study.json")
    (tmp_path / "batch").mkdir()
    (tmp_path / "batch" / "manifest.json").write_text("{}")
    (tmp_path / ".batch.shards").mkdir()
    (tmp_path / ".batch.shards" / ".lock").touch()
    assert {run.root.name for run in find_runs(tmp_path)} == {"first", "second"}
    assert read_state(Run(tmp_path / "first")).words == "nothing yet"
    (tmp_path / "second" / "study.json").write_text('{"name": "second"}')
    with pytest.raises(ArtifactError, match=r"second/study\.json: damaged \(seed: Field required\); run again from"):
        read_state(Run(tmp_path / "second"))
    with pytest.raises(ArtifactError, match="batch: holds no run; make one with"):
        read_state(Run(tmp_path / "batch"))
    assert find_runs(tmp_path / "nowhere") == []


def test_work_that_stopped_halfway_is_told_until_it_is_resumed(study: Study, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    ingest(study, run)
    (run.root / "repetitions" / "00" / ".model.resume").mkdir(parents=True)
    assert read_state(run).words == "interrupted: ingested"
    with run.lock():
        assert read_state(run).words == f"running ({run.holder}): ingested"
    train_repetition(study, run, 0)
    assert read_state(run).words == "trained 1 of 3"
