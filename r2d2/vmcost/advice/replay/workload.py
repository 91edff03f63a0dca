"""An application as work to schedule anew: jobs, stage attempts, durations, the driver's gaps.

Taken from the log are the duration of each task attempt, the stages that a stage reads, the jobs
that had ended before a job began, and the driver's gaps, all in milliseconds:

    gap         from the end of the last job before it (or the start) to a job's start
    delay       from the job's start, or the end of the last stage it waits for, to its submission
    lead        from then, with a slot free, to the stage's first launch
    turnaround  from a task's end to the next launch on its slot (the stage's median)
    cold        how much longer a slot's first task took (`replay.from_log`), or does on average
    tail        from the last awaited task's end to the stage's, the last stage's to the job's,
                the last job's to the application's

Not taken are the moments at which tasks were launched and ended, their executors and their order.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.advice.replay.from_log import (
    Attempt,
    FullTimes,
    Milliseconds,
    Span,
    attempts_of,
    by_stage,
    cold_ms,
    full_times,
    is_cold,
    reads_of,
    spans_of,
    turnaround_ms,
)
from r2d2.vmcost.advice.replay.slots import measured_lives, slots_of, task_slots
from r2d2.vmcost.model import Application, Outcome


@dataclass(frozen=True, slots=True)
class WorkloadTask:
    """A task attempt. Its step waits for it if it is `awaited`: a slower copy may end later.

    `previous` is the position of the attempt before it, None for a first one; it may begin
    `offset_ms` after that one's launch. `output` tells that it succeeded. `cold_ms` is how much
    longer it took as the first task on its slot, None where it was not the first. `written_bytes`
    is its shuffle output.
    """

    duration_ms: int
    awaited: bool = True
    output: bool = True
    previous: int | None = None
    offset_ms: int = 0
    cold_ms: int | None = None
    written_bytes: int = 0


@dataclass(frozen=True, slots=True)
class WorkloadStep:
    """An attempt of a stage. `job` is the position of its job.

    `after` are the positions of the steps that it waits for, `reads` of those whose shuffle output
    its tasks fetch. `task_slots` are the slots that each of its tasks takes.
    """

    stage: int
    attempt: int
    job: int
    tasks: tuple[WorkloadTask, ...]
    after: tuple[int, ...] = ()
    reads: tuple[int, ...] = ()
    task_slots: int = 1
    delay_ms: int = 0
    lead_ms: int = 0
    turnaround_ms: int = 0
    tail_ms: int = 0


@dataclass(frozen=True, slots=True)
class WorkloadJob:
    """A job: it starts `gap_ms` after the first `after` jobs of the workload have ended.

    `steps` are those that it waits for; without any it lasts `tail_ms`.
    """

    id: int
    after: int
    gap_ms: int
    steps: tuple[int, ...]
    tail_ms: int


@dataclass(frozen=True, slots=True)
class Workload:
    """The work of an application; jobs in the order in which they ended.

    `cold_ms` is how much longer a task takes that is the first on a slot and was not in the log.
    """

    jobs: tuple[WorkloadJob, ...]
    steps: tuple[WorkloadStep, ...]
    tail_ms: int
    measured_ms: int
    cold_ms: int = 0


def workload_of(app: Application) -> Workload:
    """The application's work, which can be scheduled on other slots."""
    attempts = attempts_of(app)
    jobs = spans_of(app, attempts)
    positions = by_stage(attempts)
    slots = [slots_of(executor) for executor in app.executors]
    cold = is_cold(app.tasks, slots)
    longer_ms, taken = cold_ms(app.tasks, cold), task_slots(app)
    facts = _LogFacts(
        attempts,
        jobs,
        {attempt: position for position, job in enumerate(jobs) for attempt in job.attempts},
        positions,
        reads_of(attempts, positions),
        slots,
        full_times(app.tasks, taken, measured_lives(app), app.started_ms),
        taken,
        cold,
        longer_ms,
    )
    last_ms = max((job.end_ms for job in jobs), default=app.started_ms)
    return Workload(
        tuple(facts.job(position, app.started_ms) for position in range(len(jobs))),
        tuple(facts.step(position) for position in range(len(attempts))),
        max(0, app.ended_ms - last_ms),
        app.ended_ms - app.started_ms,
        round(float(longer_ms[cold].mean())) if cold.any() else 0,
    )


