import json
import multiprocessing
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from gansynth import replacing
from gansynth.artifacts import amend, is_current, publish, read_manifest, verify
from gansynth.errors import ArtifactError
from gansynth.runs import Run


def make(directory: Path, text: str = "hello", request: dict[str, object] | None = None) -> None:
    with publish(directory, "ingest", request or {"seed": 1, "size": (1, 2)}, {"dataset": "abc"}) as draft:
        (draft.path / "sub").mkdir()
        (draft.path / "sub" / "data.txt").write_text(text)
        draft.counts["rows"] = 3


def test_an_artifact_says_what_made_it(tmp_path: Path) -> None:
    make(tmp_path / "a")
    manifest = read_manifest(tmp_path / "a")
    assert manifest.counts == {"rows": 3}
    assert manifest.parents == {"dataset": "abc"}
    assert manifest.files["sub/data.txt"].size == 5
    assert manifest.versions["torch"]
    assert manifest.peak_memory_mb > 1
    assert is_current(tmp_path / "a", {"seed": 1, "size": (1, 2)}, {"dataset": "abc"})
    assert not is_current(tmp_path / "a", {"seed": 2, "size": (1, 2)}, {"dataset": "abc"})
    assert not is_current(tmp_path / "a", {"seed": 1, "size": (1, 2)}, {"dataset": "other"})


def test_the_digest_follows_the_content_alone(tmp_path: Path) -> None:
    for name, text in (("a", "hello"), ("b", "hello"), ("c", "other")):
        make(tmp_path / name, text)
    digests = [read_manifest(tmp_path / name).digest for name in "abc"]
    assert digests[0] == digests[1] != digests[2]


def test_a_file_of_an_artifact_is_replaced_and_all_else_stays(tmp_path: Path) -> None:
    with publish(tmp_path / "a", "ingest", {"seed": 1}, {}) as draft:
        for name in ("card.md", "data.txt"):
            (draft.path / name).write_text("old")
        draft.counts["rows"] = 3
    before, kept = read_manifest(tmp_path / "a"), (tmp_path / "a" / "data.txt").stat().st_ino
    amend(tmp_path / "a", "card.md", b"new")
    after = verify(tmp_path / "a")
    assert (tmp_path / "a" / "card.md").read_text() == "new"
    assert (tmp_path / "a" / "data.txt").stat().st_ino == kept
    assert after.digest != before.digest
    changed = {"digest", "files"}
    assert after.model_dump(exclude=changed) == before.model_dump(exclude=changed)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def _break(directory: Path) -> None:
    with publish(directory, "ingest", {}, {}) as draft:
        (draft.path / "half.txt").write_text("half")
        raise ValueError("broken")


def test_a_failure_leaves_the_earlier_artifact_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path / "a", "first")
    with pytest.raises(ValueError, match="broken"):
        _break(tmp_path / "a")
    assert (tmp_path / "a" / "sub" / "data.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("in_one_step", [True, False])
@pytest.mark.parametrize("target", ["made", "gone"])
def test_a_linked_artifact_becomes_a_folder_and_what_the_link_led_to_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, *, in_one_step: bool
) -> None:
    if not in_one_step:  # as where the system cannot exchange two folders
        monkeypatch.setattr(replacing, "_exchange", lambda _one, _other: False)
    disk, run = tmp_path / "disk", tmp_path / "run"
    run.mkdir()
    make(disk / "made", "first")
    (run / "a").symlink_to(disk / target)
    for text in ("second", "third"):
        make(run / "a", text)
        assert [path.name for path in run.iterdir()] == ["a"]
        assert (run / "a" / "sub" / "data.txt").read_text() == text
    assert not (run / "a").is_symlink()
    assert [path.name for path in disk.iterdir()] == ["made"]
    assert (disk / "made" / "sub" / "data.txt").read_text() == "first"


