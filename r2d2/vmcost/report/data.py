"""The report as plain data, `report.json`; every rendering is made from it.

| key of an application | meaning |
|---|---|
| `application_id`, `attempt`, `name`, `spark_version`, `files`, … | the run |
| `user`, `tags` | who ran it, and the properties by which money is shared |
| `usd_per_month` | priced: `usd` at the runs a month of the settings |
| `what_to_do` | what would cost less, the largest saving first |
| `duration_s`, `core_seconds`, `tasks`, `busy_fraction`, `task_time` | measured |
| `logged` | measured: the log's own figures, which overlap: times, spill, bytes, peak memory |
| `vm_s` | VM-seconds by the parts of the money, measured; without a cluster one VM to each host |
| `fees_usd` | priced: the part of `usd` that is fees of services and disks |
| `usd`, `money`, `billed`, `prices`, `why` | priced: the whole, its parts, how, as of when |
| `not_included` | sentences on what is paid besides, with the size that it usually has |
| `cluster`, `candidates` | the machines; if unknown, all that fit, never a pick |
| `by_job`, `by_stage`, `by_executor` | shares of the money of `busy` and `failed`, and task time |
| `timeline` | hosts over time: rented, busy |
| `energy`, `advice` | modelled |
| `problems` | what was damaged, skipped or guessed, counted |

Besides, `what_to_do` has the largest savings of all, `usd_per_month` the money of all names at
`runs_per_month`, `chargeback` the money by user, name and tag, `trend` each name's last run beside
those before, `pipeline` the schedule of the jobs in the settings, or null, and `degradation` the
hosts and the slowest stages of applications that ran several times. Of more than 10,000 jobs or
stages of an application those that cost most have a row each, the others one together. The parts in
`money` sum to `usd`: both are rounded to a millionth of a dollar so that they do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from heapq import nsmallest
from typing import Any

import numpy as np

from r2d2.vmcost.bill import (
    MOST_LISTED,
    OTHERS,
    Bill,
    HostTime,
    Share,
    printed_total_usd,
    printed_usd,
)
from r2d2.vmcost.bill.task_time import (
    Spreads,
    TaskTime,
    busy_fraction,
    core_seconds,
    duration_s,
    spreads,
    stage_positions,
    task_time,
    task_time_by_executor,
    task_time_by_job,
    task_time_by_stage,
)
from r2d2.vmcost.machines import KnownMachines
from r2d2.vmcost.model import Application, Billing, Platform, ReportSettings
from r2d2.vmcost.prices import age_days
from r2d2.vmcost.report.owners import actions, chargeback, largest, trends, usd_per_month

Data = dict[str, Any]
VERSION = 1
MOST_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Costed:
    """An application with its machines, its bill, and what is advised."""

    application: Application
    facts: KnownMachines
    billing: Billing
    bill: Bill
    not_included: tuple[str, ...] = ()
    energy: Data | None = None
    advice: tuple[Data, ...] = ()


def report_data(costed: Sequence[Costed], today: date, besides: Data | None = None) -> Data:
    """The report; prices are as old as they are on that day. `besides` are its other keys."""
    settings: ReportSettings = (besides or {}).get("report", ReportSettings())
    others = {key: value for key, value in (besides or {}).items() if key != "report"}
    applications = [_application(each, today, settings) for each in costed]
    return {
        "version": VERSION,
        "applications": applications,
        "runs_per_month": settings.runs_per_month,
        "what_to_do": largest(applications, settings.runs_per_month)[:MOST_CANDIDATES],
        "usd_per_month": usd_per_month(applications, settings.runs_per_month),
        "chargeback": chargeback(applications, settings.runs_per_month),
        "trend": trends(applications),
    } | others


def _application(costed: Costed, today: date, settings: ReportSettings) -> Data:
    """One application, with the keys of the table above."""
    made = _costed(costed, today)
    properties, usd = costed.application.properties, made["usd"]
    made["tags"] = {name: properties[name] for name in settings.tags if properties.get(name)}
    made["usd_per_month"] = None if usd is None else usd * settings.runs_per_month
    made["what_to_do"] = actions(made, settings.runs_per_month)
    return made


def _costed(costed: Costed, today: date) -> Data:
    application, bill = costed.application, costed.bill
    known = bill.usd is not None
    return {
        "application_id": application.id,
        "attempt": application.attempt,
        "name": application.name,
        "user": application.user,
        "spark_version": application.spark_version,
        "files": list(application.files),
        "started": datetime.fromtimestamp(application.started_ms / 1000, UTC).isoformat(),
        "ended_told": application.ended_told,
        "duration_s": duration_s(application),
        "core_seconds": core_seconds(application),
        "tasks": len(application.tasks),
        "busy_fraction": busy_fraction(application),
        "task_time": asdict(task_time(application)),
        "logged": logged_sums(application),
        "vm_s": {part.value: float(amount.vm_s) for part, amount in bill.parts.items()},
        "usd": None if bill.usd is None else printed_total_usd(bill.usd),
        "why": costed.facts.why or bill.why or None,
        "fees_usd": float(bill.fees_usd) if known else None,
        "money": _money(bill) if known else None,
        "not_included": list(costed.not_included),
        "billed": {key: _number(value) for key, value in asdict(costed.billing).items()},
        "cluster": None if costed.facts.cluster is None else asdict(costed.facts.cluster),
        "candidates": _candidates(costed.facts),
        "prices": list(_prices(bill, today)),
        "by_job": list(by_job(application, bill)),
        "by_stage": list(by_stage(application, bill)),
        "by_executor": list(by_executor(application, bill)),
        "timeline": timeline(application, bill),
        "problems": _problems(costed),
        "energy": costed.energy,
        "advice": list(costed.advice),
    }


LOGGED: Mapping[str, tuple[str, float]] = {
    "run_s": ("run_ms", 1e3),
    "cpu_s": ("cpu_ns", 1e9),
    "gc_s": ("gc_ms", 1e3),
    "deserialize_s": ("deserialize_ms", 1e3),
    "result_s": ("result_ms", 1e3),
    "fetch_wait_s": ("fetch_wait_ms", 1e3),
    "shuffle_write_s": ("shuffle_write_ns", 1e9),
    "spilled_memory_bytes": ("spilled_memory_bytes", 1),
    "spilled_disk_bytes": ("spilled_disk_bytes", 1),
    "input_bytes": ("input_bytes", 1),
    "output_bytes": ("output_bytes", 1),
    "shuffle_read_bytes": ("shuffle_read_bytes", 1),
    "shuffle_write_bytes": ("shuffle_write_bytes", 1),
}
"""The log's own figures, by the column of the tasks and its units to the figure's."""


def logged_sums(application: Application) -> Data:
    """The sums of the log's own figures over all tasks, and the greatest peak of memory of one.

    They overlap, as Spark counts them: time of garbage collection lies within a task's run, and is
    that of the whole JVM, so that tasks that ran at once have counted it twice.
    """
    sums: Data = {}
    for name, (column, units) in LOGGED.items():
        total = int(application.tasks[column].sum())
        sums[name] = total if units == 1 else total / units
    sums["peak_memory_bytes"] = int(application.tasks["peak_memory_bytes"].max(initial=0))
    asked = [each.memory_mib for each in application.executors if each.memory_mib is not None]
    sums["executor_memory_bytes"] = max(asked) << 20 if asked else None
    used = [each.peak_memory_bytes for each in application.executors if each.peak_memory_bytes]
    sums["used_memory_bytes"] = max(used, default=None)
    return sums


def _money(bill: Bill) -> dict[str, float]:
    return printed_usd(
        {part.value: amount.usd or Fraction(0) for part, amount in bill.parts.items()}
    )


def _number(value: Fraction | bool | str | None) -> float | bool | str | None:
    if isinstance(value, Platform):
        return value.value
    return float(value) if isinstance(value, Fraction) else value


def _candidates(facts: KnownMachines) -> list[Data]:
    return [
        {
            "provider": machine.price.provider,
            "region": machine.price.region,
            "sku": machine.price.sku,
            "count": None,
            "usd_per_hour": float(machine.price.usd_per_hour),
            "vcpu": machine.price.vcpu,
            "mem_mib": machine.price.mem_mib,
        }
        for machine in facts.candidates[:MOST_CANDIDATES]
    ]


def _prices(bill: Bill, today: date) -> Iterator[Data]:
    for rate in bill.rates:
        for price in (rate.machine, *rate.fees):
            yield {
                "sku": price.sku,
                "kind": price.kind.value,
                "usd_per_hour": float(price.usd_per_hour),
                "as_of": price.as_of.isoformat(),
                "age_days": age_days(price, today),
                "source": f"{price.source} {price.source_version}".strip(),
            }


def by_job(application: Application, bill: Bill) -> Iterator[Data]:
    """A row for each job, its money and task time; then for tasks of none, and for all others."""
    shares = {share.key: share for share in bill.jobs}
    times, others = task_time_by_job(application), []
    for place, job in enumerate(application.jobs):
        share = shares.get(str(job.id))
        if share is None:
            others.append(place)
        else:
            yield _job(job.id, job.name, job.succeeded, share, times[place])
    of_none = len(application.jobs)
    if "" in shares:
        yield _job(None, shares[""].name, None, shares[""], times[of_none])
    else:
        others.append(of_none)
    if OTHERS in shares:
        yield _job(None, shares[OTHERS].name, None, shares[OTHERS], times.total(others))


def _job(job: int | None, name: str, succeeded: bool | None, share: Share, time: TaskTime) -> Data:
    money = {"job": job, "name": name, "succeeded": succeeded, "usd": _usd(share)}
    return {**money, **_times(time)}


def _usd(share: Share | None) -> float | None:
    """The money of the share's tasks, successful and failed."""
    if share is None or share.busy.usd is None or share.failed.usd is None:
        return None
    return float(share.busy.usd + share.failed.usd)


