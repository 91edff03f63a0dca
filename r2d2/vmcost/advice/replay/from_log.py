"""Facts of a log for its replay: attempts and jobs, waits, cold starts, and shuffle readers.

Cold starts: an executor with k slots runs its first k tasks while its JVM and workers come up. The
time of such a task beyond every warm task of its stage is taken for the start; a stage without a
warm task has none. This errs on the low side, so that skewed data is not taken for a cold start.

Shuffle readers: where output is there already, Spark skips the stage that would make it, and the
job that reads it names a parent that never ran, under an id of its own. Adaptive plans do so at
every shuffle. Such a parent is taken to be the stage that ended last before, wrote shuffle output
and has no reader yet.
"""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.advice.replay.slots import Life
from r2d2.vmcost.model import Application, Job, Outcome, SparkStage, Tasks

UNKNOWN = -1
Milliseconds = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A stage attempt with its tasks, in order of index and launch, and when it began and ended.

    `rows` are the places of its tasks in the application.
    """

    stage: SparkStage
    tasks: Tasks
    rows: npt.NDArray[np.intp]
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Span:
    """A job's time, and the positions of its attempts."""

    id: int
    start_ms: int
    end_ms: int
    attempts: tuple[int, ...]


def attempts_of(app: Application) -> list[Attempt]:
    """Every stage attempt that was submitted or ran a task, in order of submission."""
    order = np.argsort(
        app.tasks, order=["stage", "stage_attempt", "index", "launch_ms", "attempt"], kind="stable"
    )
    names = app.tasks[order][["stage", "stage_attempt"]]
    firsts = np.flatnonzero(names[1:] != names[:-1]) + 1
    groups = np.split(order, firsts) if len(order) else []
    rows = {_key(app.tasks[group[0]]): group for group in groups}
    logged = {(stage.id, stage.attempt): stage for stage in app.stages}
    attempts = [
        _attempt(app, logged.get(key, SparkStage(key[0], key[1], "", 0)), rows.get(key, order[:0]))
        for key in sorted(logged.keys() | rows.keys())
        if key in rows or logged[key].submitted_ms is not None
    ]
    return sorted(attempts, key=lambda each: (each.start_ms, each.stage.id, each.stage.attempt))


def spans_of(app: Application, attempts: Sequence[Attempt]) -> list[Span]:
    """The jobs in order of their ends; an attempt of no job that was seen is a job by itself."""
    first_ms: dict[int, int] = {}
    for attempt in attempts:
        first_ms.setdefault(attempt.stage.id, attempt.start_ms)
    starts = [(_start_ms(job, first_ms), job) for job in app.jobs]
    known = [(start_ms, job) for start_ms, job in starts if start_ms is not None]
    known.sort(key=lambda pair: (pair[0], pair[1].id))
    owned, orphans = _owned([(start_ms, job.stages) for start_ms, job in known], attempts)
    spans = [
        Span(UNKNOWN, attempts[position].start_ms, attempts[position].end_ms, (position,))
        for position in orphans
    ]
    for (start_ms, job), positions in zip(known, owned, strict=True):
        end_ms = job.ended_ms
        if end_ms is None:
            end_ms = max((attempts[position].end_ms for position in positions), default=start_ms)
        spans.append(Span(job.id, start_ms, max(start_ms, end_ms), tuple(positions)))
    return sorted(spans, key=lambda span: (span.end_ms, span.start_ms, span.id, span.attempts))


def _key(task: np.void) -> tuple[int, int]:
    return int(task["stage"]), int(task["stage_attempt"])


def _attempt(app: Application, stage: SparkStage, rows: npt.NDArray[np.intp]) -> Attempt:
    tasks = app.tasks[rows]
    start_ms, end_ms = stage.submitted_ms, stage.completed_ms
    if start_ms is None:
        start_ms = int(tasks["launch_ms"].min())
    if end_ms is None:
        end_ms = int(tasks["finish_ms"].max()) if len(tasks) else start_ms
    return Attempt(stage, tasks, rows, start_ms, max(start_ms, end_ms))


def _start_ms(job: Job, first_ms: Mapping[int, int]) -> int | None:
    """The start of a job: as logged, else that of its first stage; None where there is none.

    `first_ms` has the start of each stage's first attempt.
    """
    if job.started_ms is not None:
        return job.started_ms
    return min((first_ms[stage] for stage in job.stages if stage in first_ms), default=None)


def _owned(
    jobs: Sequence[tuple[int, tuple[int, ...]]], attempts: Sequence[Attempt]
) -> tuple[list[list[int]], list[int]]:
    """Of each job its attempts, and the attempts of none.

    A stage that several jobs name belongs to the last one that had started.
    """
    naming: dict[int, list[int]] = defaultdict(list)
    for place, (_, stages) in enumerate(jobs):
        for stage in stages:
            naming[stage].append(place)
    owned: list[list[int]] = [[] for _ in jobs]
    orphans: list[int] = []
    for position, attempt in enumerate(attempts):
        places = naming[attempt.stage.id]
        started = bisect_right(places, attempt.start_ms, key=lambda place: jobs[place][0])
        (owned[places[started - 1]] if started else orphans).append(position)
    return owned, orphans


