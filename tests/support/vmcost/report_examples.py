"""Reports as the companion job makes them, of any size, from a seed."""

import random
from typing import Any

from r2d2.vmcost.report.data import LOGGED

PARTS = (
    "driver",
    "start_up",
    "busy",
    "idle_in_jobs",
    "idle_between_jobs",
    "failed",
    "stranded",
    "rounding",
)
WEIGHTS = (0.2, 0.04, 0.4, 0.2, 0.1, 0.03, 0.02, 0.01)
TIMES = {
    "cpu_s": 0.7,
    "gc_s": 0.05,
    "fetch_wait_s": 0.1,
    "shuffle_write_s": 0.01,
    "waiting_s": 0.1,
    "deserialize_s": 0.02,
    "result_s": 0.0,
    "scheduling_s": 0.02,
}
MEMORY = {
    "peak_memory_bytes": 2**26,
    "executor_memory_bytes": 2**33,
    "used_memory_bytes": 3 << 30,
}
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e'\"&\ud800"


def a_report(applications: int = 1, **changes: Any) -> dict[str, Any]:
    """So many applications, each with the changes."""
    made = [an_application(number, **changes) for number in range(1, applications + 1)]
    return {"version": 1, "applications": made}


def an_application(
    seed: int = 1, *, hosts: int = 3, jobs: int = 4, bins: int = 120, **changes: Any
) -> dict[str, Any]:
    """An application on so many hosts; `changes` replace its keys."""
    random_ = random.Random(seed)
    duration_s, usd, task_s = 344.613, 0.13392, 3557.25
    spans = _spans(random_, duration_s, jobs)
    return {
        "application_id": f"application_1700000000000_{seed:04}",
        "attempt": "1",
        "name": f"daily load {seed}",
        "spark_version": "3.3.1",
        "files": [f"eventlog_{seed}.zstd"],
        "started": "2026-09-01T10:00:00.250Z",
        "ended_told": True,
        "duration_s": duration_s,
        "core_seconds": 5239.648,
        "tasks": 2801,
        "busy_fraction": 0.679,
        "vm_s": {p: 1033.839 * w for p, w in zip(PARTS, WEIGHTS, strict=True)},
        "usd": usd,
        "why": None,
        "fees_usd": 0.0,
        "user": "ann",
        "tags": {"spark.yarn.queue": "etl"},
        "usd_per_month": 30 * usd,
        "what_to_do": [
            {
                "application_id": f"application_1700000000000_{seed:04}",
                "attempt": "1",
                "name": f"daily load {seed}",
                "kind": "idle_between_jobs",
                "told": "let executors go while no job runs",
                "saving_usd": usd / 4,
                "basis": "at most",
                "saving_usd_per_month": 30 * usd / 4,
            }
        ],
        "not_included": [],
        "logged": {**dict.fromkeys(LOGGED, 1500), "gc_s": 247.8, **MEMORY},
        "money": {part: usd * weight for part, weight in zip(PARTS, WEIGHTS, strict=True)},
        "billed": {
            "quantum_s": 1.0,
            "minimum_s": 60.0,
            "start_up_s": 0.0,
            "idle_tail_s": 0.0,
            "uplift_usd_per_node_hour": 0.0,
            "dbu_usd": None,
            "keep_vms": None,
            "service": None,
            "disk_gb": 0.0,
            "disk_usd_per_gb_month": None,
        },
        "cluster": {
            "provider": "azure",
            "region": "westus",
            "vm": "Standard_E8s_v3",
            "count": hosts,
            "driver_vm": "Standard_DS3_v2",
            "spot": False,
            "source": "the log",
        },
        "candidates": [],
        "prices": [_price("Standard_E8s_v3", 0.56, 24), _price("Standard_DS3_v2", 0.279, 31)],
        "by_job": [
            {
                "job": n,
                "name": f"save at {n}",
                "succeeded": True,
                "usd": usd * 0.43 / jobs,
                "task_s": task_s / jobs,
                **_times(task_s / jobs),
            }
            for n in range(jobs)
        ],
        "by_stage": [_stage(n, usd * 0.43 / jobs / 2, task_s / jobs / 2) for n in range(2 * jobs)],
        "by_executor": [
            {
                "executor": str(n),
                "host": f"10.139.64.{n + 4}",
                "cores": 8,
                "start_s": 8.5,
                "end_s": duration_s,
                "usd": usd * 0.43 / hosts,
                "task_s": task_s / hosts,
                **_times(task_s / hosts),
                "asked_memory_bytes": 8 << 30,
                "used_memory_bytes": 3 << 30,
                "removed_reason": "",
            }
            for n in range(hosts)
        ],
        "task_time": _times(task_s),
        "timeline": {
            "bin_s": duration_s / bins,
            "hosts": [_host(random_, n, bins, duration_s, spans) for n in range(hosts)],
            "jobs": [
                {"job": n, "start_s": start, "end_s": end, "name": f"save at {n}"}
                for n, (start, end) in enumerate(spans)
            ],
        },
        "problems": {"malformed_lines": 2},
        "energy": {"kwh": 0.0123, "told": "0.0123 kWh", "source": "coefficients of 2026"},
        "advice": [
            {"kind": "right_size", "told": "2 VMs end within 400 s at 95 %", "basis": "modelled"}
        ],
    } | changes


