"""The cheapest places by trying all, and a plan's cost by laying it out on a clock."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import ceil

from r2d2.vmcost.advice.serverless.model import RentedCluster, RunStep, Serverless

Move = tuple[bool, bool]  # on workers, cluster let go before


def cheapest_usd(
    steps: Sequence[RunStep],
    cluster: RentedCluster,
    serverless: Serverless,
    deadline_ms: int | None,
) -> Fraction | None:
    """The least cost over every place of every step and every moment to let the cluster go."""
    costs = [
        usd
        for moves in _all_moves(len(steps))
        for usd, end_ms in [_cost(moves, steps, cluster, serverless)]
        if deadline_ms is None or end_ms <= deadline_ms
    ]
    return min(costs, default=None)


def _all_moves(count: int) -> Iterator[tuple[Move, ...]]:
    return product(product((False, True), repeat=2), repeat=count)


def _cost(
    moves: Sequence[Move], steps: Sequence[RunStep], cluster: RentedCluster, serverless: Serverless
) -> tuple[Fraction, int]:
    clock, rented_since, workers_left, workers_since = 0, None, 0, 0
    bills: list[tuple[int, Fraction]] = []
    usd = Fraction(0)
    for number, ((on_workers, let_go), step) in enumerate(zip(moves, steps, strict=True)):
        if let_go and rented_since is not None:
            bills.append((clock + cluster.idle_tail_ms - rented_since, cluster.usd_per_hour))
            rented_since = None
        clock += step.gap_ms
        if on_workers:
            stale = clock - workers_since > serverless.cold_starts.keep_alive_s * 1000
            cold = max(step.workers - (0 if stale else workers_left), 0)
            if cold:
                probability = serverless.start_probability ** (1 / cold)
                clock += round(serverless.cold_starts.quantile_s(probability) * 1000)
            clock += step.serverless_ms
            workers_left, workers_since = step.workers, clock
            usd += _workers_usd(step, cold, serverless)
        else:
            if rented_since is None:
                rented_since = clock
                clock += cluster.start_up_ms + (cluster.again_ms if number else 0)
            clock += step.vm_ms
    if rented_since is not None:
        bills.append((clock + cluster.idle_tail_ms - rented_since, cluster.usd_per_hour))
    bills.append((clock, cluster.driver_usd_per_hour))
    return usd + sum(_rent(*bill, cluster) for bill in bills), clock


def _rent(held_ms: int, usd_per_hour: Fraction, cluster: RentedCluster) -> Fraction:
    held_s = max(Fraction(held_ms, 1000), cluster.billing.minimum_s)
    quanta = ceil(held_s / cluster.billing.quantum_s)
    return quanta * cluster.billing.quantum_s * usd_per_hour / 3600


def _workers_usd(step: RunStep, cold: int, serverless: Serverless) -> Fraction:
    worker = serverless.worker
    seconds = Fraction(0)
    for number, busy_ms in enumerate(step.worker_ms):
        starts_cold = serverless.bills_cold_starts and number >= step.workers - cold
        start_ms = round(serverless.cold_starts.mean_s * 1000) if starts_cold else 0
        own = max(Fraction(busy_ms + start_ms, 1000), worker.minimum_s)
        seconds += ceil(own / worker.quantum_s) * worker.quantum_s
    return seconds * serverless.rate.usd_per_second(worker)
