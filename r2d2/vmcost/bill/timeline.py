"""Times at which VMs were rented, executors lived, jobs and tasks ran: intervals, step functions.

Intervals are half-open, in milliseconds; `Steps` are rates in whole units, summed between two
moments.

A host is a VM, rented while one of its executors lives. Where executors come to it again, it was
kept meanwhile, from its first executor to the application's end, unless the one before went with
its VM, as the reason of its removal tells; `Billing.keep_vms` decides it otherwise. Where the
number of workers is stated, the hosts that came first stand for the whole run, with VMs on which no
executor ever came up to that number; further hosts are replaced machines. In local mode the one
host stands for the whole run. On Kubernetes a host is a pod, which pays for its share of a VM
(`pod_share`): with a stated number each pod is laid on the VM that has the fewest cores owned when
it comes.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count as numbers
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.bill.task_time import executor_intervals_ms, job_intervals_ms
from r2d2.vmcost.model import Application, Outcome

Positions = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
Interval: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TaskTimes:
    """An executor's tasks: their positions, and their times within the executor's life."""

    rows: Positions
    starts: Integers
    ends: Integers
    weights: Integers


@dataclass(frozen=True, slots=True)
class BilledRun:
    """An application with the times that its bill needs again and again.

    `executor_lives` has each executor's life within the application, empty for one that came after
    its end. `jobs` are the moments at which a job ran. `failed` are tasks that did not succeed.
    `task_rows` are the positions of each executor's tasks.
    """

    app: Application
    executor_lives: tuple[Interval, ...]
    jobs: Integers
    failed: Flags
    task_rows: Mapping[int, Positions]

    @staticmethod
    def of(app: Application) -> "BilledRun":
        """The application with its times."""
        failed = app.tasks["outcome"] != Outcome.SUCCEEDED
        lives = tuple((start, end) for start, end in executor_intervals_ms(app).tolist())
        return BilledRun(app, lives, _job_intervals(app), failed, _task_rows(app))

    @property
    def bounds(self) -> Interval:
        """The application's time."""
        return self.app.started_ms, self.app.ended_ms

    def tasks_of(self, executor: int) -> TaskTimes:
        """The tasks of the executor at that position."""
        rows = self.task_rows.get(executor, np.zeros(0, np.intp))
        life, tasks = self.executor_lives[executor], self.app.tasks
        starts = np.clip(tasks["launch_ms"][rows], *life)
        ends = np.maximum(starts, np.clip(tasks["finish_ms"][rows], *life))
        cpus = np.int64(self.app.executors[executor].task_cpus)
        weights = np.broadcast_to(cpus, len(rows))  # without a number for each task
        return TaskTimes(rows, starts, ends, weights)


def _task_rows(app: Application) -> dict[int, Positions]:
    executor = app.tasks["executor"]
    order = np.argsort(executor, kind="stable")
    numbers, starts = np.unique(executor[order], return_index=True)
    parts = np.split(order, starts[1:])
    return {int(number): rows for number, rows in zip(numbers, parts, strict=False)}


def _job_intervals(app: Application) -> Integers:
    """The moments of the application at which at least one job ran, as disjoint rows in order."""
    ran = np.clip(job_intervals_ms(app), app.started_ms, max(app.started_ms, app.ended_ms))
    ran = ran[ran[:, 0] < ran[:, 1]]
    ran = ran[np.argsort(ran[:, 0], kind="stable")]
    latest = np.maximum.accumulate(ran[:, 1])
    first = np.flatnonzero(np.append(True, ran[1:, 0] > latest[:-1])[: len(ran)])
    last = np.append(first[1:], len(ran))[: len(first)] - 1
    return np.column_stack((ran[first, 0], latest[last]))


def count_jobs_without_ends(app: Application, problems: Counter[str]) -> None:
    """Counts the jobs whose start or end is a conclusion."""
    problems["job_without_start"] += sum(job.started_ms is None for job in app.jobs)
    problems["job_without_end"] += sum(job.ended_ms is None for job in app.jobs)


