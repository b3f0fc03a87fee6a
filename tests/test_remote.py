"""Remote storage against real servers: S3's protocol, and Google's."""

import json
import os
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from gcp_storage_emulator.server import create_server
from storage import Bucket, Line

from gansynth.errors import RemoteError
from gansynth.remote import Remote, check_url

CONTENTS = {"a.txt": b"text", "folder/ein Bild ü.png": bytes(range(256)) * 9, "folder/deeper/empty": b""}


def nothing(_: int) -> None:
    return


def write(folder: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def google_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a bucket on a server of Google's protocol, with the key of a service account in the environment."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "client_email": "tests@gansynth.iam.gserviceaccount.com",
        "private_key_id": "1",
        "private_key": key.decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    monkeypatch.setenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", f"http://localhost:{port}")
    with create_server("localhost", port, in_memory=True, default_bucket="bucket"):
        yield "gs://bucket"


@pytest.fixture(params=["s3", "gs"])
def bucket_url(request: pytest.FixtureRequest) -> str:
    if request.param == "gs":
        return str(request.getfixturevalue("google_url"))
    return str(request.getfixturevalue("bucket").url)


def test_files_go_and_come_as_they_are(bucket_url: str, tmp_path: Path) -> None:
    remote = Remote(f"{bucket_url}/some/place/")
    assert remote.files() == []
    told: list[int] = []
    remote.upload(write(tmp_path / "here", CONTENTS), CONTENTS, told.append)
    assert told[-1] == sum(map(len, CONTENTS.values()))
    files = remote.files()
    assert {file.name: file.size for file in files} == {name: len(content) for name, content in CONTENTS.items()}
    assert all(abs(file.modified / 1e9 - time.time()) < 60 for file in files)
    remote.download(files, tmp_path / "there", told.append)
    assert contents_of(tmp_path / "there") == CONTENTS
    assert not list(tmp_path.glob("*.partial"))
    assert [remote.read(file) for file in files] == [CONTENTS[file.name] for file in files]


def test_a_url_may_be_that_of_an_object(bucket_url: str, tmp_path: Path) -> None:
    Remote(bucket_url).upload(write(tmp_path, {"folder/rows.parquet": b"rows"}), ["folder/rows.parquet"], nothing)
    [file] = Remote(f"{bucket_url}/folder/rows.parquet").files()
    assert (file.name, file.size) == ("rows.parquet", 4)


def test_large_files_go_and_come_in_pieces(bucket: Bucket, tmp_path: Path) -> None:
    content = os.urandom(25_000_000)
    remote = Remote(bucket.url)
    remote.upload(write(tmp_path / "here", {"large": content}), ["large"], nothing)
    remote.download(remote.files(), tmp_path / "there", nothing)
    assert bucket.objects() == contents_of(tmp_path / "there") == {"large": content}


def test_what_lies_there_already_is_not_fetched_again(line: Line, bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("kept", b"1234")
    bucket.put("cut off", b"1234")
    remote = Remote(bucket.url)
    write(tmp_path / "there", {"kept": b"same", "cut off": b"12"})
    remote.download(remote.files(), tmp_path / "there", nothing)
    assert contents_of(tmp_path / "there") == {"kept": b"same", "cut off": b"1234"}
    assert line.asked("GET")[1:] == [f"/{bucket.name}/cut%20off"]


@pytest.mark.parametrize("allowed", [0, 100_000])
def test_a_line_that_is_cut_is_tried_again(line: Line, bucket: Bucket, tmp_path: Path, allowed: int) -> None:
    content = os.urandom(1_000_000)
    remote = Remote(bucket.url)
    write(tmp_path / "here", {"sent": content})
    line.cuts, line.allowed = 2, allowed
    remote.upload(tmp_path / "here", ["sent"], nothing)
    line.cuts, line.passing = 2, "GET"
    remote.download(remote.files(), tmp_path / "there", nothing)
    assert line.cuts == 0
    assert contents_of(tmp_path / "there") == bucket.objects() == {"sent": content}


def test_a_line_that_stays_cut_is_given_up_in_one_line(
    line: Line, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gansynth.remote.ATTEMPTS", 3)
    bucket.put("lost", b"0" * 1_000_000)
    remote = Remote(bucket.url)
    files = remote.files()
    line.cuts, line.allowed, line.passing = 1000, 10_000, "GET"
    with pytest.raises(RemoteError, match=r"s3://.*: 'lost' cannot be read \(.*network, then run again$") as caught:
        remote.download(files, tmp_path / "there", nothing)
    assert "\n" not in str(caught.value)
    assert line.cuts == 1000 - 3
    assert contents_of(tmp_path / "there") == {}


def test_an_object_that_changes_while_it_is_read_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("changing", b"before")
    remote = Remote(bucket.url)
    files = remote.files()
    bucket.put("changing", b"after that")
    with pytest.raises(RemoteError, match="'changing' changed while it was read; run again"):
        remote.download(files, tmp_path / "there", nothing)
    assert contents_of(tmp_path / "there") == {}


def test_what_is_missing_or_forbidden_is_told_at_once(
    line: Line, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"a.txt": b"text"})
    for call in (
        lambda: Remote("s3://no-such-bucket/folder").files(),
        lambda: Remote("s3://no-such-bucket").upload(tmp_path, ["a.txt"], nothing),
    ):
        with pytest.raises(RemoteError, match=r"s3://no-such-bucket.* cannot be .*(NO_SUCH_BUCKET|does not exist)"):
            call()
    asked = len(line.requests)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    server_checks_keys(bucket.server, "0")
    try:
        with pytest.raises(RemoteError, match=r"cannot be read \(.*ACCESS_DENIED.*credentials in the environment"):
            Remote(bucket.url).files()
    finally:
        server_checks_keys(bucket.server, "Infinity")
    assert len(line.requests) == asked + 1


def server_checks_keys(server: str, after: str) -> None:
    """Tell the server after how many requests it begins to check access keys."""
    headers = {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{server}/moto-api/reset-auth", after.encode(), headers)  # noqa: S310  # our own
    urllib.request.urlopen(request).close()  # noqa: S310  # our own


@pytest.mark.parametrize("name", ["../outside.txt", "folder/../../outside.txt", "/outside.txt", "folder//a.txt"])
def test_no_object_is_written_outside_the_folder(bucket: Bucket, tmp_path: Path, name: str) -> None:
    bucket.put("source/a.txt", b"fine")
    bucket.put(f"source/{name}", b"not fine")
    remote = Remote(f"{bucket.url}/source")
    with pytest.raises(RemoteError, match="cannot be the name of a file; rename or remove that object"):
        remote.download(remote.files(), tmp_path / "there", nothing)
    assert contents_of(tmp_path) == {}


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:secret@bucket/photos",
        "s3://secret@bucket",
        "s3://bucket/photos?access_key=secret",
        "s3://bucket/photos#secret",
        "s3://bucket/secret/../photos",
        "s3://bucket//secret",
        "s3://",
        "https://user:secret@host/photos",
        "S3://secret/photos",
    ],
)
def test_urls_that_gansynth_does_not_read_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(RemoteError, match=r"a URL must be like s3://BUCKET/FOLDER .* environment$") as caught:
        check_url(url)
    assert "secret" not in str(caught.value)


def test_paths_are_no_urls() -> None:
    for path in ("photos", "/photos", "../photos", "C:/photos", "torchvision:MNIST", "s3:/photos"):
        check_url(path)
