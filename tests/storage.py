"""Real storage servers on loopback, independent clients of them, and a bad line to them."""

import socket
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import boto3

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDFORTESTS", "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-tests"}


class Bucket:
    """A bucket of its own on an S3 server, seen through Amazon's client."""

    def __init__(self, server: str) -> None:
        self.server, self.name = server, f"bucket-{uuid.uuid4().hex[:12]}"
        self.url = f"s3://{self.name}"
        keys = {name.lower(): value for name, value in CREDENTIALS.items()}
        self._client = boto3.client("s3", endpoint_url=server, region_name="us-east-1", **keys)
        self._client.create_bucket(Bucket=self.name)

    def put(self, name: str, content: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=name, Body=content)

    def put_folder(self, folder: Path, name: str) -> str:
        """Put all files of a folder below a name, and return the URL of that."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        return f"{self.url}/{name}"

    def remove(self, name: str) -> None:
        self._client.delete_object(Bucket=self.name, Key=name)

    def objects(self) -> dict[str, bytes]:
        """Return the content of every object, by its name."""
        listed = self._client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {one["Key"]: self._client.get_object(Bucket=self.name, Key=one["Key"])["Body"].read() for one in listed}

    def content_type(self, name: str) -> str:
        return str(self._client.head_object(Bucket=self.name, Key=name)["ContentType"])


class Line:
    """A line to a server that remembers each request, and is cut in the middle of answers as often as it is told.

    Attributes:
        address: Where it listens.
        requests: First lines of all requests.
        cuts: How many answers are still to be cut.
        passing: Only answers to requests whose first line contains this are cut.
        allowed: Bytes of an answer that come through before the cut.
    """

    def __init__(self, server: str) -> None:
        self._server = (str(urlsplit(server).hostname), urlsplit(server).port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[str] = []
        self.cuts, self.passing, self.allowed = 0, "", 0
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def asked(self, method: str) -> list[str]:
        """Return the targets of the requests so far that used a method."""
        return [line.split(" ")[1] for line in self.requests if line.startswith(f"{method} ")]

    def _listen(self) -> None:
        with suppress(OSError):  # closed
            while True:
                caller, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with suppress(OSError), caller, socket.create_connection(self._server) as server:
            asked = caller.recv(65536)
            line = asked.partition(b"\r\n")[0].decode()
            self.requests.append(line)
            server.sendall(asked)
            threading.Thread(target=_copy, args=(caller, server), daemon=True).start()
            cut = self.cuts > 0 and self.passing in line
            self.cuts -= cut
            _copy(server, caller, self.allowed if cut else None)
            caller.shutdown(socket.SHUT_RDWR)  # which closing alone does not do while the other thread listens


def _copy(source: socket.socket, target: socket.socket, allowed: int | None = None) -> None:
    with suppress(OSError):
        while data := source.recv(65536 if allowed is None else min(allowed, 65536)):
            target.sendall(data)
            if allowed is not None:
                allowed -= len(data)
                if allowed == 0:
                    return
