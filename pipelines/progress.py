"""The progress of a stage in Prefect's UI."""

import logging
import threading
import time
from contextvars import copy_context
from typing import Self, cast
from uuid import UUID

from prefect.artifacts import ProgressArtifact, update_progress_artifact
from prefect.client.schemas.objects import Artifact

from pipelines.artifacts import outermost_flow_run
from pipelines.meter import Meter, Reading, describe

SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_BETWEEN_UPDATES = 5.0

logger = logging.getLogger(__name__)


class ShownProgress:
    """Shows in Prefect's UI how far a stage of the current flow run is, until the block ends.

    Short stages, which are over before the first update, get none.
    """

    def __init__(self, key: str, meter: Meter, samples: int | None) -> None:
        self.key, self.meter, self.samples = key, meter, samples
        self.finished = 0
        self._artifact: UUID | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=copy_context().run, args=(self._watch,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        told = time.monotonic()
        while not self._ended.wait(SECONDS_BETWEEN_LOOKS):
            reading = self.meter.read(self.finished, time.monotonic())
            if time.monotonic() - told >= SECONDS_BETWEEN_UPDATES:
                self._tell(reading)
                told = time.monotonic()
        if self._artifact is not None:
            self._tell(self.meter.read(self.finished, time.monotonic()), ended=True)

    def _tell(self, reading: Reading, *, ended: bool = False) -> None:
        said = describe(reading, self.finished, self.meter.total, self.samples)
        lines = [said or ("ended" if ended else "at work")]
        lines += [f"- {piece.label}: {piece.share:.0%}" for piece in reading.pieces if piece.total > 1]
        text, percent = "\n".join(lines), 100 * reading.share
        try:
            if self._artifact is None:
                self._artifact = _create(self.key, percent, text)
            else:
                update_progress_artifact(self._artifact, progress=percent, description=text)
        except Exception as error:  # noqa: BLE001 - a picture of the work must not end the work
            logger.warning("progress cannot be shown (%s)", error)


def _create(key: str, percent: float, text: str) -> UUID:
    artifact = ProgressArtifact(key=key, progress=percent, description=text, flow_run_id=outermost_flow_run())
    return cast(Artifact, artifact.create()).id
