"""The production guide's commands against a real server: deployments, a worker, cancelling, dying and resuming."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from safetensors import safe_open
from servers import PATIENCE_SECONDS, Server, prefect_server, wait_for
from shapes import write_pictures

from gansynth.study_files import load_study
from pipelines.server import HEARTBEAT_SECONDS
from pipelines.serving import FLOWS

ROOT = Path(__file__).parents[2]
TINY: dict[str, Any] = {
    "name": "tiny",
    "source": {"path": "shapes", "near_duplicate_distance": -1},
    "modality": {"size": 8},
    "gan": {"kind": "residual", "kimg": 0.32},
    "generation": {"amount": 12},
    "evaluation": {"repetitions": 2, "arms": ["real", "gan"], "steps": 12, "inner_steps": 8, "metric": "accuracy"},
    "compute": {"workers": 2, "accelerator": "cpu"},
}
LONG = TINY | {"name": "long", "gan": {"kind": "residual", "kimg": 4000}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A prepared server, our deployments on it, and a worker, all in one folder with pictures of two shapes."""
    folder = tmp_path_factory.mktemp("production")
    write_pictures(folder / "shapes")
    shutil.copy(ROOT / "prefect.yaml", folder)
    with prefect_server(folder) as (running, _):
        done = running.call("gansynth", "setup-server")
        assert done.returncode == 0, done.stderr
        assert "made: work pool gansynth" in done.stdout
        deployed = running.call("prefect", "--no-prompt", "deploy", "--all")
        assert deployed.returncode == 0, deployed.stdout
        with running.started("prefect", "worker", "start", "--pool", "gansynth", "--limit", "1"):
            yield running


