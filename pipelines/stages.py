"""What the flows of all stages do alike: hold the run folder, run units of work side by side, tell how far they are."""

import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from prefect import Task
from prefect.futures import PrefectConcurrentFuture, PrefectFuture, as_completed
from prefect.task_runners import TaskRunner

from gansynth.formats import duration
from gansynth.runs import Run
from gansynth.study import Study
from gansynth.study_files import read_study, save_study, with_absolute_paths, write_whole
from pipelines.artifacts import artifact_key
from pipelines.logs import show_logs
from pipelines.meter import Meter
from pipelines.progress import ShownProgress
from pipelines.runners import started_runner
from pipelines.workers import stop_workers, warm_up

logger = logging.getLogger("gansynth")


class Unit(NamedTuple):
    """One piece of a stage's work: a task, what people call it, and its parameters besides study and run folder."""

    task: Task[Any, Any]
    label: str
    parameters: dict[str, Any]


def begun(run_dir: Path | None, study: Study) -> tuple[Run, Study]:
    """Return the run folder of a study and the study itself, both independent of the current folder."""
    return Run((run_dir or Path("runs") / study.name).expanduser().resolve()), with_absolute_paths(study)


def opened(run_dir: Path, study: Study | None) -> tuple[Run, Study]:
    """Return an earlier run and what to do there, by default what its study says.

    Raises:
        ArtifactError: There is no run.
    """
    run = Run(run_dir.expanduser().resolve())
    return run, read_study(run) if study is None else with_absolute_paths(study)


@contextmanager
def hold(study: Study, run: Run) -> Iterator[None]:
    """Hold a run folder, and let it hold the study: the one it held before if the work fails.

    An interruption is no failure: the run is then resumed with the study that it was interrupted in.
    """
    with run.lock():
        earlier = run.study_file.read_bytes() if run.study_file.exists() else None
        save_study(study, run.study_file)
        try:
            yield
        except Exception:
            if earlier is not None:
                write_whole(run.study_file, earlier)
            raise


class Work:
    """Units of work on a run, done side by side, as many as there are workers.

    Logs a line when the work starts, after each unit, for each note, and when it ends. The records carry `study` (its
    name), `run` (the folder), `stage`, `state` ("started", "running", "noted" or "done"), `finished` and `total` units,
    the `samples` that these make, and `seconds` since the start for whoever shows progress.
    """

    def __init__(
        self, name: str, study: Study, run: Run, progress: Path, total: int = 1, samples: int | None = None
    ) -> None:
        self.name, self.study, self.run, self.total, self.samples = name, study, run, total, samples
        self.progress = progress
        self.started = time.monotonic()
        meter = Meter(progress, total, self.started)
        self.shown = ShownProgress(artifact_key(study.name, f"{name}-progress"), meter, samples)
        self._until_done = ExitStack()

    def __enter__(self) -> Self:
        shutil.rmtree(self.progress, ignore_errors=True)  # what an earlier run left when it was killed
        warm_up()
        show_logs()
        self._tell("started", "started")
        self.shown.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._until_done.__exit__(kind, error, trace)
        self.shown.__exit__(kind, error, trace)
        if error is None:
            self._tell("done", f"done in {self._elapsed()}")

    def complete(self, units: Sequence[Unit]) -> list[Any]:
        """Run units side by side, and return what they return: the digests of their artifacts.

        The first unit that fails stops the others, and its exception is raised.
        """
        common = {"study": self.study, "run_dir": self.run.root}
        pending: dict[PrefectFuture[Any], Unit] = {}
        try:
            for unit in units:
                named = unit.task.with_options(task_run_name=unit.label)
                pending[self._runner.submit(named, common | unit.parameters)] = unit
            for future in as_completed(list(pending)):
                future.result()
                self.shown.finished += 1
                label = pending[future].label
                self._tell("running", f"{label} ({self.shown.finished} of {self.total}, {self._elapsed()})")
            return [future.result() for future in pending]
        except BaseException:
            stop_workers([future.wrapped_future for future in pending if isinstance(future, PrefectConcurrentFuture)])
            raise

    @cached_property
    def _runner(self) -> TaskRunner[Any]:
        """What starts the tasks; a cluster takes seconds to start, and not before there is work for it."""
        return self._until_done.enter_context(started_runner(self.study.compute))

    def note(self, lines: Sequence[str]) -> None:
        """Tell what people should know of what was made, whether it was made now or earlier."""
        for line in lines:
            self._tell("noted", line)

    def _elapsed(self) -> str:
        return duration(self._seconds()).replace("\N{NO-BREAK SPACE}", " ")

    def _seconds(self) -> float:
        return time.monotonic() - self.started

    def _tell(self, state: str, text: str) -> None:
        fields = {
            "study": self.study.name,
            "run": str(self.run.root),
            "stage": self.name,
            "state": state,
            "finished": self.shown.finished,
            "total": self.total,
            "samples": self.samples,
            "seconds": round(self._seconds(), 3),
        }
        logger.info("%s: %s", self.name, text, extra=fields)


class Stage(Work):
    """A stage at work on a run folder. Inside the `with` block the folder is locked and holds the study."""

    def __init__(self, name: str, study: Study, run: Run, total: int = 1) -> None:
        super().__init__(name, study, run, run.progress, total)
        self._held = hold(study, run)

    def __enter__(self) -> Self:
        self._held.__enter__()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)