def test_a_file_of_a_linked_artifact_is_replaced_in_a_folder_of_its_own(tmp_path: Path) -> None:
    make(tmp_path / "disk")
    (tmp_path / "a").symlink_to(tmp_path / "disk")
    amend(tmp_path / "a", "card.md", b"new")
    assert verify(tmp_path / "a").files.keys() == {"card.md", "sub/data.txt"}
    assert verify(tmp_path / "disk").files.keys() == {"sub/data.txt"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "disk"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_files_and_links_where_attempts_would_lie_are_removed(tmp_path: Path, kind: str) -> None:
    outside, run = tmp_path / "outside", tmp_path / "run"
    outside.mkdir()
    run.mkdir()
    (outside / "kept.txt").write_text("kept")

    def put() -> None:
        for name in (".a.partial", ".a.old"):
            (run / name).write_text("old") if kind == "file" else (run / name).symlink_to(outside)

    put()
    make(run / "a")
    assert is_current(run / "a", {"seed": 1, "size": (1, 2)}, {"dataset": "abc"})
    assert [path.name for path in run.iterdir()] == ["a"]
    put()
    assert is_current(run / "a", {"seed": 1, "size": (1, 2)}, {"dataset": "abc"})
    assert [path.name for path in run.iterdir()] == ["a"]
    assert [path.name for path in outside.iterdir()] == ["kept.txt"]


def test_what_cannot_be_read_is_not_told_as_what_cannot_be_written(tmp_path: Path) -> None:
    missing = tmp_path / "elsewhere" / "x.txt"

    def read() -> None:
        with publish(tmp_path / "run" / "a", "ingest", {}, {}):
            missing.read_text()

    with pytest.raises(ArtifactError) as refusal:
        read()
    assert str(refusal.value) == (
        f"{tmp_path}/run/a: cannot be made ({missing}: No such file or directory); mend that and run again"
    )


def test_changes_on_disk_are_noticed(tmp_path: Path) -> None:
    make(tmp_path / "a")
    verify(tmp_path / "a")
    (tmp_path / "a" / "sub" / "data.txt").write_text("HELLO")
    with pytest.raises(ArtifactError, match=r"data\.txt: missing or changed"):
        verify(tmp_path / "a")
    (tmp_path / "a" / "sub" / "data.txt").unlink()
    assert not is_current(tmp_path / "a", {"seed": 1, "size": (1, 2)}, {"dataset": "abc"})


def test_a_changed_byte_or_another_series_of_gansynth_asks_for_the_work_again(tmp_path: Path) -> None:
    answer = {"seed": 1, "size": (1, 2)}, {"dataset": "abc"}
    make(tmp_path / "a")
    (tmp_path / "a" / "sub" / "data.txt").write_text("hellO")
    assert not is_current(tmp_path / "a", *answer)
    make(tmp_path / "a")
    manifest = tmp_path / "a" / "manifest.json"
    version = read_manifest(tmp_path / "a").versions["gansynth"]
    for other, current in ((f"{version.rsplit('.', 1)[0]}.99", True), ("77.0.0", False)):
        manifest.write_text(manifest.read_text().replace(f'"gansynth":"{version}"', f'"gansynth":"{other}"'))
        manifest.write_text(manifest.read_text().replace(f'"gansynth": "{version}"', f'"gansynth": "{other}"'))
        assert is_current(tmp_path / "a", *answer) == current
        version = other


def test_missing_damaged_and_foreign_manifests_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing there yet"):
        read_manifest(tmp_path / "a")
    make(tmp_path / "a")
    manifest = tmp_path / "a" / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"format_version": 1', '"format_version": 99'))
    with pytest.raises(ArtifactError, match="format version 99"):
        read_manifest(tmp_path / "a")
    manifest.write_text(text[:50])
    with pytest.raises(ArtifactError, match="damaged"):
        read_manifest(tmp_path / "a")


@pytest.mark.parametrize(
    ("entry", "changed"),
    [
        ("versions", {}),
        *(
            ("files", {name: {"size": 1, "sha256": "0"}})
            for name in ("x" * 5000, "x/" * 2500 + "x", "", "..", "../b", "/dev/zero", "a\0b", "\udc80")
        ),
    ],
)
def test_a_manifest_that_tells_no_version_or_impossible_files_is_damaged(
    tmp_path: Path, entry: str, changed: dict[str, object]
) -> None:
    make(tmp_path / "a")
    manifest = tmp_path / "a" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {entry: changed}))
    with pytest.raises(ArtifactError, match=r"manifest\.json: damaged \(.*\); delete .* and run again"):
        verify(tmp_path / "a")
    assert not is_current(tmp_path / "a", {"seed": 1, "size": (1, 2)}, {"dataset": "abc"})


