"""Measure the gain of augmentation over datasets and kinds of scarcity: one study each, one table and one page of all.

    python -m benchmarks.gain                                     # the bundled data
    python -m benchmarks.gain --regimes few10 rare10 PATH PATH    # other sources: folders or Parquet
    python -m benchmarks.gain --quick                             # two repetitions of small effort: does it run?

Regimes: `few10`, `few20`, `few50`, that many training rows of each class; `rare10` and `rare50`, a long tail that falls
by that factor to 10 rows; `wild`, the source as it is. Studies lie under `runs/bench/` and resume. The table is
`runs/bench/gain.csv`, a row for each comparison of each study; `runs/bench/means.csv` has what an arm with a GAN gains
on average over the sources of a regime; the page is `runs/bench/gain.html`.
"""

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.page import render_gains
from gansynth.evaluation.statistics import corrected_t_test
from gansynth.results import SCORES_FILE

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
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=[name for name in REGIMES if name != "wild"])
    parser.add_argument("--test-per-class", type=int, default=50, help="test images of each class and repetition")
    parser.add_argument("--size", type=int, default=32, help="side of the images in pixels")
    parser.add_argument("--set", action="append", default=[], metavar="SETTING=VALUE", help="further settings")
    parser.add_argument("--quick", action="store_true", help="two repetitions of small effort")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench", help="folder of the studies")
    options = parser.parse_args()
    names = [source.resolve().stem.lower() for source in options.sources]
    if len(set(names)) < len(names):
        parser.error("two sources have the same name, which names their studies; rename one, or leave it out")
    tables, courses = zip(
        *(measure(source.resolve(), regime, options) for regime in options.regimes for source in options.sources),
        strict=True,
    )
    table = pd.concat(tables, ignore_index=True)
    table.to_csv(options.out / "gain.csv", index=False)
    means = average(pd.concat(courses))
    means.to_csv(options.out / "means.csv", index=False)
    (options.out / "gain.html").write_text(render_gains(table, means), encoding="utf-8")
    shown = table[["regime", "dataset", "arm", "against", "gain", "ci_low", "ci_high", "verdict", "rare_gain", "mean"]]
    for part in (shown, means):
        print(part.to_string(index=False, float_format=lambda value: f"{value:.1f}"))  # noqa: T201  # its output


def measure(source: Path, regime: str, options: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run one study through the command line; return its comparisons, and its gains in each repetition.

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
    scores = pd.read_parquet(options.out / name / "evaluation" / SCORES_FILE)
    return (
        comparisons(report).assign(dataset=source.stem, regime=regime),
        gains_by_repetition(report, scores).assign(dataset=source.stem, regime=regime),
    )


def rare_third(report: dict[str, Any]) -> list[str]:
    """Return the names of the third of the classes that has the fewest training rows."""
    rows = report["train_rows"]
    return sorted(rows, key=rows.get)[: math.ceil(len(rows) / 3)]


def gains_by_repetition(report: dict[str, Any], scores: pd.DataFrame) -> pd.DataFrame:
    """Return what each arm with a GAN gains over `real` and over the best arm without one, a row per repetition."""
    of_metric = scores[scores.metric == report["metric"]].pivot_table(index="repetition", columns="arm", values="value")
    rare = scores[(scores.metric == "recall") & scores.class_name.isin(rare_third(report))]
    recall = rare.pivot_table(index="repetition", columns="arm", values="value")
    references = {"real": "real", "the best arm without a GAN": report["verdict"]["best_without_gan"]}
    return pd.concat(
        pd.DataFrame(
            {
                "arm": arm,
                "against": against,
                "gain": 100 * (of_metric[arm] - of_metric[reference]),
                "rare_gain": 100 * (recall[arm] - recall[reference]),
                "correlation": report["correlation"],
                "n_test": sum(report["test_rows"].values()),
                "rare_n_test": sum(report["test_rows"][name] for name in rare_third(report)),
            }
        )
        for arm in report["arms"]
        if "gan" in arm.split("+")
        for against, reference in references.items()
    ).reset_index()


def average(gains: pd.DataFrame) -> pd.DataFrame:
    """Return the mean gains over the datasets of a regime, with 95 % intervals in points.

    The datasets are independent, so the mean of their gains in a repetition is one observation; the corrected test over
    the repetitions allows for the largest of their correlations, and for the rounding of the smallest test part.
    """
    rows = []
    for (regime, arm, against), group in gains.groupby(["regime", "arm", "against"], sort=False):
        row: dict[str, Any] = {"regime": regime, "arm": arm, "against": against, "datasets": group.dataset.nunique()}
        for what, size in (("gain", "n_test"), ("rare_gain", "rare_n_test")):
            course = group.groupby("repetition")[what].mean().to_numpy(np.float64) / 100
            test = corrected_t_test(course, group.correlation.max(), int(group[size].min()), alpha=0.05)
            low, high = 100 * max(test.ci_low, -1), 100 * min(test.ci_high, 1)
            row |= {what: 100 * test.gain, f"{what}_low": low, f"{what}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def comparisons(report: dict[str, Any]) -> pd.DataFrame:
    """Return the comparisons of a report, a row each."""
    arms, rare = report["arms"], rare_third(report)
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
