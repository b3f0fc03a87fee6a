"""Row 4: a disk that is full or broken at any write."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from children import BROKEN, FULL, AtByte, AtCall, check_sound, count_calls, in_child, one_line
from cleanruns import Clean

from gansynth.runs import Run


def check_refused(clean: Clean, root: Path, fault: AtCall | AtByte | None) -> None:
    """Run into a fault, and make sure that it is told in one line, without a trace of half-written work."""
    ended = in_child(clean.work(root), fault)
    assert ended.status == 1, (fault, ended)
    assert one_line(ended.error), (fault, ended)
    assert "cannot be written" in ended.error
    assert str(root) in ended.error
    if root.exists():
        check_sound(root)
        assert Run(root).holder is None


def test_a_run_goes_on_once_its_disk_works_again(clean: Clean, tmp_path: Path) -> None:
    root = tmp_path / "run"
    for position, number in enumerate((0, 2, 4, 9, 14, 23, 40)):
        check_refused(clean, root, AtCall(root, number, (FULL, BROKEN)[position % 2]))
    for length in (1, 100, 1500, 6000):  # shorter than what is still to be written
        check_refused(clean, root, AtByte(length))
    clean.check_resumed(root)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for next to nothing."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() or subprocess.call(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place]):  # noqa: S607
        pytest.skip("may not mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)  # noqa: S607


def test_a_run_goes_on_when_there_is_room_again(clean: Clean, small_disk: Path) -> None:
    root = small_disk / "run"
    for size in ("16k", "128k", "384k"):
        subprocess.run(["mount", "-o", f"remount,size={size}", small_disk], check=True)  # noqa: S607
        check_refused(clean, root, None)
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)  # noqa: S607
    clean.check_resumed(root)


@pytest.mark.slow
def test_every_write_of_every_artifact_may_fail(clean: Clean, tmp_path: Path) -> None:
    for artifact in clean.artifacts:
        root = clean.without(tmp_path / "run", artifact)
        total = count_calls(clean.work(root), root)
        root = clean.without(tmp_path / artifact.replace("/", "-"), artifact)
        for number in range(total):
            ended = in_child(clean.work(root), AtCall(root, number, (FULL, BROKEN)[number % 2]))
            check_sound(root)
            if ended.well:  # what is left to do is less than that many calls
                break
            assert ended.status == 1, (artifact, number, ended)
            assert one_line(ended.error), (artifact, number, ended)
        clean.check_resumed(root)
        subprocess.run(["rm", "-rf", root, tmp_path / "run"], check=True)  # noqa: S607
