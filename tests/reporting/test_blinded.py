"""The blinded page: what it shows, and what its script makes of the answers, run by a real JavaScript engine."""

import base64
import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from py_mini_racer import MiniRacer
from scipy.stats import binomtest

from gansynth.modalities.image.storage import encode_png
from gansynth.reporting.blinded import MOST_BYTES, render_blinded

SCRIPT = Path(render_blinded.__code__.co_filename).with_name("blinded.js").read_text()


def call(function: str, *arguments: Any) -> Any:  # noqa: ANN401 - whatever JSON can say
    engine = MiniRacer()
    engine.eval(SCRIPT)
    return json.loads(engine.eval(f"JSON.stringify({function}({','.join(map(json.dumps, arguments))}))"))


def images(count: int, png: bytes | None = None) -> pd.DataFrame:
    random = np.random.default_rng(0)

    def draw() -> np.ndarray:
        return random.integers(0, 256, (8, 8, 1), dtype=np.uint8)

    rows = [
        {"class_name": f"no <b>{index % 3}", "kind": kind, "image": png or encode_png(draw())}
        for index in range(count // 2)
        for kind in ("real", "synthetic")
    ]
    return pd.DataFrame(rows)


def data_of(page: str) -> dict[str, Any]:
    found = BeautifulSoup(page, "html.parser").find(id="data")
    assert found is not None
    data: dict[str, Any] = json.loads(base64.b64decode(found.text))
    return data


def test_the_page_carries_every_image_and_its_truth_but_shows_none() -> None:
    table = images(20)
    page = render_blinded(table, "shapes", 0.05)
    data = data_of(page)
    assert [question["truth"] for question in data["questions"]] == table["kind"].tolist()
    pictures = [base64.b64decode(question["image"].split(",")[1]) for question in data["questions"]]
    assert pictures == table["image"].tolist()
    assert "20 images" in page
    assert "data:image" not in page
    for word in ("http:", "https:", "src=", "<b>"):
        assert word not in page


def test_a_page_of_large_images_stays_loadable() -> None:
    page = render_blinded(images(40, b"\x89PNG" + bytes(MOST_BYTES // 10)), "shapes", 0.05)
    kinds = [question["truth"] for question in data_of(page)["questions"]]
    assert Counter(kinds) == {"real": 4, "synthetic": 4}


@pytest.mark.parametrize(("right", "count"), [(0, 7), (31, 60), (60, 60), (1, 1), (45, 60)])
@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_the_interval_is_that_of_wilson(right: int, count: int, alpha: float) -> None:
    expected = binomtest(right, count).proportion_ci(1 - alpha, method="wilson")
    z = data_of(render_blinded(images(2), "shapes", alpha))["z"]
    assert call("wilson", right, count, z) == pytest.approx([expected.low, expected.high], abs=1e-9)


@pytest.mark.parametrize(
    ("wrong", "told"), [(0, "could tell synthetic"), (20, "do not show"), (40, "took one kind for the other")]
)
def test_answers_come_to_a_count_and_a_conclusion(wrong: int, told: str) -> None:
    other = {"real": "synthetic", "synthetic": "real"}
    truths = ["real", "synthetic"] * 20
    answers = [
        {"truth": truth, "answer": other[truth] if index < wrong else truth} for index, truth in enumerate(truths)
    ]
    found = call("assess", answers, 1.96)
    assert (found["right"], found["count"]) == (40 - wrong, 40)
    assert found["real"] == {"count": 20, "calledReal": 20 - wrong // 2}
    assert found["synthetic"] == {"count": 20, "calledReal": wrong // 2}
    assert told in " ".join(call("tell", found, 0.95))


def test_the_saved_file_is_csv_that_others_read() -> None:
    answer = {"question": 1, "class_name": 'a "b", c\nd', "truth": "real", "answer": "synthetic", "seconds": "1.25"}
    rows = list(csv.DictReader(io.StringIO(call("toCsv", [answer]), newline="")))
    assert rows == [{name: str(value) for name, value in answer.items()}]
