"""The picture of progress, from the records and files that real work leaves."""

import io
import json
import logging
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.display import Board, Lines
from pipelines.meter import Meter, describe


def record(stage: str, state: str, finished: int = 0, total: int = 1, text: str = "") -> logging.LogRecord:
    fields = {"stage": stage, "state": state, "finished": finished, "total": total, "samples": None}
    return logging.makeLogRecord(fields | {"msg": text or state})


def drawn(board: Board) -> str:
    console = Console(file=io.StringIO(), width=120)
    with console.capture() as capture:
        console.print(board.render())
    return capture.get()


def test_board_ticks_stages_and_counts_units(tmp_path: Path) -> None:
    board = Board(("ingest", "train", "report"), tmp_path)
    assert "starting" in drawn(board)
    board.handle(record("ingest", "started"))
    board.handle(record("ingest", "done", 1))
    board.handle(record("train", "started", 0, 6))
    board.handle(record("train", "running", 2, 6))
    picture = drawn(board).splitlines()
    assert picture[0].startswith("✓ ingest")
    assert "2 of 6" in picture[1]
    assert picture[2].startswith("· report")
    assert "starting" not in drawn(board)


def tell(path: Path, done: int, total: int = 1000) -> None:
    path.write_text(json.dumps({"label": path.stem, "done": done, "total": total, "seconds": 1.0}))


def test_board_shows_pieces_at_work(tmp_path: Path) -> None:
    board = Board(("train",), tmp_path)
    board.handle(record("train", "started", 0, 2))
    piece = tmp_path / "repetition 1.json"
    tell(piece, 600)
    assert "repetition 1" in drawn(board)
    assert "60%" in drawn(board)
    piece.write_text("{")
    assert "repetition 1" not in drawn(board)


def test_time_left_is_reckoned_from_where_a_piece_was_first_seen(tmp_path: Path) -> None:
    meter = Meter(tmp_path, 2, started=0.0)
    tell(tmp_path / "resumed.json", 500)
    assert meter.read(0, now=1.0).left is None
    tell(tmp_path / "resumed.json", 600)
    reading = meter.read(0, now=10.0)  # a tenth of a unit in ten seconds; 1.4 units are to be done
    assert reading.share == pytest.approx(0.3)
    assert reading.left == pytest.approx(140)
    assert describe(reading, 0, 2, samples=4000) == "0 of 2, 20 samples/s, 2:20 left"


def test_units_that_were_done_before_make_no_speed(tmp_path: Path) -> None:
    meter = Meter(tmp_path, 4, started=0.0)
    assert meter.read(3, now=0.1).left is None
    tell(tmp_path / "last.json", 0)
    meter.read(3, now=0.2)
    tell(tmp_path / "last.json", 250)
    assert meter.read(3, now=20.0).left == pytest.approx(60)


def test_notes_are_shown_below_the_board_and_as_lines(tmp_path: Path) -> None:
    board, lines = Board(("ingest",), tmp_path), io.StringIO()
    for state, text in (("started", ""), ("noted", "ingest: id: dropped, is an id."), ("done", "ingest: done")):
        for handler in (board, Lines(Console(file=lines))):
            handler.handle(record("ingest", state, text=text))
    assert drawn(board).splitlines()[-1].rstrip() == "ingest: id: dropped, is an id."
    assert lines.getvalue() == "ingest: id: dropped, is an id.\ningest: done\n"


def test_board_ignores_other_records(tmp_path: Path) -> None:
    board = Board(("train",), tmp_path)
    board.handle(logging.makeLogRecord({"msg": "repetition 1: trained on 30 rows"}))
    assert "starting" in drawn(board)


def test_lines_tell_each_finished_unit_once() -> None:
    console = Console(file=io.StringIO(), width=20)
    lines = Lines(console)
    for one in (
        record("ingest", "started", text="ingest: started"),
        record("ingest", "running", 1, 1, "ingest: dataset (1 of 1, 2.0 s)"),
        record("ingest", "done", 1, 1, "ingest: done in 2.0 s"),
        record("train", "running", 1, 6, "train: repetition [1] (1 of 6, 20 s)"),
        logging.makeLogRecord({"msg": "kept 30 of 45 candidates"}),
    ):
        lines.handle(one)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "ingest: done in 2.0 s\ntrain: repetition [1] (1 of 6, 20 s)\n"
