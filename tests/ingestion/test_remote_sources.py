"""Sources in remote storage, read from a real S3 server."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from storage import CREDENTIALS, Bucket, Line

from gansynth.artifacts import read_manifest
from gansynth.errors import RemoteError, SourceError, StudyError
from gansynth.ingestion import ingest
from gansynth.modalities.image.storage import IMAGE_TYPE
from gansynth.runs import Run
from gansynth.study import Study
from gansynth.study_files import load_study, read_study

SIDE = 8


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a folder of images per class, of which one is no image."""
    random = np.random.default_rng(0)
    for name in ("cat", "great dane"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):
            picture = Image.fromarray(random.integers(0, 256, (SIDE, SIDE), dtype=np.uint8))
            picture.save(tmp_path / "photos" / name / f"{number}.png")
    (tmp_path / "photos" / "cat" / "bad.png").write_bytes(b"no image")
    return tmp_path / "photos"


def study_of(path: str | Path) -> Study:
    return Study.model_validate(
        {"name": "s", "source": {"path": str(path), "max_bad_share": 0.2}, "modality": {"size": SIDE}}
    )


def files_of(run: Run) -> dict[str, bytes]:
    return {path.relative_to(run.root).as_posix(): path.read_bytes() for path in run.root.rglob("*") if path.is_file()}


def fetched(line: Line) -> list[str]:
    """Return the names of the images that were asked for so far."""
    return [target.partition("/photos/")[2] for target in line.asked("GET") if target.endswith(".png")]


def test_a_remote_source_gives_the_dataset_of_a_local_one(photos: Path, bucket: Bucket, tmp_path: Path) -> None:
    local, remote = Run(tmp_path / "local"), Run(tmp_path / "remote")
    ingest(study_of(photos), local)
    ingest(study_of(bucket.put_folder(photos, "data/photos")), remote)
    assert read_manifest(remote.dataset).digest == read_manifest(local.dataset).digest
    assert files_of(remote).keys() == files_of(local).keys()
    assert str(tmp_path) not in (remote.dataset / "quarantine.json").read_text()


def test_a_table_of_labels_and_a_parquet_file_may_be_remote(photos: Path, bucket: Bucket, tmp_path: Path) -> None:
    images = sorted(photos.rglob("[0-9].png"))
    rows = [f"{image.relative_to(photos)},{image.parent.name}" for image in images]
    (photos / "labels.csv").write_text("\n".join(["file,label", *rows]))
    ingest(study_of(bucket.put_folder(photos, "photos")), Run(tmp_path / "labels"))

    column = pa.array([{"bytes": image.read_bytes(), "path": None} for image in images], IMAGE_TYPE)
    pq.write_table(pa.table({"image": column, "label": [image.parent.name for image in images]}), tmp_path / "rows")
    bucket.put("rows.parquet", (tmp_path / "rows").read_bytes())
    ingest(study_of(f"{bucket.url}/rows.parquet"), Run(tmp_path / "parquet"))

    digests = {
        read_manifest(tmp_path / name / "dataset").files["samples.parquet"].sha256 for name in ("labels", "parquet")
    }
    assert len(digests) == 1


def test_an_unchanged_source_is_listed_but_not_fetched_again(
    photos: Path, bucket: Bucket, line: Line, tmp_path: Path
) -> None:
    study, run = study_of(bucket.put_folder(photos, "photos")), Run(tmp_path / "run")
    ingest(study, run)
    assert len(fetched(line)) == 9
    ingest(study, run)
    assert len(fetched(line)) == 9
    Image.new("L", (SIDE, SIDE)).save(photos / "cat" / "0.png")
    bucket.put("photos/cat/0.png", (photos / "cat" / "0.png").read_bytes())
    bucket.put("photos/cat/.hidden.png", b"passed over")
    before = read_manifest(run.dataset).digest
    ingest(study, run)
    assert len(fetched(line)) == 18
    assert read_manifest(run.dataset).digest != before


def test_fetching_goes_on_where_it_was_interrupted(
    photos: Path, bucket: Bucket, line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gansynth.remote.ATTEMPTS", 1)
    study, run = study_of(bucket.put_folder(photos, "photos")), Run(tmp_path / "run")
    line.cuts, line.passing = 1, "GET /" + bucket.name + "/photos/great%20dane/3.png"
    with pytest.raises(RemoteError, match=r"'great dane/3.png' cannot be read"):
        ingest(study, run)
    assert not run.dataset.exists()
    asked = len(fetched(line))
    ingest(study, run)
    assert fetched(line)[asked:] == ["great%20dane/3.png"]
    assert not run.mirror.exists()


def test_what_is_wrong_with_a_source_is_told_of_its_url(photos: Path, bucket: Bucket, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    url = bucket.put_folder(photos, "photos")
    for path, refusal in (
        (f"{bucket.url}/phtos", f"source.path: nothing lies at {bucket.url}/phtos; check its spelling"),
        (f"{url}/cat", f"source.path: {url}/cat holds no Parquet file"),
        (f"{url}/cat/bad.png", f"source.path: {url}/cat/bad.png holds no Parquet file"),
    ):
        with pytest.raises(SourceError) as caught:
            ingest(study_of(path), run)
        assert str(caught.value).startswith(refusal)
    bucket.put("broken/rows.parquet", b"no Parquet")
    with pytest.raises(SourceError, match=rf"^{bucket.url}/broken/rows.parquet: not a readable Parquet file"):
        ingest(study_of(f"{bucket.url}/broken"), run)
    assert not run.dataset.exists()


def test_credentials_are_refused_in_a_url_and_never_stored(photos: Path, bucket: Bucket, tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('name = "s"\n[source]\npath = "s3://key:hush@bucket/photos"\n')
    with pytest.raises(StudyError, match="a URL must be like s3://BUCKET/FOLDER") as caught:
        load_study(file)
    with pytest.raises(StudyError, match="without credentials"):
        load_study(file, ["source.path=s3://hush@bucket"])
    assert "hush" not in str(caught.value)

    url = bucket.put_folder(photos, "photos")
    file.write_text(f'name = "s"\n[source]\npath = "{url}"\nmax_bad_share = 0.2\n[modality]\nsize = {SIDE}\n')
    run = Run(tmp_path / "run")
    ingest(load_study(file), run)
    assert read_study(run).source.path == url
    content = b"".join(files_of(run).values())
    assert not any(value.encode() in content for value in CREDENTIALS.values())
