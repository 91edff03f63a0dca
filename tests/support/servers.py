"""S3-compatible servers on loopback that tests start by themselves.

`moto_server` is a real one from PyPI, for what the protocol means; `small_server` is our own, for
counting requests, for many objects, and for misbehaviour that no real server offers.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SECRET = "canary-a8f3e1-secret"
SMALL_SERVER = "tests.support.storage.s3_server"
START_S = 60


@dataclass(frozen=True, slots=True)
class S3Server:
    """A server in a process of its own."""

    process: "subprocess.Popen[str]"
    endpoint: str

    def environment(self) -> dict[str, str]:
        """The variables with which obstore, polars, deltalake and boto3 find the server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def create_bucket(self, name: str) -> None:
        """Makes an empty bucket."""
        self.ask("PUT", f"/{name}")

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Stores an object, whatever its key."""
        self.ask("PUT", f"/{bucket}/{quote(key)}", content)

    def delete(self, bucket: str, key: str) -> None:
        """Takes an object away."""
        self.ask("DELETE", f"/{bucket}/{quote(key)}")

    def kill(self) -> None:
        """Ends the server at once, connections and all."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Stops the server: connections stay open and nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Goes on after a pause."""
        self.process.send_signal(signal.SIGCONT)

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The answer's body to a plain request."""
        # Any credential will do: moto only takes the region from it.
        scope = "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/s3/aws4_request"
        headers = {"Authorization": scope, "Content-Type": "application/octet-stream"}
        request = urllib.request.Request(self.endpoint + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=START_S) as answer:
            return bytes(answer.read())


@dataclass(frozen=True, slots=True)
class SmallServer(S3Server):
    """Our own server: counts, misbehaves, and serves folders as they are."""

    def requests(self) -> Mapping[str, int]:
        """How many requests came so far, by kind: LIST, GET, HEAD, PUT."""
        return dict(json.loads(self.ask("GET", "/-/requests")))

    def misbehave(self, faults: Mapping[str, str]) -> None:
        """Sets the faults by key, `*` for all; the others end."""
        self.ask("POST", "/-/faults", json.dumps(dict(faults)).encode())

    def load(self, bucket: str, prefix: str, folder: Path) -> None:
        """Offers the folder's files as objects whose keys start with `prefix`."""
        order = {"bucket": bucket, "prefix": prefix, "folder": str(folder)}
        self.ask("POST", "/-/load", json.dumps(order).encode())


@contextmanager
def small_server() -> Iterator[SmallServer]:
    """Our own server, running; it ends with this process even if that is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", SMALL_SERVER],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with _ended(process):
        assert process.stdout is not None
        yield SmallServer(process, f"http://127.0.0.1:{int(process.stdout.readline())}")


@contextmanager
def moto_server() -> Iterator[S3Server]:
    """A moto server, running."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Without boto's own settings: a developer's profile must not leak into the tests.
    environment = {name: value for name, value in os.environ.items() if "AWS" not in name}
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    server = S3Server(process, f"http://127.0.0.1:{port}")
    with _ended(process):
        _await_answer(server)
        yield server


def _await_answer(server: S3Server) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            server.ask("GET", "/moto-api/data.json")
            return
        except (urllib.error.URLError, ConnectionError):
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@contextmanager
def _ended(process: "subprocess.Popen[str]") -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.communicate()
