"""Prints the figures of the advice on serverless, pipelines, packing, degradation and energy.

    python -m tests.support.vmcost.advice_figures [EVENT_LOGS]

EVENT_LOGS is the folder of real logs; without it only what needs none is printed. Rates and prices
that no source carries are made up here, and said to be.
"""

import sys
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from random import Random
from statistics import fmean
from time import perf_counter

from r2d2.vmcost.advice.energy import POWERS, energy_of
from r2d2.vmcost.advice.job_schedule import best_schedule
from r2d2.vmcost.advice.job_schedule.model import Lateness
from r2d2.vmcost.advice.packing import Numa, best_shapes, fragment_rate, mib_per_core, rooms_of
from r2d2.vmcost.advice.serverless.model import Backend, ColdStarts, RentedCluster, Serverless
from r2d2.vmcost.advice.serverless.prices import (
    ResourceRate,
    ServerlessWorker,
    UnitRate,
    break_even_utilisation,
)
from r2d2.vmcost.advice.serverless.report import advise_serverless
from r2d2.vmcost.advice.slow_hosts import degradation
from r2d2.vmcost.bill import bill
from r2d2.vmcost.events import read_applications
from r2d2.vmcost.model import Application, Billing, Cluster
from r2d2.vmcost.prices import PriceList
from tests.support.vmcost.pipeline_oracle import random_pipeline

DAY = date(2026, 1, 1)
MADE_UP = ResourceRate(Fraction(1, 60_000), "made up", DAY)
HOURLY = Billing(quantum_s=Fraction(3600), start_up_s=Fraction(120))
LATENESS = Lateness(Fraction(1), Fraction(2))
PIPELINES = 500
DATABRICKS = "databricks-azure-e8s_v3.zstd"
RUNS = ("emr-join-agg.zstd", "emr-attempts", "yarn-dynamic-allocation.zstd", "k8s-spark-3.5")


def main(arguments: list[str]) -> None:
    """Prints all figures."""
    for line in _vectors():
        print(line)
    for line in _pipelines():
        print(line)
    if arguments:
        for line in _real(Path(arguments[0])):
            print(line)


def _vectors() -> Iterator[str]:
    units = UnitRate(Fraction(1), "Alibaba's example", DAY)
    cores, memory_gb = Fraction(3), Fraction(6)
    hours = units.unit_hours(cores, memory_gb, Fraction(1))
    yield (
        f"Alibaba, 3 cores, 6 GB, 60 min: {float(units.units(cores, memory_gb) * 60):g} CU-min,"
        f" {float(hours * 60):g} after the discount, {float(hours):g} CU-h"
    )
    cold = ColdStarts()
    yield (
        f"cold starts: mu {cold.mu:.4f}, sigma {cold.sigma:.4f}, p95 {cold.quantile_s(0.95):.2f} s;"
        f" all of 100 workers within {cold.all_started_s(100, 0.5):.1f} s in half of the runs"
    )
    share = break_even_utilisation(
        Fraction(384, 1000), 8, MADE_UP, ServerlessWorker(1, Fraction(2))
    )
    yield f"rho* of 0.384 $/h, 8 slots, 2 GB a slot, 1/60000 $/GB-s: {float(share):.3f}"
    yield f"penalty of 1 + 2 · late hours at 30 min: {float(LATENESS.penalty_usd(1_800_000)):.1f}"
    free = [7, 7, 5, 16, 9]
    rates = {cores: round(float(fragment_rate(free, cores)), 3) for cores in (4, 16)}
    yield f"FR of free {free}: {rates}"
    for packing in best_shapes(
        rooms_of(16, 65_536, 10, reserved_cores=1, reserved_mib=2048), 4096, (2, 4, 5, 8), Numa(4)
    ):
        yield f"  10 VMs of 16 cores, one reserved: {packing.verdict}"
    yield f"100 vCPU-h, half busy, on AWS: {POWERS['aws'].kwh(100, 0.5):.5f} kWh"