@dataclass(frozen=True, slots=True)
class _LogFacts:
    """The facts of a log from which jobs and steps are made. See `workload_of`."""

    attempts: Sequence[Attempt]
    jobs: Sequence[Span]
    job_of: Mapping[int, int]
    positions: Mapping[int, Sequence[int]]
    reads: Sequence[tuple[int, ...]]
    slots: Sequence[int]
    full: FullTimes
    task_slots: npt.NDArray[np.int64]
    cold: npt.NDArray[np.bool_]
    cold_ms: Milliseconds

    def job(self, position: int, started_ms: int) -> WorkloadJob:
        """A job, with its gap after the jobs that had ended before it."""
        job = self.jobs[position]
        after = bisect_right(self.jobs, job.start_ms, hi=position, key=lambda other: other.end_ms)
        before_ms = self.jobs[after - 1].end_ms if after else started_ms
        awaited = tuple(each for each in job.attempts if self.attempts[each].end_ms <= job.end_ms)
        last_ms = max((self.attempts[each].end_ms for each in awaited), default=job.start_ms)
        gap_ms, tail_ms = job.start_ms - before_ms, job.end_ms - max(last_ms, job.start_ms)
        return WorkloadJob(job.id, after, max(0, gap_ms), awaited, max(0, tail_ms))

    def step(self, position: int) -> WorkloadStep:
        """An attempt, with its delays after what had ended before it."""
        attempt, job = self.attempts[position], self.job_of[position]
        after = sorted(
            other
            for stage in {*attempt.stage.parents, attempt.stage.id}
            for other in self.positions.get(stage, ())
            if other < position and self.attempts[other].end_ms <= attempt.start_ms
        )
        ends_ms = [self.attempts[other].end_ms for other in after]
        awaited = attempt.tasks["finish_ms"] <= attempt.end_ms
        last_ms = max([attempt.start_ms, *attempt.tasks["finish_ms"][awaited].tolist()])
        return WorkloadStep(
            stage=attempt.stage.id,
            attempt=attempt.stage.attempt,
            job=job,
            tasks=_tasks(attempt, awaited, self.cold, self.cold_ms),
            after=tuple(after),
            reads=self.reads[position],
            task_slots=int(np.median(self.task_slots[attempt.rows])) if len(attempt.rows) else 1,
            delay_ms=max(0, attempt.start_ms - max([self.jobs[job].start_ms, *ends_ms])),
            lead_ms=_lead_ms(attempt, self.full),
            turnaround_ms=turnaround_ms(attempt.tasks, self.slots),
            tail_ms=attempt.end_ms - last_ms,
        )


def _lead_ms(attempt: Attempt, full: FullTimes) -> int:
    """From the moment at which a slot was free for a stage to its first launch."""
    if not len(attempt.tasks):
        return 0
    first_ms = int(attempt.tasks["launch_ms"].min())
    return max(0, first_ms - full.freed_ms(attempt.start_ms, first_ms))


def _tasks(
    attempt: Attempt,
    awaited: npt.NDArray[np.bool_],
    cold: npt.NDArray[np.bool_],
    cold_ms: Milliseconds,
) -> tuple[WorkloadTask, ...]:
    """The attempts of a step's tasks, those of one task in a row.

    A failed task is tried again once it has failed; a speculative copy starts beside the first, as
    long after its launch as it did in the log.
    """
    tasks = attempt.tasks
    duration_ms = np.maximum(tasks["finish_ms"] - tasks["launch_ms"], 0)
    repeats = np.append([False], tasks["index"][1:] == tasks["index"][:-1])[: len(tasks)]
    apart_ms = np.maximum(np.diff(tasks["launch_ms"], prepend=0), 0)
    after_end_ms = np.append([0], duration_ms[:-1])[: len(tasks)]
    offset_ms = np.minimum(apart_ms, after_end_ms)
    output = awaited & (tasks["outcome"] == Outcome.SUCCEEDED)
    return tuple(
        WorkloadTask(
            duration_ms=int(duration_ms[place] - cold_ms[row]),
            awaited=bool(awaited[place]),
            output=bool(output[place]),
            previous=place - 1 if repeats[place] else None,
            offset_ms=int(offset_ms[place]) if repeats[place] else 0,
            cold_ms=int(cold_ms[row]) if cold[row] else None,
            written_bytes=int(tasks["shuffle_write_bytes"][place]),
        )
        for place, row in enumerate(attempt.rows)
    )
