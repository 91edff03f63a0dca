"""A large event log, and how long r2d2 takes to read it.

    python -m benchmarks.event_log --write FILE [--megabytes 142] [--codec zstd]
    python -m benchmarks.event_log FILE [--runs 3]

The log is as Spark 3.5 writes one of SQL jobs: each task ends with its metrics and some thirty
accumulables, most of a line. One seed, the same bytes; 142 MB take 5 MB in zstd, a little more
than logs of others do. Each run is a process of its own, from start to end; the most memory is the
kernel's count of its resident set.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import zstandard

from benchmarks.event_log_lines import events


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes a log, or reads one and says how long that takes."""
    options = argparse.ArgumentParser("python -m benchmarks.event_log")
    options.add_argument("file", type=Path, nargs="?")
    options.add_argument("--write", type=Path)
    options.add_argument("--megabytes", type=float, default=142.0)
    options.add_argument("--codec", choices=("plain", "zstd"), default="zstd")
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args(arguments)
    if chosen.write:
        plain = write(chosen.write, chosen.megabytes, chosen.codec == "zstd")
        print(f"{chosen.write}: {plain:,} bytes, {chosen.write.stat().st_size:,} in {chosen.codec}")
    if chosen.file:
        seconds, most_bytes = timed(chosen.file, chosen.runs)
        print(f"{chosen.file}: {seconds:.2f} s, {most_bytes / 1e6:.0f} MB")
    return 0


def timed(file: Path, runs: int) -> tuple[float, int]:
    """Median seconds of a process that reads and reduces the log, and the most memory of any."""
    code = (
        "import sys; from r2d2.vmcost.events import read_applications;"
        "from r2d2.vmcost.bill.task_time import busy_fraction, task_time_by_stage;"
        "(app,) = read_applications(sys.argv[1:]); busy_fraction(app); task_time_by_stage(app)"
    )
    took, most_kib = [], 0
    for _ in range(runs):
        began = time.monotonic()
        process = subprocess.Popen([sys.executable, "-c", code, str(file)])
        _, status, used = os.wait4(process.pid, 0)
        took.append(time.monotonic() - began)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{file}: could not be read")
        most_kib = max(most_kib, used.ru_maxrss)
    return statistics.median(took), most_kib * 1024


def write(file: Path, megabytes: float, compressed: bool) -> int:
    """Writes a log of about that size before compression; its bytes."""
    written = 0
    with file.open("wb") as raw:
        # Spark's own level (spark.io.compression.zstd.level).
        packer = zstandard.ZstdCompressor(level=1)
        out = packer.stream_writer(raw, closefd=False) if compressed else raw
        for event in events():
            line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
            out.write(line)
            written += len(line)
            if written > megabytes * 1e6:
                break
        if compressed:
            out.close()
    return written


if __name__ == "__main__":
    sys.exit(main())
