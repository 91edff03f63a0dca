"""When an application ended, if its log does not tell."""

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.events.problems import Problem, Problems

Moments = npt.NDArray[np.int64]
FAR_MS = 86_400_000
"""A day: an executor's stamps further beyond all work are taken for wrong."""
FEW = 4
"""A job of one task has as many moments: its start and end, and those of stage and task."""


def last_moment(started_ms: int, work: Moments, executors: Moments, problems: Problems) -> int:
    """The last moment that jobs, stages, tasks or executors name and that can be believed.

    Fewer than `FEW` moments of work over a day beyond all others are no more than wrong stamps, and
    so is an executor that comes or goes over a day beyond all work.
    """
    believed = _without_outliers(np.append(work[work >= started_ms], started_ms))
    last = int(believed[-1])
    near = executors[executors - last <= FAR_MS]
    disbelieved = int((work > last).sum()) + len(executors) - len(near)
    problems[Problem.MOMENT_DISBELIEVED] += disbelieved
    return max(last, int(near.max(initial=last)))


def _without_outliers(moments: Moments) -> Moments:
    """The moments in order without small groups at their end, far beyond what comes before."""
    moments = np.sort(moments)
    while size := _stray(moments):
        moments = moments[:-size]
    return moments


def _stray(moments: Moments) -> int:
    """The size of such a group, 0 for none."""
    gaps = np.diff(moments[-FEW:])[::-1] > FAR_MS
    return int(gaps.argmax()) + 1 if gaps.any() else 0
