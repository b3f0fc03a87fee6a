"""The main job as a user runs it: the command line in a process of its own, with real Prefect.

The first run starts the temporary server, the later ones use a server that stands already, as users of Prefect do.
"""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from storage import CREDENTIALS, Bucket

from gansynth.artifacts import read_manifest
from gansynth.results import read_summary
from gansynth.runs import Run
from gansynth.study_files import read_study

Start = Callable[..., "subprocess.Popen[str]"]
PATIENCE = 300

NOTE_ADDRESSES = """
import os, sys

def note(event, arguments):
    if event in ("socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments[0] if isinstance(arguments[0], str) else arguments[1]
        host = address[0] if isinstance(address, tuple) else address
        # one write of so few bytes is not mixed with that of another process
        descriptor = os.open(os.environ["ADDRESSES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{event} {host}\\n".encode())
        os.close(descriptor)

sys.addaudithook(note)
"""
"""Lets Python, before it starts any program, note every address that this listens on, calls or looks up."""


@pytest.fixture(scope="module")
def addresses(workplace: Path) -> Path:
    """The file in which the addresses of the first run, its workers and its server are noted."""
    (workplace / "sitecustomize.py").write_text(NOTE_ADDRESSES)
    return workplace / "addresses.txt"


@pytest.fixture(scope="module")
def augmented(start: Start, addresses: Path) -> tuple[str, str]:
    """What `gansynth augment` printed, and what it told on the way."""
    process = start("augment", "tiny.toml", PYTHONPATH=str(addresses.parent), ADDRESSES=str(addresses))
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return output, errors


