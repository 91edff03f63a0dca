"""A standalone Spark cluster on loopback, from the installed pyspark, for one test."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

REPOSITORY = Path(__file__).parents[3]
PATIENCE_S = 90
# JVMs of seconds end before the second compiler or a collector with many threads would pay.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cluster:
    """The master's URL, and the process groups of the workers with their executors."""

    master: str
    workers: tuple[int, ...]


def environment() -> dict[str, str]:
    """What Spark's processes need to start here: its address, its Python, and this repository."""
    return os.environ | {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED,
        "SPARK_SUBMIT_OPTS": SHORT_LIVED,
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(REPOSITORY),
        "LC_ALL": "C.UTF-8",
    }


@contextmanager
def standalone(workers: int, folder: Path) -> Iterator[Cluster]:
    """A master and as many workers of one core, all ended at the end."""
    with ExitStack() as stack:
        log = folder / "master"
        _start(stack, log, "master.Master", "--port", "0")
        master = _wait_for(log, r"Starting Spark master at (spark://\S+)")
        groups = []
        for number in range(workers):
            options = ("--cores", "1", "--memory", "600m", "--work-dir", str(folder), master)
            groups.append(_start(stack, folder / f"worker{number}", "worker.Worker", *options))
        for number in range(workers):
            _wait_for(folder / f"worker{number}", "Successfully registered with (master)")
        yield Cluster(master, tuple(groups))


def _start(stack: ExitStack, log: Path, role: str, *options: str) -> int:
    """Starts a daemon in a process group of its own; the group's number."""
    import pyspark

    command = [
        str(Path(pyspark.__file__).with_name("bin") / "spark-class"),
        f"org.apache.spark.deploy.{role}", "--host", "127.0.0.1", "--webui-port", "0", *options,
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment(), start_new_session=True
        )
    stack.callback(_end, process)
    return process.pid


def _end(process: "subprocess.Popen[bytes]") -> None:
    kill_group(process.pid)
    process.wait()


def kill_group(group: int) -> None:
    """Kills all processes of a group, as a machine that loses power would."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _wait_for(log: Path, pattern: str) -> str:
    """The pattern's group, once the log has it."""
    return until(lambda: re.search(pattern, log.read_text(errors="replace")), str(log))[1]


def until(look: Callable[[], T | None], what: str) -> T:
    """What `look` returns, once that is something."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise TimeoutError(what)


def run(arguments: Sequence[str], **variables: str) -> "subprocess.CompletedProcess[str]":
    """A Python process with Spark's environment, finished."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment() | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * PATIENCE_S,
    )
