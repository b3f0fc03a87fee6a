"""Artifacts that are not ours, and places that cannot be read, written or reached."""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file, save_file
from shapes import draw_shapes, write_pictures
from storage import Bucket, Line

from gansynth.artifacts import MANIFEST, is_current, read_manifest
from gansynth.checkpoints import load_model
from gansynth.datasets import DATASET_FILE, load_dataset
from gansynth.errors import ArtifactError, RemoteError, SourceError, StudyError
from gansynth.generation.stage import generate_repetition
from gansynth.ingestion import ingest
from gansynth.modalities.image.inception import check_weights
from gansynth.requests import model_request
from gansynth.runs import Run
from gansynth.samples import Samples
from gansynth.scoring import score
from gansynth.study import Study
from gansynth.training import train_repetition

NOBODY = 65534
TINY = {
    "name": "s",
    "source": {"path": "photos", "near_duplicate_distance": -1},
    "modality": {"size": 16},
    "gan": {"kind": "mlp", "kimg": 0.032, "width": 16, "batch_size": 16, "warmup_steps": 1},
    "generation": {"amount": 4},
    "evaluation": {"repetitions": 2, "steps": 2, "batch_size": 16, "inner_steps": 2},
    "compute": {"accelerator": "cpu"},
}


class Evil:
    """What runs a command when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.trace}",)


@pytest.fixture
def trained(make_run: Callable[[Samples, Samples], Run]) -> tuple[Study, Run]:
    study, run = Study.model_validate(TINY), make_run(draw_shapes(8), draw_shapes(2, seed=1))
    train_repetition(study, run, None)
    return study, run


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def alter(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("name", ["generator.safetensors", "teacher.safetensors", "training_rows.safetensors"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_is_called_a_checkpoint_is_refused_and_not_run(
    trained: tuple[Study, Run], tmp_path: Path, name: str, zipped: bool
) -> None:
    study, run = trained
    trace = tmp_path / "ran"
    disguised = run.model(None) / name
    disguised.write_bytes(pickle.dumps(Evil(trace)))
    for _ in range(2):
        with pytest.raises(ArtifactError, match=r"damaged model \(.*\); delete it and train again"):
            load_model(run.model(None), study.compute)
        torch.save(Evil(trace), disguised, _use_new_zipfile_serialization=zipped)
    with pytest.raises(StudyError, match="is no file of weights"):
        check_weights(disguised)
    assert not trace.exists()


def test_tampered_weights_are_refused_wherever_they_are_used(trained: tuple[Study, Run], tmp_path: Path) -> None:
    study, run = trained
    write_pictures(tmp_path / "new", 2)
    file = run.model(None) / "discriminator.safetensors"
    weights = load_file(file)
    next(iter(weights.values())).flat[0] += 1
    save_file(weights, file)
    before = files_of(run.root)
    for use in (
        lambda: score(study, run, str(tmp_path / "new"), tmp_path / "scores.csv"),
        lambda: generate_repetition(study, run, None),
    ):
        with pytest.raises(ArtifactError, match=r"discriminator\.safetensors: missing or changed since it was written"):
            use()
    assert files_of(run.root) == before
    assert not (tmp_path / "scores.csv").exists()
    # training makes them anew
    train_repetition(study, run, None)
    generate_repetition(study, run, None)


def test_a_newer_format_is_refused_and_another_series_of_gansynth_does_the_work_again(
    trained: tuple[Study, Run], tmp_path: Path
) -> None:
    study, run = trained
    manifest = run.model(None) / MANIFEST
    ours = read_manifest(run.model(None))
    request = model_request(study, None)
    assert is_current(run.model(None), request, ours.parents)
    alter(manifest, f'"gansynth": "{ours.versions["gansynth"]}"', '"gansynth": "99.1.0"')
    with pytest.raises(ArtifactError, match="by another version of gansynth; run `gansynth train` again"):
        generate_repetition(study, run, None)
    alter(manifest, '"gansynth": "99.1.0"', f'"gansynth": "{ours.versions["gansynth"]}"')
    alter(manifest, '"format_version": 1', '"format_version": 2')
    for use in (
        lambda: load_model(run.model(None), study.compute),
        lambda: generate_repetition(study, run, None),
        lambda: score(study, run, str(tmp_path), tmp_path / "scores.csv"),
    ):
        with pytest.raises(ArtifactError, match="format version 2, this gansynth reads 1; delete the folder and run"):
            use()


def test_a_dataset_with_other_bytes_is_refused(trained: tuple[Study, Run]) -> None:
    study, run = trained
    file = run.dataset / DATASET_FILE
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"samples\.parquet: missing or changed since it was written"):
        train_repetition(study, run, 0)
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match=r"samples\.parquet: cannot be read"):
        load_dataset(run.dataset)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Do something without the rights of the superuser, to whom everything is writable."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that everyone may enter."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o777)
        yield Path(place)


def test_a_source_that_may_only_be_read_is_read_and_stays_as_it_is(open_place: Path) -> None:
    source = open_place / "photos"
    write_pictures(source, 4)
    for path in source.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    source.chmod(0o555)
    before = files_of(source)
    study = Study.model_validate(TINY | {"source": {"path": str(source)}})
    with as_nobody():
        ingest(study, Run(open_place / "run"))
    assert files_of(source) == before
    source.chmod(0o755)


def test_what_may_not_be_read_is_told(open_place: Path) -> None:
    source = open_place / "photos"
    write_pictures(source, 4)
    (source / "bar" / "deep").mkdir()
    (source / "bar" / "deep" / "x.png").write_bytes((source / "bar" / "0.png").read_bytes())
    (source / "dot" / "1.png").chmod(0)
    study = Study.model_validate(TINY | {"source": {"path": str(source), "max_bad_share": 0.2}})
    with as_nobody():
        ingest(study, Run(open_place / "run"))
    assert (
        '"source": "dot/1.png",\n  "reason": "Permission denied"'
        in (open_place / "run" / "dataset" / "quarantine.json").read_text()
    )
    # what lies in a folder cannot be counted
    (source / "bar" / "deep").chmod(0)
    with (
        as_nobody(),
        pytest.raises(SourceError, match=r"source\.path: .*/bar/deep cannot be read \(Permission denied\); mend its"),
    ):
        ingest(study, Run(open_place / "other"))
    (source / "bar" / "deep").chmod(0o755)


def test_a_place_that_cannot_be_written_is_told_and_nothing_is_left(open_place: Path) -> None:
    write_pictures(open_place / "photos", 4)
    (open_place / "closed").mkdir(mode=0o555)
    study = Study.model_validate(TINY | {"source": {"path": str(open_place / "photos")}})
    before = files_of(open_place)
    run = Run(open_place / "closed" / "run")
    with (
        as_nobody(),
        pytest.raises(ArtifactError, match=r"run: cannot be written \(Permission denied\); choose another --run-dir"),
        run.lock(),
    ):
        ingest(study, run)
    assert files_of(open_place) == before
    assert not run.root.exists()


def test_connections_that_drop_in_mid_read_are_tried_again_and_then_told(
    bucket: Bucket, line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gansynth.remote.ATTEMPTS", 2)
    write_pictures(tmp_path / "photos", 4)
    study = Study.model_validate(TINY | {"source": {"path": bucket.put_folder(tmp_path / "photos", "photos")}})
    line.passing, line.allowed = "/photos/dot/3.png", 300  # some of the answer comes through
    line.cuts = 1
    ingest(study, Run(tmp_path / "patient"))
    assert len(load_dataset(tmp_path / "patient" / "dataset")) == 8
    line.cuts = 10**6
    with pytest.raises(RemoteError, match=r"'dot/3\.png' (changed while it was read|cannot be read)"):
        ingest(study, Run(tmp_path / "run"))
    assert not (tmp_path / "run" / "dataset").exists()
    gone = study.source.model_copy(update={"path": f"{bucket.url}-elsewhere/photos"})
    line.cuts = 0
    with pytest.raises(RemoteError, match="cannot be read"):
        ingest(study.model_copy(update={"source": gone}), Run(tmp_path / "run"))


@pytest.mark.slow
def test_the_command_line_refuses_in_one_line_and_leaves_the_source_alone(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 4)
    (tmp_path / "photos" / "bar" / "evil\n\x1b[2J.png").write_bytes(b"no image")
    before = files_of(tmp_path / "photos")
    (tmp_path / "s.toml").write_text('name = "s"\n[source]\npath = "photos"\n[modality]\nsize = 8\n')
    environment = os.environ | {"PREFECT_HOME": str(tmp_path / "prefect")}
    command = [Path(sys.executable).with_name("gansynth"), "ingest", "s.toml", "--run-dir", "run"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    told = [one for one in done.stderr.splitlines() if one.startswith("gansynth: ")]
    assert len(told) == 1
    assert "1 of 9 samples of" in told[0]
    assert "raise source.max_bad_share" in told[0]
    assert "\x1b" not in done.stderr
    assert files_of(tmp_path / "photos") == before
    assert not (tmp_path / "run" / "dataset").exists()
