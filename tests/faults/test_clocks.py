"""Row 22: clocks that jump and time zones that change."""

import itertools
import json
import os
import time
from functools import partial
from pathlib import Path

import pandas as pd
from children import check_tidy, digests, in_child
from cleanruns import Clean

from gansynth.artifacts import MANIFEST, read_manifest
from gansynth.ingestion import ingest
from gansynth.runs import METRICS_FILE, Run
from gansynth.study import Study

DAY = 86_400.0
ELSEWHERE = ("Pacific/Kiritimati", "America/St_Johns")


def jump() -> None:
    """Let the wall clock jump to and fro by days, ever further, and let it be another day than at home."""
    jumps = itertools.count()
    now = time.time
    time.time = lambda: now() + DAY * (-3) ** (next(jumps) % 9)
    change_zone(ELSEWHERE[0])


def change_zone(zone: str) -> None:
    os.environ["TZ"] = zone
    time.tzset()


def test_a_clock_that_jumps_changes_neither_results_nor_durations(clean: Clean, tmp_path: Path) -> None:
    lacking = ("model", "synthetic", "repetitions/00/arms/gan", "evaluation", "report")
    root = clean.without(tmp_path / "run", *lacking)
    assert in_child(clean.work(root), jump).well
    check_tidy(root)
    assert digests(root) == clean.digests
    for name in lacking:
        assert 0 <= read_manifest(root / name).seconds < DAY / 24
    lines = [json.loads(line) for line in (root / "model" / METRICS_FILE).read_text().splitlines()]
    assert [line["step"] for line in lines] == sorted({line["step"] for line in lines})
    assert not any("time" in line or "date" in line for line in lines)  # what comes first, the step says


def test_files_from_the_future_are_as_good_as_any(clean: Clean, tmp_path: Path) -> None:
    root = clean.without(tmp_path / "run")
    for position, path in enumerate(sorted(root.rglob("*"))):
        moment = (0.0, 4e9)[position % 2]
        os.utime(path, (moment, moment))
    before = {path: path.stat().st_mtime for path in root.rglob(MANIFEST)}
    assert in_child(clean.work(root), partial(change_zone, ELSEWHERE[1])).well
    # nothing is made again
    assert {path: path.stat().st_mtime for path in root.rglob(MANIFEST)} == before


def test_moments_in_a_table_are_the_same_in_every_time_zone(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {
            "naive": pd.date_range("2026-03-28 23:30", periods=40, freq="31min"),  # over a change to summer time
            "aware": pd.date_range("2026-10-24 23:30", periods=40, freq="31min", tz="Europe/Berlin"),
            "left": ["yes", "no"] * 20,
        }
    )
    for name in ("table.csv", "table.parquet"):
        (rows.to_csv if name.endswith("csv") else rows.to_parquet)(tmp_path / name, index=False)
        study = Study.model_validate(
            {
                "name": "tiny",
                "source": {"path": str(tmp_path / name)},
                "modality": {"kind": "table", "label": "left"},
                "gan": {"kind": "tabular"},
            }
        )
        found = set()
        for zone in ("UTC", *ELSEWHERE):
            run = Run(tmp_path / name.replace(".", "-") / zone.replace("/", "-"))
            ended = in_child(partial(ingest, study, run), partial(change_zone, zone))
            assert ended.well, ended
            found.add(read_manifest(run.dataset).digest)
        assert len(found) == 1
