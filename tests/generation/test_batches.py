import hashlib
import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gansynth.arms import DESCRIPTIONS
from gansynth.artifacts import read_manifest, verify
from gansynth.datasets import load_synthetic
from gansynth.errors import ArtifactError, StudyError
from gansynth.generation import Batch, ClassNumber, export, gather, generate_repetition, held, order, write_shard
from gansynth.generation.shards import divide, most_candidates
from gansynth.provenance import DIGITAL_SOURCE_TYPE, batch_seed
from gansynth.results import Summary
from gansynth.runs import Run
from gansynth.sections import GenerationConfig, ScarcityConfig
from gansynth.study import Study
from gansynth.study_files import check_settings

RunMaker = Callable[..., tuple[Run, Study]]


def classes(**numbers: float) -> Batch:
    return Batch(classes=tuple(ClassNumber(name=name, number=number) for name, number in numbers.items()))


def test_export_draws_evenly_from_the_delivered_model(make_run: RunMaker, tmp_path: Path) -> None:
    run, study = make_run(generation={"filters": []})
    out = export(run, tmp_path / "more" / "batch", Batch(count=11, shard_size=4, seed=study.seed))
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
    assert (footer[b"study"], footer[b"seed"], footer[b"licence"]) == (b"tiny", str(batch_seed(5)).encode(), b"MIT")
    assert b"gansynth_version" in footer
    card = (out / "README.md").read_text()
    assert "license: mit" in card
    assert "annotations_creators: [machine-generated]" in card


def test_an_earlier_export_is_replaced_but_nothing_else(make_run: RunMaker, tmp_path: Path) -> None:
    run, _ = make_run()
    out = tmp_path / "out"
    out.mkdir()
    export(run, out, Batch(count=3, format="folder"))
    export(run, out, Batch(count=6, format="folder"))
    assert len(list(out.glob("*/*.png"))) == 6
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactError, match=r"notes\.txt"):
        export(run, out, Batch(count=3, format="folder"))
    assert (out / "notes.txt").read_text() == "mine"
    with pytest.raises(ArtifactError, match="other files"):
        export(run, run.model(None), Batch(count=3, format="folder"))
    (out / "notes.txt").unlink()
    (out / "mine").mkdir()
    with pytest.raises(ArtifactError, match="holds 'mine'"):
        export(run, out, Batch(count=3, format="folder"))
    (out / "mine").rmdir()
    picture = next(out.glob("*/*.png"))
    picture.write_bytes(picture.read_bytes() + b"edited")
    with pytest.raises(ArtifactError, match="may hold work of yours"):
        export(run, out, Batch(count=3, format="folder"))
    with pytest.raises(ArtifactError, match="is a file"):
        export(run, run.study_file, Batch(count=3, format="folder"))


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({}, "how many samples"),
        ({"count": 0}, "greater than or equal to 1"),
        ({"count": 3, "balance": True}, "balance alone"),
        ({"count": 3, "format": "zip"}, "'parquet', 'folder', 'webdataset' or 'csv'"),
        ({"classes": [{"name": "cat", "number": 1.5}]}, "whole numbers"),
        ({"classes": [{"name": "cat", "number": 1}, {"name": "cat", "number": 2}]}, "must not repeat"),
    ],
)
def test_orders_that_make_no_sense_are_refused_in_one_line(asked: dict[str, Any], reason: str) -> None:
    with pytest.raises(StudyError, match=reason) as caught:
        check_settings(Batch, asked)
    assert "\n" not in str(caught.value)


