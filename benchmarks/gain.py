"""Measure the gain of augmentation on several datasets: one run each, one table of all.

    python -m benchmarks.gain                                  # the bundled data, 20 images a class
    python -m benchmarks.gain --per-class 10 PATH [PATH ...]   # other sources: folders or Parquet
    python -m benchmarks.gain --per-class 0 PATH               # the source as it is

Runs lie under `runs/bench/` and resume; the table is printed and written to `runs/bench/gain.csv`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
BUNDLED = ROOT / "data" / "fashion_mnist"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", type=Path, default=[BUNDLED], help="labelled image sources")
    parser.add_argument("--per-class", type=int, default=20, help="training images of each class; 0: all there are")
    parser.add_argument("--test-per-class", type=int, default=40, help="test images of each class and repetition")
    parser.add_argument("--size", type=int, default=32, help="side of the images in pixels")
    parser.add_argument("--set", action="append", default=[], metavar="SETTING=VALUE", help="further settings")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench", help="folder of the runs")
    options = parser.parse_args()
    tables = [measure(source.resolve(), options) for source in options.sources]
    table = pd.concat(tables, ignore_index=True)
    table.to_csv(options.out / "gain.csv", index=False)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.1f}"))  # noqa: T201  # its output


def measure(source: Path, options: argparse.Namespace) -> pd.DataFrame:
    """Run one study through the command line and return its comparisons, in percentage points."""
    regime = f"{options.per_class}_a_class" if options.per_class else "as_is"
    name = f"{source.stem}_{regime}"
    run = options.out / name
    options.out.mkdir(parents=True, exist_ok=True)
    study = options.out / f"{name}.toml"
    scarcity = f"[scarcity]\nper_class = {options.per_class}\n" if options.per_class else ""
    study.write_text(
        f'name = "{name}"\n[source]\npath = {json.dumps(str(source))}\n[modality]\nsize = {options.size}\n'
        f"[split]\ntest_per_class = {options.test_per_class}\n{scarcity}"
    )
    program = str(Path(sys.executable).with_name("gansynth"))
    command = [program, "augment", str(study), "--run-dir", str(run)]
    command += ["--reports-dir", str(options.out / "reports")]
    command += [word for setting in options.set for word in ("--set", setting)]
    subprocess.run(command, check=True)  # noqa: S603  # the words are ours and the user's own
    report = json.loads((run / "report" / "report.json").read_text())
    rows = [
        {
            "dataset": source.stem,
            "regime": regime,
            "arm": row["arm"],
            "against": row["against"],
            **{key: 100 * row[key] for key in ("gain", "ci_low", "ci_high")},
            "verdict": row["verdict"],
            "mean": 100 * report["arms"][row["arm"]]["mean"],
        }
        for row in report["comparisons"]
    ]
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