@dataclass(frozen=True, slots=True)
class Steps:
    """A piecewise-constant rate with its integral: units per millisecond between times, 0 outside.

    `rates[i]` holds from `times[i]` to the next; `sums[i]` are the units up to `times[i]`.
    """

    times: Integers
    rates: Integers
    sums: Integers

    @staticmethod
    def of(times: Integers, rates: Integers) -> "Steps":
        """Rates on the stretches between times in rising order, one fewer than times."""
        sums = np.zeros(len(times), np.int64)
        np.cumsum(rates * np.diff(times), out=sums[1:])
        return Steps(times, rates, sums)

    def until(self, moments: Integers) -> Integers:
        """Units from the beginning to each moment."""
        if not len(self.rates):
            return np.zeros(len(moments), np.int64)
        inside = np.clip(moments, self.times[0], self.times[-1])
        at = np.searchsorted(self.times[1:-1], inside, side="right")
        return self.sums[at] + (inside - self.times[at]) * self.rates[at]

    def between(self, starts: Integers, ends: Integers) -> Integers:
        """Units from each start to its end."""
        return self.until(ends) - self.until(starts)


def cut_points(bounds: Interval, *moments: Iterable[int] | Integers) -> Integers:
    """The bounds and all moments between them, in order, each once."""
    inner = np.concatenate([np.asarray(some, np.int64).reshape(-1) for some in (*moments, bounds)])
    return np.unique(inner[(inner >= bounds[0]) & (inner <= bounds[1])])


def covering_weight(
    times: Integers, starts: Integers, ends: Integers, weights: Integers
) -> Integers:
    """On each stretch between neighbouring times, the weights of the intervals that cover it.

    Every start and end is one of the times, or outside of them.
    """
    begun = _weight_until(times[:-1], starts, weights)
    over = _weight_until(times[:-1], ends, weights)
    return begun - over


def _weight_until(moments: Integers, events: Integers, weights: Integers) -> Integers:
    order = np.argsort(events, kind="stable")
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(weights[order])])
    return sums[np.searchsorted(events[order], moments, side="right")]


def covered(times: Integers, intervals: Sequence[Interval] | Integers) -> npt.NDArray[np.bool_]:
    """For each stretch between neighbouring times, whether the disjoint intervals cover it."""
    if not len(intervals):
        return np.zeros(max(0, len(times) - 1), np.bool_)
    edges = np.asarray(intervals, np.int64)
    starts, ends = edges[:, 0], edges[:, 1]
    return covering_weight(times, starts, ends, np.ones(len(edges), np.int64)) > 0


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same moments as disjoint intervals in order; empty and reversed ones are dropped.

    >>> union([(5, 9), (1, 3), (3, 6), (7, 7)])
    ((1, 9),)
    """
    merged: list[Interval] = []
    for start, end in sorted(pair for pair in intervals if pair[0] < pair[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def most_at_once(rented: Iterable[Iterable[Interval]]) -> int:
    """The most of some VMs, each rented for some disjoint intervals, that were there at one time.

    >>> most_at_once([[(0, 5), (8, 9)], [(5, 8)], [(4, 6)]])
    2
    """
    intervals = [interval for vm in rented for interval in vm]
    changes = [(start, 1) for start, _ in intervals] + [(end, -1) for _, end in intervals]
    there = most = 0
    for _, change in sorted(changes):
        there += change
        most = max(most, there)
    return most


def clipped(interval: Interval, bounds: Interval) -> Interval:
    """The part within the bounds; empty where there is none, never reversed."""
    start = min(max(interval[0], bounds[0]), bounds[1])
    return start, max(start, min(interval[1], bounds[1]))


_VM_GONE = re.compile(
    r"\bspot\b|preempt|decommission"
    r"|\b(worker|node|host|instance|vm) (was |is )?(lost|terminated|removed)",
    re.IGNORECASE,
)
"""Reasons of removal that tell that the machine itself was taken away."""
LOCAL = "driver"
"""The only executor in local mode: driver and tasks share one process."""


@dataclass(frozen=True, slots=True)
class WorkerVm:
    """A rented machine; `executors` are positions in the application, in order of coming.

    `rented` are disjoint intervals within the application, before any lead or tail, each a rental
    of its own.
    """

    host: str
    standing: bool
    rented: tuple[Interval, ...]
    executors: tuple[int, ...]


def worker_vms(
    run: BilledRun, count: int | None, keep_vms: bool | None, problems: Counter[str]
) -> tuple[WorkerVm, ...]:
    """The workers' VMs in order of coming; what was assumed is counted in `problems`."""
    executors, lives = run.app.executors, run.executor_lives
    order = sorted(
        (number for number, (start, end) in enumerate(lives) if start < end),
        key=lambda number: (lives[number][0], executors[number].host, executors[number].id),
    )
    problems["executor_outside_application"] += len(lives) - len(order)
    problems["no_executor_ran"] += not order
    if count is None and [each.id for each in executors] == [LOCAL]:
        count = 1
    pods = len(order) if on_kubernetes(run.app) else 0
    if pods and count:
        problems["pod_laid_on_vm"] += pods
        return _vms(run, count, _laid(run, order, count), keep_vms, problems)
    held: dict[str, list[int]] = {}
    for number in order:
        held.setdefault(executors[number].host, []).append(number)
    return _vms(run, count, held, keep_vms, problems)


