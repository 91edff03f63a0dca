"""The cheapest schedule by trying every order of jobs on every set of VMs, and random pipelines."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import permutations
from math import ceil
from random import Random

from r2d2.vmcost.advice.job_schedule.model import Lateness, Machine, PipelineJob
from r2d2.vmcost.model import Billing

HOUR_MS = 3_600_000


def least_usd(
    jobs: Sequence[PipelineJob],
    machines: Sequence[Machine],
    deadline_ms: int,
    lateness: Lateness,
    billing: Billing,
) -> Fraction:
    """The least cost over all schedules of the model; up to six jobs and a few types."""
    outcomes = {
        outcome
        for order in permutations(jobs)
        if _follows(order)
        for vms in _assignments(order, machines)
        if (outcome := _run(order, vms, billing)) is not None
    }
    return min(_usd(outcome, machines, deadline_ms, lateness, billing) for outcome in outcomes)


def random_pipeline(
    random: Random, count: int, types: int, edge: float = 0.3
) -> tuple[list[PipelineJob], list[Machine], int]:
    """Jobs, machines and a deadline: faster types cost more, by and large."""
    speeds = [random.uniform(0.5, 3.0) for _ in range(types)]
    machines = [
        Machine(f"type-{number}", Fraction(round(speed * random.uniform(80, 120)), 100))
        for number, speed in enumerate(speeds)
    ]
    jobs = []
    for number in range(count):
        work_ms = random.randint(5, 120) * 60_000
        after = tuple(f"job-{other}" for other in range(number) if random.random() < edge)
        run_ms = {
            machine.sku: max(1, round(work_ms / speed * random.uniform(0.8, 1.2)))
            for machine, speed in zip(machines, speeds, strict=True)
        }
        jobs.append(PipelineJob(f"job-{number}", after, run_ms))
    return jobs, machines, random.randint(30, 400) * 60_000


def _follows(order: Sequence[PipelineJob]) -> bool:
    seen: set[str] = set()
    for job in order:
        if not seen.issuperset(job.after):
            return False
        seen.add(job.name)
    return True


def _assignments(
    order: Sequence[PipelineJob], machines: Sequence[Machine]
) -> Iterator[tuple[tuple[int, str], ...]]:
    if not order:
        yield ()
        return
    for rest in _assignments(order[:-1], machines):
        used = sorted(set(rest))
        yield from ((*rest, vm) for vm in used)
        yield from ((*rest, (len(used), machine.sku)) for machine in machines)


def _run(
    order: Sequence[PipelineJob], vms: Sequence[tuple[int, str]], billing: Billing
) -> tuple[int, tuple[tuple[str, int], ...]] | None:
    """When all ends, and each VM's SKU and time; None where a job cannot run where it was put."""
    start_up_ms = int(billing.start_up_s * 1000)
    ends: dict[str, int] = {}
    spans: dict[tuple[int, str], tuple[int, int]] = {}
    for job, vm in zip(order, vms, strict=True):
        if vm[1] not in job.run_ms:
            return None
        ready = max((ends[other] for other in job.after), default=0)
        start = max(ready, spans[vm][1] if vm in spans else start_up_ms)
        ends[job.name] = start + job.run_ms[vm[1]]
        spans[vm] = (spans[vm][0] if vm in spans else start, ends[job.name])
    times = sorted((sku, to_ms - from_ms) for (_, sku), (from_ms, to_ms) in spans.items())
    return max(ends.values(), default=0), tuple(times)


def _usd(
    outcome: tuple[int, tuple[tuple[str, int], ...]],
    machines: Sequence[Machine],
    deadline_ms: int,
    lateness: Lateness,
    billing: Billing,
) -> Fraction:
    end_ms, times = outcome
    price = {machine.sku: machine.usd_per_hour for machine in machines}
    late_hours = Fraction(max(0, end_ms - deadline_ms), HOUR_MS)
    usd = lateness.fixed_usd + lateness.usd_per_hour * late_hours if late_hours else Fraction(0)
    for sku, busy_ms in times:
        rented_s = Fraction(busy_ms, 1000) + billing.start_up_s + billing.idle_tail_s
        quanta = ceil(max(rented_s, billing.minimum_s) / billing.quantum_s)
        usd += quanta * billing.quantum_s * price[sku] / 3600
    return usd
