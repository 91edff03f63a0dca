"""How long stages waited for the driver although a slot was free, and tasks for the next launch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.advice.replay.slots import Life
from r2d2.vmcost.model import Tasks

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FullTimes:
    """The times in which no slot was free: the k-th lasts from `from_ms[k]` to `until_ms[k]`."""

    from_ms: Times
    until_ms: Times

    def freed_ms(self, from_ms: int, until_ms: int) -> int:
        """The last moment in a time at which a slot came free; its start where one always was."""
        position = int(np.searchsorted(self.from_ms, until_ms, side="left")) - 1
        if position < 0:
            return from_ms
        return max(from_ms, min(until_ms, int(self.until_ms[position])))


def full_times(tasks: Tasks, lives: Sequence[Life], started_ms: int) -> FullTimes:
    """When all slots that had come were busy, in ms since the epoch."""
    opened = [(started_ms + life.from_ms, life.slots) for life in lives]
    closed = [
        (started_ms + life.until_ms, -life.slots) for life in lives if life.until_ms is not None
    ]
    come_and_gone = [(started_ms, 0), *opened, *closed]
    moments = np.array([moment for moment, _ in come_and_gone], np.int64)
    offered = np.array([slots for _, slots in come_and_gone], np.int64)
    times = np.concatenate([moments, tasks["finish_ms"], tasks["launch_ms"]])
    changes = np.concatenate([offered, np.repeat(np.array([1, -1]), len(tasks))])
    order = np.argsort(times, kind="stable")
    free = np.cumsum(changes[order])
    last_of_moment = np.append(np.diff(times[order]) > 0, True)
    moments, free = times[order][last_of_moment], free[last_of_moment]
    full = np.flatnonzero(free <= 0)
    ends = np.append(moments, np.iinfo(np.int64).max)
    return FullTimes(moments[full], ends[full + 1])


def turnaround_ms(tasks: Tasks, slots: Sequence[int]) -> int:
    """The median from a task's end to the next launch on its executor, 0 where none followed.

    `tasks` are one stage attempt's; of an executor with k slots the i-th launch is taken to follow
    its (i - k)-th end.
    """
    gaps = [np.empty(0, np.int64)]
    for executor in np.unique(tasks["executor"]):
        own = tasks[tasks["executor"] == executor]
        width = slots[executor] if executor >= 0 else len(own)
        launches, ends = np.sort(own["launch_ms"]), np.sort(own["finish_ms"])
        gaps.append(np.maximum(launches[width:] - ends[: max(0, len(own) - width)], 0))
    followed = np.concatenate(gaps)
    return int(np.median(followed)) if len(followed) else 0
