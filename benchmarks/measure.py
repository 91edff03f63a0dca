"""Runs a command as a whole process and says what it cost, with all that it started."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took. `peak_mb` is the peak of the largest process among all it started."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measured(command: Sequence[str], log: Path, fine: Sequence[int] = (0,)) -> Cost:
    """The cost of a command, from its start to its end; what it prints goes to `log`.

    A small process of its own runs it: a process is charged with the memory of the one that
    started it, and whoever measures Spark must adopt a Java that outlives its parent.

    Raises:
        BenchmarkError: it ended with another exit code than those that are fine.
    """
    meter = Path(__file__).with_name("meter.py")
    # As installed: modules are compiled once, not by every process anew.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as output:
        told = subprocess.run(
            [sys.executable, "-I", "-S", str(meter), *command],
            stdout=output,
            stderr=subprocess.PIPE,
            env=environment,
            check=True,
        )
    result = json.loads(told.stderr)
    if result["exit_code"] not in fine:
        tail = " / ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        raise BenchmarkError(f"{command[0]} … ended with {result['exit_code']}: {tail}")
    return Cost(result["wall_s"], result["cpu_s"], result["peak_mb"])
