"""Progress of long work, told through a small file so that any process can show it."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

INTERVAL_SECONDS = 0.5


class Piece(NamedTuple):
    """A piece of work in progress: where it is told of, what is being done, and how many units of it for how long."""

    path: Path
    label: str
    done: int
    total: int
    seconds: float


class Progress:
    """Writes `{"label", "done", "total", "seconds"}` to `path`, at most twice a second, and removes it at the end.

    Use as a context manager; `label` says what is being done, `total` how many units there are.
    """

    def __init__(self, path: Path, label: str, total: int) -> None:
        self.path, self.label, self.total = path, label, total
        self.started = self.written = time.monotonic()

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write(0)
        return self

    def __exit__(self, *_: object) -> None:
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
        partial = self.path.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(json.dumps(state))
        partial.replace(self.path)


def pieces(folder: Path) -> Iterator[Piece]:
    """Yield the pieces of work that are told of in a folder of progress files."""
    for path in sorted(folder.glob("*.json")):
        try:
            yield Piece(path, **json.loads(path.read_text()))
        except (OSError, ValueError):  # finished at this moment
            continue
