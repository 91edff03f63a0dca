"""Core-seconds of an application, the share in which tasks were busy, and the causes of their time.

An executor's time is [added, removed or end] and a task's [launch, finish], both clipped to the
application, a task's also to its executor: what is beyond has no cores that anyone pays for. So the
busy core-time of an executor is at most its core-time, unless more tasks ran at once than fit.

The spread of a stage's tasks is the median, p95 and maximum of their time and of the bytes that
they read, from storage and from shuffle blocks; tasks that failed or were killed are left out. The
p95 is the least value that 95 of 100 tasks do not exceed. What a stage would take less if its
slowest task took the median's time is `straggling_s`: even data gains no more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.model import Application, Outcome, Tasks

Longs: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
NO_JOB = -1
ATTEMPT_BITS, ATTEMPT_MASK = 32, (1 << 32) - 1
UNKNOWN_MS = np.iinfo(np.int64).min
NS_PER_MS = 1_000_000
ALL = slice(None)
BLOCK_TASKS = 1 << 16
"""So many tasks are looked at together: a column of all of a long stream's takes much memory."""


def blocks(size: int) -> Iterator[slice]:
    """All of so many tasks, a block at a time."""
    return (slice(start, start + BLOCK_TASKS) for start in range(0, size, BLOCK_TASKS))


@dataclass(frozen=True, slots=True)
class TaskTime:
    """The time of tasks by cause, in seconds; the parts sum to the whole.

    `cpu_s` is of the task's own thread: Python's workers and reading from storage are in
    `waiting_s`, the rest of the run, as is spilling, of which Spark tells bytes alone.
    `scheduling_s` is the rest between launch and finish: getting there, and the result back.
    """

    cpu_s: float
    gc_s: float
    fetch_wait_s: float
    shuffle_write_s: float
    waiting_s: float
    deserialize_s: float
    result_s: float
    scheduling_s: float

    @property
    def total_s(self) -> float:
        """Launch to finish."""
        return sum(float(getattr(self, each.name)) for each in fields(self))


@dataclass(frozen=True, slots=True, eq=False)
class TaskTimeRows(Sequence[TaskTime]):
    """Many of them, as rows of one array: a stream has hundreds of thousands of stages."""

    parts_s: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.parts_s)

    def __getitem__(self, at: Any) -> Any:
        return TaskTime(*self.parts_s[at].tolist())

    def total(self, positions: Sequence[int]) -> TaskTime:
        """The sums of each part over some of them."""
        return TaskTime(*self.parts_s[list(positions)].sum(axis=0).tolist())


def duration_s(app: Application) -> float:
    """Seconds from the application's start to its end."""
    return max(0, app.ended_ms - app.started_ms) / 1000


def executor_intervals_ms(app: Application) -> Longs:
    """A row for each executor: from when to when it stood, within the application."""
    moments = [
        (each.added_ms, app.ended_ms if each.removed_ms is None else each.removed_ms)
        for each in app.executors
    ]
    stood = np.array(moments, np.int64).reshape(-1, 2)
    return _ordered(np.clip(stood, app.started_ms, max(app.started_ms, app.ended_ms)))


def core_seconds(app: Application) -> float:
    """Σ cores × (removed or end − added), within the application."""
    stood = executor_intervals_ms(app)
    cores = np.array([each.cores for each in app.executors], np.int64)
    return float(np.dot(cores, stood[:, 1] - stood[:, 0])) / 1000


def task_intervals_ms(app: Application, rows: slice = ALL) -> Longs:
    """A row for each task of these: from when to when it ran, within its executor's time.

    Of a task whose executor was never added both are the application's start.
    """
    tasks = app.tasks[rows]
    if not app.executors:
        return np.full((len(tasks), 2), app.started_ms, np.int64)
    executor = tasks["executor"]
    stood = executor_intervals_ms(app)[executor]
    stood[executor < 0] = app.started_ms
    ran = np.column_stack((tasks["launch_ms"], tasks["finish_ms"]))
    return _ordered(np.clip(ran, stood[:, :1], stood[:, 1:]))


