"""Runs a command as a whole process and says what it cost."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.errors import BenchmarkError


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took, with all it started and waited for.

    `peak_mb` is the peak of its largest process; it can be no less than this process's own size
    at the start, so this process imports nothing large.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


def measured(command: Sequence[str], log: Path, fine: Sequence[int] = (0,)) -> Cost:
    """The cost of a command, from its start to its end; what it prints goes to `log`.

    Raises:
        BenchmarkError: it ended with another exit code than those that are fine.
    """
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in fine:
        tail = log.read_text(errors="replace").strip().splitlines()[-3:]
        raise BenchmarkError(f"{command[0]} … ended with {process.returncode}: {' / '.join(tail)}")
    return Cost(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
