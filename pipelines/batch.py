"""A batch of samples on demand as a Prefect flow: each shard is a task, so workers share them out as they like."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from gansynth import generation
from gansynth.generation import Batch
from gansynth.runs import Run
from gansynth.sections import ComputeConfig
from gansynth.study import Study
from pipelines.artifacts import show_batch
from pipelines.stages import Unit, Work
from pipelines.workers import in_worker


@task(cache_policy=NO_CACHE)
def generate_shard(study: Study, run_dir: Path, batch: Batch, out: Path, number: int) -> str:
    """Generate one shard of a batch, and return its digest."""
    return in_worker(generation.write_shard, study, Run(run_dir), batch, out, number)


@task(cache_policy=NO_CACHE)
def send_batch(study: Study, run_dir: Path, batch: Batch, out: str) -> str:
    """Send a batch whose shards have been gathered on to its URL, and return its digest."""
    return in_worker(generation.send, study, Run(run_dir), batch, out)


@flow(name="batch", flow_run_name="batch of {run_dir.name}")
def batch(run_dir: Path, out: str, batch: Batch, compute: ComputeConfig | None = None) -> str:
    """Generate a batch of any size with the delivered generator of a run, and return where it lies.

    An interrupted batch goes on with the shards that are missing, and with what is still to be sent to a URL.

    Args:
        run_dir: The run folder; it holds the trained generator, and is left as it is.
        out: The folder for the samples, where an earlier batch is replaced; or a URL under which nothing lies.
        batch: How many samples of which classes, and how they are written.
        compute: Where the work runs. Without it, as the study of the run says.
    """
    wanted = generation.order(Run(run_dir.expanduser().resolve()), batch, out, compute)
    with generation.held(wanted) as done:
        if not done:
            missing = wanted.missing()
            samples = sum(wanted.shards[number].size for number in missing)
            total = len(missing) + (wanted.remote is not None)
            with Work("generate", wanted.study, wanted.run, wanted.progress, total, samples) as work:
                common = {"batch": batch, "out": wanted.destination}
                work.complete(
                    [
                        Unit(generate_shard, f"shard {number + 1} of {len(wanted.shards)}", common | {"number": number})
                        for number in missing
                    ]
                )
                generation.gather(wanted)
                if wanted.remote is not None:
                    work.complete([Unit(send_batch, "send", {"batch": batch, "out": wanted.address})])
    if found := wanted.found():
        show_batch(wanted, found)
    return wanted.address
