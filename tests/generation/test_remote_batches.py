"""Batches that go to a URL, on a real S3 server."""

from collections.abc import Callable
from pathlib import Path

import pytest
from storage import CREDENTIALS, Bucket, Line

from gansynth.errors import ArtifactError, RemoteError
from gansynth.generation import Batch, export, gather, held, order, send, write_shard
from gansynth.runs import Run
from gansynth.study import Study

RunMaker = Callable[..., tuple[Run, Study]]
BATCH = Batch(count=9, shard_size=4, format="folder")


def deliver(study: Study, run: Run, batch: Batch, url: str) -> None:
    """Do what the flow does, one piece after another."""
    wanted = order(run, batch, url)
    with held(wanted) as done:
        if not done:
            for number in wanted.missing():
                write_shard(study, run, batch, wanted.destination, number)
            gather(wanted)
            send(study, run, batch, url)


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("file_format", ["parquet", "folder", "webdataset"])
def test_a_batch_at_a_url_is_the_same_as_in_a_folder(
    make_run: RunMaker, bucket: Bucket, tmp_path: Path, file_format: str
) -> None:
    run, study = make_run(("cat", "../owl", "T-shirt/top"))
    batch = BATCH.model_copy(update={"format": file_format})
    before = contents_of(run.root)
    deliver(study, run, batch, f"{bucket.url}/some/batch")
    local = contents_of(export(run, tmp_path / "out", batch))
    there = {name.removeprefix("some/batch/"): content for name, content in bucket.objects().items()}
    assert there.keys() == local.keys()
    assert {name for name in there if there[name] != local[name]} == {"manifest.json"}  # it tells of time and memory
    assert contents_of(run.root) == before
    assert not any(value.encode() in b"".join(there.values()) for value in CREDENTIALS.values())


def test_a_batch_that_lies_there_is_not_made_again_and_another_never_replaces_it(
    make_run: RunMaker, bucket: Bucket, line: Line
) -> None:
    run, study = make_run()
    url = f"{bucket.url}/batch"
    deliver(study, run, BATCH, url)
    before, sent = bucket.objects(), len(line.asked("PUT"))
    deliver(study, run, BATCH, url)
    with pytest.raises(ArtifactError, match=rf"^{url}: holds .* which is not of this batch; remove what lies there"):
        deliver(study, run, BATCH.model_copy(update={"seed": 1}), url)
    assert len(line.asked("PUT")) == sent
    bucket.remove("batch/classes.json")
    with pytest.raises(ArtifactError, match="is not of this batch"):
        deliver(study, run, BATCH, url)
    assert bucket.objects() == {name: content for name, content in before.items() if name != "batch/classes.json"}


def test_what_others_wrote_is_left_alone(make_run: RunMaker, bucket: Bucket) -> None:
    run, study = make_run()
    bucket.put("batch/notes.txt", b"mine")
    bucket.put("batches/notes.txt", b"beside it")
    with pytest.raises(ArtifactError, match=r"holds 'notes\.txt', which is not of this batch"):
        deliver(study, run, BATCH, f"{bucket.url}/batch")
    with pytest.raises(ArtifactError, match=r"holds 'notes\.txt'"):
        deliver(study, run, BATCH, f"{bucket.url}/batch/notes.txt")
    assert not list(run.root.glob("*outgoing*"))
    deliver(study, run, BATCH, f"{bucket.url}/other")
    assert {name for name in bucket.objects() if not name.startswith("other/")} == {
        "batch/notes.txt",
        "batches/notes.txt",
    }


def test_sending_goes_on_where_it_was_interrupted_and_ends_with_the_manifest(
    make_run: RunMaker, bucket: Bucket, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gansynth.remote.ATTEMPTS", 1)
    run, study = make_run()
    url = f"{bucket.url}/batch"
    line.cuts, line.passing = 1, "/batch/metadata.csv"
    with pytest.raises(RemoteError, match=rf"{url}/metadata\.csv cannot be written"):
        deliver(study, run, BATCH, url)
    there = bucket.objects().keys()
    assert there
    assert "batch/manifest.json" not in there
    copy = order(run, BATCH, url).destination
    made = {path: path.stat().st_mtime_ns for path in copy.rglob("*.png")}
    bucket.put("batch/README.md", b"cut off")
    sent = len(line.asked("PUT"))
    deliver(study, run, BATCH, url)
    again = [target.partition("/batch/")[2] for target in line.asked("PUT")[sent:]]
    assert again[-1] == "manifest.json"
    assert "README.md" in again
    assert {name.partition("/")[2] for name in there - {"batch/README.md"}}.isdisjoint(again)
    assert len(made) == 9
    assert not copy.exists()
    with held(order(run, BATCH, url)) as done:
        assert done


def test_after_an_interruption_only_the_same_batch_may_go_on(
    make_run: RunMaker, bucket: Bucket, line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gansynth.remote.ATTEMPTS", 1)
    run, study = make_run()
    url = f"{bucket.url}/batch"
    line.cuts, line.passing = 1, "/batch/metadata.csv"
    with pytest.raises(RemoteError):
        deliver(study, run, BATCH, url)
    with pytest.raises(ArtifactError, match="which is not of this batch"):
        deliver(study, run, BATCH.model_copy(update={"seed": 1}), url)
    next(order(run, BATCH, url).destination.glob("*/*.png")).write_bytes(b"spoilt")
    deliver(study, run, BATCH, url)
    there = {name.removeprefix("batch/"): content for name, content in bucket.objects().items()}
    local = contents_of(export(run, tmp_path / "out", BATCH))
    assert {name for name in there if there[name] != local[name]} == {"manifest.json"}


def test_a_bucket_that_is_not_there_is_told_before_anything_is_made(make_run: RunMaker, bucket: Bucket) -> None:
    run, study = make_run()
    with pytest.raises(RemoteError, match="NO_SUCH_BUCKET"):
        deliver(study, run, BATCH, f"{bucket.url}-misspelt/batch")
    assert not list(run.root.glob("*outgoing*"))
