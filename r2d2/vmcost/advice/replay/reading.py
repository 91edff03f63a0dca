"""The plan of an application: what its log says of work, order and gaps, and no more."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.advice.replay.cold import Milliseconds, cold_ms, is_cold
from r2d2.vmcost.advice.replay.delays import FullTimes, full_times, turnaround_ms
from r2d2.vmcost.advice.replay.from_log import Attempt, Span, attempts_of, spans_of
from r2d2.vmcost.advice.replay.plan import Plan, PlannedJob, PlannedTask, Step
from r2d2.vmcost.advice.replay.reads import by_stage, reads_of
from r2d2.vmcost.advice.replay.slots import measured_lives, slots_of
from r2d2.vmcost.model import Application, Outcome


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a log tells of attempts and jobs, and what follows from it. See `plan_of`."""

    attempts: Sequence[Attempt]
    jobs: Sequence[Span]
    job_of: Mapping[int, int]
    positions: Mapping[int, Sequence[int]]
    reads: Sequence[tuple[int, ...]]
    slots: Sequence[int]
    full: FullTimes
    cold: npt.NDArray[np.bool_]
    cold_ms: Milliseconds

    def job(self, position: int, started_ms: int) -> PlannedJob:
        """A job, with its gap after the jobs that had ended before it."""
        job = self.jobs[position]
        after = bisect_right(self.jobs, job.start_ms, hi=position, key=lambda one: one.end_ms)
        before_ms = self.jobs[after - 1].end_ms if after else started_ms
        awaited = tuple(own for own in job.attempts if self.attempts[own].end_ms <= job.end_ms)
        last_ms = max((self.attempts[own].end_ms for own in awaited), default=job.start_ms)
        gap_ms, tail_ms = job.start_ms - before_ms, job.end_ms - max(last_ms, job.start_ms)
        return PlannedJob(job.id, after, max(0, gap_ms), awaited, max(0, tail_ms))

    def step(self, position: int) -> Step:
        """An attempt, with its delays after what had ended before it."""
        own, job = self.attempts[position], self.job_of[position]
        after = sorted(
            other
            for stage in {*own.stage.parents, own.stage.id}
            for other in self.positions.get(stage, ())
            if other < position and self.attempts[other].end_ms <= own.start_ms
        )
        ends_ms = [self.attempts[other].end_ms for other in after]
        awaited = own.tasks["finish_ms"] <= own.end_ms
        last_ms = max([own.start_ms, *own.tasks["finish_ms"][awaited].tolist()])
        return Step(
            stage=own.stage.id,
            attempt=own.stage.attempt,
            job=job,
            tasks=_tasks(own, awaited, self.cold, self.cold_ms),
            after=tuple(after),
            reads=self.reads[position],
            delay_ms=max(0, own.start_ms - max([self.jobs[job].start_ms, *ends_ms])),
            lead_ms=_lead_ms(own, self.full),
            turnaround_ms=turnaround_ms(own.tasks, self.slots),
            tail_ms=own.end_ms - last_ms,
        )


def plan_of(app: Application) -> Plan:
    """What the application did, as a plan that can be scheduled on other slots."""
    attempts = attempts_of(app)
    jobs = spans_of(app, attempts)
    positions = by_stage(attempts)
    slots = [slots_of(executor) for executor in app.executors]
    cold = is_cold(app.tasks, slots)
    longer_ms = cold_ms(app.tasks, cold)
    reading = _Reading(
        attempts,
        jobs,
        {own: position for position, job in enumerate(jobs) for own in job.attempts},
        positions,
        reads_of(attempts, positions),
        slots,
        full_times(app.tasks, measured_lives(app), app.started_ms),
        cold,
        longer_ms,
    )
    last_ms = max((job.end_ms for job in jobs), default=app.started_ms)
    return Plan(
        tuple(reading.job(position, app.started_ms) for position in range(len(jobs))),
        tuple(reading.step(position) for position in range(len(attempts))),
        max(0, app.ended_ms - last_ms),
        app.ended_ms - app.started_ms,
        round(float(longer_ms[cold].mean())) if cold.any() else 0,
    )


def _lead_ms(own: Attempt, full: FullTimes) -> int:
    """From the moment at which a slot was free for a stage to its first launch."""
    if not len(own.tasks):
        return 0
    first_ms = int(own.tasks["launch_ms"].min())
    return max(0, first_ms - full.freed_ms(own.start_ms, first_ms))


def _tasks(
    own: Attempt, awaited: npt.NDArray[np.bool_], cold: npt.NDArray[np.bool_], cold_ms: Milliseconds
) -> tuple[PlannedTask, ...]:
    """The attempts of a step's tasks, those of one task in a row.

    A failed task is tried again once it has failed; a speculative copy starts beside the first, as
    long after its launch as it did in the log.
    """
    tasks = own.tasks
    duration_ms = np.maximum(tasks["finish_ms"] - tasks["launch_ms"], 0)
    repeats = np.append([False], tasks["index"][1:] == tasks["index"][:-1])[: len(tasks)]
    apart_ms = np.maximum(np.diff(tasks["launch_ms"], prepend=0), 0)
    after_end_ms = np.append([0], duration_ms[:-1])[: len(tasks)]
    offset_ms = np.minimum(apart_ms, after_end_ms)
    output = awaited & (tasks["outcome"] == Outcome.SUCCEEDED)
    return tuple(
        PlannedTask(
            duration_ms=int(duration_ms[place] - cold_ms[row]),
            awaited=bool(awaited[place]),
            output=bool(output[place]),
            previous=place - 1 if repeats[place] else None,
            offset_ms=int(offset_ms[place]) if repeats[place] else 0,
            cold_ms=int(cold_ms[row]) if cold[row] else None,
        )
        for place, row in enumerate(own.rows)
    )
