"""Fuzz what reads bytes from outside with atheris, which follows what the code does with them.

    python -m fuzz                        # every target for a minute
    python -m fuzz csv image --seconds 3600

Atheris gets an environment of its own, `build/fuzz-venv`, beside the one that this runs in. What it learns stays in
`build/fuzz/TARGET/corpus`, so that later calls go on from there. Bytes from which anything but an error of gansynth's
own came out are kept as `build/fuzz/TARGET/crash-...`; then the exit status is 1.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from fuzz.targets import TARGETS

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "fuzz"
PLACE = ROOT / "build" / "fuzz-venv"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
SLOWEST_SECONDS = 30
MOST_MEMORY_MB = 6000
LONGEST_BYTES = 8192


def build_environment() -> Path:
    """Return the Python of atheris; build its environment, unless it was built from the same requirements."""
    python, noted = PLACE / "bin" / "python", PLACE / ".installed"
    if not (noted.exists() and noted.read_text() == REQUIREMENTS.read_text()):
        subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], check=True)  # noqa: S603 our own words
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS], check=True)  # noqa: S603
        noted.write_text(REQUIREMENTS.read_text())
    return python


def fuzz(python: Path, target: str, seconds: int) -> bool:
    """Fuzz a target, and return whether nothing was found."""
    place = OUT / target
    (place / "corpus").mkdir(parents=True, exist_ok=True)
    flags = {
        "max_total_time": seconds,
        "timeout": SLOWEST_SECONDS,
        "rss_limit_mb": MOST_MEMORY_MB,
        "max_len": LONGEST_BYTES,
        "artifact_prefix": f"{place}/",
        "verbosity": 0,
        "print_final_stats": 1,
    }
    # atheris beside all that gansynth needs, which is as this Python has it
    paths = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    command = [python, "-m", "fuzz.harness", target, place / "corpus", *(f"-{flag}={flags[flag]}" for flag in flags)]
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    runs = next((line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?")
    print(f"{target}: {'nothing found' if done.returncode == 0 else 'FOUND'} in {runs} runs", flush=True)  # noqa: T201
    if done.returncode:
        print(done.stderr[-4000:], file=sys.stderr)  # noqa: T201
    return done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target is called {min(unknown)}; there are {', '.join(TARGETS)}")
    python = build_environment()
    clean = [fuzz(python, target, options.seconds) for target in options.targets or TARGETS]
    sys.exit(0 if all(clean) else 1)


if __name__ == "__main__":
    main()