def _times(time: TaskTime) -> Data:
    return {"task_s": time.total_s, **asdict(time)}


SPREAD = (
    "task_median_s", "task_p95_s", "task_max_s",
    "read_median_bytes", "read_p95_bytes", "read_max_bytes",
)  # fmt: skip


def by_stage(application: Application, bill: Bill) -> Iterator[Data]:
    """A row for each attempt of a stage, and where there are very many a last one for others."""
    shares = {share.key: share for share in bill.stages}
    times = task_time_by_stage(application)
    positions = stage_positions(application)
    there = positions >= 0
    count, spread = len(application.stages), spreads(application)
    tasks = np.bincount(positions[there], minlength=count)
    spilled = np.zeros(count, np.int64)
    np.add.at(spilled, positions[there], application.tasks["spilled_disk_bytes"][there])
    others = []
    for place, stage in enumerate(application.stages):
        share = shares.get(f"{stage.id}.{stage.attempt}")
        if share is None and OTHERS in shares:
            others.append(place)
            continue
        yield {
            "stage": stage.id,
            "attempt": stage.attempt,
            "name": stage.name,
            "problem": stage.problem,
            "tasks": int(tasks[place]),
            "usd": _usd(share),
            **_times(times[place]),
            "spilled_bytes": int(spilled[place]),
            **_spread(spread, place),
        }
    if OTHERS in shares:
        yield {
            "stage": None,
            "attempt": None,
            "name": shares[OTHERS].name,
            "problem": "",
            "tasks": int(tasks[others].sum()),
            "usd": _usd(shares[OTHERS]),
            **_times(times.total(others)),
            "spilled_bytes": int(spilled[others].sum()),
            **dict.fromkeys(_spread(spread, 0)),
        }


