"""The steps of a run, and the time of each on serverless workers.

Stages whose tasks overlap in time are one step, since one could not be moved without the others'
time changing. On workers a step's tasks are placed in order of launch, each on the slot that is
free first, and none before its stage's parents in the same step have ended (list scheduling,
Graham 1969). A worker has as many slots as its cores hold tasks, and there are workers for the
widest level of the step, up to the cap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace

import numpy as np

from r2d2.vmcost.advice.serverless.model import RunStep, Serverless
from r2d2.vmcost.model import Application, Outcome


@dataclass(frozen=True, slots=True)
class _Work:
    """A stage's tasks that succeeded, in order of launch, and when any of its tasks ran."""

    stage: int
    from_ms: int
    to_ms: int
    task_ms: tuple[int, ...]


def steps_of(application: Application, serverless: Serverless) -> tuple[RunStep, ...]:
    """The application's steps in order of time; a last one, without stages, is the driver's end.

    Their gaps and times on the cluster sum to the run.
    """
    parents = {stage.id: stage.parents for stage in application.stages}
    task_cpus = max((executor.task_cpus for executor in application.executors), default=1)
    slots = max(1, serverless.worker.cores // max(1, task_cpus))
    steps: list[RunStep] = []
    moment_ms = application.started_ms
    for works in _overlapping(_works(application)):
        from_ms = max(moment_ms, works[0].from_ms)
        to_ms = max(from_ms, max(work.to_ms for work in works))
        worker_ms = _worker_ms(works, parents, slots, serverless)
        steps.append(
            RunStep(
                stages=tuple(sorted(work.stage for work in works)),
                gap_ms=from_ms - moment_ms,
                vm_ms=to_ms - from_ms,
                serverless_ms=max(worker_ms, default=0),
                worker_ms=worker_ms,
            )
        )
        moment_ms = to_ms
    return (*steps, RunStep((), max(0, application.ended_ms - moment_ms), 0, 0, ()))


def _works(application: Application) -> list[_Work]:
    tasks = application.tasks
    tasks = tasks[np.lexsort((tasks["launch_ms"], tasks["stage"]))]
    works = []
    for of_stage in np.split(tasks, np.flatnonzero(np.diff(tasks["stage"])) + 1):
        if len(of_stage):
            done = of_stage[of_stage["outcome"] == Outcome.SUCCEEDED]
            works.append(
                _Work(
                    int(of_stage["stage"][0]),
                    int(of_stage["launch_ms"][0]),
                    int(of_stage["finish_ms"].max()),
                    tuple((done["finish_ms"] - done["launch_ms"]).tolist()),
                )
            )
    return sorted(works, key=lambda work: (work.from_ms, work.stage))


def _overlapping(works: Sequence[_Work]) -> list[list[_Work]]:
    groups: list[list[_Work]] = []
    end_ms = 0
    for work in works:
        if groups and work.from_ms < end_ms:
            groups[-1].append(work)
        else:
            groups.append([work])
        end_ms = max(end_ms, work.to_ms)
    return groups


def _worker_ms(
    works: Sequence[_Work],
    parents: Mapping[int, tuple[int, ...]],
    slots: int,
    serverless: Serverless,
) -> tuple[int, ...]:
    """The busy time of each worker of so many slots, the busiest first."""
    workers = min(serverless.max_workers, -(-_width(works, parents) // slots))
    free = [(0, slot) for slot in range(workers * slots)]
    heapify(free)
    busy_ms = [0] * workers
    ended_ms: dict[int, int] = {}
    for work in works:
        ready_ms = max(
            (ended_ms.get(parent, 0) for parent in parents.get(work.stage, ())), default=0
        )
        for task_ms in work.task_ms:
            free_ms, slot = free[0]
            end_ms = max(free_ms, ready_ms) + round(task_ms / serverless.core_speed)
            heapreplace(free, (end_ms, slot))
            busy_ms[slot // slots] = max(busy_ms[slot // slots], end_ms)
            ended_ms[work.stage] = max(ended_ms.get(work.stage, 0), end_ms)
    return tuple(sorted(busy_ms, reverse=True))


def _width(works: Sequence[_Work], parents: Mapping[int, tuple[int, ...]]) -> int:
    level: dict[int, int] = {}
    width: dict[int, int] = {}
    for work in works:
        above = (level[parent] + 1 for parent in parents.get(work.stage, ()) if parent in level)
        level[work.stage] = max(above, default=0)
        width[level[work.stage]] = width.get(level[work.stage], 0) + len(work.task_ms)
    return max(width.values())