def _pipelines() -> Iterator[str]:
    random, gaps, singles, seconds = Random(2026), [], 0, 0.0
    for _ in range(PIPELINES):
        count, types = random.randint(2, 6), random.randint(2, 4)
        edge = random.choice([0, 0.2, 0.4, 0.7])
        jobs, machines, deadline_ms = random_pipeline(random, count, types, edge)
        listed = best_schedule(jobs, machines, deadline_ms, LATENESS, HOURLY, exact_up_to=0)
        started = perf_counter()
        exact = best_schedule(jobs, machines, deadline_ms, LATENESS, HOURLY)
        seconds = max(seconds, perf_counter() - started)
        singles += listed.single_type_usd is not None and listed.usd <= listed.single_type_usd
        gaps.append(float(listed.usd / exact.usd) - 1)
    yield (
        f"{PIPELINES} random pipelines of 2 to 6 jobs: lists no dearer than the best single type in"
        f" {singles}, dearer than the optimum by {fmean(gaps):.2%} on average, {max(gaps):.1%} at"
        f" most, equal in {sum(gap == 0 for gap in gaps)}; slowest optimum {seconds:.1f} s"
    )
    for count in (10, 20, 40):
        jobs, machines, deadline_ms = random_pipeline(random, count, 4, 0.15)
        started = perf_counter()
        found = best_schedule(jobs, machines, deadline_ms, LATENESS, HOURLY)
        yield f"  {count} jobs, {perf_counter() - started:.1f} s: {found.verdict}"


def _real(logs: Path) -> Iterator[str]:
    app = read_applications([logs / DATABRICKS])[0]
    yield from _serverless(app)
    own = mib_per_core(app)
    if own is not None:
        best = best_shapes(rooms_of(8, 65_536, 2), own)[0]
        yield f"{DATABRICKS}: on 2 VMs of 8 cores and 64 GiB, {own} MiB a core: {best.verdict}"
    cluster = Cluster("azure", "westus", "Standard_E8s_v3", 2, None, False, "figures")
    drawn = energy_of(bill(app, cluster, PriceList.of((), "none")), POWERS["azure"])
    yield f"{DATABRICKS}: {drawn.verdict}"
    for job in sorted(drawn.jobs, key=lambda job: -job.kwh)[:3]:
        yield f"  job {job.key or 'none'}: {job.kwh:.3g} kWh"
    for name in RUNS:
        yield from _hosts(name, read_applications([logs / name]))
    runs = [run for name in RUNS[:2] for run in read_applications([logs / name])]
    yield from _hosts("EMR, three attempts", runs)


def _serverless(app: Application) -> Iterator[str]:
    cluster = RentedCluster(Fraction(112, 100), 16, Fraction(279, 1000))
    for usd_per_gb_second in (Fraction(1, 60_000), Fraction(1, 600_000)):
        rate = ResourceRate(usd_per_gb_second, "made up", DAY)
        offer = Serverless(ServerlessWorker(4, Fraction(16), minimum_s=Fraction(1)), rate, 50)
        started = perf_counter()
        advice = advise_serverless(app, cluster, offer)
        seconds = perf_counter() - started
        yield (
            f"{DATABRICKS} at 1/{usd_per_gb_second.denominator} $/GB-s (made up),"
            f" {seconds:.2f} s: ${float(advice.cheapest.usd):.4f}, all on the cluster"
            f" ${float(advice.on_cluster.usd):.4f}"
        )
        for one in advice.cheapest.placed:
            if one.place is Backend.SERVERLESS and one.stages:
                yield (
                    f"  stages {', '.join(map(str, one.stages))}: {one.workers} workers,"
                    f" {one.cold_workers} of them cold, {one.run_ms / 1000:.1f} s,"
                    f" ${float(one.worker_usd):.5f}"
                )


def _hosts(name: str, runs: list[Application]) -> Iterator[str]:
    found = degradation(runs)
    worst = min((one.performance for one in found.stage_runs), default=1.0)
    yield (
        f"{name}: {len(runs)} runs, {len(found.hosts)} hosts, {len(found.slow)} named slow; least P"
        f" of a stage in a run {worst:.2f}, {len(found.unmatched)} stages not alike"
    )
    for host in found.hosts[:2]:
        yield f"  {host.verdict}"


if __name__ == "__main__":
    main(sys.argv[1:])
