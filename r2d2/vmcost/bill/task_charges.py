"""What each task is charged of the executor that it ran on, and what of a VM was left over."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from r2d2.vmcost.bill.capacity import Capacity
from r2d2.vmcost.bill.steps import Integers, Steps, covered, cut, level
from r2d2.vmcost.bill.timeline import Run
from r2d2.vmcost.bill.vms import Vm


@dataclass(frozen=True, slots=True)
class Taken:
    """Units that tasks took of a VM, while jobs ran and while none did."""

    in_jobs: int
    between_jobs: int


@dataclass(frozen=True, slots=True)
class Rest:
    """Units that no task took."""

    start_up: int
    stranded: int
    idle_in_jobs: int
    idle_between_jobs: int


def charge_tasks(
    run: Run, vm: Vm, has: Capacity, scale: int, charged: Integers, problems: Counter[str]
) -> Taken:
    """Writes into `charged` what each of the VM's tasks takes; returns what all of them take."""
    in_jobs = between_jobs = 0
    for number in vm.executors:
        tasks, executor = run.tasks_of(number), run.app.executors[number]
        times = cut(run.lived[number], has.times, _edges(run), tasks.starts, tasks.ends)
        running = level(times, tasks.starts, tasks.ends, tasks.weights)
        crowded = running > executor.cores
        beyond_ms = np.where(crowded, running - executor.cores, 0) * np.diff(times)
        problems["core_ms_beyond_cores"] += int(beyond_ms.sum())
        core = scale // has.on(times)[1]
        rates = np.where(crowded, core * executor.cores // np.maximum(running, 1), core)
        charged[tasks.rows] = tasks.weights * Steps.of(times, rates).between(
            tasks.starts, tasks.ends
        )
        taken, inside = rates * running * np.diff(times), covered(times, run.jobs)
        in_jobs += int(taken[inside].sum())
        between_jobs += int(taken[~inside].sum())
    return Taken(in_jobs, between_jobs)


def rest_of(run: Run, vm: Vm, has: Capacity, scale: int, taken: Taken) -> Rest:
    """What the tasks left of the VM: before its first executor, cores of none, and idle ones."""
    if not vm.rented:
        return Rest(0, 0, 0, 0)
    times = cut((int(has.times[0]), int(has.times[-1])), has.times, _edges(run))
    owned, cores = has.on(times)
    units, inside = scale * np.diff(times), covered(times, run.jobs)
    first = min((run.lived[number][0] for number in vm.executors), default=int(times[0]))
    before = times[:-1] < first
    rented = covered(times, vm.rented)
    stranded = np.where(owned > 0, (cores - owned) * scale // cores * np.diff(times), 0)
    ready = np.where(rented & ~before, units, 0) - stranded
    return Rest(
        start_up=int(units[rented & before].sum()),
        stranded=int(stranded.sum()),
        idle_in_jobs=int(ready[inside].sum()) - taken.in_jobs,
        idle_between_jobs=int(ready[~inside].sum()) - taken.between_jobs,
    )


def _edges(run: Run) -> Integers:
    return np.array(run.jobs, np.int64).reshape(-1)
