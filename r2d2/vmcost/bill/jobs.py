"""When jobs ran, and to which job a stage's tasks belong."""

from collections import Counter

import numpy as np
import numpy.typing as npt

from r2d2.vmcost.bill.intervals import Interval, clipped, union
from r2d2.vmcost.bill.steps import Integers
from r2d2.vmcost.model import Application, Job

NO_JOB = -1
ATTEMPT_BITS = 32


def job_intervals(app: Application) -> tuple[Interval, ...]:
    """The moments of the application at which at least one job ran.

    A job that was not seen to end ran until the application's end. One that was not seen to start
    began with the first of its stages, and counts for nothing where the log names none.
    """
    bounds = (app.started_ms, app.ended_ms)
    return union(clipped(_interval(app, job), bounds) for job in app.jobs)


def jobs_of_stages(app: Application) -> tuple[Integers, npt.NDArray[np.intp], Integers]:
    """The distinct stage attempts of the tasks, each task's place among them, and their jobs.

    A job is its position in the application, NO_JOB where none names the stage. Of several jobs
    that share a stage, the first that ran when the attempt's first task was launched had it done.
    """
    ids = app.tasks["stage"].astype(np.int64) << ATTEMPT_BITS | app.tasks["stage_attempt"]
    found, places = np.unique(ids, return_inverse=True)
    attempts = np.stack([found >> ATTEMPT_BITS, found & ((1 << ATTEMPT_BITS) - 1)], axis=1)
    first_ms = np.full(len(attempts), np.iinfo(np.int64).max)
    np.minimum.at(first_ms, places, app.tasks["launch_ms"])
    sharers: dict[int, list[int]] = {}
    for position in sorted(range(len(app.jobs)), key=lambda position: app.jobs[position].id):
        for stage in app.jobs[position].stages:
            sharers.setdefault(stage, []).append(position)
    jobs = [
        _owner(app, sharers.get(int(stage), []), int(moment))
        for (stage, _), moment in zip(attempts, first_ms, strict=True)
    ]
    return attempts, places, np.array(jobs, np.int64)


def _owner(app: Application, sharers: list[int], moment_ms: int) -> int:
    for position in sharers:
        start, end = _interval(app, app.jobs[position])
        if start <= moment_ms < end:
            return position
    return sharers[0] if sharers else NO_JOB


def _interval(app: Application, job: Job) -> Interval:
    end = app.ended_ms if job.ended_ms is None else job.ended_ms
    start = job.started_ms
    if start is None:
        names = set(job.stages)
        start = min(
            (
                stage.submitted_ms
                for stage in app.stages
                if stage.id in names and stage.submitted_ms is not None
            ),
            default=end,
        )
    return start, end


def unseen_jobs(app: Application, problems: Counter[str]) -> None:
    """Counts the jobs whose start or end is a conclusion."""
    problems["job_without_start"] += sum(job.started_ms is None for job in app.jobs)
    problems["job_without_end"] += sum(job.ended_ms is None for job in app.jobs)