def without_money(**changes: Any) -> dict[str, Any]:
    """An application whose machines nobody named."""
    unpriced = an_application()
    rows = {
        key: [{**row, "usd": None} for row in unpriced[key]]
        for key in ("by_job", "by_stage", "by_executor")
    }
    candidate = {
        "provider": "azure",
        "region": "westus",
        "sku": "Standard_E8s_v3",
        "count": None,
        "usd_per_hour": 0.56,
        "vcpu": 8,
        "mem_mib": 65536,
    }
    unknown = {
        "usd": None,
        "money": None,
        "fees_usd": None,
        "usd_per_month": None,
        "what_to_do": [],
        "why": "the log names no machine",
        "cluster": None,
        "prices": [],
        "candidates": [candidate],
        "energy": None,
    }
    return unpriced | rows | unknown | changes


def _price(sku: str, usd_per_hour: float, age_days: int) -> dict[str, Any]:
    return {
        "sku": sku,
        "kind": "on_demand",
        "usd_per_hour": usd_per_hour,
        "as_of": f"2026-08-{32 - age_days:02}",
        "age_days": age_days,
        "source": "two lists that agree",
    }


def _times(task_s: float) -> dict[str, float]:
    return {key: task_s * weight for key, weight in TIMES.items()}


def _stage(number: int, usd: float, task_s: float) -> dict[str, Any]:
    return {
        "stage": number,
        "attempt": 0,
        "name": f"save at Main.scala:{number}",
        "problem": "",
        "usd": usd,
        "task_s": task_s,
        "tasks": 350,
        **_times(task_s),
        "spilled_bytes": 1_500_000 * number,
        "task_median_s": task_s / 400,
        "task_p95_s": task_s / 300,
        "task_max_s": task_s / 100,
        "read_median_bytes": 1e6,
        "read_p95_bytes": 1e7,
        "read_max_bytes": 1e8,
        "skew": 4.0,
        "straggling_s": task_s / 100 - task_s / 400,
    }


def _spans(random_: random.Random, duration_s: float, jobs: int) -> list[tuple[float, float]]:
    """Jobs one after another, with time between them."""
    share_s = (duration_s - 20) / max(jobs, 1)
    return [
        (20 + n * share_s, 20 + n * share_s + share_s * random_.uniform(0.6, 0.95))
        for n in range(jobs)
    ]


def _host(
    random_: random.Random,
    number: int,
    bins: int,
    duration_s: float,
    spans: list[tuple[float, float]],
) -> dict[str, Any]:
    """Busy while jobs run, less so towards their end; every third host had a failure."""
    width_s = duration_s / bins
    busy, failed = [0.0] * bins, [0.0] * bins
    for start, end in spans:
        for at in range(int(start / width_s), min(int(end / width_s) + 1, bins)):
            left = 1 - (at * width_s - start) / (end - start)
            busy[at] = min(max(random_.uniform(0.7, 1.1) if left > 0.3 else 0.4 * left * 3, 0), 1)
    if number % 3 == 1 and bins > 8:
        at = random_.randrange(bins // 4, bins - 4)
        for n in range(at, at + 3):
            failed[n], busy[n] = 0.5, busy[n] * 0.5
    return {
        "host": f"10.139.64.{number + 4}",
        "cores": 8,
        "rented": [[4.0 if number else 0.0, duration_s]],
        "busy": busy,
        "failed": failed,
    }
