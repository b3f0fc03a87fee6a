"""Prefect inside the command line: quiet, with a server of its own for as long as the command runs.

Users who have configured a Prefect API get their runs there. Everyone else gets a temporary server over Prefect's own
database (`PREFECT_HOME`, by default ~/.prefect), so `prefect server start` shows the runs of the command line later.
"""

import logging
import os
import signal
import sqlite3
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from gansynth.errors import GansynthError, on_one_line
from pipelines.workers import end_with_parent

if TYPE_CHECKING:
    from subprocess import Popen

P = ParamSpec("P")
Result = TypeVar("Result")

LEAST_ROOM = 2**23
"""Bytes that a new database of Prefect's and its journal take."""
MOST_STARTS = 3
"""Prefect starts a server that ends at once over and over, on other ports, for its port may have been taken."""
SQLITE = "sqlite+aiosqlite:///"

SETTINGS = {
    # the default of 20 s is too short for a fresh database on a busy machine
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # errors reach the user as one line of ours; the log in Prefect's UI stays complete
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
    # of each of some requests, with growing pauses: a server that is gone is told after a minute rather than six
    "PREFECT_CLIENT_MAX_RETRIES": "3",
}


def require_server() -> None:
    """Return if a Prefect API is configured and answers.

    Raises:
        GansynthError: None is, or it does not.
    """
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 - other commands set variables before

    if not PREFECT_API_URL.value():
        raise GansynthError(
            "PREFECT_API_URL: not set, and this command needs a server that stays; start one by `prefect server start`"
            " and say `prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api`"
        )
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "INFO")  # here people watch the log
    PrefectServer().wait()


class PrefectServer:
    """Connects to the configured Prefect API in the background, starting a temporary server if there is none.

    Construct it before anything imports Prefect.
    """

    def __init__(self) -> None:
        """Begin to connect.

        Raises:
            GansynthError: A temporary server is needed, and has no place for its database.
        """
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        warnings.filterwarnings("ignore", "Failed to create the Prefect home")  # it is told in a line, below
        logging.raiseExceptions = False  # else Prefect prints each record that its server does not take
        from prefect.client.orchestration import get_client  # noqa: PLC0415 - the settings must come first
        from prefect.settings import (  # noqa: PLC0415 - the settings must come first
            PREFECT_API_DATABASE_CONNECTION_URL,
            PREFECT_API_URL,
            PREFECT_HOME,
        )

        self._get_client = get_client
        self._configured = PREFECT_API_URL.value()
        if not self._configured:  # its server would not say why it does not start
            _check_home(PREFECT_HOME.value())
            _check_database(str(PREFECT_API_DATABASE_CONNECTION_URL.value()))
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._connect, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when the API answers.

        Raises:
            GansynthError: It does not.
        """
        started: set[int] = set()
        while self._thread.is_alive() and len(started) <= MOST_STARTS:
            self._thread.join(0.2)
            server = _temporary_server()
            if server is not None and server.pid not in started:
                started.add(server.pid)
                end_with_parent(server.pid)  # now, for this process may be killed before it answers
        if len(started) > MOST_STARTS:
            raise GansynthError(
                "Prefect's temporary server ended before it answered; what it said stands above: mend that, or set"
                " PREFECT_HOME to another folder"
            )
        if self._failure is not None:
            reason = on_one_line(self._failure)
            remedy = f"check {self._configured}" if self._configured else "set PREFECT_HOME to another folder"
            raise GansynthError(f"Prefect does not answer ({reason}); {remedy}") from self._failure

    def run(self, flow: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run a flow.

        Raises:
            GansynthError: The flow raised it, or the API does not answer any more.
        """
        from httpx import TransportError  # noqa: PLC0415 - comes with Prefect
        from prefect.exceptions import PrefectHTTPStatusError  # noqa: PLC0415 - the settings must come first

        try:
            return flow(*args, **kwargs)
        except (TransportError, PrefectHTTPStatusError) as error:
            cause: BaseException | None = error
            while cause is not None:  # what ended the run, when that could not be recorded
                if isinstance(cause, GansynthError):
                    raise cause from None
                cause = cause.__context__
            reason = on_one_line(error)
            raise GansynthError(
                f"Prefect does not answer any more ({reason}); what is finished is kept: see to"
                f" {self._configured or 'PREFECT_HOME'}, and the same command resumes"
            ) from error

    def _connect(self) -> None:
        # the server inherits the mask: Ctrl-C then ends the run first, and its end can still be recorded
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with self._get_client(sync_client=True) as client:
                client.hello()
        except Exception as failure:  # noqa: BLE001 - told in the main thread
            self._failure = failure


def _check_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=home) as probe:
            probe.write(bytes(LEAST_ROOM))
    except OSError as error:
        reason = error.strerror or on_one_line(error)
        raise GansynthError(f"PREFECT_HOME: {home}: cannot be written ({reason}); set it to another folder") from error


def _check_database(url: str) -> None:
    path = Path(url.removeprefix(SQLITE).partition("?")[0])
    if not url.startswith(SQLITE) or not path.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)) as database:
            database.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.OperationalError:
        return  # another process may hold it for now
    except sqlite3.DatabaseError as error:
        raise GansynthError(
            f"{path}: Prefect's database is damaged ({error}); move it away, or set PREFECT_HOME to another folder"
        ) from error


def _temporary_server() -> "Popen[bytes] | None":
    """Return the process of Prefect's temporary server, if it has been started."""
    # importing it is slow, and with a configured API not needed
    servers = getattr(sys.modules.get("prefect.server.api.server"), "SubprocessASGIServer", None)
    return servers().server_process if servers else None
