"""What happens when the command line is told to end."""

import logging
import os
import signal
import sys
import threading
import time

from gansynth.stopping import TERMINATED
from pipelines.telling import tell_error

GRACE_SECONDS = 10.0


def end_on_sigterm() -> None:
    """Make SIGTERM end the run as tidily as Ctrl-C, at the latest after a grace period.

    Prefect puts a handler of its own in the place of any other while a flow runs. So a thread is told of signals
    besides.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_await_sigterm, args=(reader,), daemon=True).start()


def _await_sigterm(signals: int) -> None:
    """Tell of the end, and see to it that it comes.

    Batch systems send SIGTERM to all processes at once: Prefect's temporary server is then gone already, and its client
    would go on trying to reach it for minutes, with tracebacks.
    """
    while os.read(signals, 1)[0] != signal.SIGTERM:
        continue
    tell_error("terminated; the same command resumes where it stopped")
    logging.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    time.sleep(GRACE_SECONDS)
    os._exit(TERMINATED)
