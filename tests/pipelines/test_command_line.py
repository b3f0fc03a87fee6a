"""What the command line answers without running a flow."""

import re
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

Start = Callable[..., "subprocess.Popen[str]"]


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


def test_wrong_usage_exits_with_2(start: Start) -> None:
    wrong = [
        (("augment",), "Missing argument"),
        (("train", "tiny.toml", "--sett", "seed=1"), "No such option"),
        (("generate", "tiny.toml", "--count", "5"), "need --out"),
        (("generate", "tiny.toml", "--balance"), "need --out"),
        (("generate", "tiny.toml", "--seed", "5"), "go with --count, --class or --balance"),
        (("generate", "tiny.toml", "--class", "cat", "--out", "x"), "write NAME=NUMBER"),
        (("generate", "tiny.toml", "--count", "5", "--out", "x", "--set", "seed=1"), "--set does not go with"),
        (("train", "shapes", "--run-dir", "elsewhere"), "--run-dir goes with a study file"),
    ]
    started = [start(*arguments) for arguments, _ in wrong]
    for process, (_, reason) in zip(started, wrong, strict=True):
        _, errors = process.communicate()
        assert process.returncode == 2
        assert reason in " ".join(errors.split())


def test_errors_are_one_line_and_exit_with_1(start: Start, workplace: Path) -> None:
    wrong = [
        (("augment", "tiny.toml", "--set", "gan.kimg=-3"), "--set: gan.kimg: must be greater than 0 (given: -3)"),
        (("train", "shapes"), "shapes: not a run folder"),
        (("augment", "tiny.toml", "--set", "source.path=s3://key:hush@bucket/a"), "a URL must be like s3://BUCKET"),
        (("augment", "tiny.toml", "--reports-dir", "s3://key:hush@bucket/a"), "a URL must be like s3://BUCKET"),
        (
            ("generate", "tiny.toml", "--count", "5", "--out", "s3://key:hush@bucket/a"),
            "a URL must be like s3://BUCKET",
        ),
    ]
    started = [start(*arguments) for arguments, _ in wrong]
    for process, (_, reason) in zip(started, wrong, strict=True):
        output, errors = process.communicate()
        assert process.returncode == 1
        assert output == ""
        assert errors.startswith("gansynth: ")
        assert reason in errors
        assert errors.count("\n") == 1
        assert "hush" not in errors
    assert not (workplace / "runs").exists()


def test_doctor_says_what_a_study_would_use(start: Start) -> None:
    process = start("doctor", "tiny.toml")
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "2 worker(s), device cpu, precision 32-true" in output
    assert metadata.version("torch") in output
    assert re.search(r"bf16 +\d+\.\d times the speed of 32 bits", output)
    assert not errors
