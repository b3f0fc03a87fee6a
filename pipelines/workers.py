"""Where the work of tasks happens: a fresh process for each, forked from one that has imported everything already.

Prefect's own process pool imports Prefect and torch again in every worker of every stage, which took half a minute
a stage on two cores; threads would share torch's global random state, and results would depend on who runs beside
whom. So tasks are threads of Prefect's, and each waits for one process of ours.
"""

import faulthandler
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from contextvars import copy_context
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import joblib
import torch
from threadpoolctl import threadpool_limits

from gansynth.artifacts import read_manifest
from gansynth.errors import GansynthError, on_one_line
from gansynth.runs import LOG_FILE, Run
from gansynth.sections import ComputeConfig
from gansynth.study import Study

P = ParamSpec("P")
Result = TypeVar("Result")
STAGE_PACKAGES = ("ingestion", "training", "generation", "evaluation", "reporting", "scoring")

ENDING = {signal.SIGINT, signal.SIGTERM}
GRACE_SECONDS = 5.0

_context = multiprocessing.get_context("forkserver")
_stopping = threading.Event()


def warm_up(packages: Sequence[str] = STAGE_PACKAGES) -> None:
    """Start the process that workers are forked from; its imports then run beside whatever the caller does next.

    Args:
        packages: Those of gansynth that the workers will need.
    """
    _context.set_forkserver_preload([f"gansynth.{package}" for package in packages])
    resource_tracker.ensure_running()  # first, for it would undo the mask
    # the process inherits the mask: what ends the run must not tear it out of its imports with a traceback
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def worker_count(compute: ComputeConfig) -> int:
    """Return how many workers run side by side: as set, else one on a GPU and one per usable core without."""
    if compute.workers:
        return compute.workers
    on_gpu = compute.accelerator in {"cuda", "gpu"} or (compute.accelerator == "auto" and torch.cuda.is_available())
    return 1 if on_gpu else max(1, joblib.cpu_count() // compute.devices)


def in_worker(
    function: Callable[Concatenate[Study, Run, P], Path], study: Study, run: Run, *args: P.args, **kwargs: P.kwargs
) -> str:
    """Call a stage's function in a process of its own and return the digest of the artifact that it made.

    Raises:
        GansynthError: As `result_in_worker` says.
    """
    return read_manifest(result_in_worker(function, study, run, *args, **kwargs)).digest


def result_in_worker(
    function: Callable[Concatenate[Study, Run, P], Result], study: Study, run: Run, *args: P.args, **kwargs: P.kwargs
) -> Result:
    """Call a function on a run in a process of its own and return what it returns.

    What the process prints or logs goes to `workers.log` in the run folder; what gansynth logs in it, to the log of
    this process too. It dies with this process, whatever ends it.

    Raises:
        GansynthError: `function` raised it, or failed unexpectedly, or the process was killed.
    """
    warm_up()  # tasks may run elsewhere than the flow
    log = run.root / LOG_FILE
    try:
        log.open("a").close()  # now, for a worker that cannot start says no word
    except OSError as error:
        raise GansynthError(
            f"{log}: cannot be written ({error.strerror or error}); make room or choose another --run-dir"
        ) from None
    reader, writer = _context.Pipe(duplex=False)
    try:
        with ProcessPoolExecutor(1, _context, _set_up, (study.compute.threads, log, writer)) as pool:
            made = pool.submit(_work, function, study, run, *args, **kwargs)
            writer.close()  # the worker has its own end by now, so that the records end with it
            threading.Thread(target=copy_context().run, args=(_log_again, reader), daemon=True).start()
            found: Result = made.result()
            return found
    except GansynthError:
        raise
    except BrokenProcessPool:
        if _stopping.is_set():
            raise GansynthError(f"{run.root}: stopped; run again to resume") from None
        raise GansynthError(
            f"{run.root}: a worker was killed, most likely for want of memory; lower compute.workers and run again to"
            f" resume (its last words are in {log})"
        ) from None
    except Exception as error:
        reason = on_one_line(error)
        raise GansynthError(
            f"{function.__name__}: unexpected {type(error).__name__} ({reason}); {log} says where, please report it"
        ) from error


def stop_workers(futures: Collection[Future[Any]]) -> None:
    """Cancel what has not begun, and end the workers of what has, until all futures are done.

    Workers have a few seconds for saving what can be saved; then they are killed.
    """
    _stopping.set()
    for future in futures:
        future.cancel()
    _signal_workers(signal.SIGTERM)
    asked = time.monotonic()
    while not all(future.done() for future in futures):
        if time.monotonic() - asked > GRACE_SECONDS:
            _signal_workers(signal.SIGKILL)
        time.sleep(0.05)
    _stopping.clear()


def _signal_workers(number: signal.Signals) -> None:
    for process in multiprocessing.active_children():
        if process.pid is not None and not process.daemon:
            with suppress(ProcessLookupError):  # it has ended, or has not made its process group yet
                os.killpg(process.pid, number)


def end_with_parent(pid: int) -> None:
    """Start a process that ends process `pid` when this one is gone, even if it was killed."""
    _context.Process(target=_terminate_after_parent, args=(pid,), daemon=True).start()


class _LogToParent(logging.Handler):
    """Sends records of a worker to the process that started it."""

    def __init__(self, records: "Connection[logging.LogRecord, logging.LogRecord]") -> None:
        super().__init__()
        self.records = records

    def emit(self, record: logging.LogRecord) -> None:
        """Send the record as text, for what it tells of may not be fit for sending."""
        told = logging.makeLogRecord(record.__dict__ | {"msg": self.format(record), "args": None, "exc_info": None})
        with suppress(OSError):  # the parent is gone, and this process soon is
            self.records.send(told)


def _log_again(records: "Connection[logging.LogRecord, logging.LogRecord]") -> None:
    """Log what a worker logs, until it ends."""
    with suppress(EOFError, OSError):
        while True:
            record = records.recv()
            logging.getLogger(record.name).handle(record)


def _set_up(threads: int, log: Path, records: "Connection[logging.LogRecord, logging.LogRecord]") -> None:
    os.setsid()  # signals of the terminal reach the parent alone, which then kills the whole group
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with log.open("a") as stream:
        for descriptor in (1, 2):
            os.dup2(stream.fileno(), descriptor)
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("gansynth").addHandler(_LogToParent(records))
    torch.set_num_threads(threads)
    threadpool_limits(threads)


def _work(function: Callable[..., Any], *args: object, **kwargs: object) -> Any:  # noqa: ANN401  # what it returns
    """Call the function; should it fail unexpectedly, leave the traceback in the log."""
    try:
        return function(*args, **kwargs)
    except GansynthError:
        raise
    except Exception:
        logging.getLogger(__name__).exception("%s failed", function.__name__)
        raise


def _await_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()


def _die_with_parent() -> None:
    """End this process and those that it started when its parent is gone: on a cluster, that is how it is stopped."""
    _await_parent()
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


def _terminate_after_parent(pid: int) -> None:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    _await_parent()
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    sys.exit()