def on_kubernetes(app: Application) -> bool:
    """Whether its executors are pods."""
    return app.properties.get("spark.master", "").startswith("k8s")


def pod_share(app: Application, vcpu: int | None, mem_mib: int | None) -> Fraction:
    """The share of a VM that a pod asks for: of its vCPUs or its memory, the greater; 1 if unknown.

    Of pods that ask for more and for less it is the greatest.
    """
    if vcpu is None:
        return Fraction(1)
    asked = _cpus(app.properties.get("spark.kubernetes.executor.request.cores", ""))
    shares = [
        max(
            Fraction(executor.cores if asked is None else asked) / vcpu,
            Fraction(executor.memory_mib or 0, mem_mib or 1) if mem_mib else Fraction(0),
        )
        for executor in app.executors
    ]
    return min(max(shares, default=Fraction(1)), Fraction(1))


def _cpus(request: str) -> Fraction | None:
    """Kubernetes' amount of CPU: `2`, `0.5`, `500m`; None where it is none."""
    match = re.fullmatch(r"(\d+|\d*\.\d+)(m?)", request.strip())
    return Fraction(match[1]) / (1000 if match[2] else 1) if match and Fraction(match[1]) else None


def _vms(
    run: BilledRun,
    count: int | None,
    held: dict[str, list[int]],
    keep_vms: bool | None,
    problems: Counter[str],
) -> tuple[WorkerVm, ...]:
    whole = union([run.bounds])
    vms = []
    for place, (host, executors) in enumerate(held.items()):
        standing = count is not None and place < count
        rented = whole if standing else _rentals(run, executors, keep_vms, problems)
        vms.append(WorkerVm(host, standing, rented, tuple(executors)))
    if count is not None:
        problems["host_beyond_count"] += max(0, len(vms) - count)
        problems["vm_without_executor"] += max(0, count - len(vms))
        unseen = (name for name in map("vm {}".format, numbers(1)) if name not in held)
        vms += [WorkerVm(next(unseen), True, whole, ()) for _ in range(count - len(vms))]
    return tuple(vms)


def _rentals(
    run: BilledRun, executors: Sequence[int], keep_vms: bool | None, problems: Counter[str]
) -> tuple[Interval, ...]:
    """The times for which a VM was rented for these executors, in order of their coming."""
    stays = union(run.executor_lives[number] for number in executors)
    if len(stays) == 1:
        return stays
    rentals, kept = [stays[0]], False
    for before, stay in pairwise(stays):
        if keep_vms if keep_vms is not None else not _went_with_its_vm(run, executors, before[1]):
            rentals[-1], kept = (rentals[-1][0], stay[1]), True
        else:
            rentals.append(stay)
    if kept and (keep_vms or not _went_with_its_vm(run, executors, stays[-1][1])):
        rentals[-1] = (rentals[-1][0], run.bounds[1])
    problems["vm_kept_between_executors"] += kept
    problems["vm_rented_anew"] += len(rentals) > 1
    return tuple(rentals)


def _went_with_its_vm(run: BilledRun, executors: Sequence[int], moment_ms: int) -> bool:
    """Whether the executor that was the last to go at the moment went since its VM did."""
    return any(
        _VM_GONE.search(run.app.executors[number].removed_reason)
        for number in executors
        if run.executor_lives[number][1] == moment_ms
    )


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
