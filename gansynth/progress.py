"""Progress of long work, told through a small file so that any process can show it."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

INTERVAL_SECONDS = 0.5


class Progress:
    """Writes `{"label", "done", "total", "seconds"}` to `path`, at most twice a second, and removes it at the end.

    Use as a context manager; `label` says what is being done, `total` how many units there are. Where it cannot be
    written, nothing is told: the work goes on.
    """

    def __init__(self, path: Path, label: str, total: int) -> None:
        self.path, self.label, self.total = path, label, total
        self.started = self.written = time.monotonic()

    def __enter__(self) -> Self:
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write(0)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def update(self, done: int) -> None:
        """Say that `done` units of `total` are finished."""
        if time.monotonic() - self.written >= INTERVAL_SECONDS:
            self._write(done)

    def _write(self, done: int) -> None:
        self.written = time.monotonic()
        state = {
            "label": self.label,
            "done": done,
            "total": self.total,
            "seconds": self.written - self.started,
        }
        partial = self.path.with_suffix(".tmp")  # always the same: one that an end has left is taken by who goes on
        try:
            partial.write_text(json.dumps(state))
            partial.replace(self.path)
        except OSError:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
