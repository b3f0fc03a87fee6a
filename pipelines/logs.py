"""The library's log in Prefect's UI."""

import logging


def show_logs() -> None:
    """Let what gansynth logs go where Prefect's flow runs log: to the UI, and to the console as far as Prefect does."""
    logger = logging.getLogger("gansynth")
    if logger.getEffectiveLevel() > logging.INFO:
        logger.setLevel(logging.INFO)
    for handler in logging.getLogger("prefect.flow_runs").handlers:
        if handler not in logger.handlers:
            logger.addHandler(handler)
