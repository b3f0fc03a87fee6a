"""Measure the gain of augmentation over datasets and kinds of scarcity: one study each, one table and one page of all.

    python -m benchmarks.gain                                     # the bundled data
    python -m benchmarks.gain --regimes few10 rare10 PATH PATH    # other sources: folders or Parquet
    python -m benchmarks.gain --quick                             # two repetitions of small effort: does it run?

Regimes: `few10`, `few20`, `few50`, that many training rows of each class; `rare10` and `rare50`, a long tail that falls
by that factor to 10 rows; `wild`, the source as it is. Studies lie under `runs/bench/` and resume. The table is
`runs/bench/gain.csv`, a row for each comparison of each study; the page is `runs/bench/gain.html`.
"""

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.page import render_gains

ROOT = Path(__file__).parents[1]
BUNDLED = ROOT / "data" / "fashion_mnist"
REGIMES = {
    "few10": {"per_class": 10},
    "few20": {"per_class": 20},
    "few50": {"per_class": 50},
    "rare10": {"per_class": 100, "imbalance": 10},
    "rare50": {"per_class": 500, "imbalance": 50},
    "wild": {},
}
QUICK = ("evaluation.repetitions=2", "evaluation.steps=60", "gan.kimg=2", "generation.amount=100")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", type=Path, default=[BUNDLED], help="labelled image sources")
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=["few10", "few20", "few50", "rare10"])
    parser.add_argument("--test-per-class", type=int, default=50, help="test images of each class and repetition")
    parser.add_argument("--size", type=int, default=32, help="side of the images in pixels")
    parser.add_argument("--set", action="append", default=[], metavar="SETTING=VALUE", help="further settings")
    parser.add_argument("--quick", action="store_true", help="two repetitions of small effort")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench", help="folder of the studies")
    options = parser.parse_args()
    tables = [measure(source.resolve(), regime, options) for regime in options.regimes for source in options.sources]
    table = pd.concat(tables, ignore_index=True)
    table.to_csv(options.out / "gain.csv", index=False)
    (options.out / "gain.html").write_text(render_gains(table), encoding="utf-8")
    shown = table[["regime", "dataset", "arm", "against", "gain", "ci_low", "ci_high", "verdict", "rare_gain", "mean"]]
    print(shown.to_string(index=False, float_format=lambda value: f"{value:.1f}"))  # noqa: T201  # its output


def measure(source: Path, regime: str, options: argparse.Namespace) -> pd.DataFrame:
    """Run one study through the command line and return its comparisons.

    Gains, their intervals and means are in percentage points; `rare_gain` is that in the mean recall of the third of
    the classes that has the fewest training rows.
    """
    name = f"{source.stem}_{regime}".lower()
    options.out.mkdir(parents=True, exist_ok=True)
    study = options.out / f"{name}.toml"
    scarcity = "".join(f"{setting} = {value}\n" for setting, value in REGIMES[regime].items())
    study.write_text(
        f'name = "{name}"\n[source]\npath = {json.dumps(str(source))}\n[modality]\nsize = {options.size}\n'
        f"[split]\ntest_per_class = {options.test_per_class}\n[scarcity]\n{scarcity}"
    )
    command = [str(Path(sys.executable).with_name("gansynth")), "augment", str(study)]
    command += ["--run-dir", str(options.out / name), "--reports-dir", str(options.out / "reports")]
    settings = [*(QUICK if options.quick else ()), *options.set]
    command += [word for setting in settings for word in ("--set", setting)]
    subprocess.run(command, check=True)  # noqa: S603  # the words are ours and the user's own
    report = json.loads((options.out / name / "report" / "report.json").read_text())
    return comparisons(report).assign(dataset=source.stem, regime=regime)


def comparisons(report: dict[str, Any]) -> pd.DataFrame:
    """Return the comparisons of a report, a row each."""
    rows, arms = report["train_rows"], report["arms"]
    rare = sorted(rows, key=rows.get)[: math.ceil(len(rows) / 3)]
    recall = {arm: sum(found["recall"][name] for name in rare) / len(rare) for arm, found in arms.items()}
    gan_cost = report["cost"]["train"]
    return pd.DataFrame(
        {
            "arm": row["arm"],
            "against": row["against"],
            "best_without_gan": row["against"] == report["verdict"]["best_without_gan"],
            **{key: 100 * row[key] for key in ("gain", "ci_low", "ci_high")},
            "p_holm": row["p_holm"],
            "verdict": row["verdict"],
            "recommended": row["arm"] == report["recommended_arm"],
            "rare_gain": 100 * (recall[row["arm"]] - recall[row["against"]]),
            "mean": 100 * arms[row["arm"]]["mean"],
            "cpu_seconds_per_gan": gan_cost["cpu_seconds"] / gan_cost["artifacts"],
        }
        for row in report["comparisons"]
    )


if __name__ == "__main__":
    main()
