"""How many trainings may run on a machine at once: Prefect's global concurrency limit of that machine."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.concurrency.sync import concurrency


def training_limit(host: str | None = None) -> str:
    """Return the name of the limit of a machine, by default of this one."""
    return f"gansynth-training-{re.sub('[^A-Za-z0-9.-]', '-', host or socket.gethostname())}"


@contextmanager
def training_place() -> Iterator[None]:
    """Wait for a place among the trainings of this machine, and hold it. Without a limit there is always one."""
    with concurrency(training_limit(), strict=False):
        yield
