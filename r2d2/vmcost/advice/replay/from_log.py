"""When each stage attempt and job ran, and which job an attempt was part of."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.model import Application, Job, Stage, Tasks

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Attempt:
    """A stage attempt with its tasks, in order of index and launch, and when it began and ended.

    `rows` are the places of its tasks in the application.
    """

    stage: Stage
    tasks: Tasks
    rows: npt.NDArray[np.intp]
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Span:
    """When a job ran, and which attempts, by position, were its own."""

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
    rows = {_key(app.tasks[own[0]]): own for own in groups}
    told = {(stage.id, stage.attempt): stage for stage in app.stages}
    found = [
        _attempt(app, told.get(key, Stage(key[0], key[1], "", 0)), rows.get(key, order[:0]))
        for key in sorted(told.keys() | rows.keys())
        if key in rows or told[key].submitted_ms is not None
    ]
    return sorted(found, key=lambda own: (own.start_ms, own.stage.id, own.stage.attempt))


def spans_of(app: Application, attempts: Sequence[Attempt]) -> list[Span]:
    """The jobs in order of their ends; an attempt of no job that was seen is a job by itself."""
    starts = [(_start_ms(job, attempts), job) for job in app.jobs]
    known = [(start_ms, job) for start_ms, job in starts if start_ms is not None]
    known.sort(key=lambda pair: (pair[0], pair[1].id))
    own, orphans = _owned([(start_ms, job.stages) for start_ms, job in known], attempts)
    spans = [Span(UNKNOWN, attempts[one].start_ms, attempts[one].end_ms, (one,)) for one in orphans]
    for (start_ms, job), positions in zip(known, own, strict=True):
        end_ms = job.ended_ms
        if end_ms is None:
            end_ms = max((attempts[one].end_ms for one in positions), default=start_ms)
        spans.append(Span(job.id, start_ms, max(start_ms, end_ms), tuple(positions)))
    return sorted(spans, key=lambda span: (span.end_ms, span.start_ms, span.id, span.attempts))


def _key(task: np.void) -> tuple[int, int]:
    return int(task["stage"]), int(task["stage_attempt"])


def _attempt(app: Application, stage: Stage, rows: npt.NDArray[np.intp]) -> Attempt:
    tasks = app.tasks[rows]
    start_ms, end_ms = stage.submitted_ms, stage.completed_ms
    if start_ms is None:
        start_ms = int(tasks["launch_ms"].min())
    if end_ms is None:
        end_ms = int(tasks["finish_ms"].max()) if len(tasks) else start_ms
    return Attempt(stage, tasks, rows, start_ms, max(start_ms, end_ms))


def _start_ms(job: Job, attempts: Sequence[Attempt]) -> int | None:
    """When a job started: as told, else with its first stage; None where nothing tells."""
    if job.started_ms is not None:
        return job.started_ms
    stages = frozenset(job.stages)
    return min((own.start_ms for own in attempts if own.stage.id in stages), default=None)


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
    own: list[list[int]] = [[] for _ in jobs]
    orphans: list[int] = []
    for position, attempt in enumerate(attempts):
        places = naming[attempt.stage.id]
        started = bisect_right(places, attempt.start_ms, key=lambda place: jobs[place][0])
        (own[places[started - 1]] if started else orphans).append(position)
    return own, orphans