def test_orders_that_the_run_cannot_fulfil_are_refused(make_run: RunMaker, tmp_path: Path) -> None:
    run, _ = make_run()
    with pytest.raises(StudyError, match=r"class 'cow': unknown; the run has 'cat', 'dog', 'owl'"):
        export(run, tmp_path / "out", classes(cow=1))
    with pytest.raises(StudyError, match="equally many"):
        export(run, tmp_path / "out", Batch(balance=True))
    assert not any(tmp_path.glob("*out*"))


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (Batch(count=7), [3, 2, 2]),
        (Batch(balance=True), [0, 90, 60]),
        (Batch(classes=(ClassNumber(name="owl", number=5),)), [0, 0, 5]),
        (Batch(count=10, classes=(ClassNumber(name="cat", number=1), ClassNumber(name="owl", number=2))), [3, 0, 7]),
    ],
)
def test_labels_follow_the_plan(batch: Batch, expected: list[int]) -> None:
    assert batch.counts(("cat", "dog", "owl"), np.array([100, 10, 40])).tolist() == expected


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 10**7), min_size=1, max_size=9).filter(any),
    st.integers(1, 10**6),
    st.floats(1, 5),
)
def test_shards_share_out_a_plan_without_overlap(plan: list[int], shard_size: int, oversample: float) -> None:
    wanted = np.array(plan)
    shard_size = max(shard_size, wanted.sum() // 200)
    config = GenerationConfig(shard_size=shard_size, oversample=oversample)
    shards = divide(wanted, config)
    assert (sum(shard.counts for shard in shards) == wanted).all()
    assert max(shard.counts.sum() for shard in shards) <= shard_size + len(plan)
    for shard, following in itertools.pairwise(shards):
        assert (shard.first + most_candidates(shard.counts, config) <= following.first).all()


@pytest.mark.parametrize("file_format", ["parquet", "folder", "webdataset"])
def test_any_order_of_shards_and_any_interruption_gives_the_same_bytes(
    make_run: RunMaker, tmp_path: Path, file_format: str
) -> None:
    run, study = make_run(gan="residual")
    batch = Batch(count=40, shard_size=9, format=file_format)
    whole = read_manifest(export(run, tmp_path / "whole", batch))
    destination = tmp_path / "parts"
    wanted = order(run, batch, destination)
    with held(wanted):
        for number in (4, 1, 3):
            write_shard(study, run, batch, destination, number)
    assert not destination.exists()
    assert wanted.missing() == [0, 2]
    spoilt = next(iter(read_manifest(wanted.place / "00003").files))
    (wanted.place / "00003" / spoilt).write_bytes(b"damaged")
    assert wanted.missing() == [0, 2, 3]
    kept = (wanted.place / "00001" / "manifest.json").stat().st_ino
    write_shard(study, run, batch, destination, 1)
    assert (wanted.place / "00001" / "manifest.json").stat().st_ino == kept
    export(run, destination, batch)
    assert read_manifest(destination).files == whole.files
    assert read_manifest(destination).counts == whole.counts
    assert {path.name for path in tmp_path.iterdir()} == {"run", "whole", "parts"}


def test_the_card_tells_what_was_measured_as_soon_as_it_is(
    make_run: RunMaker, put_evaluation: Callable[[Run, Study], Summary], tmp_path: Path
) -> None:
    run, study = make_run()
    batch = Batch(count=12, shard_size=5)
    out = export(run, tmp_path / "out", batch)
    before, places = read_manifest(out), {path: path.stat().st_ino for path in out.glob("*.parquet")}
    assert "Not measured yet" in (out / "README.md").read_text()
    summary = put_evaluation(run, study)
    export(run, out, batch)
    card = (out / "README.md").read_text()
    assert f"> {summary.verdict.sentence}\n" in card
    assert f"the arm `{summary.recommended_arm}`" in card
    assert "other labels than those that were measured" not in card
    assert f"- `classical`: {DESCRIPTIONS['image']['classical']}.\n" in card
    gains = {(one.arm, one.against): f"{100 * one.gain:+.1f} (" for one in summary.comparisons}
    for arm in ("gan", "gan+classical"):
        (row,) = (line for line in card.splitlines() if line.startswith(f"| {arm} | "))
        assert gains[arm, "real"] in row
        assert gains[arm, summary.verdict.best_without_gan] in row
    assert "| 4.31 |" in card
    assert "| 9 | of 4000; by chance 12 |" in card
    after = verify(out)
    assert {name for name in after.files if after.files[name] != before.files[name]} == {"README.md"}
    assert (after.counts, after.seconds) == (before.counts, before.seconds)
    assert {path: path.stat().st_ino for path in out.glob("*.parquet")} == places  # not even copied
    assert read_manifest(export(run, tmp_path / "later", batch)).files == after.files


def test_a_card_does_not_tell_of_an_evaluation_of_other_settings(
    make_run: RunMaker, put_evaluation: Callable[[Run, Study], Summary], tmp_path: Path
) -> None:
    run, study = make_run()
    put_evaluation(run, study.model_copy(update={"scarcity": ScarcityConfig(per_class=5)}))
    assert "Not measured yet" in (export(run, tmp_path / "out", Batch(count=3)) / "README.md").read_text()


def test_a_finished_batch_that_is_asked_for_again_is_read_once(
    make_run: RunMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = make_run()
    batch, read, digest = Batch(count=12, shard_size=5), Counter[str](), hashlib.file_digest
    export(run, tmp_path / "out", batch)

    def counted(stream: BinaryIO, name: str) -> Any:  # noqa: ANN401 - as hashlib declares it
        read[Path(stream.name).name] += 1
        return digest(stream, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    export(run, tmp_path / "out", batch)
    assert [read[path.name] for path in (tmp_path / "out").glob("*.parquet")] == [1, 1, 1]


def test_a_batch_that_cannot_be_finished_keeps_its_shards(make_run: RunMaker, tmp_path: Path) -> None:
    run, study = make_run()
    batch, destination = Batch(count=12, shard_size=4), tmp_path / "out"
    wanted = order(run, batch, destination)
    with held(wanted):
        for number in (0, 1):
            write_shard(study, run, batch, destination, number)
        with pytest.raises(ArtifactError, match="nothing there yet"):
            gather(wanted)
    assert not destination.exists()
    assert wanted.missing() == [2]


def test_two_batches_never_write_to_one_place(make_run: RunMaker, tmp_path: Path) -> None:
    run, _ = make_run()
    wanted = order(run, Batch(count=3), tmp_path / "out")
    code = (
        "import sys; from pathlib import Path; from gansynth.runs import hold_folder\n"
        "with hold_folder(Path(sys.argv[1]), ''): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(wanted.place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(ArtifactError, match=rf"another run is writing here \(process {child.pid} on "):
            export(run, tmp_path / "out", Batch(count=3))
        child.communicate()
    export(run, tmp_path / "out", Batch(count=3))


def test_a_run_without_model_or_study_is_refused_in_one_line(make_run: RunMaker, tmp_path: Path) -> None:
    run, _ = make_run(repetitions=())
    with pytest.raises(ArtifactError, match="model: nothing there yet"):
        export(run, tmp_path / "out", Batch(count=3, format="folder"))
    with pytest.raises(ArtifactError, match="no run there"):
        export(Run(tmp_path / "elsewhere"), tmp_path / "out", Batch(count=3, format="folder"))


def test_folders_that_cannot_be_replaced_are_refused_before_the_work(
    make_run: RunMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = make_run()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for out, reason in (("/", "cannot be replaced"), ("/proc", "is a mount point"), (".", "is the current folder")):
        with pytest.raises(ArtifactError, match=reason):
            export(run, Path(out), Batch(count=3))
    assert not list(tmp_path.glob(".*"))


def test_shards_beyond_all_measure_are_refused(make_run: RunMaker, tmp_path: Path) -> None:
    run, _ = make_run()
    with pytest.raises(StudyError, match="shard_size: 10,000,000 samples in shards of 10 are more than 100,000 shards"):
        export(run, tmp_path / "out", Batch(count=10_000_000, shard_size=10))
    assert not list(tmp_path.glob(".*"))


def test_a_batch_that_fails_before_its_first_shard_leaves_nothing(make_run: RunMaker, tmp_path: Path) -> None:
    run, _ = make_run()
    with pytest.raises(ZeroDivisionError), held(order(run, Batch(count=3), tmp_path / "out")):
        raise ZeroDivisionError
    assert not list(tmp_path.glob(".out*"))
