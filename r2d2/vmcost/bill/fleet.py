"""The bills of the VMs themselves, the workers' and the driver's, and their time as a picture.

A worker's time is allocated to tasks; the rest is start-up, idle or stranded. While executors own c
of a VM's v cores, each core takes 1/max(v, c) of the VM, so that executors which claim more cores
than there are pay for the whole VM and no more. Time is counted in whole units, `scale` to a
VM-millisecond: a multiple of every such v or c where that fits into 64 bits, so that the parts are
exact and their sums do not depend on an order.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import lcm

import numpy as np

from r2d2.vmcost.bill.model import (
    MS_PER_SECOND,
    Charges,
    ExecutorTime,
    HostTime,
    Part,
    Rate,
    VmBill,
    amount_of,
)
from r2d2.vmcost.bill.task_time import blocks
from r2d2.vmcost.bill.timeline import (
    BilledRun,
    Integers,
    Interval,
    Steps,
    WorkerVm,
    covered,
    covering_weight,
    cut_points,
    on_kubernetes,
    union,
    worker_vms,
)
from r2d2.vmcost.model import Application, Billing, Cluster

DRIVER = "driver"
ZERO = Fraction(0)
PICTURE_PARTS = 240
"""The number of equal parts into which a picture divides the application's time."""
UNIT_BITS = 62
LARGEST_LCM = 1 << 20
WINDOW_TASKS = 1 << 17
"""So many of an executor's tasks are charged together: all of a long stream's take much memory."""
SHARINGS = (720_720, 27_720, 2_520, 60, 1)
"""The parts into which a core is divided for tasks that overlap more than cores allow: the first
that fits. Up to 16, 12, 10, 6 tasks share exactly; what more of them lose by rounding is idle."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The workers' bills in order of coming, and what each task is charged of them."""

    vms: tuple[VmBill, ...]
    charges: Charges


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


def worker_fleet(
    run: BilledRun,
    cluster: Cluster | None,
    rate: Rate | None,
    billing: Billing,
    problems: Counter[str],
) -> Fleet:
    """The bills of all worker VMs; what was damaged or assumed is counted in `problems`."""
    count = cluster.count if cluster else None
    pods = on_kubernetes(run.app) and not count
    vcpu = rate.machine.vcpu if rate and not pods else None
    vms = worker_vms(run, count, billing.keep_vms, problems)
    capacities = [capacity(run, vm, vcpu) for vm in vms]
    scale = unit_scale(capacities, run.bounds[1] - run.bounds[0])
    charged = np.zeros(len(run.app.tasks), np.int64)
    bills = []
    for vm, cores in zip(vms, capacities, strict=True):
        taken = charge_tasks(run, vm, cores, scale, charged, problems)
        rows = [run.tasks_of(number).rows for number in vm.executors]
        failed = sum(int(charged[some[run.failed[some]]].sum()) for some in rows)
        parts_s = _parts_s(taken, failed, rest_of(run, vm, cores, scale, taken), scale)
        seen = _VmTime(cluster.vm if cluster else None, vm.standing, parts_s)
        bills.append(_vm_bill(seen, _host_time(run, vm, cores, vcpu), rate, billing))
    _count_damage(run, problems)
    if rate is not None and not pods:
        _count_misfits(capacities, vcpu, problems)
    return Fleet(tuple(bills), Charges(charged, scale, rate))


def driver_bill(app: Application, sku: str, rate: Rate | None, billing: Billing) -> VmBill:
    """The bill of the VM that only the driver ran on, for the whole run."""
    run = (app.started_ms, app.ended_ms)
    cores = (rate.machine.vcpu if rate else None) or 0
    nothing = (0.0,) * PICTURE_PARTS
    time = HostTime(DRIVER, cores, *run, union([run]), (), nothing, nothing)
    seen = _VmTime(sku, True, {Part.DRIVER: Fraction(run[1] - run[0], MS_PER_SECOND)})
    return _vm_bill(seen, time, rate, replace(billing, start_up_s=ZERO, idle_tail_s=ZERO))


@dataclass(frozen=True, slots=True)
class _VmTime:
    """The VM as the log shows it: the seconds of each part."""

    sku: str | None
    standing: bool
    parts_s: Mapping[Part, Fraction]


