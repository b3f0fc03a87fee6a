"""Rows 1 to 3, and the property: killed anywhere, the same command ends as if nothing had happened."""

import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from children import AtByte, AtCall, Killed, check_sound, check_tidy, count_calls, digests, in_child
from cleanruns import Clean
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from gansynth.artifacts import read_manifest
from gansynth.generation import Batch, export
from gansynth.runs import Run
from gansynth.training import train_repetition

BATCH = Batch(count=40, shard_size=8)
RESUME = ".model.resume"


def train_one(clean: Clean, root: Path) -> partial[Path]:
    return partial(train_repetition, clean.study, Run(root), None)


def steps_saved(root: Path) -> int:
    """Return how many steps of an interrupted training are saved."""
    try:
        with safe_open(root / RESUME / "state.safetensors", "numpy") as stored:
            return int(stored.metadata()["step"])
    except FileNotFoundError:
        return 0


def kill_and_resume_training(clean: Clean, folder: Path, moments: int) -> None:
    """Kill as many trainings, each at a random moment, resume them, and compare all files of their models."""
    expected = read_manifest(clean.root / "model").files
    root = clean.without(folder / "run", "model")
    started = time.monotonic()
    assert in_child(train_one(clean, root)).well
    took = time.monotonic() - started
    assert read_manifest(root / "model").files == expected
    saved = 0
    for after in np.random.default_rng(0).uniform(0, took, moments).tolist():
        shutil.rmtree(root / "model")
        in_child(train_one(clean, root), Killed(after))
        check_sound(root)
        saved += steps_saved(root) > 0
        ended = in_child(train_one(clean, root))
        assert ended.well, ended
        assert read_manifest(root / "model").files == expected, after
        check_tidy(root)
    assert saved or moments < 10


def test_killed_training_ends_with_the_same_weights(clean: Clean, tmp_path: Path) -> None:
    kill_and_resume_training(clean, tmp_path, 3)


@pytest.mark.slow
def test_training_killed_at_fifty_moments_ends_with_the_same_weights(clean: Clean, tmp_path: Path) -> None:
    kill_and_resume_training(clean, tmp_path, 50)


def test_the_state_before_the_one_whose_writing_was_killed_loads(clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run", "model")
    state = root / RESUME / "state.safetensors"
    in_child(train_one(clean, root), Killed(when=lambda: len(list(state.parent.glob("grid-*.png"))) > 1))
    before = state.read_bytes()
    ended = in_child(train_one(clean, root), AtByte(len(before) // 2, kill=True))
    assert ended.status < 0
    [half] = state.parent.glob(".tmp*")
    assert half.stat().st_size <= len(before) // 2
    assert state.read_bytes() == before
    assert steps_saved(root) > 0
    ended = in_child(train_one(clean, root), Killed(when=lambda: not half.exists()))  # room is given back at once
    assert not half.exists()
    clean.check_resumed(root)


def kill_and_resume_batch(clean: Clean, folder: Path, kills: int) -> None:
    """Kill as many exports at random system calls, and as many amid a write, and compare what they end with."""
    run = Run(clean.root)
    whole = export(run, folder / "whole" / "out", BATCH)
    expected = read_manifest(whole)
    total = count_calls(partial(export, run, folder / "counted" / "out", BATCH), folder / "counted")
    largest = max(record.size for record in expected.files.values())
    random = np.random.default_rng(0)
    place = folder / "killed"
    faults = [AtCall(place, number) for number in random.choice(total, kills, replace=False).tolist()]
    faults += [AtByte(length, kill=True) for length in random.integers(1, largest, kills).tolist()]
    for fault in faults:
        work = partial(export, run, place / "out", BATCH)
        ended = in_child(work, fault)
        assert ended.status < 0, (fault, ended)
        check_sound(place)
        ended = in_child(work)
        assert ended.well, (fault, ended)
        found = read_manifest(place / "out")
        assert (found.files, found.digest) == (expected.files, expected.digest), fault
        assert [path.name for path in place.iterdir()] == ["out"], fault
        shutil.rmtree(place)
    shards = sorted(whole.glob("*.parquet"))
    rows = pa.concat_tables(pq.read_table(shard, columns=["label", "seed_index"]) for shard in shards).to_pandas()
    assert len(rows) == BATCH.count
    assert not rows.duplicated().any()


def test_a_killed_batch_ends_with_the_same_bytes(clean: Clean, tmp_path: Path) -> None:
    kill_and_resume_batch(clean, tmp_path, 4)


@pytest.mark.slow
def test_a_batch_killed_at_sixty_points_ends_with_the_same_bytes(clean: Clean, tmp_path: Path) -> None:
    kill_and_resume_batch(clean, tmp_path, 30)


def kill_anywhere(clean: Clean, data: st.DataObject) -> None:
    """Kill a run that lacks some of its artifacts at any system call, byte or moment, and resume it."""
    lacking = data.draw(st.lists(st.sampled_from(clean.artifacts), min_size=1, max_size=3, unique=True), "lacking")
    with tempfile.TemporaryDirectory() as folder:
        root = clean.without(Path(folder) / "run", *lacking)
        fault = data.draw(
            st.one_of(
                st.integers(0, 120).map(lambda number: AtCall(root, number)),
                st.integers(1, 20_000).map(lambda length: AtByte(length, kill=True)),
                st.floats(0, 1).map(Killed),
            ),
            "fault",
        )
        in_child(clean.work(root), fault)
        check_sound(root)
        clean.check_resumed(root)


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_killed_anywhere_a_run_ends_with_the_digests_of_a_clean_one(clean: Clean, data: st.DataObject) -> None:
    kill_anywhere(clean, data)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_killed_anywhere_at_length(clean: Clean, data: st.DataObject) -> None:
    kill_anywhere(clean, data)


@pytest.mark.slow
def test_a_whole_run_killed_again_and_again_ends_with_the_digests_of_a_clean_one(clean: Clean, tmp_path: Path) -> None:
    root, random = tmp_path / "run", np.random.default_rng(1)
    for number in random.integers(0, 150, 25).tolist():
        in_child(clean.work(root), AtCall(root, number))
        if root.exists():
            check_sound(root)
    clean.check_resumed(root)
    assert digests(root) == clean.digests
