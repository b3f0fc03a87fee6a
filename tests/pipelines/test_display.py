"""The picture of progress, from the records and files that real work leaves."""

import io
import json
import logging
from pathlib import Path

from rich.console import Console

from pipelines.display import Board, Lines


def record(stage: str, state: str, finished: int = 0, total: int = 1, text: str = "") -> logging.LogRecord:
    fields = {"stage": stage, "state": state, "finished": finished, "total": total, "msg": text or state}
    return logging.makeLogRecord(fields)


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


def test_board_reckons_time_left_from_where_a_piece_was_first_seen(tmp_path: Path) -> None:
    board = Board(("train",), tmp_path)
    board.handle(record("train", "started"))
    piece = tmp_path / "train.json"
    # resumed: half of it was there before the first second
    for done, seconds in ((500, 0.0), (600, 10.0)):
        piece.write_text(json.dumps({"label": "train repetition 1", "done": done, "total": 1000, "seconds": seconds}))
        picture = drawn(board)
    assert "train repetition 1" in picture
    assert "0:40 left" in picture
    piece.write_text("{")
    assert "train repetition 1" not in drawn(board)


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
