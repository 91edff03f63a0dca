"""The bill by brute force: every stretch between two events, every VM, every task, in Fractions.

It shares no code with the bill, and takes its rules from the words of the documentation.
"""

from collections import defaultdict
from fractions import Fraction
from itertools import pairwise

from r2d2.vmcost.model import Application, Outcome

Seconds = dict[str, Fraction]


def brute_seconds(app: Application, vcpu: int | None, count: int | None) -> Seconds:
    """VM-seconds of each part of the workers' VMs, without lead, tail and rounding."""
    if [one.id for one in app.executors] == ["driver"] and count is None:
        count = 1
    if count is None and app.properties.get("spark.master", "").startswith("k8s"):
        vcpu = None
    parts: Seconds = defaultdict(Fraction)
    hosts: dict[str, list[int]] = defaultdict(list)
    for number in sorted(range(len(app.executors)), key=lambda at: _came(app, at)):
        start, end = _life(app, number)
        if start < end:
            hosts[app.executors[number].host].append(number)
    for place, numbers in enumerate(hosts.values()):
        _host(app, numbers, vcpu, count is not None and place < count, parts)
    for _ in range(len(hosts), count or 0):
        _host(app, [], vcpu, True, parts)
    return parts


def brute_tasks(app: Application, vcpu: int | None) -> dict[int, Fraction]:
    """VM-seconds that each task is charged."""
    charged: dict[int, Fraction] = defaultdict(Fraction)
    hosts: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(app.executors):
        hosts[one.host].append(number)
    for numbers in hosts.values():
        for start, end in _stretches(app, numbers):
            for task, share in _shares(app, numbers, vcpu, start).items():
                charged[task] += share * Fraction(end - start, 1000)
    return charged


def _host(
    app: Application, numbers: list[int], vcpu: int | None, standing: bool, parts: Seconds
) -> None:
    first = min((_life(app, number)[0] for number in numbers), default=app.started_ms)
    kept_from = first if _comes_again(app, numbers) else app.ended_ms
    for start, end in _stretches(app, numbers):
        alive = [number for number in numbers if _alive(app, number, start)]
        if not alive and not standing and start < kept_from:
            continue
        span = Fraction(end - start, 1000)
        if numbers and start < first:
            parts["start_up"] += span
            continue
        owned = sum(app.executors[number].cores for number in alive)
        cores = max(owned, vcpu or 0)
        stranded = Fraction(cores - owned, cores) if owned else Fraction(0)
        busy = Fraction(0)
        for task, share in _shares(app, numbers, vcpu, start).items():
            row = app.tasks[task]
            good = row["outcome"] == Outcome.SUCCEEDED
            parts["busy" if good else "failed"] += share * span
            busy += share
        parts["stranded"] += stranded * span
        idle = "idle_in_jobs" if _job_runs(app, start) else "idle_between_jobs"
        parts[idle] += (1 - stranded - busy) * span


def _comes_again(app: Application, numbers: list[int]) -> bool:
    """Whether there is a time without an executor between two of them."""
    lives = [_life(app, number) for number in numbers]
    first, last = (
        min(life[0] for life in lives) if lives else 0,
        max((life[1] for life in lives), default=0),
    )
    return any(
        not any(_alive(app, number, start) for number in numbers)
        for start, _ in _stretches(app, numbers)
        if first <= start < last
    )


def _shares(
    app: Application, numbers: list[int], vcpu: int | None, moment: int
) -> dict[int, Fraction]:
    """Each running task's share of the VM at a moment."""
    alive = [number for number in numbers if _alive(app, number, moment)]
    cores = max(sum(app.executors[number].cores for number in alive), vcpu or 0)
    shares = {}
    for number in alive:
        one = app.executors[number]
        running = [
            at
            for at, row in enumerate(app.tasks)
            if row["executor"] == number and row["launch_ms"] <= moment < row["finish_ms"]
        ]
        if running and cores:
            fair = min(Fraction(one.task_cpus), Fraction(one.cores, len(running)))
            shares |= dict.fromkeys(running, fair / cores)
    return shares


def _stretches(app: Application, numbers: list[int]) -> list[tuple[int, int]]:
    moments = {app.started_ms, app.ended_ms}
    for number in numbers:
        moments |= set(_life(app, number))
    for row in app.tasks:
        if row["executor"] in numbers:
            moments |= {int(row["launch_ms"]), int(row["finish_ms"])}
    for job in app.jobs:
        moments |= {job.started_ms or app.started_ms, job.ended_ms or app.ended_ms}
    inside = sorted(moment for moment in moments if app.started_ms <= moment <= app.ended_ms)
    return list(pairwise(inside))


def _came(app: Application, number: int) -> tuple[int, str, str]:
    one = app.executors[number]
    return max(one.added_ms, app.started_ms), one.host, one.id


def _life(app: Application, number: int) -> tuple[int, int]:
    one = app.executors[number]
    end = app.ended_ms if one.removed_ms is None else one.removed_ms
    return max(one.added_ms, app.started_ms), min(end, app.ended_ms)


def _alive(app: Application, number: int, moment: int) -> bool:
    start, end = _life(app, number)
    return start <= moment < end


def _job_runs(app: Application, moment: int) -> bool:
    return any(
        job.started_ms is not None
        and job.started_ms <= moment < (app.ended_ms if job.ended_ms is None else job.ended_ms)
        for job in app.jobs
    )
