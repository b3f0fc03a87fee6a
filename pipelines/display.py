"""How far a run is: a live picture on a terminal, a line per finished unit elsewhere, or JSON if asked for."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipelines.meter import Meter, Piece, clock, describe
from pipelines.telling import JsonLines, chosen_log_format

REFRESHES_PER_SECOND = 5
BAR_WIDTH = 28
RECORDED = ("state", "finished", "total", "samples")


@dataclass
class Row:
    """What the picture says of a stage; times are of the monotonic clock, in seconds."""

    state: str = "waiting"
    finished: int = 0
    total: int = 1
    samples: int | None = None
    meter: Meter | None = None
    ended: float | None = None

    @property
    def seconds(self) -> float:
        """How long the stage has been at work."""
        started = self.meter.started if self.meter else 0.0
        return (self.ended or time.monotonic()) - started


class Board(logging.Handler):
    """The live picture: a row for each stage, under the running one a bar for each piece of work, and notes below.

    Stages come from the log records of `pipelines.stages`, pieces from the files of the run's progress folder.
    """

    def __init__(self, stages: Sequence[str], progress: Path) -> None:
        super().__init__(logging.INFO)
        self.rows = {stage: Row() for stage in stages}
        self.progress = progress
        self.notes: list[str] = []
        self.spinner = Spinner("dots")

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a stage's record; other records are not for people who watch."""
        row = self.rows.get(getattr(record, "stage", ""))
        if row is None:
            return
        if getattr(record, "state", "") == "noted":
            self.notes.append(record.getMessage())
            return
        fields = record.__dict__
        row.state, row.finished, row.total, row.samples = (fields[name] for name in RECORDED)
        if row.state == "started":
            row.meter = Meter(self.progress, row.total, time.monotonic())
        elif row.state == "done":
            row.ended = time.monotonic()

    def render(self) -> RenderableType:
        """Return the picture of this moment."""
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(min_width=9)
        running = [row for row in self.rows.values() if row.state in {"started", "running"}]
        for stage, row in self.rows.items():
            if row in running and row.meter:
                reading = row.meter.read(row.finished, time.monotonic())
                said = [clock(row.seconds), describe(reading, row.finished, row.total, row.samples)]
                table.add_row(self.spinner, Text(stage, "bold"), ", ".join(filter(None, said)))
                for piece in reading.pieces:
                    table.add_row("", "", *_cells(piece))
            elif row.state == "done":
                table.add_row(Text("✓", "green"), stage, Text(clock(row.seconds), "dim"))
            else:
                table.add_row(Text("·", "dim"), Text(stage, "dim"))
        if not running and all(row.state == "waiting" for row in self.rows.values()):
            table.add_row(self.spinner, Text("starting", "bold"))
        return Group(table, *(Text(note, "dim") for note in self.notes))


class Lines(logging.Handler):
    """One plain line for each finished unit, note and finished stage, for output that is no terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record if it is such a line."""
        state = getattr(record, "state", "")
        if state in {"done", "noted"} or (state == "running" and getattr(record, "total", 1) > 1):
            self.console.out(record.getMessage(), highlight=False)


@contextmanager
def progress_shown(stages: Sequence[str], progress: Path) -> Iterator[None]:
    """Show on standard error how far the stages are, until the block ends."""
    console = Console(stderr=True)
    logger = logging.getLogger("gansynth")
    logger.setLevel(logging.INFO)
    handler: logging.Handler
    if chosen_log_format() == "json":
        handler = JsonLines()
    else:
        handler = Board(stages, progress) if console.is_terminal else Lines(console)
    logger.addHandler(handler)
    try:
        if isinstance(handler, Board):
            with Live(get_renderable=handler.render, console=console, refresh_per_second=REFRESHES_PER_SECOND):
                yield
        else:
            yield
    finally:
        logger.removeHandler(handler)


def _cells(piece: Piece) -> tuple[RenderableType, RenderableType, RenderableType]:
    if piece.total <= 1:
        return Text(piece.label, "dim"), "", Text(clock(piece.seconds), "dim")
    return (
        Text(piece.label, "dim"),
        ProgressBar(piece.total, piece.done, width=BAR_WIDTH),
        Text(f"{piece.share:.0%}", "dim"),
    )
