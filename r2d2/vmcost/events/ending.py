"""When an application ended, if its log does not tell."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.events.problems import Problem, Problems

Moments = npt.NDArray[np.int64]
FAR_MS = 86_400_000
"""A day: an executor's stamps further beyond all work are taken for wrong."""
IDLE_MS = 366 * FAR_MS
"""An application may idle for long before it is ended, but not for years."""
FEW = 4
"""A job of one task has as many moments: its start and end, and those of stage and task."""


def last_moment(
    started_ms: int, work: Iterable[Moments], executors: Sequence[int], problems: Problems
) -> int:
    """The last moment that jobs, stages, tasks or executors name and that can be believed.

    Fewer than `FEW` moments of work over a day beyond all others are no more than wrong stamps, and
    so is an executor that comes or goes over a day beyond all work.
    """
    moments = np.concatenate([[started_ms], *work])
    believed = _without_outliers(moments[moments >= started_ms])
    last = int(believed[-1])
    near = [moment for moment in executors if moment - last <= FAR_MS]
    disbelieved = int((moments > last).sum()) + len(executors) - len(near)
    problems[Problem.MOMENT_DISBELIEVED] += disbelieved
    return max(last, *near) if near else last


def _without_outliers(moments: Moments) -> Moments:
    """The moments in order without small groups at their end, far beyond what comes before."""
    moments = np.sort(moments)
    while size := _stray(moments):
        moments = moments[:-size]
    return moments


def _stray(moments: Moments) -> int:
    """The size of such a group, 0 for none."""
    far = np.diff(moments[-FEW:])[::-1] > FAR_MS
    return int(far.argmax()) + 1 if far.any() else 0