def _hold(root: Path) -> None:
    with Run(root).lock():
        time.sleep(60)


def test_a_run_folder_has_one_writer_and_a_dead_one_is_forgotten(tmp_path: Path) -> None:
    child = multiprocessing.get_context("spawn").Process(target=_hold, args=(tmp_path,))
    child.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / ".owner").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with (
        pytest.raises(ArtifactError, match=rf"another run is writing here \(process {child.pid} on "),
        Run(tmp_path).lock(),
    ):
        pass
    assert child.pid is not None
    assert Run(tmp_path).holder == f"process {child.pid} on {socket.gethostname()}"
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert Run(tmp_path).holder is None
    with Run(tmp_path).lock():
        with Run(tmp_path).lock():
            pass
        assert (tmp_path / ".owner").exists()  # the inner one has not let the folder go
    assert not (tmp_path / ".owner").exists()


@pytest.mark.parametrize(
    "name",
    [
        *(".lock", ".owner", "workers.log", "study.json", ".study.json.partial"),
        *(".progress", ".progress/train.tmp", ".source", ".model.resume", ".model.resume/grid-0000001.png"),
        *(".dataset.partial", ".dataset.old", "repetitions/00/.model.resume", "repetitions/00/arms/.real.partial"),
    ],
)
@pytest.mark.parametrize("target", ["there", "gone"])
def test_a_run_folder_with_links_where_it_is_written_is_refused(tmp_path: Path, name: str, target: str) -> None:
    outside, link = tmp_path / "outside", tmp_path / "run" / name
    for folder in (outside / "there", link.parent):
        folder.mkdir(parents=True)
    (outside / "there" / "kept.txt").write_text("kept")
    link.symlink_to(outside / target)
    with pytest.raises(ArtifactError) as refusal, Run(tmp_path / "run").lock():
        pass
    assert str(refusal.value) == f"{link}: is a link, through which other files would be changed; remove it"
    assert [path.relative_to(outside).as_posix() for path in outside.rglob("*")] == ["there", "there/kept.txt"]
    link.unlink()
    with Run(tmp_path / "run").lock():
        pass


def test_a_run_folder_and_its_artifacts_may_be_links(tmp_path: Path) -> None:
    for name in ("real", "dataset", "repetitions/00"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("dataset", "repetitions"):
        (tmp_path / "real" / name).symlink_to(tmp_path / name)
    (tmp_path / "run").symlink_to(tmp_path / "real")
    with Run(tmp_path / "run").lock(), Run(tmp_path / "real").lock():
        assert (tmp_path / "real" / ".owner").exists()
    (tmp_path / "repetitions" / "00" / ".model.resume").symlink_to(tmp_path)
    with pytest.raises(ArtifactError, match=r"\.model\.resume: is a link"), Run(tmp_path / "run").lock():
        pass


def _look(root: Path, stop: Path) -> None:
    while not stop.exists():
        _ = Run(root).holder
        time.sleep(0.001)


def test_looking_who_holds_a_run_takes_it_from_nobody(tmp_path: Path) -> None:
    run, stop = Run(tmp_path / "run"), tmp_path / "stop"
    lookers = [multiprocessing.get_context("spawn").Process(target=_look, args=(run.root, stop)) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            with run.lock():
                assert run.holder is not None
    finally:
        stop.touch()
        for looker in lookers:
            looker.join()
    assert [looker.exitcode for looker in lookers] == [0, 0]


def test_what_was_spent_before_counts(tmp_path: Path) -> None:
    make(tmp_path / "shard")
    with publish(tmp_path / "whole", "export", {}, {}) as draft:
        draft.seconds += 1000
        draft.adopt(tmp_path / "shard")
    whole, shard = read_manifest(tmp_path / "whole"), read_manifest(tmp_path / "shard")
    assert whole.seconds > 1000 + shard.seconds
    assert whole.cpu_seconds > shard.cpu_seconds
    assert whole.peak_memory_mb == shard.peak_memory_mb  # what made it counts, not what put it together
