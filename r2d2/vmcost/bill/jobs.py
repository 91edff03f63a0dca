"""The moments at which jobs ran."""

from collections import Counter

from r2d2.vmcost.bill.intervals import Interval, clipped, union
from r2d2.vmcost.bill.task_time import job_interval_ms
from r2d2.vmcost.model import Application


def job_intervals(app: Application) -> tuple[Interval, ...]:
    """The moments of the application at which at least one job ran."""
    bounds = (app.started_ms, app.ended_ms)
    return union(clipped(job_interval_ms(app, job), bounds) for job in app.jobs)


def unseen_jobs(app: Application, problems: Counter[str]) -> None:
    """Counts the jobs whose start or end is a conclusion."""
    problems["job_without_start"] += sum(job.started_ms is None for job in app.jobs)
    problems["job_without_end"] += sum(job.ended_ms is None for job in app.jobs)
