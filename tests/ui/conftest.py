"""Prefect's UI as users meet it: a real server, `gansynth serve` beside it, and a browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from servers import Server, prefect_server, wait_for
from shapes import write_pictures


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that all flows are served to, and pictures of two shapes in its folder."""
    folder = tmp_path_factory.mktemp("ui")
    write_pictures(folder / "shapes")
    with prefect_server(folder) as (server, _), server.started("gansynth", "serve") as serving:
        wait_for(lambda: "serving" in server.log("gansynth").read_text(), serving)
        yield server


STUDY = """
name = "trained"
source = {path = "shapes", near_duplicate_distance = -1}
modality = {size = 8}
gan = {kimg = 0.32}
generation = {amount = 12}
evaluation = {repetitions = 2, arms = ["real", "gan"], steps = 12, inner_steps = 8}
compute = {accelerator = "cpu"}
"""


@pytest.fixture(scope="session")
def trained(served: Server) -> Server:
    """The same server, and a run with a trained generator in its folder."""
    (served.folder / "trained.toml").write_text(STUDY)
    for stage in ("ingest", "train"):
        done = served.call("gansynth", stage, "trained.toml")
        assert done.returncode == 0, done.stderr
    return served


@pytest.fixture
def page() -> Iterator[Page]:
    """A page in a browser."""
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        # no sandbox: in containers there is none to be had
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        opened = chromium.new_page(viewport={"width": 1280, "height": 1400})
        opened.set_default_timeout(120_000)
        yield opened
        chromium.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """The folder for pictures of what was seen, to be looked at."""
    folder = Path("runs/ui")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
