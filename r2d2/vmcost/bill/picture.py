"""Hosts over time, for a picture: rented, owned, busy."""

import numpy as np

from r2d2.vmcost.bill.capacity import Capacity
from r2d2.vmcost.bill.model import ExecutorTime, HostTime
from r2d2.vmcost.bill.steps import Steps, cut, level
from r2d2.vmcost.bill.timeline import Run
from r2d2.vmcost.bill.vms import Vm

PICTURE_PARTS = 240
"""Into how many equal parts the application's time falls in a picture."""


def host_time(run: Run, vm: Vm, has: Capacity, vcpu: int | None) -> HostTime:
    """The VM over the application's time."""
    executors = tuple(
        ExecutorTime(run.app.executors[at].id, *run.lived[at], run.app.executors[at].cores)
        for at in vm.executors
    )
    cores = vcpu or int(has.owned.max(initial=0))
    busy, failed = _busy_cores(run, vm, failed=False), _busy_cores(run, vm, failed=True)
    return HostTime(vm.host, cores, *run.bounds, vm.rented, executors, busy, failed)


def _busy_cores(run: Run, vm: Vm, *, failed: bool) -> tuple[float, ...]:
    """Of all tasks, or of those alone that failed."""
    edges = np.linspace(*run.bounds, PICTURE_PARTS + 1).astype(np.int64)
    core_ms = np.zeros(PICTURE_PARTS, np.int64)
    for number in vm.executors:
        tasks = run.tasks_of(number)
        weights = tasks.weights * run.failed[tasks.rows] if failed else tasks.weights
        times = cut(run.bounds, tasks.starts, tasks.ends)
        running = level(times, tasks.starts, tasks.ends, weights)
        core_ms += Steps.of(times, running).between(edges[:-1], edges[1:])
    return tuple((core_ms / np.maximum(np.diff(edges), 1)).tolist())
