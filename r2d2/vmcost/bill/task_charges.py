"""Allocates a VM's time to tasks; the rest is start-up, idle or stranded.

While executors own c of a VM's v cores, each core takes 1/max(v, c) of the VM, so that executors
which claim more cores than there are pay for the whole VM and no more. Time is counted in whole
units, `scale` to a VM-millisecond: a multiple of every such v or c where that fits into 64 bits, so
that the parts are exact and their sums do not depend on an order.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import lcm

import numpy as np

from r2d2.vmcost.bill.timeline import (
    BilledRun,
    Integers,
    Interval,
    Steps,
    WorkerVm,
    covered,
    covering_weight,
    cut_points,
)

UNIT_BITS = 62
LARGEST_LCM = 1 << 20
WINDOW_TASKS = 1 << 17
"""So many of an executor's tasks are charged together: all of a long stream's take much memory."""
SHARINGS = (720_720, 27_720, 2_520, 60, 1)
"""The parts into which a core is divided for tasks that overlap more than cores allow: the first
that fits. Up to 16, 12, 10, 6 tasks share exactly; what more of them lose by rounding is idle."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """A VM's cores on each stretch between neighbouring times: owned ones, and all there are."""

    times: Integers
    owned: Integers
    cores: Integers

    def on(self, times: Integers) -> tuple[Integers, Integers]:
        """Owned cores and all cores on the stretches between finer times."""
        at = np.searchsorted(self.times, times[:-1], side="right") - 1
        return self.owned[at], self.cores[at]


def capacity(run: BilledRun, vm: WorkerVm, vcpu: int | None) -> Capacity:
    """The VM's cores while it was rented; without a known `vcpu` it has those that are owned."""
    lives = np.array([run.executor_lives[number] for number in vm.executors], np.int64).reshape(
        -1, 2
    )
    cores = np.array([run.app.executors[number].cores for number in vm.executors], np.int64)
    rented = np.array(vm.rented, np.int64).reshape(-1)
    if not len(rented):
        return Capacity(rented, rented, rented)
    times = cut_points((int(rented[0]), int(rented[-1])), rented, lives.reshape(-1))
    owned = covering_weight(times, lives[:, 0], lives[:, 1], cores)
    return Capacity(times, owned, np.maximum(owned, vcpu or 1))


def unit_scale(capacities: Sequence[Capacity], run_ms: int) -> int:
    """Units to a VM-millisecond, such that all VMs' units of the run can be added."""
    common = 1
    for cores in sorted({int(c) for vm in capacities for c in vm.cores[vm.owned > 0]}):
        if lcm(common, cores) <= LARGEST_LCM:
            common = lcm(common, cores)
    vm_ms = max(1, run_ms) * max(1, len(capacities))
    largest = max(1, (1 << UNIT_BITS) // vm_ms)
    fitting = [common * sharing for sharing in SHARINGS if common * sharing <= largest]
    return fitting[0] if fitting else largest


@dataclass(frozen=True, slots=True)
class TaskUnits:
    """Units that tasks took of a VM, while jobs ran and while none did."""

    in_jobs: int
    between_jobs: int


@dataclass(frozen=True, slots=True)
class IdleUnits:
    """Units that no task took."""

    start_up: int
    stranded: int
    idle_in_jobs: int
    idle_between_jobs: int


def charge_tasks(
    run: BilledRun,
    vm: WorkerVm,
    vm_capacity: Capacity,
    scale: int,
    charged: Integers,
    problems: Counter[str],
) -> TaskUnits:
    """Writes into `charged` what each of the VM's tasks takes; returns what all of them take."""
    in_jobs = between_jobs = 0
    for number in vm.executors:
        tasks, executor = run.tasks_of(number), run.app.executors[number]
        for window in _windows(run.executor_lives[number], tasks.starts):
            here = (tasks.starts < window[1]) & (tasks.ends > window[0])
            rows, weights = tasks.rows[here], tasks.weights[here]
            starts, ends = (np.clip(at[here], *window) for at in (tasks.starts, tasks.ends))
            times = cut_points(window, vm_capacity.times, _edges(run), starts, ends)
            running = covering_weight(times, starts, ends, weights)
            crowded, widths = running > executor.cores, np.diff(times)
            beyond_ms = (running[crowded] - executor.cores) * widths[crowded]
            problems["core_ms_beyond_cores"] += int(beyond_ms.sum())
            rates = scale // vm_capacity.on(times)[1]
            rates[crowded] = rates[crowded] * executor.cores // running[crowded]
            charged[rows] += weights * Steps.of(times, rates).between(starts, ends)
            taken, inside = rates * running * widths, covered(times, run.jobs)
            in_jobs += int(taken[inside].sum())
            between_jobs += int(taken[~inside].sum())
    return TaskUnits(in_jobs, between_jobs)


def _windows(life: Interval, starts: Integers) -> Iterator[Interval]:
    """The executor's life in pieces in each of which so many tasks begin."""
    cuts = np.sort(starts)[WINDOW_TASKS::WINDOW_TASKS] if len(starts) > WINDOW_TASKS else starts[:0]
    edges = [life[0], *(cut for cut in np.unique(cuts).tolist() if life[0] < cut < life[1])]
    yield from pairwise([*edges, life[1]])


def rest_of(
    run: BilledRun, vm: WorkerVm, vm_capacity: Capacity, scale: int, taken: TaskUnits
) -> IdleUnits:
    """The VM's units of no task: before its first executor, cores of none, and idle ones."""
    if not vm.rented:
        return IdleUnits(0, 0, 0, 0)
    times = cut_points(
        (int(vm_capacity.times[0]), int(vm_capacity.times[-1])), vm_capacity.times, _edges(run)
    )
    owned, cores = vm_capacity.on(times)
    units, inside = scale * np.diff(times), covered(times, run.jobs)
    first = min((run.executor_lives[number][0] for number in vm.executors), default=int(times[0]))
    before = times[:-1] < first
    rented = covered(times, vm.rented)
    stranded = np.where(owned > 0, (cores - owned) * scale // cores * np.diff(times), 0)
    ready = np.where(rented & ~before, units, 0) - stranded
    return IdleUnits(
        start_up=int(units[rented & before].sum()),
        stranded=int(stranded.sum()),
        idle_in_jobs=int(ready[inside].sum()) - taken.in_jobs,
        idle_between_jobs=int(ready[~inside].sum()) - taken.between_jobs,
    )


def _edges(run: BilledRun) -> Integers:
    return np.array(run.jobs, np.int64).reshape(-1)
