"""What starts tasks: this machine, or a Ray or Dask cluster."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from gansynth.errors import StudyError
from gansynth.sections import ComputeConfig
from pipelines.workers import worker_count


@contextmanager
def started_runner(compute: ComputeConfig) -> Iterator[TaskRunner[Any]]:
    """Start what runs the tasks of a stage, as many side by side as there are workers or the cluster has room for.

    Raises:
        StudyError: It needs a package that is not installed.
    """
    builders = {"local": _local, "ray": _ray, "dask": _dask}
    with builders[compute.task_runner](compute) as runner:
        yield runner


@contextmanager
def _local(compute: ComputeConfig) -> Iterator[TaskRunner[Any]]:
    runner: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=worker_count(compute))
    with runner:
        yield runner


@contextmanager
def _ray(compute: ComputeConfig) -> Iterator[TaskRunner[Any]]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # tasks without a GPU keep the machine's settings
    prefect_ray = _installed("prefect_ray", "ray")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    own = {"num_cpus": worker_count(compute) * compute.threads, "include_dashboard": False}
    options = quiet if compute.cluster else quiet | own
    room = {"num_cpus": compute.threads, "num_gpus": int(compute.accelerator in {"cuda", "gpu"}) * compute.devices}
    with (
        prefect_ray.RayTaskRunner(address=compute.cluster, init_kwargs=options) as runner,
        import_module("prefect_ray.context").remote_options(**room),
    ):
        yield runner


@contextmanager
def _dask(compute: ComputeConfig) -> Iterator[TaskRunner[Any]]:
    prefect_dask = _installed("prefect_dask", "dask")
    own = {"n_workers": worker_count(compute), "threads_per_worker": 1, "dashboard_address": None}
    options = {"address": compute.cluster} if compute.cluster else {"cluster_kwargs": own}
    # a task starts a process of its own, which daemons may not
    with (
        import_module("dask").config.set({"distributed.worker.daemon": False}),
        prefect_dask.DaskTaskRunner(**options) as runner,
    ):
        yield runner


def _installed(module: str, extra: str) -> Any:  # noqa: ANN401 - a module
    try:
        return import_module(module)
    except ImportError:
        raise StudyError(
            f"compute.task_runner: {extra!r} needs packages that are not installed; pip install 'gansynth[{extra}]'"
        ) from None
