"""How far running work is, read from the small files that it leaves, and how long the rest will take."""

import json
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Piece(NamedTuple):
    """What one unit of a stage's work tells of itself: `done` of `total`, in `seconds`."""

    label: str
    done: int
    total: int
    seconds: float

    @property
    def share(self) -> float:
        """How much of the unit is done, from 0 to 1."""
        return self.done / self.total if self.total else 1.0


class Reading(NamedTuple):
    """How far a stage is.

    Attributes:
        share: How much of it is done, from 0 to 1.
        left: Seconds that the rest will take, or None as long as that cannot be told.
        rate: Units per second, likewise.
        pieces: The units at work.
    """

    share: float
    left: float | None
    rate: float | None
    pieces: tuple[Piece, ...]


class Meter:
    """Tells how far a stage of `total` units is, from the files in its progress folder.

    `started` and `now` are times of one clock, in seconds. Speed is reckoned from what was done while it looked: a
    resumed unit starts in the middle, and units that had been done before end at once.
    """

    def __init__(self, folder: Path, total: int, started: float) -> None:
        self.folder, self.total, self.started = folder, total, started
        self.first: dict[Path, float] = {}

    def read(self, finished: int, now: float) -> Reading:
        """Look at the files when `finished` units are done."""
        pieces = read_pieces(self.folder)
        for path, piece in pieces.items():
            self.first.setdefault(path, piece.share)
        done = finished + sum(piece.share for piece in pieces.values())
        gained = sum((pieces[path].share if path in pieces else 1.0) - first for path, first in self.first.items())
        rate = gained / (now - self.started) if gained > 0 and now > self.started else None
        left = (self.total - done) / rate if rate else None
        return Reading(min(1.0, done / max(1, self.total)), left, rate, tuple(pieces.values()))


def read_pieces(folder: Path) -> dict[Path, Piece]:
    """Return the units at work that a progress folder tells of, by file."""
    pieces = {}
    for path in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError):  # finished at this moment
            state = json.loads(path.read_text())
            pieces[path] = Piece(*(state[name] for name in Piece._fields))
    return pieces


def clock(seconds: float) -> str:
    """Write a duration as h:mm:ss, or m:ss below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def describe(reading: Reading, finished: int, total: int, samples: int | None) -> str:
    """Say how far a stage is: units done, samples per second where it makes some, and the time that is left."""
    said = [f"{finished} of {total}"] if total > 1 else []
    if samples and reading.rate:
        said.append(f"{reading.rate * samples / total:,.0f} samples/s")
    if reading.left is not None and finished < total:
        said.append(f"{clock(reading.left)} left")
    return ", ".join(said)