def _vm_bill(seen: _VmTime, time: HostTime, rate: Rate | None, billing: Billing) -> VmBill:
    """Adds lead, tail and rounding to what the log shows of a VM, and prices all of it."""
    seconds = {part: seen.parts_s.get(part, ZERO) for part in Part}
    rentals_s = [Fraction(end - start, MS_PER_SECOND) for start, end in time.rented] or [ZERO]
    around_s = billing.start_up_s + billing.idle_tail_s
    seconds[Part.START_UP] += len(rentals_s) * billing.start_up_s
    seconds[Part.IDLE_BETWEEN_JOBS] += len(rentals_s) * billing.idle_tail_s
    metered_s = sum(seconds.values(), ZERO)
    paid_s = sum((billing.billed_s(rental_s + around_s) for rental_s in rentals_s), ZERO)
    seconds[Part.ROUNDING] = paid_s - metered_s
    return VmBill(
        host=time.host,
        sku=seen.sku,
        driver=Part.DRIVER in seen.parts_s,
        standing=seen.standing,
        metered_s=metered_s,
        billed_s=paid_s,
        usd=amount_of(paid_s, rate).usd,
        parts={part: amount_of(vm_s, rate) for part, vm_s in seconds.items()},
        time=time,
    )


def _parts_s(taken: TaskUnits, failed: int, rest: IdleUnits, scale: int) -> dict[Part, Fraction]:
    units = {
        Part.START_UP: rest.start_up,
        Part.BUSY: taken.in_jobs + taken.between_jobs - failed,
        Part.IDLE_IN_JOBS: rest.idle_in_jobs,
        Part.IDLE_BETWEEN_JOBS: rest.idle_between_jobs,
        Part.FAILED: failed,
        Part.STRANDED: rest.stranded,
    }
    return {part: Fraction(count, scale * MS_PER_SECOND) for part, count in units.items()}


def _count_damage(run: BilledRun, problems: Counter[str]) -> None:
    tasks = run.app.tasks
    known = tasks["executor"] >= 0
    lives = np.array(run.executor_lives, np.int64).reshape(-1, 2)[tasks["executor"][known]]
    early = tasks["launch_ms"][known] < lives[:, 0]
    late = tasks["finish_ms"][known] > lives[:, 1]
    problems["task_without_executor"] += int((~known).sum())
    problems["task_outlasts_executor"] += int((early | late).sum())


def _count_misfits(
    capacities: Sequence[Capacity], vcpu: int | None, problems: Counter[str]
) -> None:
    if vcpu is None:
        problems["vm_cores_unknown"] += len(capacities)
        return
    beyond = sum(bool((cores.owned > vcpu).any()) for cores in capacities)
    problems["vm_cores_exceeded"] += beyond


def _host_time(run: BilledRun, vm: WorkerVm, vm_capacity: Capacity, vcpu: int | None) -> HostTime:
    """The VM over the application's time."""
    executors = tuple(
        ExecutorTime(run.app.executors[at].id, *run.executor_lives[at], run.app.executors[at].cores)
        for at in vm.executors
    )
    cores = vcpu or int(vm_capacity.owned.max(initial=0))
    busy, failed = _busy_cores(run, vm, failed=False), _busy_cores(run, vm, failed=True)
    return HostTime(vm.host, cores, *run.bounds, vm.rented, executors, busy, failed)


def _busy_cores(run: BilledRun, vm: WorkerVm, *, failed: bool) -> tuple[float, ...]:
    """Of all tasks, or of those alone that failed."""
    edges = np.linspace(*run.bounds, PICTURE_PARTS + 1).astype(np.int64)
    until = np.zeros(PICTURE_PARTS + 1, np.int64)
    for number in vm.executors:
        tasks = run.tasks_of(number)
        weights = tasks.weights * run.failed[tasks.rows] if failed else tasks.weights
        for block in blocks(len(weights) if weights.any() else 0):
            until += _since(edges, tasks.starts[block], weights[block])
            until -= _since(edges, tasks.ends[block], weights[block])
    return tuple((np.diff(until) / np.maximum(np.diff(edges), 1)).tolist())


def _since(edges: Integers, events: Integers, weights: Integers) -> Integers:
    """For each edge the time since every event before it, times its weight, in all."""
    order = np.argsort(events, kind="stable")
    weight = np.concatenate([[0], np.cumsum(weights[order])])
    after = np.concatenate([[0], np.cumsum(weights[order] * (events[order] - edges[0]))])
    at = np.searchsorted(events, edges, side="right", sorter=order)
    since: Integers = (edges - edges[0]) * weight[at] - after[at]
    return since


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
