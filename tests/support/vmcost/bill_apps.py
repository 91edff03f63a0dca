"""Applications by hand, in milliseconds from 0, and prices that are easy to reckon with."""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np

from r2d2.vmcost.model import (
    TASK,
    Application,
    Billing,
    Cluster,
    Executor,
    Job,
    Outcome,
    Price,
    PriceKind,
    SparkStage,
    Tasks,
)
from r2d2.vmcost.prices import PriceList

AS_OF = date(2026, 9, 1)
EXACT = Billing(minimum_s=Fraction(0))
"""Billing without a minimum: what is metered is paid, to the millisecond."""


def tasks_of(rows: Iterable[dict[str, Any]]) -> Tasks:
    """Tasks of executor 0 in stage 0, succeeded, where a row does not say otherwise."""
    rows = list(rows)
    tasks = np.zeros(len(rows), TASK)
    for index, row in enumerate(rows):
        tasks[index]["index"] = index
        tasks[index]["outcome"] = Outcome.SUCCEEDED
        for name, value in row.items():
            tasks[index][name] = value
    return tasks[np.argsort(tasks, order=["launch_ms", "stage", "index", "attempt"])]


def task(launch_ms: int, finish_ms: int, **others: Any) -> dict[str, Any]:
    """A row for `tasks_of`."""
    return {"launch_ms": launch_ms, "finish_ms": finish_ms, **others}


def application(
    ended_ms: int,
    executors: Iterable[Executor],
    tasks: Iterable[dict[str, Any]] = (),
    jobs: Iterable[Job] = (),
    properties: dict[str, str] | None = None,
) -> Application:
    """An application from 0 to `ended_ms` whose stages are those of its jobs."""
    jobs = tuple(jobs)
    stages = tuple(
        SparkStage(stage, 0, f"stage {stage}", 1) for job in jobs for stage in job.stages
    )
    return Application(
        "app-1", None, "by hand", "3.5.0", 0, ended_ms, True, tuple(executors), stages, jobs,
        tasks_of(tasks), properties or {}, (),
    )  # fmt: skip


def price(sku: str, usd_per_hour: str, vcpu: int | None, kind: str = "on_demand") -> Price:
    """A row of a made-up region."""
    return Price(
        "azure",
        "here",
        sku,
        vcpu,
        1024,
        Fraction(usd_per_hour),
        PriceKind(kind),
        "test",
        "1",
        AS_OF,
    )


def prices(*rows: Price) -> PriceList:
    """A list of `worker` at 3.6 $/h with 4 vCPUs, `driver` at 1.8 $/h with 2, and more rows."""
    return PriceList.of(
        [price("worker", "3.6", 4), price("driver", "1.8", 2), *rows], "prices by hand"
    )


def cluster(count: int | None = None, driver_vm: str | None = None, spot: bool = False) -> Cluster:
    """Workers of type `worker`."""
    return Cluster("azure", "here", "worker", count, driver_vm, spot, "flags")
