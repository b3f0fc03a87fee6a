"""Stopping long work between its steps, so that it can save first."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TERMINATED = 128 + signal.SIGTERM
ENDING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stopping_postponed() -> Iterator[Callable[[], bool]]:
    """Postpone the end by SIGTERM or Ctrl-C while the block runs; yields a function that tells whether one came.

    The block looks at it between its steps, saves and leaves; the signal then takes its usual course. Whoever presses
    Ctrl-C again does not wait. Python hands signals to the main thread alone, so in others nothing is postponed, nor
    told.
    """
    asked: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: bool(asked)
        return
    earlier = {number: signal.getsignal(number) for number in ENDING}

    def note(number: int, _: object) -> None:
        asked.append(signal.Signals(number))
        if number == signal.SIGINT:
            signal.signal(number, earlier[signal.SIGINT])

    for number, handler in earlier.items():
        if handler != signal.SIG_IGN:  # as jobs in the background ignore Ctrl-C
            signal.signal(number, note)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        for number in dict.fromkeys(asked):
            signal.raise_signal(number)
