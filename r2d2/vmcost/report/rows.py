"""The rows of an application's report: its jobs, stages, executors, and hosts over time."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from r2d2.vmcost.bill import Bill, HostTime, Share
from r2d2.vmcost.bill.task_time import (
    TaskTime,
    duration_s,
    stage_positions,
    task_time_by_executor,
    task_time_by_job,
    task_time_by_stage,
)
from r2d2.vmcost.model import Application

Data = dict[str, Any]


def _usd(share: Share | None) -> float | None:
    """What the tasks of the share cost, whatever became of them."""
    if share is None or share.busy.usd is None or share.failed.usd is None:
        return None
    return float(share.busy.usd + share.failed.usd)


def _times(time: TaskTime) -> Data:
    return {"task_s": time.total_s, **asdict(time)}


def by_job(application: Application, bill: Bill) -> Iterator[Data]:
    """A row for each job: its money and task time; a last one for tasks of none."""
    shares = {share.key: share for share in bill.jobs}
    *times, of_none = task_time_by_job(application)
    for job, time in zip(application.jobs, times, strict=True):
        share = shares.pop(str(job.id), None)
        yield {
            "job": job.id,
            "name": job.name,
            "succeeded": job.succeeded,
            "usd": _usd(share),
            **_times(time),
        }
    for share in shares.values():
        yield {
            "job": None,
            "name": share.name,
            "succeeded": None,
            "usd": _usd(share),
            **_times(of_none),
        }


def by_stage(application: Application, bill: Bill) -> Iterator[Data]:
    """A row for each attempt of a stage."""
    shares = {share.key: share for share in bill.stages}
    times = task_time_by_stage(application)
    positions = stage_positions(application)
    there = positions >= 0
    count = len(application.stages)
    tasks = np.bincount(positions[there], minlength=count)
    spilled = np.zeros(count, np.int64)
    np.add.at(spilled, positions[there], application.tasks["spilled_disk_bytes"][there])
    for place, (stage, time) in enumerate(zip(application.stages, times, strict=True)):
        yield {
            "stage": stage.id,
            "attempt": stage.attempt,
            "name": stage.name,
            "problem": stage.problem,
            "tasks": int(tasks[place]),
            "usd": _usd(shares.get(f"{stage.id}.{stage.attempt}")),
            **_times(time),
            "spilled_bytes": int(spilled[place]),
        }


def by_executor(application: Application, bill: Bill) -> Iterator[Data]:
    """A row for each executor; moments are seconds after the application's start."""
    shares = {share.key: share for share in bill.executors}
    times = task_time_by_executor(application)
    for executor, time in zip(application.executors, times, strict=True):
        end_ms = application.ended_ms if executor.removed_ms is None else executor.removed_ms
        yield {
            "executor": executor.id,
            "host": executor.host,
            "cores": executor.cores,
            "start_s": _since(application, executor.added_ms),
            "end_s": _since(application, end_ms),
            "usd": _usd(shares.get(executor.id)),
            **_times(time),
            "removed_reason": executor.removed_reason,
        }


def _since(application: Application, at_ms: int) -> float:
    """Seconds after the application's start, within its time."""
    within = min(max(at_ms, application.started_ms), application.ended_ms)
    return (within - application.started_ms) / 1000


def timeline(application: Application, bill: Bill) -> Data:
    """The hosts in equal stretches of the run, and when its jobs ran."""
    hosts = [vm.time for vm in bill.vms]
    bins = max((len(host.busy_cores) for host in hosts), default=1)
    return {
        "bin_s": duration_s(application) / bins,
        "hosts": [_host(application, host) for host in hosts],
        "jobs": [
            {
                "job": job.id,
                "name": job.name,
                "start_s": _since(application, job.started_ms),
                "end_s": _since(application, job.ended_ms or application.ended_ms),
            }
            for job in application.jobs
            if job.started_ms is not None
        ],
    }


def _host(application: Application, host: HostTime) -> Data:
    return {
        "host": host.host,
        "cores": host.cores,
        "rented": [[_since(application, at) for at in interval] for interval in host.rented],
        "busy": _fractions(host.busy_cores, host.cores),
        "failed": _fractions(host.failed_cores, host.cores),
    }


def _fractions(cores: Sequence[float], of: int) -> list[float]:
    return [one / of if of else 0.0 for one in cores]
