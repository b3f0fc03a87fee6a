"""What the command line answers without running a flow."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path

import pytest

from gansynth.study_files import load_study, save_study
from pipelines.cli import app

Start = Callable[..., "subprocess.Popen[str]"]
Here = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(workplace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """Return a function that runs a command in this process, which has imported all that is slow to import."""
    monkeypatch.chdir(workplace)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            app(arguments, prog_name="gansynth")
        return int(ended.value.code or 0), *capfd.readouterr()

    return run


def test_help_comes_without_heavy_imports() -> None:
    script = (
        "import sys; from pipelines.cli import app; app(['augment', '--help'], standalone_mode=False);"
        " print({'torch', 'prefect', 'numpy', 'pandas'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.endswith("set()\n")
    assert "--set SETTING=VALUE" in output
    assert "gansynth augment my.toml --set gan.kimg=200" in output


def test_version(start: Start) -> None:
    output, _ = start("--version").communicate()
    assert output == f"gansynth {metadata.version('gansynth')}\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("augment",), "Missing argument"),
        (("train", "tiny.toml", "--sett", "seed=1"), "No such option"),
        (("generate", "tiny.toml", "--count", "5"), "need --out"),
        (("generate", "tiny.toml", "--balance"), "need --out"),
        (("generate", "tiny.toml", "--seed", "5"), "go with --count, --class or --balance"),
        (("generate", "tiny.toml", "--class", "cat", "--out", "x"), "write NAME=NUMBER"),
        (
            ("generate", "tiny.toml", "--count", "5", "--out", "x", "--set", "seed=1"),
            "with a batch only compute.SETTING",
        ),
        (("score", "runs/tiny", "shapes"), "Missing option '--out'"),
        (("score", "tiny.toml", "shapes", "--out", "x.csv", "--set", "seed=1"), "with scores only compute.SETTING"),
        (("train", "shapes", "--run-dir", "elsewhere"), "--run-dir goes with a study file"),
    ],
)
def test_wrong_usage_exits_with_2(here: Here, arguments: tuple[str, ...], reason: str) -> None:
    status, _, errors = here(*arguments)
    assert status == 2
    assert reason in " ".join(errors.split())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("augment", "tiny.toml", "--set", "gan.kimg=-3"), "--set: gan.kimg: must be greater than 0 (given: -3)"),
        (("train", "shapes"), "shapes: not a run folder"),
        (("augment", "tiny.toml", "--set", "source.path=s3://key:hush@bucket/a"), "a URL must be like s3://BUCKET"),
        (("augment", "tiny.toml", "--reports-dir", "s3://key:hush@bucket/a"), "a URL must be like s3://BUCKET"),
        (("score", "tiny.toml", "shapes", "--out", "scores.txt"), "scores.txt: is neither a .parquet nor a .csv file"),
        (
            ("generate", "tiny.toml", "--count", "5", "--out", "s3://key:hush@bucket/a"),
            "a URL must be like s3://BUCKET",
        ),
    ],
)
def test_errors_are_one_line_and_exit_with_1(
    here: Here, workplace: Path, arguments: tuple[str, ...], reason: str
) -> None:
    status, output, errors = here(*arguments)
    assert (status, output) == (1, "")
    assert errors.startswith("gansynth: ")
    assert reason in errors
    assert errors.count("\n") == 1
    assert "hush" not in errors
    assert not (workplace / "runs").exists()


def test_what_is_not_there_is_missed_before_prefect_starts(
    start: Start, here: Here, workplace: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    save_study(load_study(workplace / "tiny.toml"), tmp_path / "run" / "study.json")
    (workplace / "here.csv").write_text("a,b\n1,2\n")
    home = tmp_path / "prefect"
    wrong = [
        (("ingest", "tiny.toml", "--set", "source.path=gone"), "gone does not exist"),
        (("score", str(tmp_path / "run"), "gone.csv", "--out", "scores.csv"), "gone.csv: does not exist"),
        (("score", str(tmp_path / "run"), "here.csv", "--out", "scores.csv"), "run/model: nothing there yet"),
        (("generate", str(tmp_path / "run")), "run/dataset: nothing there yet"),
    ]
    process = start(*wrong[-1][0], PREFECT_HOME=str(home))
    for arguments, reason in wrong:
        status, output, errors = here(*arguments)
        assert (status, output, errors.count("\n")) == (1, "", 1)
        assert reason in errors
    assert process.communicate() == (output, errors)
    assert not home.exists()
    assert not (workplace / "runs").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="nobody can write in /proc")
def test_a_home_that_prefect_cannot_use_is_told_at_once(start: Start, workplace: Path) -> None:
    process = start("ingest", "tiny.toml", PREFECT_HOME="/proc/nowhere")
    output, errors = process.communicate(timeout=100)  # its server would be waited for for 180 seconds
    assert (process.returncode, output) == (1, "")
    reason = "cannot be written (No such file or directory); set it to another folder"
    assert errors == f"gansynth: PREFECT_HOME: /proc/nowhere: {reason}\n"
    assert not (workplace / "runs" / "tiny" / "dataset").exists()


@pytest.mark.slow
def test_a_damaged_database_of_prefect_is_told_at_once(start: Start, workplace: Path) -> None:
    database = workplace / "damaged" / "prefect.db"
    database.parent.mkdir()
    database.write_bytes(b"no database" * 1000)
    process = start("ingest", "tiny.toml", PREFECT_HOME=str(database.parent))
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, output) == (1, "")
    reason = "Prefect's database is damaged (file is not a database)"
    assert errors == f"gansynth: {database}: {reason}; move it away, or set PREFECT_HOME to another folder\n"


@pytest.mark.slow
def test_a_server_of_prefect_that_cannot_start_is_not_waited_for(start: Start) -> None:
    elsewhere = "sqlite+aiosqlite:////proc/nowhere/prefect.db"
    process = start("ingest", "tiny.toml", PREFECT_API_DATABASE_CONNECTION_URL=elsewhere)
    _, errors = process.communicate(timeout=170)  # it would be started again and again
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith("gansynth: Prefect's temporary server ended before it answered")


def test_as_json_errors_are_one_object_a_line(start: Start) -> None:
    wrong = [
        (("train", "nowhere.toml", "--log-format", "json"), {}, 1, "nowhere.toml: No such file"),
        (("train", "nowhere.toml", "--log-format=xml"), {}, 2, "not one of 'text', 'json'"),
        (("train", "nowhere.toml", "--sett", "seed=1"), {"GANSYNTH_LOG_FORMAT": "json"}, 2, "No such option: --sett"),
        (("generate", "runs/tiny", "--balance"), {"GANSYNTH_LOG_FORMAT": "json"}, 2, "need --out"),
        (("show", "nowhere"), {"GANSYNTH_LOG_FORMAT": "json"}, 1, "nowhere: holds no run"),
    ]
    started = [start(*arguments, **environment) for arguments, environment, _, _ in wrong]
    for process, (arguments, _, status, reason) in zip(started, wrong, strict=True):
        output, errors = process.communicate()
        assert (process.returncode, output) == (status, "")
        if "--log-format=xml" in arguments:
            assert reason in errors
            continue
        line = json.loads(errors)
        assert (line["level"], line["logger"]) == ("ERROR", "gansynth")
        assert reason in line["message"]
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)


def test_runs_and_show_come_without_heavy_imports(workplace: Path) -> None:
    script = (
        "import sys; from pipelines.cli import app; app(['runs', '--json'], standalone_mode=False);"
        " import pipelines.run_card, pipelines.run_list;"
        " print({'torch', 'prefect', 'numpy', 'pandas'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script]
    output = subprocess.run(command, cwd=workplace, capture_output=True, text=True, check=True).stdout
    assert output == "[]\nset()\n"


def test_a_folder_without_runs_says_how_to_make_one(start: Start) -> None:
    output, errors = start("runs").communicate()
    assert output == "runs: no runs there; `gansynth augment STUDY.toml` makes one\n"
    assert errors == ""


def test_a_damaged_run_is_listed_with_the_reason(start: Start, tmp_path: Path) -> None:
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "study.json").write_text('{"name": ')
    process = start("runs", str(tmp_path))
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    heading, row, reason = output.splitlines()
    assert heading.split()[:2] == ["run", "state"]
    assert row.split()[:2] == ["torn", "damaged"]
    assert re.match(rf"{tmp_path}/torn/study\.json: damaged \(.*\); run again from", reason)
    output, _ = start("runs", "--json", str(tmp_path)).communicate()
    [found] = json.loads(output)
    assert (found["run"], found["state"], found["damage"]) == (str(tmp_path / "torn"), "damaged", reason)
    process = start("show", str(tmp_path / "torn"))
    output, errors = process.communicate()
    assert (process.returncode, output, errors) == (1, "", f"gansynth: {reason}\n")


def test_doctor_says_what_a_study_would_use(here: Here) -> None:
    status, output, errors = here("doctor", "tiny.toml")
    assert status == 0, errors
    assert "2 worker(s), device cpu, precision 32-true" in output
    assert metadata.version("torch") in output
    assert re.search(r"bf16 +\d+\.\d times the speed of 32 bits", output)
    assert not errors
