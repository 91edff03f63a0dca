"""The application of a log's events, and its end where the log has none."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from r2d2.text_tables import by_number, pluralize
from r2d2.vmcost.events.collect import CollectedEvents
from r2d2.vmcost.events.executors import ExecutorRequests, executors
from r2d2.vmcost.events.problems import EventLogError, LogProblem, LogProblemCounts, counted
from r2d2.vmcost.model import Application, Executor, Tasks

Moments = npt.NDArray[np.int64]
FAR_MS = 86_400_000
"""A day: an executor's stamps further beyond all work are taken for wrong."""
IDLE_MS = 366 * FAR_MS
"""An application may idle for long before it is ended, but not for years."""
FEW = 4
"""A job of one task has as many moments: its start and end, and those of stage and task."""


def application(facts: CollectedEvents, files: Sequence[Path], stem: str) -> Application:
    """The application; `stem` stands for its id where the log has none.

    Raises:
        EventLogError: no application starts in the log.
    """
    problems = facts.problems
    if not facts.lines:
        broken = problems[LogProblem.FILE_DAMAGED] + problems[LogProblem.FILE_TRUNCATED]
        raise EventLogError(
            "no line can be read: its compressed data is damaged or stops too early; copy it anew"
            if broken
            else "empty: no line in it"
        )
    if not facts.starts:
        malformed = problems[LogProblem.LINE_MALFORMED]
        raise EventLogError(
            f"no application starts in its {pluralize(facts.lines, 'line')}, of which"
            f" {malformed:,} {by_number(malformed, 'is', 'are')} malformed:"
            " expected a SparkListenerApplicationStart; of a rolling log give the folder"
        )
    started = sorted({f"{each.id} attempt {each.attempt}" for each in facts.starts})
    if len(started) > 1:
        raise EventLogError(f"starts of several applications: {', '.join(started)}; split the file")
    start = min(facts.starts, key=lambda each: each.started_ms)
    problems[LogProblem.APPLICATION_STARTED_TWICE] += len(facts.starts) - 1
    problems[LogProblem.APPLICATION_WITHOUT_ID] += not start.id
    requests = ExecutorRequests(facts.profiles, facts.properties)
    stood = executors(facts.added, facts.removed, requests, problems)
    peaks = facts.tasks.peaks_bytes
    stood = tuple(replace(each, peak_memory_bytes=peaks.get(each.id)) for each in stood)
    ended_ms, ended_told, tasks = _ended(facts, start.started_ms, stood)
    problems[LogProblem.EXECUTOR_ADDED_LATE] += sum(each.added_ms > ended_ms for each in stood)
    placed = _placed(tasks, facts, stood)
    return Application(
        id=start.id or stem,
        attempt=start.attempt,
        name=start.name or "",
        spark_version=facts.version,
        started_ms=start.started_ms,
        ended_ms=ended_ms,
        ended_told=ended_told,
        executors=stood,
        stages=facts.jobs.stages(),
        jobs=facts.jobs.jobs(problems),
        tasks=placed,
        properties=dict(sorted(facts.properties.items())),
        files=tuple(str(file) for file in files),
        problems=counted(problems),
        user=start.user or "",
    )


def _ended(
    facts: CollectedEvents, started_ms: int, stood: Sequence[Executor]
) -> tuple[int, bool, Tasks]:
    """Its end, whether the log has an event of it, and its tasks."""
    problems = facts.problems
    tasks, lost_ms = facts.tasks.tasks(problems)
    work = (
        facts.jobs.moments(),
        tasks["launch_ms"],
        tasks["finish_ms"],
        lost_ms,
    )
    moments = (moment for each in stood for moment in (each.added_ms, each.removed_ms))
    came_and_went = [moment for moment in moments if moment is not None]
    disbelieved = LogProblemCounts()
    last_ms = _last_moment(started_ms, work, came_and_went, disbelieved)
    believed = [end for end in facts.ends_ms if started_ms <= end <= last_ms + IDLE_MS]
    problems[LogProblem.APPLICATION_END_DISBELIEVED] += len(facts.ends_ms) - len(believed)
    if believed:
        return max(believed), True, tasks
    problems[LogProblem.APPLICATION_WITHOUT_END] += 1
    problems.update(disbelieved)
    return last_ms, False, tasks


def _placed(tasks: Tasks, facts: CollectedEvents, stood: Sequence[Executor]) -> Tasks:
    """The tasks with the positions of their executors, −1 for none, in place of numbers."""
    places: dict[str, list[int]] = {}
    for place, executor in enumerate(stood):
        places.setdefault(executor.id, []).append(place)
    numbers = facts.tasks.executors
    first = np.array([places.get(name, [-1])[0] for name in numbers] or [-1], np.int32)
    number = tasks["executor"].copy()
    tasks["executor"] = first[number]
    for name, positions in places.items():
        if len(positions) > 1 and name in numbers:
            here = number == numbers[name]
            added_ms = [stood[place].added_ms for place in positions]
            stay = np.searchsorted(added_ms, tasks["launch_ms"][here], "right") - 1
            tasks["executor"][here] = np.array(positions, np.int32)[np.maximum(stay, 0)]
    facts.problems[LogProblem.TASK_WITHOUT_EXECUTOR] += int((tasks["executor"] < 0).sum())
    return tasks


def _last_moment(
    started_ms: int, work: Iterable[Moments], executors: Sequence[int], problems: LogProblemCounts
) -> int:
    """The last moment that jobs, stages, tasks or executors name and that can be believed.

    Fewer than `FEW` moments of work over a day beyond all others are no more than wrong stamps, and
    so is an executor that comes or goes over a day beyond all work.
    """
    moments = np.concatenate([[started_ms], *work])
    moments = moments[moments >= started_ms]
    moments.sort()
    last = int(_without_outliers(moments)[-1])
    near = [moment for moment in executors if moment - last <= FAR_MS]
    disbelieved = int((moments > last).sum()) + len(executors) - len(near)
    problems[LogProblem.MOMENT_DISBELIEVED] += disbelieved
    return max(last, *near) if near else last


def _without_outliers(moments: Moments) -> Moments:
    """Moments in order without small groups at their end, far beyond what comes before."""
    while size := _stray(moments):
        moments = moments[:-size]
    return moments


def _stray(moments: Moments) -> int:
    """The size of such a group, 0 for none."""
    far = np.diff(moments[-FEW:])[::-1] > FAR_MS
    return int(far.argmax()) + 1 if far.any() else 0
