"""SIGINT, SIGTERM and SIGKILL at random moments of `r2d2 find --out` into a folder with an old run.

A reader who knows nothing of r2d2 looks at the folder after each, before the next command. 100 of
each:

    R2D2_SIGNALS=100 python -m pytest -q -n 0 tests/cli/test_signals.py
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_TERMINATED
from r2d2.storage.switch import MARKER

pytestmark = pytest.mark.slow

MOMENTS = int(os.environ.get("R2D2_SIGNALS", "4"))
# Before the command has begun to listen, Python or the system ends the process.
CODES = {
    signal.SIGINT: {EXIT_INTERRUPTED, -signal.SIGINT},
    signal.SIGTERM: {EXIT_TERMINATED, -signal.SIGTERM},
    signal.SIGKILL: {-signal.SIGKILL},
}
STARTED_S = 0.15


def started(lake: Path, out: Path, scratch: Path) -> "subprocess.Popen[str]":
    settings = lake.parent / "memory.toml"
    settings.write_text("[find]\nmemory_bytes = 1000\n")
    flags = ["--out", str(out), "--config", str(settings)]
    return subprocess.Popen(
        [sys.executable, "-m", "r2d2", "find", str(lake), *flags],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_through(lake: Path, out: Path, scratch: Path) -> None:
    process = started(lake, out, scratch)
    _, told = process.communicate(timeout=60)
    assert process.returncode == EXIT_OK, told


def contents(out: Path) -> Mapping[str, bytes]:
    """The run's files that a reader sees, but for the funnel, which has seconds in it."""
    files = [path for path in out.glob("*") if not path.name.startswith(".r2d2")]
    return {path.name: path.read_bytes() for path in files if path.name != "funnel.json"}


def write_lake(lake: Path, rows: int) -> None:
    lake.mkdir(exist_ok=True)
    for name, count in (("one", rows), ("two", rows // 2)):
        pq.write_table(pa.table({"x": range(count)}), lake / f"{name}.parquet")


@pytest.mark.parametrize("sent", CODES)
def test_a_signal_at_any_moment_leaves_one_run_or_the_other(
    sent: signal.Signals, tmp_path: Path
) -> None:
    old_lake, new_lake, scratch = tmp_path / "old", tmp_path / "new", tmp_path / "scratch"
    scratch.mkdir()
    write_lake(old_lake, 1_000)
    write_lake(new_lake, 200_000)
    runs = []
    for number, lake in enumerate((old_lake, new_lake)):
        start = time.monotonic()
        run_through(lake, tmp_path / f"run{number}", scratch)
        length_s = time.monotonic() - start
        runs.append(contents(tmp_path / f"run{number}"))
    moments = random.Random(sent)
    for _ in range(MOMENTS):
        out = tmp_path / "out"
        run_through(old_lake, out, scratch)
        process = started(new_lake, out, scratch)
        wait_s = moments.uniform(0, 1.1 * length_s)
        time.sleep(wait_s)
        process.send_signal(sent)
        _, told = process.communicate(timeout=30)
        assert process.returncode in CODES[sent] | {EXIT_OK}, told
        assert wait_s < STARTED_S or "Traceback" not in told, told
        assert contents(out) in runs
        run_through(old_lake, out, scratch)
        assert contents(out) == runs[0]
        assert [path.name for path in out.glob(".*")] == [MARKER]
        assert list(scratch.iterdir()) == []
        assert {path.name for path in tmp_path.glob(".*")} == set()
