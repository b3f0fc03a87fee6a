"""Stopping long work between its steps, so that it can save first."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TERMINATED = 128 + signal.SIGTERM


@contextmanager
def stopping_postponed() -> Iterator[Callable[[], bool]]:
    """Postpone the end by SIGTERM while the block runs; yields a function that tells whether it has been asked for.

    The block looks at it between its steps, saves and leaves; the signal then takes its usual course. Python hands
    signals to the main thread alone, so in others nothing is postponed, nor told.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    earlier = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGTERM, earlier)
        if asked.is_set():
            signal.raise_signal(signal.SIGTERM)
