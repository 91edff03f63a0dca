"""How much longer the first tasks of an executor take, while its JVM and workers come up.

An executor with k slots runs its first k tasks cold. What such a task took beyond every other task
of its stage that did not run cold is taken to be the start's; where the stage has no other task
nothing can be told. This errs on the low side, so that skewed data is not taken for a cold start.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.model import Outcome, Tasks

Milliseconds = npt.NDArray[np.int64]


def is_cold(tasks: Tasks, slots: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Which tasks, being in order of launch, were among the first of their executor."""
    cold = np.zeros(len(tasks), np.bool_)
    for executor, width in enumerate(slots):
        cold[np.flatnonzero(tasks["executor"] == executor)[:width]] = True
    return cold


def cold_ms(tasks: Tasks, cold: npt.NDArray[np.bool_]) -> Milliseconds:
    """Of each task the milliseconds by which a cold start is seen to have lengthened it."""
    duration_ms = np.maximum(tasks["finish_ms"] - tasks["launch_ms"], 0)
    lengthened = np.zeros(len(tasks), np.int64)
    ran = tasks["outcome"] == Outcome.SUCCEEDED
    names = tasks[["stage", "stage_attempt"]]
    for name in np.unique(names[cold & ran]):
        same = (names == name) & ran
        warm_ms = duration_ms[same & ~cold]
        if len(warm_ms):
            first = same & cold
            lengthened[first] = np.maximum(duration_ms[first] - warm_ms.max(), 0)
    return lengthened
