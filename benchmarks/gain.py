"""Measure the gain of augmentation over datasets and kinds of scarcity: one study each, one table and one page of all.

    python -m benchmarks.gain                                     # the bundled data
    python -m benchmarks.gain --regimes few10 rare10 PATH PATH    # other sources: folders or Parquet
    python -m benchmarks.gain tables/*.toml                       # studies as they are, of tables for example
    python -m benchmarks.gain --quick                             # two repetitions of small effort: does it run?

Regimes: `few10`, `few20`, `few50`, that many training rows of each class; `rare10` and `rare50`, a long tail that falls
by that factor to 10 rows, where the source has enough of them (the column `imbalance` says); `wild`, the source as it
is, which is the only one for a study file, whose own settings say how scarce its rows are. Studies lie under
`runs/bench/` (`runs/bench-quick/`) and resume; all that lie there must have the same settings. After every study the
tables are written anew from all that are there: `gain.csv` has a row for each comparison, `means.csv` what an arm with
a GAN gains on average over the sources of a regime in every metric, and `gain.html` is a page of both.
"""

import argparse
import json
import math
import re
import subprocess
import sys
from itertools import product
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
STUDY = ".toml"
BESIDE = ("macro_f1", "roc_auc", "rare_recall")
"""What is shown beside the metric of the studies."""
QUICK = ("evaluation.repetitions=2", "evaluation.steps=60", "gan.kimg=2", "generation.amount=100")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", type=Path, default=[BUNDLED], help="image sources, or study files")
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=[name for name in REGIMES if name != "wild"])
    parser.add_argument("--test-per-class", type=int, default=50, help="test images of each class and repetition")
    parser.add_argument("--size", type=int, default=32, help="side of the images in pixels")
    parser.add_argument("--set", action="append", default=[], metavar="SETTING=VALUE", help="further settings")
    parser.add_argument("--quick", action="store_true", help="two repetitions of small effort")
    parser.add_argument("--out", type=Path, help="folder of the studies; default: runs/bench, or runs/bench-quick")
    options = parser.parse_args()
    options.out = options.out or ROOT / "runs" / ("bench-quick" if options.quick else "bench")
    names = [dataset_name(source) for source in options.sources]
    if len(set(names)) < len(names):
        parser.error("two sources have the same name, which names their studies; rename one, or leave it out")
    if not same_settings(options):
        parser.error(f"{options.out} holds studies with other settings; name another folder by --out")
    failed = []
    try:
        for regime, source in product(REGIMES, options.sources):
            if regime in (["wild"] if source.suffix == STUDY else options.regimes):
                if not measure(source.resolve(), regime, options):
                    failed.append(f"{dataset_name(source)}_{regime}")
                summarise(options.out)
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command resumes where it stopped")
    if failed:
        sys.exit(f"failed, and left out: {', '.join(failed)}")


def dataset_name(source: Path) -> str:
    """Return what a source is called in studies and tables: lower case, digits and dashes."""
    return re.sub(r"[^a-z0-9_]+", "-", source.resolve().stem.lower()).strip("-_")[:40] or "data"


def same_settings(options: argparse.Namespace) -> bool:
    """Tell whether the studies in the folder, if any, have the settings asked for; note them if there are none."""
    wanted = {name: getattr(options, name) for name in ("size", "test_per_class", "set", "quick")}
    noted = options.out / "settings.json"
    if noted.exists():
        return bool(json.loads(noted.read_text()) == wanted)
    options.out.mkdir(parents=True, exist_ok=True)
    noted.write_text(json.dumps(wanted))
    return True


def summarise(out: Path) -> None:
    """Write the tables and the page of all finished studies in a folder, and print them."""
    tables, courses, reports = [], [], []
    for regime in REGIMES:
        for study in sorted(out.glob(f"*_{regime}")):
            if (study / "report" / "report.json").exists():
                report = json.loads((study / "report" / "report.json").read_text())
                scores = pd.read_parquet(study / "evaluation" / SCORES_FILE)
                reports.append(report)
                place = {"dataset": study.name.removesuffix(f"_{regime}"), "regime": regime}
                tables.append(comparisons(report).assign(**place))
                courses.append(gains_by_repetition(report, scores).assign(**place))
    if not tables:
        return
    table, means = pd.concat(tables, ignore_index=True), average(pd.concat(courses))
    table.to_csv(out / "gain.csv", index=False)
    means.to_csv(out / "means.csv", index=False)
    told = means[means.metric.isin({*BESIDE, *(report["metric"] for report in reports)})]
    (out / "gain.html").write_text(render_gains(table, told), encoding="utf-8")
    shown = table[["regime", "dataset", "arm", "against", "gain", "ci_low", "ci_high", "verdict", "rare_gain", "mean"]]
    for part in (shown, told):
        print(part.to_string(index=False, float_format=lambda value: f"{value:.1f}"))  # noqa: T201  # its output


