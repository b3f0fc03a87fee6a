"""Measure speed as ratios within one run: absolute times mean little on shared machines.

    python -m benchmarks.throughput                    # everything but compile
    python -m benchmarks.throughput training levers    # these parts only
    python -m benchmarks.throughput --quick            # does it run?

What is compared takes turns, round after round, and each gets the median of its rounds: seven, of files three,
and one for processes side by side. Parts: `training`, the steps of our loop against a bare one's, without the
looks at samples and the saving in between; `generation`, samples to files against the bare generator, and memory;
`batches`, the flow's workers against one of them, in speed and memory; `evaluation`, what a classifier's step goes to,
and two processes against one; `levers`, settings of training one by one; `compile`, the same for torch.compile of the
generator, which takes minutes and a C++ compiler. The table is `runs/bench-speed/speed.csv`.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import joblib
import pandas as pd
import torch

from benchmarks.bare import BareLoop, Levers
from benchmarks.gain import BUNDLED, ROOT
from gansynth.artifacts import read_manifest
from gansynth.checkpoints import load_model
from gansynth.classifiers import Batches, Diet, fit_classifier
from gansynth.datasets import load_dataset
from gansynth.devices import make_fabric
from gansynth.generation import Batch, export
from gansynth.ingestion import ingest
from gansynth.modalities.image import Codec, ImageConfig, Policy, augment
from gansynth.runs import Run
from gansynth.samples import Samples
from gansynth.sections import FileFormat
from gansynth.seeding import torch_generator
from gansynth.splits import draw_split
from gansynth.study import Study
from gansynth.study_files import save_study
from gansynth.threads import in_threads
from gansynth.training import train_repetition
from gansynth.training.loop import AdversarialLoop, build_players

OUT = ROOT / "runs" / "bench-speed"
PASS = 64
CORES = joblib.cpu_count()


class Effort(NamedTuple):
    """How long the measurements are."""

    rounds: int
    steps: int
    samples: int
    many_samples: int


FULL = Effort(rounds=7, steps=48, samples=10_000, many_samples=200_000)
QUICK = Effort(rounds=1, steps=8, samples=320, many_samples=640)


class Finding(NamedTuple):
    """What was measured: a speed or an amount of memory, as a multiple of that of `against`."""

    part: str
    what: str
    against: str
    ratio: float


class Bench(NamedTuple):
    """What all parts work on."""

    study: Study
    run: Run
    samples: Samples
    effort: Effort


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)} (default: all but compile)")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes: does it run?")
    options = parser.parse_args()
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"no part is called {min(unknown)}")
    bench = prepare(QUICK if options.quick else FULL)
    parts = options.parts or [part for part in PARTS if part != "compile"]
    findings: list[Finding] = []
    for part in parts:
        for what, against, ratio in PARTS[part](bench):
            findings.append(Finding(part, what, against, ratio))
            print(f"{part:<11} {ratio:6.2f}  {what}, against {against}", flush=True)  # noqa: T201  # its output
    pd.DataFrame(findings).to_csv(OUT / "speed.csv", index=False)


def prepare(effort: Effort) -> Bench:
    """Make a run with the bundled data and a generator that has hardly been trained."""
    sections = {
        "modality": {"size": 28},
        "scarcity": {"per_class": 20},
        "gan": {"kimg": 1},
        "evaluation": {"steps": 20},
    }
    study = Study.model_validate({"name": "speed", "source": {"path": str(BUNDLED)}, **sections})
    run = Run(OUT / "run")
    ingest(study, run)
    train_repetition(study, run, None)
    dataset = load_dataset(run.dataset)
    return Bench(study, run, dataset.samples.take(draw_split(dataset, study, None).train), effort)


def race(runners: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Let the runners take turns; return the median seconds of each. One round before warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(rounds + 1):
        for name, runner in runners.items():
            started = time.perf_counter()
            runner()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def several(step: Callable[[int], object], count: int) -> Callable[[], None]:
    """Return a runner that takes this many steps."""

    def runner() -> None:
        for number in range(count):
            step(number)

    return runner


def measure_training(bench: Bench) -> Iterator[tuple[str, str, float]]:
    """Compare our loop with a bare one."""
    config, codec = bench.study.gan, Codec.fit(bench.samples, ImageConfig())
    players = build_players(config, config.kind, codec.shape, len(bench.samples.class_names), seed=0)
    loop = AdversarialLoop(config, players, bench.samples, codec, make_fabric(bench.study.compute), seed=0)
    bare = BareLoop(config, bench.samples, Levers())
    steps = bench.effort.steps
    taken = race({"ours": several(loop.step, steps), "bare": several(bare.step, steps)}, bench.effort.rounds)
    yield "images per second of our loop", "a bare loop", taken["bare"] / taken["ours"]


def measure_generation(bench: Bench) -> Iterator[tuple[str, str, float]]:
    """Compare samples in files with the generator's forward pass, and the memory of many with that of few."""
    count = bench.effort.samples
    model = load_model(bench.run.model(None), bench.study.compute)
    generator = model.generator
    latents, labels = torch.randn(PASS, generator.latent_dim), torch.zeros(PASS, dtype=torch.long)

    @torch.inference_mode()
    def forward(_: int) -> None:
        generator(latents, labels)

    def write(file_format: FileFormat, oversample: float) -> None:
        shutil.rmtree(OUT / file_format, ignore_errors=True)
        generation = bench.study.generation.model_copy(update={"oversample": oversample})
        save_study(bench.study.model_copy(update={"generation": generation}), bench.run.study_file)
        export(bench.run, OUT / file_format, Batch(count=count, format=file_format))

    passes = range(-(-count // PASS))
    runners: dict[str, Callable[[], object]] = {
        "the bare generator": partial(in_threads, forward, passes, 1),
        f"the bare generator on {CORES} threads": partial(in_threads, forward, passes, CORES),
        "samples per second to Parquet, unfiltered": partial(write, "parquet", 1.0),
        "samples per second to folders, unfiltered": partial(write, "folder", 1.0),
        "samples per second to Parquet, filtered": partial(write, "parquet", bench.study.generation.oversample),
    }
    taken = race(runners, max(1, bench.effort.rounds // 2))
    ours = [name for name in runners if "per second" in name]
    for against in (name for name in runners if name not in ours):
        for what in ours:
            yield what, against, taken[against] / taken[what]
    few, many = (peak_memory(bench, number) for number in (count, bench.effort.many_samples))
    yield f"memory of {bench.effort.many_samples:,} samples to Parquet", f"{count:,} samples", many / few


def peak_memory(bench: Bench, count: int) -> int:
    """Return the peak resident memory of a process that writes this many samples."""
    code = (
        "import resource, sys; from pathlib import Path; from gansynth.generation import Batch, export;"
        "from gansynth.runs import Run;"
        "export(Run(Path(sys.argv[1])), Path(sys.argv[2]), Batch(count=int(sys.argv[3])));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    out = OUT / "memory"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-c", code, str(bench.run.root), str(out), str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own words
    shutil.rmtree(out)
    return int(done.stdout)


def measure_batches(bench: Bench) -> Iterator[tuple[str, str, float]]:
    """Compare a batch by as many workers as there are cores with one by a single worker."""
    few, many = bench.effort.many_samples // 4, bench.effort.many_samples
    save_study(bench.study, bench.run.study_file)
    taken: dict[int, list[float]] = {count: [] for count in (1, CORES)}
    for _ in range(max(1, bench.effort.rounds // 2)):
        for workers, seconds in taken.items():
            seconds.append(flow_effort(bench, few, workers)[0])
    medians = {workers: statistics.median(seconds) for workers, seconds in taken.items()}
    yield f"samples per second of a batch by {CORES} workers", "one worker", medians[1] / medians[CORES]
    small, large = (flow_effort(bench, count, CORES)[1] for count in (few, many))
    yield f"memory of a worker, {many:,} samples", f"{few:,} samples", large / small


def flow_effort(bench: Bench, count: int, workers: int) -> tuple[float, float]:
    """Return the seconds that the shards of a batch take the flow, and the largest memory of a worker."""
    out = OUT / "batch"
    shutil.rmtree(out, ignore_errors=True)
    options = {"count": count, "shard-size": count // 8, "out": out, "set": f"compute.workers={workers}"}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    program = str(Path(sys.executable).with_name("gansynth"))
    command = [program, "generate", str(bench.run.root), *arguments, "--log-format=json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own words
    told = [json.loads(line) for line in done.stderr.splitlines()]
    seconds = next(float(record["seconds"]) for record in told if record.get("state") == "done")
    memory = read_manifest(out).peak_memory_mb
    shutil.rmtree(out)
    return seconds, memory


def measure_evaluation(bench: Bench) -> Iterator[tuple[str, str, float]]:
    """Measure what the data of a classifier's step cost, and what a second process gains."""
    steps, study = bench.effort.steps, bench.study
    settings = ImageConfig()
    codec, fabric = Codec.fit(bench.samples, settings), make_fabric(study.compute)
    random = torch_generator(0, "batches")
    batches = Batches(Diet(bench.samples), codec, fabric, study.evaluation.batch_size, random)
    runners: dict[str, Callable[[], object]] = {
        "a whole step": lambda: fit_classifier(study, Diet(bench.samples, policy="affine"), steps, 0, "speed"),
        "drawing its batch": several(lambda _: batches.draw(), steps),
    }

    def augment_with(policy: Policy, _: int) -> None:
        augment(*batches.draw(), policy, settings, random)

    for policy in settings.classical:
        runners[policy] = several(partial(augment_with, policy), steps)
    taken = race(runners, bench.effort.rounds)
    yield "time for drawing a batch", "the whole step", taken["drawing its batch"] / taken["a whole step"]
    for policy in settings.classical:
        share = taken[policy] / taken["a whole step"]
        yield f"time for drawing and augmenting it, {policy}", "the whole step with affine", share
    code = (
        "from benchmarks.throughput import *; bench = prepare(QUICK);"
        f"fit_classifier(bench.study, Diet(bench.samples), {16 * steps}, 0)"
    )
    command = [sys.executable, "-c", code]

    def together(count: int) -> None:
        running = [subprocess.Popen(command, cwd=ROOT) for _ in range(count)]  # noqa: S603  # our own words
        ends = [process.wait() for process in running]
        if any(ends):
            raise SystemExit("evaluation: a process failed")

    taken = race({"one": partial(together, 1), "all": partial(together, CORES)}, 1)
    yield f"classifiers per second in {CORES} processes", "one process", CORES * taken["one"] / taken["all"]


def measure_levers(bench: Bench) -> Iterator[tuple[str, str, float]]:
    """Change the settings of the bare loop, one at a time."""
    levers = {
        "contiguous instead of channels-last memory": Levers(channels_last=False),
        "bf16 autocast": Levers(autocast=True),
        "penalty at every step instead of every 8th": Levers(penalty_every=1),
        "optimiser not fused": Levers(fused=False),
        "two threads": Levers(threads=2),
    }
    yield from _against_bare(bench, levers)


def measure_compile(bench: Bench) -> Iterator[tuple[str, str, float]]:
    """Compile the generator; the time that compiling takes does not count."""
    yield from _against_bare(bench, {"the generator compiled": Levers(compiled=True)})


def _against_bare(bench: Bench, levers: dict[str, Levers]) -> Iterator[tuple[str, str, float]]:
    config, steps = bench.study.gan, bench.effort.steps
    loops = {name: BareLoop(config, bench.samples, lever) for name, lever in {"bare": Levers(), **levers}.items()}
    taken = race({name: several(loop.step, steps) for name, loop in loops.items()}, bench.effort.rounds)
    torch.set_num_threads(1)
    for name in levers:
        yield f"images per second with {name}", "the bare loop", taken["bare"] / taken[name]


PARTS: dict[str, Callable[[Bench], Iterator[tuple[str, str, float]]]] = {
    "training": measure_training,
    "generation": measure_generation,
    "batches": measure_batches,
    "evaluation": measure_evaluation,
    "levers": measure_levers,
    "compile": measure_compile,
}

if __name__ == "__main__":
    main()