@dataclass(frozen=True, slots=True)
class FullTimes:
    """The times in which no slot was free: the k-th lasts from `from_ms[k]` to `until_ms[k]`."""

    from_ms: Milliseconds
    until_ms: Milliseconds

    def freed_ms(self, from_ms: int, until_ms: int) -> int:
        """The last moment in a time at which a slot came free; its start where one always was."""
        position = int(np.searchsorted(self.from_ms, until_ms, side="left")) - 1
        if position < 0:
            return from_ms
        return max(from_ms, min(until_ms, int(self.until_ms[position])))


def full_times(
    tasks: Tasks, taken: Milliseconds, lives: Sequence[Life], started_ms: int
) -> FullTimes:
    """The times in which all slots that had come were busy, in ms since the epoch.

    `taken` are the slots that each task takes.
    """
    opened = [(started_ms + life.from_ms, life.slots) for life in lives]
    closed = [
        (started_ms + life.until_ms, -life.slots) for life in lives if life.until_ms is not None
    ]
    come_and_gone = [(started_ms, 0), *opened, *closed]
    moments = np.array([moment for moment, _ in come_and_gone], np.int64)
    offered = np.array([slots for _, slots in come_and_gone], np.int64)
    times = np.concatenate([moments, tasks["finish_ms"], tasks["launch_ms"]])
    changes = np.concatenate([offered, taken, -taken])
    order = np.argsort(times, kind="stable")
    free = np.cumsum(changes[order])
    last_of_moment = np.append(np.diff(times[order]) > 0, True)
    moments, free = times[order][last_of_moment], free[last_of_moment]
    full = np.flatnonzero(free <= 0)
    ends = np.append(moments, np.iinfo(np.int64).max)
    return FullTimes(moments[full], ends[full + 1])


def turnaround_ms(tasks: Tasks, slots: Sequence[int]) -> int:
    """The median from a task's end to the next launch on its executor, 0 where none followed.

    `tasks` are one stage attempt's; of an executor with k slots the i-th launch is taken to follow
    its (i - k)-th end.
    """
    gaps = [np.empty(0, np.int64)]
    for executor in np.unique(tasks["executor"]):
        on_executor = tasks[tasks["executor"] == executor]
        width = slots[executor] if executor >= 0 else len(on_executor)
        launches, ends = np.sort(on_executor["launch_ms"]), np.sort(on_executor["finish_ms"])
        gaps.append(np.maximum(launches[width:] - ends[: max(0, len(on_executor) - width)], 0))
    followed = np.concatenate(gaps)
    return int(np.median(followed)) if len(followed) else 0


def is_cold(tasks: Tasks, slots: Sequence[int]) -> npt.NDArray[np.bool_]:
    """For each task, in order of launch, whether it was among the first of its executor."""
    order = np.argsort(tasks["executor"], kind="stable")
    _, *groups = np.unique(tasks["executor"][order], return_index=True, return_counts=True)
    nth = np.empty(len(tasks), np.int64)
    nth[order] = np.arange(len(tasks)) - np.repeat(*groups)
    cold: npt.NDArray[np.bool_] = nth < np.append(np.array(slots, np.int64), 0)[tasks["executor"]]
    return cold


def cold_ms(tasks: Tasks, cold: npt.NDArray[np.bool_]) -> Milliseconds:
    """Of each task the milliseconds by which a cold start is seen to have lengthened it."""
    duration_ms = np.maximum(tasks["finish_ms"] - tasks["launch_ms"], 0)
    lengthened = np.zeros(len(tasks), np.int64)
    ran = tasks["outcome"] == Outcome.SUCCEEDED
    _, attempt = np.unique(tasks[["stage", "stage_attempt"]], return_inverse=True)
    longest_ms = np.full(len(tasks), -1)
    np.maximum.at(longest_ms, attempt[ran & ~cold], duration_ms[ran & ~cold])
    first = ran & cold & (longest_ms[attempt] >= 0)
    lengthened[first] = np.maximum(duration_ms[first] - longest_ms[attempt[first]], 0)
    return lengthened


def by_stage(attempts: Sequence[Attempt]) -> dict[int, list[int]]:
    """The positions of each stage's attempts, in order of submission."""
    positions: dict[int, list[int]] = {}
    for position, attempt in enumerate(attempts):
        positions.setdefault(attempt.stage.id, []).append(position)
    return positions


def reads_of(
    attempts: Sequence[Attempt], positions: Mapping[int, Sequence[int]]
) -> list[tuple[int, ...]]:
    """Of each attempt the positions of the attempts that it reads, in order."""
    reads: list[tuple[int, ...]] = []
    unread: list[tuple[int, int]] = []  # the end and the position of each, in order
    for position, attempt in enumerate(attempts):
        ran = [
            max(other for other in positions[parent] if other < position)
            for parent in attempt.stage.parents
            if positions.get(parent, [position])[0] < position
        ]
        skipped = len(attempt.stage.parents) - len(ran)
        ended = bisect_right(unread, (attempt.start_ms, position))
        taken = unread[max(0, ended - skipped) : ended]
        ran += [other for _, other in taken if other not in ran]
        for other in ran:
            entry = (attempts[other].end_ms, other)
            place = bisect_left(unread, entry)
            if unread[place : place + 1] == [entry]:
                del unread[place]
        if attempt.tasks["shuffle_write_bytes"].any():
            insort(unread, (attempt.end_ms, position))
        reads.append(tuple(sorted(ran)))
    return reads