def _ordered(intervals: Longs) -> Longs:
    """The intervals, those that would end before they begin without length."""
    intervals[:, 1] = intervals.max(axis=1)
    return intervals


def busy_core_ms(app: Application, rows: slice = ALL) -> Longs:
    """For each task of these its milliseconds × the cores that a task of its executor takes."""
    ran = task_intervals_ms(app, rows)
    cpus = np.array([*(each.task_cpus for each in app.executors), 1], np.int64)
    busy: Longs = (ran[:, 1] - ran[:, 0]) * cpus[app.tasks["executor"][rows]]
    return busy


def busy_fraction(app: Application) -> float | None:
    """Busy core-time / core-time; None where there were no cores."""
    core_s = core_seconds(app)
    busy_ms = sum(int(busy_core_ms(app, rows).sum()) for rows in blocks(len(app.tasks)))
    return busy_ms / 1000 / core_s if core_s else None


def task_time(app: Application) -> TaskTime:
    """The time of all tasks by cause."""
    return _summed(app, np.zeros(len(app.tasks), np.int64), 1).total([0])


def task_time_by_executor(app: Application) -> TaskTimeRows:
    """The same for each executor."""
    return _summed(app, app.tasks["executor"].astype(np.int64), len(app.executors))


def task_time_by_stage(app: Application) -> TaskTimeRows:
    """The same for each attempt of a stage, as in `app.stages`."""
    return _summed(app, stage_positions(app), len(app.stages))


def task_time_by_job(app: Application) -> TaskTimeRows:
    """The same for each job, and last for the tasks of no job."""
    jobs = job_positions(app)
    positions = np.where(jobs == NO_JOB, len(app.jobs), jobs)
    return _summed(app, positions, len(app.jobs) + 1)


