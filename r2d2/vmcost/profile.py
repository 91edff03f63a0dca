"""`profile.json`: the time of reading, writing and starting, for the plan's costs of rebuilding.

    read, write   wall clock of the whole cluster per GB (10⁹ bytes as stored), p50 and p95
    clusters      VM type and count, price, how long 95 of 100 starts take at most, and the read
                  and write of the runs on just these machines

A read is what r2d2's own jobs label as one (`r2d2.read`, `r2d2.read_bytes`: its executors read the
lake natively, so Spark counts no input), or any other job by the bytes that Spark counted. Its time
goes from its first job's start to its last one's end. A write is the time of the stages that wrote.
Small transfers show overhead, not rates: those under `least_bytes` are left out and counted. A
quantile is over bytes: half of them took at most p50. Without any transfer the section is null.

Starting goes from the application's start to its first executor, and `start_up_s` before it, which
no log shows. The quantile of few starts is the longest of them.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any

import numpy as np

from r2d2.storage.output import json_text
from r2d2.text_tables import pluralize
from r2d2.vmcost.bill import Rate
from r2d2.vmcost.bill.task_time import (
    NO_JOB,
    Longs,
    job_positions,
    jobs_of_attempts,
    stage_positions,
)
from r2d2.vmcost.model import Application, Job

LEAST_BYTES = 16 << 20
GB = 10**9
Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProfiledRun:
    """An application and the machines that it ran on: `count` of them for its executors."""

    application: Application
    vm: Rate
    count: int


@dataclass(frozen=True, slots=True)
class TimedTransfer:
    """Bytes that were read or written, and the wall-clock seconds that it took."""

    size_bytes: int
    seconds: float


def profile(
    runs: Sequence[ProfiledRun],
    start_up_s: float = 0.0,
    least_bytes: int = LEAST_BYTES,
    charges: Mapping[str, float] | None = None,
) -> Data:
    """The profile as plain data; its `id` is a digest of all the rest.

    Args:
        charges: USD per GB that the storage takes, under `read` and `write`, where known.
    """
    usd_per_gb = charges or {}
    data: Data = {
        "profile": 1,
        "as_of": _day(max(run.application.ended_ms for run in runs)),
        "runs": len(runs),
        "least_bytes": least_bytes,
        "clusters": list(_clusters(runs, start_up_s, least_bytes, usd_per_gb)),
        "prices_as_of": max(run.vm.machine.as_of for run in runs).isoformat(),
    }
    for way in _WAYS:
        data[way], left_out = _rate(runs, way, least_bytes, usd_per_gb)
        data[f"{way}s_left_out"] = left_out
    return data | {"id": hashlib.sha256(json_text(data).encode()).hexdigest()[:12]}


def profile_lines(made: Mapping[str, Any]) -> Iterator[str]:
    """The profile in lines of text; its figures are measured."""
    runs = pluralize(str(made["runs"]), "run")
    yield f"profile {made['id']} of {made['as_of']}: {runs}, measured"
    for way in ("read", "write"):
        rate = made[way]
        if rate is None:
            small = made[f"{way}s_left_out"]
            why = f"{pluralize(small, way)} too small" if small else f"no {way} in the logs"
            yield f"  {way}: not measured: {why}"
            continue
        p50, p95 = rate["s_per_gb"]["p50"], rate["s_per_gb"]["p95"]
        yield f"  {way}: {p50:.3g} s/GB at p50, {p95:.3g} at p95, of {rate['transfers']}"
    for cluster in made["clusters"]:
        yield (
            f"  {cluster['vm_count']} × {cluster['vm_type']}: start-up p95"
            f" {cluster['start_up_p95_s']:.3g} s of {cluster['starts']}"
        )


def reads(application: Application) -> Iterator[TimedTransfer]:
    """The application's reads, each once; where r2d2 labelled any, no others count."""
    labelled: dict[str, list[Job]] = defaultdict(list)
    for job in application.jobs:
        if "r2d2.read" in job.labels:
            labelled[job.labels["r2d2.read"]].append(job)
    for jobs in labelled.values():
        size = jobs[0].labels.get("r2d2.read_bytes", "")
        yield from _transfer(int(size) if size.isdecimal() else 0, map(_job_times, jobs))
    if not labelled:
        counted = _sums(application, "input_bytes", job_positions(application), application.jobs)
        for job, size_bytes in zip(application.jobs, counted, strict=True):
            yield from _transfer(size_bytes, [_job_times(job)])