@pytest.fixture(scope="module")
def api(workplace: Path, augmented: tuple[str, str]) -> Iterator[str]:  # noqa: ARG001 - its database is used again
    """The address of a Prefect server over the same database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    factory = ("--factory", "prefect.server.api.server:create_app")
    settings = {"PREFECT_HOME": str(workplace / "prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [sys.executable, "-m", "uvicorn", *factory, "--port", str(port), "--log-level", "error"]
    server = subprocess.Popen(command, env=os.environ | settings)
    address = f"http://127.0.0.1:{port}/api"
    try:
        for _ in range(PATIENCE):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5)  # noqa: S310 - it is our own server
                break
            except OSError:
                time.sleep(1)
        yield address
    finally:
        server.terminate()
        server.wait()


def manifests(run: Run) -> dict[str, int]:
    """Return when each artifact of a run was written."""
    return {str(path.parent.relative_to(run.root)): path.stat().st_mtime_ns for path in run.root.rglob("manifest.json")}


def verdict(run: Run) -> str:
    return read_summary(run.evaluation).verdict.sentence


def test_augment_prints_the_verdict_and_where_to_read_on(augmented: tuple[str, str], workplace: Path) -> None:
    output, _ = augmented
    run = Run(workplace / "runs" / "tiny")
    summary = json.loads((run.evaluation / "summary.json").read_text())
    assert output.splitlines()[0] == summary["verdict"]["sentence"]
    for arm, found in summary["arms"].items():
        assert re.search(rf"^{arm} +{100 * found['mean']:.1f}", output, re.MULTILINE)
    assert output.endswith("Synthetic dataset: runs/tiny/synthetic\nReport: runs/tiny/report/index.html\n")


def test_augment_leaves_a_complete_run_folder(augmented: tuple[str, str], workplace: Path) -> None:  # noqa: ARG001 - it made the run
    run = Run(workplace / "runs" / "tiny")
    assert read_study(run).source.path == str(workplace / "shapes")
    units = [f"repetitions/{r:02d}/{made}" for r in (0, 1) for made in ("model", "synthetic", "fidelity")]
    units += [f"repetitions/{r:02d}/arms/{arm}" for r in (0, 1) for arm in ("real", "oversampled", "gan")]
    assert manifests(run).keys() == {"dataset", "model", "synthetic", "evaluation", "report", *units}
    assert not run.progress.exists() or not list(run.progress.iterdir())
    page = (workplace / "reports" / "tiny" / "index.html").read_bytes()
    assert page == (run.report / "index.html").read_bytes()


def test_augment_calls_and_answers_this_machine_alone(augmented: tuple[str, str], addresses: Path) -> None:  # noqa: ARG001 - it made the run
    noted = [line.split(" ", 1) for line in addresses.read_text().splitlines()]
    assert {"socket.bind", "socket.connect"} <= {event for event, _ in noted}
    # a path is a socket in a folder
    assert {host for _, host in noted if not host.startswith("/")} <= {"127.0.0.1", "::1", "localhost"}


def test_augment_tells_a_line_for_each_unit_and_nothing_else(augmented: tuple[str, str]) -> None:
    _, errors = augmented
    told = [line.split(" (")[0] for line in errors.splitlines()]
    assert [line.split(" done in")[0] for line in told if " done in " in line] == [
        "ingest:",
        "train:",
        "generate:",
        "evaluate:",
        "report:",
    ]
    for stage in ("train", "generate"):
        assert {f"{stage}: repetition 1", f"{stage}: repetition 2", f"{stage}: delivery"} <= set(told)
    arms = {f"evaluate: repetition {r}, {arm}" for r in (1, 2) for arm in ("real", "oversampled", "gan", "fidelity")}
    assert arms | {"evaluate: verdict"} <= set(told)
    assert len(told) == 5 + 3 + 3 + 9


def test_prefect_holds_flows_tasks_and_findings(augmented: tuple[str, str], workplace: Path) -> None:
    output, _ = augmented
    database = sqlite3.connect(workplace / "prefect" / "prefect.db")
    flows = dict(database.execute("select name, state_type from flow_run").fetchall())
    stages = ("augment", "ingest", "train", "generate", "evaluate", "report")
    assert flows == {f"{stage} tiny": "COMPLETED" for stage in stages}
    tasks = {name for (name,) in database.execute("select name from task_run where state_type = 'COMPLETED'")}
    assert {"repetition 1", "delivery", "repetition 2, gan", "repetition 1, fidelity", "verdict"} <= tasks
    [(key, data)] = database.execute("select key, data from artifact where type = 'markdown'").fetchall()
    assert key == "tiny-findings"
    assert output.splitlines()[0] in json.loads(data)
    assert "data:image/png;base64," in data


def test_runs_lists_the_run_with_its_verdict(
    start: Start,
    workplace: Path,
    augmented: tuple[str, str],  # noqa: ARG001 - it made the run
) -> None:
    summary = read_summary(Run(workplace / "runs" / "tiny").evaluation)
    output, errors = start("runs").communicate(timeout=PATIENCE)
    assert errors == ""
    heading, row = output.splitlines()
    assert heading.split() == ["run", "state", "over", "real", "over", "best", "without", "GAN", "changed", "time"]
    assert row.split()[:2] == ["tiny", "reported"]
    assert f" {summary.verdict.against_real}, " in row
    output, _ = start("runs", "runs", "--json").communicate(timeout=PATIENCE)
    [found] = json.loads(output)
    assert (found["run"], found["state"], found["running"]) == ("runs/tiny", "reported", None)
    assert found["verdict"] == summary.verdict.model_dump()
    assert found["stages"]["evaluate"]["artifacts"] == found["stages"]["evaluate"]["total"] == 9
    assert found["seconds"] == pytest.approx(sum(stage["seconds"] for stage in found["stages"].values()))


@pytest.mark.slow
def test_what_was_found_of_a_table_is_told_while_it_is_read_and_by_show(
    start: Start, workplace: Path, api: str
) -> None:
    lines = [f"customer {n};{n * 7 % 50};{'yes' if n % 2 else 'no'};{'left' if n % 2 else 'stays'}" for n in range(100)]
    (workplace / "churn.csv").write_text("\n".join(["id;age;mailed;left", *lines, lines[0]]))
    (workplace / "churn.toml").write_text('name="churn"\nsource={path="churn.csv"}\nmodality={label="left"}\n')
    for _ in range(2):  # also where nothing is to be done
        process = start("ingest", "churn.toml", PREFECT_API_URL=api)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
        assert "ingest: Read as utf-8, semicolon between values" in errors
        assert "ingest: id: dropped, is an id: 100 values" in errors
        assert errors.index("mailed: suspected leak") < errors.index("id: dropped")
    card, _ = start("show", "runs/churn").communicate(timeout=PATIENCE)
    assert "dataset: id: dropped, is an id: 100 values" in card
    assert "51 rows of the source repeat" in card


def test_show_prints_the_card_of_a_run(start: Start, workplace: Path, augmented: tuple[str, str]) -> None:
    verdict = augmented[0].splitlines()[0]
    output, errors = start("show", "runs/tiny").communicate(timeout=PATIENCE)
    assert errors == ""
    assert "\x1b" not in output
    lines = [line.rstrip() for line in output.splitlines()]
    assert lines[0] == "tiny: reported"
    assert f"source         {workplace / 'shapes'} (licence: unknown)" in lines
    assert "dataset        2 classes, 48 rows" in lines
    assert "GAN            residual, 0.32 thousand samples" in lines
    assert any(re.fullmatch(r"evaluate +9 of 9 +[\d.]+ s +[\d.]+ s +\d+ MiB", line) for line in lines)
    assert verdict in lines
    assert any(re.match("fidelity +KID ", line) for line in lines)
    assert any(re.match("similarity +", line) for line in lines)
    assert "report             runs/tiny/report/index.html" in lines
    for warning in json.loads((workplace / "runs" / "tiny" / "report" / "report.json").read_text())["warnings"]:
        assert f"warning: {warning}" in lines


def test_any_number_of_samples_comes_from_a_trained_run(start: Start, workplace: Path, api: str) -> None:
    before = manifests(Run(workplace / "runs" / "tiny"))
    command = ("generate", "runs/tiny", "--class", "dot=10", "--shard-size=4", "--format=folder", "--out", "more")
    process = start(*command, PREFECT_API_URL=api)
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert output == f"10 samples: {workplace / 'more'}\n"
    assert {line.split(" (")[0] for line in errors.splitlines()} >= {f"generate: shard {i} of 3" for i in (1, 2, 3)}
    assert len(list((workplace / "more" / "dot").glob("*.png"))) == 10
    assert manifests(Run(workplace / "runs" / "tiny")) == before
    assert not list(workplace.glob(".more*"))
    assert verdict(Run(workplace / "runs" / "tiny")) in (workplace / "more" / "README.md").read_text()


@pytest.mark.slow
def test_a_batch_that_lies_there_is_found_without_a_flow(start: Start, workplace: Path, api: str) -> None:
    command = ("generate", "runs/tiny", "--class", "dot=10", "--out", "found")
    first = start(*command, PREFECT_API_URL=api).communicate(timeout=PATIENCE)
    before = (workplace / "found" / "manifest.json").stat().st_mtime_ns
    assert start(*command).communicate(timeout=PATIENCE) == (first[0], "")
    assert (workplace / "found" / "manifest.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_batch_that_was_killed_goes_on_with_the_shards_that_are_missing(
    start: Start, workplace: Path, api: str
) -> None:
    command = ("generate", "runs/tiny", "--count=60000", "--shard-size=5000", "--out", "many")
    process = start(*command, PREFECT_API_URL=api)
    shards = workplace / ".many.shards"
    deadline = time.monotonic() + PATIENCE
    while not (finished := list(shards.glob("[0-9]*/*.parquet"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert not (workplace / "many").exists()
    kept = {path.name: path.stat().st_ino for path in finished}
    process = start(*command, PREFECT_API_URL=api)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    there = {path.name: path.stat().st_ino for path in (workplace / "many").glob("*.parquet")}
    assert len(there) == 12
    assert kept
    assert kept.items() <= there.items()
    assert not shards.exists()


@pytest.mark.slow
def test_source_batch_and_report_may_be_remote_and_credentials_are_stored_nowhere(
    start: Start, workplace: Path, api: str, bucket: Bucket
) -> None:
    source = bucket.put_folder(workplace / "shapes", "shapes")
    for command in (
        ("ingest", "tiny.toml", "--set", f"source.path={source}", "--run-dir", "runs/remote"),
        ("generate", "runs/tiny", "--class", "dot=10", "--shard-size=4", "--out", f"{bucket.url}/batch"),
        ("report", "runs/tiny", "--reports-dir", f"{bucket.url}/reports/"),
    ):
        process = start(*command, PREFECT_API_URL=api)
        output, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
        assert command[0] != "generate" or output == f"10 samples: {bucket.url}/batch\n"
    tiny, remote = (read_manifest(workplace / "runs" / name / "dataset") for name in ("tiny", "remote"))
    assert tiny.digest == remote.digest
    there = {name for name in bucket.objects() if not name.startswith("shapes/")}
    shards = {f"batch/synthetic-{number:05d}-of-00003.parquet" for number in range(3)}
    assert there >= shards | {"batch/manifest.json", "reports/tiny/index.html"}
    for path in workplace.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(value.encode() in content for value in CREDENTIALS.values()), path


@pytest.mark.slow
def test_same_run_again_makes_only_what_changed(start: Start, workplace: Path, api: str) -> None:
    run = Run(workplace / "runs" / "tiny")
    before, samples = manifests(run), {p: p.stat().st_mtime_ns for p in run.synthetic(None).glob("*.parquet")}
    process = start("augment", "runs/tiny", "--set", "evaluation.alpha=0.1", PREFECT_API_URL=api)
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert "90 % interval" in output
    after = manifests(run)
    assert {name for name in after if after[name] != before.get(name)} == {"evaluation", "report", "synthetic"}
    assert {path: path.stat().st_mtime_ns for path in run.synthetic(None).glob("*.parquet")} == samples
    assert verdict(run) in (run.synthetic(None) / "README.md").read_text()
    assert read_study(run).evaluation.alpha == 0.1


@pytest.mark.slow
def test_pictures_are_scored(start: Start, workplace: Path, api: str) -> None:
    process = start("score", "runs/tiny", "shapes", "--normal", "dot", "--out", "scores.csv", PREFECT_API_URL=api)
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert output.startswith("Normal: dot, by ")
    assert output.endswith("of 48 rows\nScores: scores.csv\n")
    lines = (workplace / "scores.csv").read_text().splitlines()
    assert len(lines) == 49
    assert lines[1].startswith('1,"bar/0.png",')
    process = start("score", "runs/tiny", "shapes", "--normal", "cat", "--out", "no.csv", PREFECT_API_URL=api)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors == "gansynth: normal: no class is called 'cat'; there are bar, dot\n"
    assert not list(workplace.glob("*no.csv*"))


@pytest.mark.slow
def test_progress_as_json_is_one_object_a_line(start: Start, workplace: Path, api: str) -> None:
    process = start("generate", "runs/tiny", GANSYNTH_LOG_FORMAT="json", PREFECT_API_URL=api)
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert output == "Synthetic dataset: runs/tiny/synthetic\n"
    lines = [json.loads(line) for line in errors.splitlines()]
    assert [line["state"] for line in lines] == ["started", "running", "running", "running", "done"]
    assert [line["finished"] for line in lines] == [0, 1, 2, 3, 3]
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds)
    common = {"level": "INFO", "logger": "gansynth", "study": "tiny", "stage": "generate", "total": 3}
    for line in lines:
        assert line.items() >= {**common, "run": str(workplace / "runs" / "tiny")}.items()
        assert {"timestamp", "message"} <= set(line)


def test_error_in_a_worker_is_one_line(start: Start, api: str) -> None:
    process = start("train", "tiny.toml", "--run-dir", "runs/empty", PREFECT_API_URL=api)
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert output == ""
    assert re.fullmatch(
        r"gansynth: .*runs/empty/dataset: nothing there yet; run the stage that makes it first\n", errors
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "setting", "refusal"),
    [
        ("train", "evaluation.classifier=resnet99", "no classifier is called 'resnet99'"),
        ("report", "gan.kimg=500", "was made with other settings"),
    ],
)
def test_a_command_that_fails_leaves_the_run_its_study(
    start: Start, workplace: Path, api: str, stage: str, setting: str, refusal: str
) -> None:
    run = Run(workplace / "runs" / "tiny")
    before = run.study_file.read_bytes()
    process = start(stage, "runs/tiny", "--set", setting, PREFECT_API_URL=api)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert refusal in errors
    assert errors.count("\n") == 1
    assert run.study_file.read_bytes() == before


@pytest.mark.slow  # tests/faults/test_stopping.py ends each stage by itself
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(("sent", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_run_that_is_ended_leaves_no_process_and_no_lock(
    start: Start, workplace: Path, sent: signal.Signals, word: str
) -> None:
    run = Run(workplace / "runs" / word)
    mark = f"{word} {workplace}"
    process = start("augment", "tiny.toml", "--run-dir", str(run.root), "--set", "gan.kimg=1e6", WHO=mark)
    deadline = time.monotonic() + PATIENCE
    while not list(run.progress.glob("train*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(marked(mark)) > 3
    card, _ = start("show", str(run.root)).communicate(timeout=PATIENCE)
    assert card.startswith(f"{word}: running (process {process.pid} on {socket.gethostname()}): ingested\n")
    assert re.search(r"^at work: train repetition \d \(\d+ %, \d+:\d\d\)$", card, re.MULTILINE)
    os.killpg(process.pid, sent)  # to all processes at once, as terminals and batch systems do
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + sent
    assert errors.endswith(f"gansynth: {word}; the same command resumes where it stopped\n")
    assert "Traceback" not in errors
    deadline = time.monotonic() + 10
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert marked(mark) == []
    card, _ = start("show", str(run.root)).communicate(timeout=PATIENCE)
    assert card.startswith(f"{word}: interrupted: ingested\n")
    assert f"No verdict yet. Go on with: gansynth augment {run.root}\n" in card
    with run.lock():
        assert manifests(run).keys() == {"dataset"}


def marked(mark: str) -> list[str]:
    """Return the command lines of the processes that inherited the mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"WHO={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found
