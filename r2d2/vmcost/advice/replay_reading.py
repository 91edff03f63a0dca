"""The plan of an application: what its log says of work, order and gaps, and no more."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.advice.replay_attempts import Attempt, Span, attempts_of, spans_of
from r2d2.vmcost.advice.replay_delays import FullTimes, full_times, turnaround_ms
from r2d2.vmcost.advice.replay_plan import Plan, PlannedJob, PlannedTask, Step
from r2d2.vmcost.advice.replay_slots import measured_lives, slots_of
from r2d2.vmcost.model import Application, Outcome, Tasks


def plan_of(app: Application) -> Plan:
    """What the application did, as a plan that can be scheduled on other slots."""
    attempts = attempts_of(app)
    jobs = spans_of(app, attempts)
    job_of = {own: position for position, job in enumerate(jobs) for own in job.attempts}
    by_stage: dict[int, list[int]] = {}
    for position, attempt in enumerate(attempts):
        by_stage.setdefault(attempt.stage.id, []).append(position)
    full = full_times(app.tasks, measured_lives(app), app.started_ms)
    slots = [slots_of(executor) for executor in app.executors]
    last_ms = max((job.end_ms for job in jobs), default=app.started_ms)
    return Plan(
        tuple(_job(position, jobs, attempts, app.started_ms) for position in range(len(jobs))),
        tuple(
            _step(position, attempts, by_stage, job_of[position], jobs, full, slots)
            for position in range(len(attempts))
        ),
        max(0, app.ended_ms - last_ms),
        app.ended_ms - app.started_ms,
    )


def _job(
    position: int, jobs: Sequence[Span], attempts: Sequence[Attempt], started_ms: int
) -> PlannedJob:
    job = jobs[position]
    ended = [other.end_ms for other in jobs[:position] if other.end_ms <= job.start_ms]
    awaited = tuple(own for own in job.attempts if attempts[own].end_ms <= job.end_ms)
    last_ms = max((attempts[own].end_ms for own in awaited), default=job.start_ms)
    return PlannedJob(
        job.id,
        len(ended),
        max(0, job.start_ms - max(ended, default=started_ms)),
        awaited,
        max(0, job.end_ms - max(last_ms, job.start_ms)),
    )


def _step(
    position: int,
    attempts: Sequence[Attempt],
    by_stage: Mapping[int, Sequence[int]],
    job: int,
    jobs: Sequence[Span],
    full: FullTimes,
    slots: Sequence[int],
) -> Step:
    own = attempts[position]
    tasks = own.tasks
    after = sorted(
        other
        for stage in {*own.stage.parents, own.stage.id}
        for other in by_stage.get(stage, ())
        if other < position and attempts[other].end_ms <= own.start_ms
    )
    reads = {
        max(other for other in by_stage[parent] if other < position)
        for parent in own.stage.parents
        if by_stage.get(parent, [position])[0] < position
    }
    ready_ms = max([jobs[job].start_ms, *(attempts[other].end_ms for other in after)])
    awaited = tasks["finish_ms"] <= own.end_ms
    last_ms = int(tasks["finish_ms"][awaited].max()) if awaited.any() else own.start_ms
    return Step(
        stage=own.stage.id,
        attempt=own.stage.attempt,
        job=job,
        tasks=_tasks(tasks, awaited),
        after=tuple(after),
        reads=tuple(sorted(reads)),
        delay_ms=max(0, own.start_ms - ready_ms),
        lead_ms=_lead_ms(own, full),
        turnaround_ms=turnaround_ms(tasks, slots),
        tail_ms=max(0, own.end_ms - max(last_ms, own.start_ms)),
    )


def _lead_ms(own: Attempt, full: FullTimes) -> int:
    """From the moment at which a slot was free for a stage to its first launch."""
    if not len(own.tasks):
        return 0
    first_ms = int(own.tasks["launch_ms"].min())
    return max(0, first_ms - full.freed_ms(own.start_ms, first_ms))


def _tasks(tasks: Tasks, awaited: npt.NDArray[np.bool_]) -> tuple[PlannedTask, ...]:
    """The attempts of a step's tasks, those of one task in a row.

    A failed task is tried again once it has failed; a speculative copy starts beside the first.
    """
    duration_ms = np.maximum(tasks["finish_ms"] - tasks["launch_ms"], 0)
    same = np.append([False], tasks["index"][1:] == tasks["index"][:-1])[: len(tasks)]
    apart_ms = np.maximum(np.diff(tasks["launch_ms"], prepend=0), 0)
    after_end_ms = np.append([0], duration_ms[:-1])[: len(tasks)]
    offset_ms = np.where(tasks["speculative"], apart_ms, after_end_ms)
    succeeded = tasks["outcome"] == Outcome.SUCCEEDED
    return tuple(
        PlannedTask(duration, waited, made, position - 1 if repeat else None, offset * repeat)
        for position, (duration, waited, made, repeat, offset) in enumerate(
            zip(
                duration_ms.tolist(),
                awaited.tolist(),
                (awaited & succeeded).tolist(),
                same.tolist(),
                offset_ms.tolist(),
                strict=True,
            )
        )
    )