def writes(application: Application) -> Iterator[TimedTransfer]:
    """The writes of each job, in the time of the stages that wrote."""
    stages = application.stages
    wrote = _sums(application, "output_bytes", stage_positions(application), stages)
    attempts, _, jobs = jobs_of_attempts(application)
    of_job = dict(zip(map(tuple, attempts.tolist()), jobs.tolist(), strict=True))
    times: dict[int, list[tuple[int | None, int | None]]] = defaultdict(list)
    sizes: dict[int, int] = defaultdict(int)
    for stage, size_bytes in zip(stages, wrote, strict=True):
        job = of_job.get((stage.id, stage.attempt), NO_JOB)
        if size_bytes and job != NO_JOB:
            times[job].append((stage.submitted_ms, stage.completed_ms))
            sizes[job] += size_bytes
    for place in sorted(times):
        yield from _transfer(sizes[place], times[place])


def starting_s(application: Application) -> float | None:
    """Seconds from the application's start to its first executor; None without any."""
    added = [executor.added_ms for executor in application.executors]
    return max(0, min(added) - application.started_ms) / 1000 if added else None


def _transfer(
    size_bytes: int, times: Iterable[tuple[int | None, int | None]]
) -> Iterator[TimedTransfer]:
    """The transfer, if there was one and all its times are known."""
    known = list(times)
    starts = [start for start, _ in known if start is not None]
    ends = [end for _, end in known if end is not None]
    if size_bytes > 0 and known and len(starts) == len(ends) == len(known):
        seconds = (max(ends) - min(starts)) / 1000
        if seconds > 0:
            yield TimedTransfer(size_bytes, seconds)


def _job_times(job: Job) -> tuple[int | None, int | None]:
    return job.started_ms, job.ended_ms


def _sums(
    application: Application, metric: str, positions: Longs, rows: Sequence[object]
) -> list[int]:
    """The metric of all tasks, added up by their position among the rows."""
    there = positions >= 0
    sums = np.zeros(len(rows), np.int64)
    np.add.at(sums, positions[there], application.tasks[metric][there])
    return [int(value) for value in sums]


_WAYS = {"read": reads, "write": writes}


def _rate(
    runs: Sequence[ProfiledRun], way: str, least_bytes: int, usd_per_gb: Mapping[str, float]
) -> tuple[Data | None, int]:
    """The rate of the runs' transfers, None without any, and the number of those too small."""
    transfers = [transfer for run in runs for transfer in _WAYS[way](run.application)]
    used = [transfer for transfer in transfers if transfer.size_bytes >= least_bytes]
    rate = (
        {
            "s_per_gb": {"p50": _quantile(used, 0.5), "p95": _quantile(used, 0.95)},
            "usd_per_gb": usd_per_gb.get(way),
            "transfers": len(used),
            "bytes": sum(transfer.size_bytes for transfer in used),
        }
        if used
        else None
    )
    return rate, len(transfers) - len(used)


def _quantile(transfers: Sequence[TimedTransfer], share: float) -> float:
    """The least seconds per GB within which that share of the bytes was moved."""
    rates = sorted((t.seconds / t.size_bytes * GB, t.size_bytes) for t in transfers)
    reached = share * sum(size_bytes for _, size_bytes in rates)
    moved = 0
    for rate, size_bytes in rates:
        moved += size_bytes
        if moved >= reached:
            return rate
    return rates[-1][0]


def _clusters(
    runs: Sequence[ProfiledRun],
    lead_s: float,
    least_bytes: int,
    usd_per_gb: Mapping[str, float],
) -> Iterator[Data]:
    """A row for each VM type and count of which a start was seen, in that order."""
    found: dict[tuple[str, int], list[ProfiledRun]] = defaultdict(list)
    for run in runs:
        found[run.vm.sku, run.count].append(run)
    for (sku, count), own in sorted(found.items(), key=lambda item: item[0]):
        starts = (starting_s(run.application) for run in own)
        ordered = sorted(seconds + lead_s for seconds in starts if seconds is not None)
        if ordered:
            yield {
                "vm_type": sku,
                "vm_count": count,
                "vm_usd_per_hour": float(own[-1].vm.usd_per_hour),
                "start_up_p95_s": ordered[ceil(0.95 * len(ordered)) - 1],
                "start_up_s": _distribution(ordered),
                "starts": len(ordered),
                **{way: _rate(own, way, least_bytes, usd_per_gb)[0] for way in _WAYS},
            }


def _distribution(ordered: Sequence[float]) -> Data:
    """Quantiles of the starts, the least value that so many of 100 do not exceed, and moments."""
    quantiles = {f"p{p}": ordered[ceil(p / 100 * len(ordered)) - 1] for p in (5, 25, 50, 75, 95)}
    return {**quantiles, "mean": float(np.mean(ordered)), "sd": float(np.std(ordered))}


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
