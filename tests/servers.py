"""A Prefect server of one's own, and programs that run beside it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE_SECONDS = 240


@dataclass
class Server:
    """A running Prefect server: its address, the folder that programs start in, and the environment they need."""

    address: str
    folder: Path
    environment: dict[str, str]

    def answers(self) -> bool:
        """Tell whether it is there."""
        try:
            with urllib.request.urlopen(f"{self.address}/api/health", timeout=5) as answer:  # noqa: S310  # our own server
                return bool(answer.status == 200)
        except OSError:
            return False

    def call(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end."""
        return subprocess.run(
            [Path(sys.executable).with_name(program), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    @contextmanager
    def started(self, program: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a program while the block runs; it writes to PROGRAM.log in the folder."""
        command = [Path(sys.executable).with_name(program), *arguments]
        with self.log(program).open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:  # Prefect's worker may hang if it is told to end amid a cancellation
                    process.kill()
                    process.wait()

    def log(self, program: str) -> Path:
        """Return the log of a program that was started."""
        return self.folder / f"{program}.log"


@contextmanager
def prefect_server(folder: Path) -> "Iterator[tuple[Server, subprocess.Popen[bytes]]]":
    """Run a Prefect server whose files lie in a folder; yields it and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    own = {
        "PWD": str(folder),  # as a shell has it
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"{address}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    server = Server(address, folder, inherited | own)
    with server.started("prefect", "server", "start", "--port", str(port)) as process:
        wait_for(server.answers, process)
        yield server, process


def wait_for(happened: Callable[[], object], process: "subprocess.Popen[bytes] | None" = None) -> None:
    """Wait until something happens, as long as a process lives."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert process is None or process.poll() is None, f"{process.args!r} ended"
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.2)
