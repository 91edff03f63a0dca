"""The slots to run tasks, as they come and go in a log, or a number that stands for all the run.

A slot is as many cores as a task takes. Where tasks of several resource profiles take more and
fewer, it is the most cores of which all take a multiple: some then take several slots.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
import numpy.typing as npt

from r2d2.errors import UsageError
from r2d2.vmcost.model import Application, Executor, Tasks

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Life:
    """An executor that offers `slots` from one moment to another, in ms since the start.

    After `until_ms` it takes no new tasks and ends those it runs; None is for ever.
    """

    slots: int
    from_ms: int
    until_ms: int | None = None


def measured_lives(app: Application) -> tuple[Life, ...]:
    """The application's executors as its log tells them, in order of arrival.

    One that ran a task before it was said to be added counts from that task; without any executor,
    as many slots as ever were busy stand from the first task on.
    """
    tasks, count = app.tasks[app.tasks["executor"] >= 0], len(app.executors)
    first_ms, last_ms = np.full(count, _NEVER), np.full(count, -_NEVER)
    np.minimum.at(first_ms, tasks["executor"], tasks["launch_ms"])
    np.maximum.at(last_ms, tasks["executor"], tasks["finish_ms"])
    lives = [
        _life(executor, first, last, app)
        for executor, first, last in zip(
            app.executors, first_ms.tolist(), last_ms.tolist(), strict=True
        )
    ]
    in_order = sorted(
        (life for life in lives if life is not None),
        key=lambda life: (life.from_ms, life.slots, life.until_ms or 0),
    )
    if in_order or not len(app.tasks):
        return tuple(in_order)
    return (Life(_most_at_once(app.tasks), int(app.tasks["launch_ms"].min()) - app.started_ms),)


def fixed_lives(app: Application, slots: int) -> tuple[Life, ...]:
    """So many slots from the moment on at which the application's first executor had come.

    Raises:
        UsageError: `slots` is below 1.
    """
    if slots < 1:
        raise UsageError(f"{slots} slots run no task: name 1 or more")
    return (Life(slots, first_arrival_ms(measured_lives(app))),)


def first_arrival_ms(lives: Sequence[Life]) -> int:
    """The arrival of the first executor, in ms since the start; 0 without any."""
    return min((life.from_ms for life in lives), default=0)


def peak_slots(lives: Sequence[Life]) -> int:
    """The most slots that there were at once; 0 without any executor."""
    changes = [(life.from_ms, life.slots) for life in lives]
    changes += [(life.until_ms, -life.slots) for life in lives if life.until_ms is not None]
    there = most = 0
    for _, slots in sorted(changes):
        there += slots
        most = max(most, there)
    return most


def slots_of(executor: Executor) -> int:
    """The tasks of its own profile that an executor runs at once."""
    return max(1, executor.cores // max(1, executor.task_cpus))


def slot_cpus(app: Application) -> int:
    """The cores of a slot."""
    return gcd(*(executor.task_cpus for executor in app.executors)) or 1


def task_slots(app: Application) -> npt.NDArray[np.int64]:
    """For each task the slots that it takes."""
    cpus = slot_cpus(app)
    taken = [executor.task_cpus // cpus for executor in app.executors]
    slots: npt.NDArray[np.int64] = np.array([*taken, 1], np.int64)[app.tasks["executor"]]
    return slots


def _life(executor: Executor, first_ms: int, last_ms: int, app: Application) -> Life | None:
    """The life of an executor whose first task began and whose last one ended so; else `_NEVER`."""
    from_ms, until_ms = executor.added_ms, executor.removed_ms
    if first_ms != _NEVER:
        from_ms = min(from_ms, first_ms)
        until_ms = None if until_ms is None else max(until_ms, last_ms)
    elif from_ms > app.ended_ms:
        return None
    ended_ms = None if until_ms is None else until_ms - app.started_ms
    slots = max(1, executor.cores // slot_cpus(app))
    return Life(slots, max(0, from_ms - app.started_ms), ended_ms)


def _most_at_once(tasks: Tasks) -> int:
    launches = np.sort(tasks["launch_ms"])
    finished = np.searchsorted(np.sort(tasks["finish_ms"]), launches, side="right")
    return max(1, int((np.arange(1, len(launches) + 1) - finished).max()))