def split_us(app: Application, rows: slice = ALL) -> Longs:
    """A row for each task of these, a column for each field of TaskTime, in µs.

    Rows sum to the task's time. Metrics overlap by a little, and clocks differ: each takes what
    those before it left.
    """
    tasks = app.tasks[rows]
    ran = task_intervals_ms(app, rows)
    whole = (ran[:, 1] - ran[:, 0]) * 1000
    deserialize, left = _take(tasks["deserialize_ms"], whole, 1000)
    run, left = _take(tasks["run_ms"], left, 1000)
    result, scheduling = _take(tasks["result_ms"], left, 1000)
    cpu, left = _take(tasks["cpu_ns"] // 1000, run)
    gc, left = _take(tasks["gc_ms"], left, 1000)
    fetch_wait, left = _take(tasks["fetch_wait_ms"], left, 1000)
    shuffle_write, waiting = _take(tasks["shuffle_write_ns"] // 1000, left)
    return np.column_stack(
        (cpu, gc, fetch_wait, shuffle_write, waiting, deserialize, result, scheduling)
    )


def _take(wanted: Longs, left_us: Longs, unit_us: int = 1) -> tuple[Longs, Longs]:
    """The part of the remaining time that is taken, and the rest; in µs."""
    taken = np.minimum(wanted, left_us // unit_us) * unit_us
    return taken, left_us - taken


def _summed(app: Application, positions: Longs, size: int) -> TaskTimeRows:
    """Sums of the tasks' time by position, −1 for none; a block of tasks at a time."""
    sums = np.zeros((size, len(fields(TaskTime))), np.int64)
    for rows in blocks(len(app.tasks)):
        at, split = positions[rows], split_us(app, rows)
        there = at >= 0
        np.add.at(sums, at[there], split[there])
    return TaskTimeRows(sums / 1e6)


def computing_units(tasks: Tasks, charged: Longs) -> Longs:
    """The part of each task's charge in which it computed: CPU time and garbage collection.

    Metrics may overlap and exceed the task's duration: together they take no more than the charge.
    """
    duration_ns = np.maximum(tasks["finish_ms"] - tasks["launch_ms"], 1) * float(NS_PER_MS)
    spent_ns = tasks["cpu_ns"].astype(float), tasks["gc_ms"] * float(NS_PER_MS)
    cpu, gc = (
        (charged * np.clip(spent / duration_ns, 0.0, 1.0)).astype(np.int64) for spent in spent_ns
    )
    computing: Longs = np.minimum(charged, cpu + gc)
    return computing


def stage_positions(app: Application) -> Longs:
    """For each task the position of its stage's attempt in `app.stages`, −1 for none."""
    names, order = _attempts_in_order(app)
    return _of_tasks(app.tasks, names, order)


def positions_of_attempts(app: Application, attempts: Longs) -> Longs:
    """The position in `app.stages` of each attempt, rows of both its numbers; −1 for none."""
    return _found(*_attempts_in_order(app), _packed(attempts[:, 0], attempts[:, 1]))


def _attempts_in_order(app: Application) -> tuple[Longs, Longs]:
    """Of the attempts in `app.stages` their names in order, and their positions."""
    names = np.fromiter((_packed(each.id, each.attempt) for each in app.stages), np.int64)
    order = np.argsort(names, kind="stable")
    return names[order], order


def _packed(stage: Any, attempt: Any) -> Any:
    """An attempt's name: both its numbers in one, of which the bits of the second are the lower."""
    return stage << ATTEMPT_BITS | attempt & ATTEMPT_MASK


def _found(names: Longs, values: Longs, wanted: Longs) -> Longs:
    """The value of each wanted name among names in order, −1 where it is none of them."""
    if not len(names):
        return np.full(len(wanted), -1, np.int64)
    at = np.maximum(np.searchsorted(names, wanted, side="right") - 1, 0)
    return np.where(names[at] == wanted, values[at], -1)


def _of_tasks(tasks: Tasks, names: Longs, values: Longs) -> Longs:
    """The value of each task's attempt."""
    found = np.empty(len(tasks), np.int64)
    for rows in blocks(len(tasks)):
        found[rows] = _found(names, values, _names(tasks[rows]))
    return found


def _names(tasks: Tasks) -> Longs:
    names = np.empty(len(tasks), np.int64)
    for rows in blocks(len(tasks)):
        numbers = (tasks[name][rows].astype(np.int64) for name in ("stage", "stage_attempt"))
        names[rows] = _packed(*numbers)
    return names


def job_positions(app: Application) -> Longs:
    """For each task the position of its job in `app.jobs`, NO_JOB for none."""
    _, places, jobs = jobs_of_attempts(app)
    return jobs[places]


def jobs_of_attempts(app: Application) -> tuple[Longs, Longs, Longs]:
    """The distinct stage attempts of the tasks, each task's place among them, and their jobs.

    A job is its position in the application, NO_JOB where none names the stage. Of several jobs
    that share a stage, the first that ran when the attempt's first task was launched had it done:
    all of its time and money are that job's.
    """
    distinct = np.unique(_names(app.tasks))
    places = _of_tasks(app.tasks, distinct, np.arange(len(distinct)))
    lower = distinct.astype(np.uint32).view(np.int32)
    attempts = np.stack([distinct >> ATTEMPT_BITS, lower.astype(np.int64)], axis=1)
    first_ms = np.full(len(attempts), np.iinfo(np.int64).max)
    np.minimum.at(first_ms, places, app.tasks["launch_ms"])
    stages, jobs = _sharers(app)
    firsts, ends = (np.searchsorted(stages, attempts[:, 0], side) for side in ("left", "right"))
    ran = job_intervals_ms(app)
    chosen = [
        _job_at(ran, jobs[first:end].tolist(), moment_ms)
        for first, end, moment_ms in zip(
            *(each.tolist() for each in (firsts, ends, first_ms)), strict=True
        )
    ]
    return attempts, places, np.array(chosen, np.int64)


def _sharers(app: Application) -> tuple[Longs, Longs]:
    """The stages that jobs name, in order, and the position of each one's job, by the jobs' ids."""
    jobs = [(job.id, len(job.stages)) for job in app.jobs]
    ids, sizes = np.array(jobs, np.int64).reshape(-1, 2).T
    stages = np.fromiter((stage for job in app.jobs for stage in job.stages), np.int64)
    position = np.repeat(np.arange(len(ids)), sizes)
    order = np.lexsort((ids[position], stages))
    return stages[order], position[order]


def _job_at(ran: Longs, sharers: list[int], moment_ms: int) -> int:
    """The first of the jobs that ran at the moment, or else the first of them."""
    if len(sharers) == 1:
        return sharers[0]
    for position in sharers:
        start, end = ran[position].tolist()
        if start <= moment_ms < end:
            return position
    return sharers[0] if sharers else NO_JOB


def job_intervals_ms(app: Application) -> Longs:
    """A row for each job: from when to when it ran.

    A job that was not seen to end ran until the application's end. One that was not seen to start
    began with the first of its stages, or, where the log names none, when it ended.
    """
    ran = np.array(
        [
            (UNKNOWN_MS if job.started_ms is None else job.started_ms,
             app.ended_ms if job.ended_ms is None else job.ended_ms)
            for job in app.jobs
        ],
        np.int64,
    ).reshape(-1, 2)  # fmt: skip
    unknown = np.flatnonzero(ran[:, 0] == UNKNOWN_MS).tolist()
    submitted_ms = _submitted_ms(app) if unknown else {}
    for at in unknown:
        begun = (submitted_ms[stage] for stage in app.jobs[at].stages if stage in submitted_ms)
        ran[at, 0] = min(begun, default=int(ran[at, 1]))
    return ran


def _submitted_ms(app: Application) -> dict[int, int]:
    """The moment at which the first attempt of each stage was submitted."""
    submitted_ms: dict[int, int] = {}
    for stage in app.stages:
        if stage.submitted_ms is not None:
            known_ms = submitted_ms.setdefault(stage.id, stage.submitted_ms)
            submitted_ms[stage.id] = min(known_ms, stage.submitted_ms)
    return submitted_ms


@dataclass(frozen=True, slots=True, eq=False)
class Spreads:
    """For each stage attempt, as in `Application.stages`: rows of median, p95 and maximum."""

    tasks: Longs
    seconds: Floats
    size_bytes: Floats

    def skew(self, stage: int) -> float | None:
        """The slowest task over the median one; None without tasks or where the median is 0."""
        median, _, most = self.seconds[stage].tolist()
        return most / median if median > 0 else None

    def straggling_s(self, stage: int) -> float:
        """The slowest task's time beyond the median one's."""
        median, _, most = self.seconds[stage].tolist()
        return float(most - median) if self.tasks[stage] > 1 else 0.0


def spreads(app: Application) -> Spreads:
    """The spread of the tasks that succeeded, of all stages at once."""
    at = stage_positions(app)
    used = np.flatnonzero((at >= 0) & (app.tasks["outcome"] == Outcome.SUCCEEDED))
    at, count = at[used], len(app.stages)
    tasks = np.bincount(at, minlength=count).astype(np.int64)
    column = {name: app.tasks[name] for name in app.tasks.dtype.names or ()}
    took_ms = column["finish_ms"][used] - column["launch_ms"][used]
    seconds = _ranks(at, tasks, took_ms) / 1000
    del took_ms  # of a long stream each column is a tenth of all memory
    read = column["input_bytes"][used] + column["shuffle_read_bytes"][used]
    return Spreads(tasks, seconds, _ranks(at, tasks, read))


def _ranks(at: Longs, tasks: Longs, values: Longs) -> Floats:
    """Median, p95 and maximum of each stage's values; 0 where it has none."""
    ordered = values[np.lexsort((values, at))]
    found = np.zeros((len(tasks), 3))
    there = tasks > 0
    size = tasks[there]
    first = (np.cumsum(tasks) - tasks)[there]
    low, high = ordered[first + (size - 1) // 2], ordered[first + size // 2]
    found[there, 0] = (low + high) / 2
    found[there, 1] = ordered[first - (-size * 95 // 100) - 1]
    found[there, 2] = ordered[first + size - 1]
    return found