def api(server: Server, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
    """Ask the server, again and again while it is busy, as Prefect's own client does."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = httpx.request(method, f"{server.address}/api/{path}", json=body, timeout=60)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > until:
            answer.raise_for_status()
            return answer.json() if answer.content else None
        time.sleep(1)


def submit(server: Server, deployment: str, **parameters: object) -> str:
    """Start a run of a deployment and return its id."""
    flow, name = deployment.split("/")
    found = api(server, "GET", f"deployments/name/{flow}/{name}")
    run = api(server, "POST", f"deployments/{found['id']}/create_flow_run", {"parameters": parameters})
    return str(run["id"])


def state(server: Server, run: str) -> str:
    return str(api(server, "GET", f"flow_runs/{run}")["state"]["name"])


def ended(server: Server, run: str) -> str:
    final = ("Completed", "Failed", "Cancelled", "Crashed")
    wait_for(lambda: state(server, run) in final)
    return state(server, run)


def artifacts(server: Server, run: str) -> dict[str, dict[str, Any]]:
    asked = {"flow_runs": {"id": {"any_": [run]}}}
    return {artifact["key"]: artifact for artifact in api(server, "POST", "artifacts/filter", asked)}


def saved_steps(run_folder: Path) -> list[int]:
    steps = []
    for path in run_folder.glob("repetitions/*/.model.resume/state.safetensors"):
        with safe_open(path, framework="pt") as stored:
            steps.append(int(stored.metadata()["step"]))
    return steps


def training_has_begun(server: Server, name: str) -> bool:
    """Tell whether both workers have something to save."""
    pieces = list((server.folder / "runs" / name / ".progress").glob("train-*.json"))
    return len(pieces) == 2 and all(json.loads(piece.read_text())["done"] > 10 for piece in pieces)


def test_every_flow_is_deployed_and_the_example_schedule_rests() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    entrypoints = {entry["entrypoint"] for entry in deployments if entry["name"] == "gansynth"}
    assert entrypoints == {f"pipelines.{flow.name}.{flow.name}" for flow in FLOWS}
    pools = [entry["work_pool"]["job_variables"]["env"] for entry in deployments]
    assert all(pool == {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)} for pool in pools)
    (example,) = (entry for entry in deployments if "schedules" in entry)
    assert not any(schedule["active"] for schedule in example["schedules"])
    demo = load_study(ROOT / "data" / "studies" / "fashion_rare.toml")
    source = demo.source.model_copy(update={"path": "data/fashion_mnist"})
    assert type(demo)(**example["parameters"]["study"]) == demo.model_copy(update={"source": source})


def test_study_runs_on_a_worker_and_shows_what_it_found(server: Server) -> None:
    run = submit(server, "augment/gansynth", study=TINY)
    assert ended(server, run) == "Completed"
    assert api(server, "GET", f"flow_runs/{run}")["name"] == "augment tiny"
    shown = artifacts(server, run)
    card = shown["tiny-findings"]["data"]
    assert "Recommended arm" in card
    assert str(server.folder / "runs" / "tiny" / "synthetic") in card
    assert "data:image/png;base64," in card
    assert len(card) < 300_000
    assert [row["arm"] for row in json.loads(shown["tiny-arms"]["data"])] == ["real", "gan"]
    assert (server.folder / "reports" / "tiny" / "index.html").exists()
    # what the library logs in its workers is in Prefect too
    logs = [log["message"] for log in api(server, "POST", "logs/filter", {"limit": 200})]
    assert any("trained on" in message for message in logs)


@pytest.mark.slow
def test_a_prepared_server_stays_as_it_is(server: Server) -> None:
    done = server.call("gansynth", "setup-server")
    assert done.returncode == 0, done.stderr
    assert "kept: work pool gansynth" in done.stdout


@pytest.mark.slow
def test_a_stage_or_a_batch_needs_no_more_than_a_run_folder(server: Server) -> None:
    run = submit(server, "augment/gansynth", study=TINY)
    assert ended(server, run) == "Completed"
    again = submit(server, "report/gansynth", run_dir="runs/tiny")
    assert ended(server, again) == "Completed"
    batch = submit(server, "batch/gansynth", run_dir="runs/tiny", out="batch", batch={"count": 20})
    assert ended(server, batch) == "Completed"
    assert list((server.folder / "batch").glob("*.parquet"))


def test_bad_values_are_refused_before_a_run(server: Server) -> None:
    bad = TINY | {"evaluation": TINY["evaluation"] | {"repetitions": 1}}
    with pytest.raises(httpx.HTTPStatusError) as refused:
        submit(server, "augment/gansynth", study=bad)
    assert "study.evaluation.repetitions" in refused.value.response.text


@pytest.mark.slow
def test_values_that_do_not_go_together_fail_the_run(server: Server) -> None:
    together = TINY | {"name": "together", "evaluation": TINY["evaluation"] | {"arms": ["gan"]}}
    run = submit(server, "augment/gansynth", study=together)
    assert ended(server, run) == "Failed"
    assert "arms must include 'real'" in api(server, "GET", f"flow_runs/{run}")["state"]["message"]
    assert not (server.folder / "runs" / "together").exists()


@pytest.mark.slow
def test_cancelled_training_saves_its_state_and_leaves_nothing_half_written(server: Server) -> None:
    run = submit(server, "augment/gansynth", study=LONG)
    wait_for(lambda: training_has_begun(server, "long"))
    api(server, "POST", f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    assert ended(server, run) == "Cancelled"
    folder = server.folder / "runs" / "long"
    assert all(step > 10 for step in saved_steps(folder))
    assert not list(folder.rglob("*.tmp"))
    assert not list(folder.glob("repetitions/*/model"))

    # the same study goes on from there; a run killed with its whole process group is told to have crashed
    before = saved_steps(folder)
    resumed = submit(server, "augment/gansynth", study=LONG)
    wait_for(lambda: (folder / ".owner").exists() and state(server, resumed) == "Running")
    owner = (folder / ".owner").read_text()
    second = server.call("gansynth", "train", str(folder))
    assert second.returncode == 1
    assert owner in second.stderr
    os.kill(int(owner.split()[1]), signal.SIGKILL)
    assert ended(server, resumed) == "Crashed"
    assert all(later >= earlier for later, earlier in zip(saved_steps(folder), before, strict=True))


@pytest.mark.slow
def test_serve_ends_in_time_though_the_server_is_gone(tmp_path: Path) -> None:
    write_pictures(tmp_path / "shapes")
    with prefect_server(tmp_path) as (running, process), running.started("gansynth", "serve") as serving:
        wait_for(lambda: "serving" in running.log("gansynth").read_text(), serving)
        submit(running, "augment/served", study=LONG)
        wait_for(lambda: training_has_begun(running, "long"))
        process.terminate()
        wait_for(lambda: not running.answers())
        serving.terminate()
        assert serving.wait(100) == 0
    assert all(step > 10 for step in saved_steps(tmp_path / "runs" / "long"))
