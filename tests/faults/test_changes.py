"""Rows 18 and 19: what changes between two runs, and two runs at once."""

import json
import os
import shutil
import signal
import socket
from functools import partial
from pathlib import Path

import pytest
from children import AtCall, Killed, check_sound, check_tidy, count_calls, in_child
from cleanruns import Clean, run_all
from shapes import write_pictures

from gansynth.artifacts import read_manifest
from gansynth.errors import ArtifactError
from gansynth.generation import Batch, export
from gansynth.ingestion import ingest
from gansynth.requests import dataset_parent
from gansynth.runs import Run
from gansynth.study import Study
from gansynth.training import train_repetition


def ingest_and_train(study: Study, root: Path) -> None:
    run = Run(root)
    with run.lock():
        ingest(study, run)
        train_repetition(study, run, None)


def interrupt_training(clean: Clean, root: Path) -> None:
    """Leave a training halfway, with its state saved."""
    grids = root / ".model.resume"
    in_child(partial(ingest_and_train, clean.study, root), Killed(when=lambda: len(list(grids.glob("grid*"))) > 1))
    assert (grids / "state.safetensors").exists()


def test_after_a_change_of_data_or_study_an_interrupted_training_begins_anew(clean: Clean, tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_pictures(source, 12)
    shutil.copy(source / "bar" / "0.png", source / "dot" / "more.png")
    others = {
        "data": {"source": clean.study.source.model_copy(update={"path": str(source)})},
        "study": {"gan": clean.study.gan.model_copy(update={"learning_rate": 3e-4})},
    }
    for what, change in others.items():
        changed = clean.study.model_copy(update=change)
        found = []
        for name in ("interrupted", "fresh"):
            root = tmp_path / what / name
            if name == "interrupted":
                interrupt_training(clean, root)
            assert in_child(partial(ingest_and_train, changed, root)).well
            check_tidy(root)
            found.append(read_manifest(root / "model"))
        assert found[0].files == found[1].files, what
        assert found[0].digest != clean.digests["model"], what
        assert found[0].parents == dataset_parent(Run(tmp_path / what / "interrupted"))


def test_shards_of_another_batch_are_not_taken(clean: Clean, tmp_path: Path) -> None:
    run, place = Run(clean.root), tmp_path / "killed"
    first, second = (Batch(count=24, shard_size=8, seed=seed) for seed in (1, 2))
    total = count_calls(partial(export, run, tmp_path / "counted" / "out", first), tmp_path / "counted")
    in_child(partial(export, run, place / "out", first), AtCall(place, total * 2 // 3))
    assert list(place.glob(".out.shards/[0-9]*"))
    check_sound(place)
    assert in_child(partial(export, run, place / "out", second)).well
    export(run, tmp_path / "fresh", second)
    assert read_manifest(place / "out").files == read_manifest(tmp_path / "fresh").files
    assert [path.name for path in place.iterdir()] == ["out"]


def hold(study: Study, root: Path) -> None:
    with Run(root).lock():
        endless = study.model_copy(update={"gan": study.gan.model_copy(update={"kimg": 1e6})})
        train_repetition(endless, Run(root), None)


def test_a_second_run_is_refused_with_the_owner_and_a_dead_one_is_forgotten(clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run", "model")
    refusals = []

    def refused_meanwhile() -> bool:
        if not list(Run(root).progress.glob("train*")):
            return False
        with pytest.raises(ArtifactError, match="another run is writing here") as refusal, Run(root).lock():
            pass
        refusals.append(str(refusal.value))
        return True

    assert in_child(partial(hold, clean.study, root), Killed(when=refused_meanwhile)).status == -signal.SIGKILL
    owner = (root / ".owner").read_text()
    assert owner.endswith(f" on {socket.gethostname()}")
    assert refusals == [f"{root}: another run is writing here ({owner}); wait for it or choose another --run-dir"]
    assert Run(root).holder is None
    # its number may belong to another process by now
    (root / ".owner").write_text(f"process {os.getpid()} on {socket.gethostname()}")
    clean.check_resumed(root)


def test_a_study_that_changes_under_finished_work_makes_what_depends_on_it_again(clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run")
    generation = clean.study.generation.model_copy(update={"amount": 6})
    assert in_child(partial(run_all, clean.study.model_copy(update={"generation": generation}), root)).well
    check_tidy(root)
    kept = {name for name, digest in clean.digests.items() if read_manifest(root / name).digest == digest}
    assert {"dataset", "model", "repetitions/00/model", "repetitions/00/arms/real"} <= kept
    assert not kept & {"synthetic", "repetitions/00/synthetic", "repetitions/00/arms/gan", "evaluation"}
    assert json.loads((root / "study.json").read_text())["generation"]["amount"] == 6