def measure(source: Path, regime: str, options: argparse.Namespace) -> bool:
    """Run one study through the command line, and tell whether it succeeded."""
    name = f"{dataset_name(source)}_{regime}"
    study = source if source.suffix == STUDY else write_study(source, regime, options)
    command = [str(Path(sys.executable).with_name("gansynth")), "augment", str(study), "--set", f"name={name}"]
    command += ["--run-dir", str(options.out / name), "--reports-dir", str(options.out / "reports")]
    settings = [*(QUICK if options.quick else ()), *options.set]
    command += [word for setting in settings for word in ("--set", setting)]
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603  # the words are ours and the user's own


def write_study(source: Path, regime: str, options: argparse.Namespace) -> Path:
    """Write the study of a source of images in a regime, and return its file."""
    name = f"{dataset_name(source)}_{regime}"
    study: Path = options.out / f"{name}.toml"
    scarcity = "".join(f"{setting} = {value}\n" for setting, value in REGIMES[regime].items())
    study.write_text(
        f'name = "{name}"\n[source]\npath = {json.dumps(str(source))}\n[modality]\nsize = {options.size}\n'
        f"[split]\ntest_per_class = {options.test_per_class}\n[scarcity]\n{scarcity}"
    )
    return study


def rare_third(report: dict[str, Any]) -> list[str]:
    """Return the names of the third of the classes that has the fewest training rows; none if all have as many."""
    rows = report["train_rows"]
    if len(set(rows.values())) == 1:
        return []
    return sorted(rows, key=rows.get)[: math.ceil(len(rows) / 3)]


def gains_by_repetition(report: dict[str, Any], scores: pd.DataFrame) -> pd.DataFrame:
    """Return what each arm with a GAN gains over every arm without one, and over the best of them.

    A row for each repetition and measure: the metrics, log-loss in nats and all others in points, and `rare_recall`,
    the mean recall of the third of the classes that has the fewest training rows.
    """
    rare = scores[(scores.metric == "recall") & scores.class_name.isin(rare_third(report))]
    measured = pd.concat([scores[scores.class_name == ""], rare.assign(metric="rare_recall")])
    courses = measured.pivot_table(index=["repetition", "metric"], columns="arm", values="value")
    without = [arm for arm in report["arms"] if "gan" not in arm.split("+")]
    references = {arm: arm for arm in without if arm != "shuffled"}
    references |= {"the best arm without a GAN": report["verdict"]["best_without_gan"]}
    sizes = {"correlation": report["correlation"], "n_test": sum(report["test_rows"].values())}
    sizes["rare_n_test"] = sum(report["test_rows"][name] for name in rare_third(report))
    gains: pd.DataFrame = pd.concat(
        (courses[arm] - courses[reference]).rename("gain").reset_index().assign(arm=arm, against=against, **sizes)
        for arm in report["arms"]
        if arm not in without
        for against, reference in references.items()
    )
    return gains


def average(gains: pd.DataFrame) -> pd.DataFrame:
    """Return the mean gains over the datasets of a regime, with 95 % intervals, in points (log-loss in nats / 100).

    The datasets are independent, so the mean of their gains in a repetition is one observation; the corrected test over
    the repetitions allows for the largest of their correlations, and for the rounding of the smallest test part.
    """
    rows = []
    keys = ["regime", "arm", "against", "metric"]
    for key, group in gains.groupby(keys, sort=False):
        size = int(group["rare_n_test" if key[-1] == "rare_recall" else "n_test"].min())
        course = group.groupby("repetition")["gain"].mean().to_numpy(np.float64)
        test = corrected_t_test(course, group.correlation.max(), size, alpha=0.05)
        found = {"gain": 100 * test.gain, "low": 100 * max(test.ci_low, -1), "high": 100 * min(test.ci_high, 1)}
        rows.append(dict(zip(keys, key, strict=True)) | {"datasets": group.dataset.nunique()} | found)
    return pd.DataFrame(rows)


def comparisons(report: dict[str, Any]) -> pd.DataFrame:
    """Return the comparisons of a report, a row each.

    Gains, their intervals and means are in percentage points; `rare_gain` is that in the mean recall of the third of
    the classes that has the fewest training rows; `imbalance` how many times more rows the largest class has than the
    smallest.
    """
    arms, rare = report["arms"], rare_third(report)
    recall = {arm: np.mean([found["recall"][name] for name in rare]) if rare else np.nan for arm, found in arms.items()}
    rows = report["train_rows"].values()
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
            "imbalance": max(rows) / min(rows),
            "cpu_seconds_per_gan": gan_cost["cpu_seconds"] / gan_cost["artifacts"],
        }
        for row in report["comparisons"]
    )


if __name__ == "__main__":
    main()
