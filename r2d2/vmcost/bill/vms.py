"""The worker VMs of an application, the time each was rented, and the executors it held.

A host is a VM, rented while one of its executors lives. Where the number of workers is stated, the
hosts that came first stand for the whole run, with VMs on which no executor ever came up to that
number; further hosts are replaced machines. In local mode the one host stands for the whole run.
On Kubernetes a host is a pod: with a stated number each pod is laid on the VM that has the fewest
cores owned when it comes.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import count as numbers

from r2d2.vmcost.bill.timeline import BilledRun, Interval, union

LOCAL = "driver"
"""The only executor in local mode: driver and tasks share one process."""


@dataclass(frozen=True, slots=True)
class WorkerVm:
    """A rented machine; `executors` are positions in the application, in order of coming.

    `rented` are disjoint intervals within the application, before any lead or tail.
    """

    host: str
    standing: bool
    rented: tuple[Interval, ...]
    executors: tuple[int, ...]


def worker_vms(run: BilledRun, count: int | None, problems: Counter[str]) -> tuple[WorkerVm, ...]:
    """The workers' VMs in order of coming; what was assumed is counted in `problems`."""
    executors, lives = run.app.executors, run.executor_lives
    order = sorted(
        (number for number, (start, end) in enumerate(lives) if start < end),
        key=lambda number: (lives[number][0], executors[number].host, executors[number].id),
    )
    problems["executor_outside_application"] += len(lives) - len(order)
    if count is None and [each.id for each in executors] == [LOCAL]:
        count = 1
    pods = len(order) if run.app.properties.get("spark.master", "").startswith("k8s") else 0
    if pods and count:
        problems["pod_laid_on_vm"] += pods
        return _vms(run, count, _laid(run, order, count), problems)
    problems["pod_taken_for_vm"] += pods
    held: dict[str, list[int]] = {}
    for number in order:
        held.setdefault(executors[number].host, []).append(number)
    return _vms(run, count, held, problems)


def _vms(
    run: BilledRun, count: int | None, held: dict[str, list[int]], problems: Counter[str]
) -> tuple[WorkerVm, ...]:
    whole = union([run.bounds])
    vms = []
    for place, (host, executors) in enumerate(held.items()):
        standing = count is not None and place < count
        rented = whole if standing else union(run.executor_lives[number] for number in executors)
        vms.append(WorkerVm(host, standing, rented, tuple(executors)))
    if count is not None:
        problems["host_beyond_count"] += max(0, len(vms) - count)
        problems["vm_without_executor"] += max(0, count - len(vms))
        unseen = (name for name in map("vm {}".format, numbers(1)) if name not in held)
        vms += [WorkerVm(next(unseen), True, whole, ()) for _ in range(count - len(vms))]
    return tuple(vms)


def _laid(run: BilledRun, order: list[int], count: int) -> dict[str, list[int]]:
    """Pods by VM, each where the fewest cores are owned at that moment, the first of equal ones."""
    held: dict[str, list[int]] = {f"node {place + 1}": [] for place in range(count)}
    for number in order:
        now = run.executor_lives[number][0]
        owned = {
            vm: sum(
                run.app.executors[other].cores
                for other in pods
                if run.executor_lives[other][1] > now
            )
            for vm, pods in held.items()
        }
        held[min(held, key=lambda vm: owned[vm])].append(number)
    return held