def _spread(spread: Spreads, stage: int) -> Data:
    """Median, p95 and maximum of a stage's tasks, their time and the bytes that they read."""
    if not spread.tasks[stage]:
        return {**dict.fromkeys(SPREAD), "skew": None, "straggling_s": 0.0}
    figures = (*spread.seconds[stage].tolist(), *spread.size_bytes[stage].tolist())
    skew, straggling_s = spread.skew(stage), spread.straggling_s(stage)
    return {**dict(zip(SPREAD, figures, strict=True)), "skew": skew, "straggling_s": straggling_s}


def by_executor(application: Application, bill: Bill) -> Iterator[Data]:
    """A row for each executor; moments are seconds after the application's start."""
    shares = {share.key: share for share in bill.executors}
    times = task_time_by_executor(application)
    for executor, time in zip(application.executors, times, strict=True):
        asked = executor.memory_mib
        end_ms = application.ended_ms if executor.removed_ms is None else executor.removed_ms
        yield {
            "executor": executor.id,
            "host": executor.host,
            "cores": executor.cores,
            "start_s": _since(application, executor.added_ms),
            "end_s": _since(application, end_ms),
            "usd": _usd(shares.get(executor.id)),
            **_times(time),
            "asked_memory_bytes": None if asked is None else asked << 20,
            "used_memory_bytes": executor.peak_memory_bytes,
            "removed_reason": executor.removed_reason,
        }


def timeline(application: Application, bill: Bill) -> Data:
    """The hosts in equal stretches of the run, and when its jobs ran."""
    hosts = [vm.time for vm in bill.vms]
    longest = nsmallest(
        MOST_LISTED, application.jobs, key=lambda job: (job.started_ms or 0) - (job.ended_ms or 0)
    )
    drawn = {job.id for job in longest}
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
            if job.started_ms is not None and job.id in drawn
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
    return [busy / of if of else 0.0 for busy in cores]


def _since(application: Application, at_ms: int) -> float:
    """Seconds after the application's start, within its time."""
    within = min(max(at_ms, application.started_ms), application.ended_ms)
    return (within - application.started_ms) / 1000


def _problems(costed: Costed) -> dict[str, int]:
    counts = {**costed.application.problems, **costed.bill.problems}
    return dict(sorted(counts.items())) | dict.fromkeys(costed.facts.problems, 1)
