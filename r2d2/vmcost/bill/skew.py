"""The spread of the tasks of each stage: median, p95 and maximum of their time and of their bytes.

A task's bytes are those that it read, from storage and from shuffle blocks. Tasks that failed or
were killed are left out. The p95 is the least value that 95 of 100 tasks do not exceed. What a
stage would take less if its slowest task took the median's time is `straggling_s`: nobody can gain
more by spreading its data evenly, whatever the number of cores.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.bill.task_time import Longs, stage_positions
from r2d2.vmcost.model import Application, Outcome

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Spreads:
    """For each stage attempt, as in `Application.stages`: rows of median, p95 and maximum."""

    tasks: Longs
    seconds: Floats
    size_bytes: Floats

    def skew(self, stage: int) -> float | None:
        """The slowest task over the median one; None without tasks or where the median is 0."""
        median, _, most = self.seconds[stage].tolist()
        return most / median if median > 0 else None

    def straggling_s(self, stage: int) -> float:
        """The slowest task's time beyond the median one's."""
        median, _, most = self.seconds[stage].tolist()
        return float(most - median) if self.tasks[stage] > 1 else 0.0


def spreads(app: Application) -> Spreads:
    """The spread of the tasks that succeeded, of all stages at once."""
    positions = stage_positions(app)
    used = (positions >= 0) & (app.tasks["outcome"] == Outcome.SUCCEEDED)
    at, count = positions[used], len(app.stages)
    tasks = np.bincount(at, minlength=count).astype(np.int64)
    took_ms = (app.tasks["finish_ms"] - app.tasks["launch_ms"])[used]
    read = (app.tasks["input_bytes"] + app.tasks["shuffle_read_bytes"])[used]
    return Spreads(tasks, _ranks(at, tasks, took_ms) / 1000, _ranks(at, tasks, read))


def _ranks(at: Longs, tasks: Longs, values: Longs) -> Floats:
    """Median, p95 and maximum of each stage's values; 0 where it has none."""
    ordered = values[np.lexsort((values, at))]
    found = np.zeros((len(tasks), 3))
    there = tasks > 0
    size = tasks[there]
    first = (np.cumsum(tasks) - tasks)[there]
    low, high = ordered[first + (size - 1) // 2], ordered[first + size // 2]
    found[there, 0] = (low + high) / 2
    found[there, 1] = ordered[first - (-size * 95 // 100) - 1]
    found[there, 2] = ordered[first + size - 1]
    return found
