"""Spot, serverless and pipeline with fees, 300 random cases of each beside all there is to choose.

The price of an hour is reckoned here by hand: the machine's, DBUs at their price, and the uplift.
"""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from r2d2.errors import R2D2Error
from r2d2.vmcost.advice.job_schedule import best_schedule
from r2d2.vmcost.advice.job_schedule.model import Lateness, Machine
from r2d2.vmcost.advice.serverless import choose
from r2d2.vmcost.advice.serverless.model import (
    ColdStarts,
    RentedCluster,
    RunStep,
    Serverless,
)
from r2d2.vmcost.advice.serverless.prices import ResourceRate, ServerlessWorker
from r2d2.vmcost.advice.spot import SpotOffer, compare_spot_of
from r2d2.vmcost.bill import Rate, vm_rate
from r2d2.vmcost.model import Billing, Price, PriceKind
from r2d2.vmcost.prices import PriceList
from tests.support.vmcost.pipeline_oracle import least_usd, random_pipeline
from tests.support.vmcost.replay_plans import one_job, step
from tests.support.vmcost.serverless_oracle import cheapest_usd

HERE = ("aws", "here")
HOUR_MS = 3_600_000
DAY = date(2026, 9, 1)


def row(sku: str, usd: Fraction, kind: PriceKind = PriceKind.ON_DEMAND) -> Price:
    return Price(*HERE, sku, None, None, usd, kind, "random", "1", DAY)


class Prices:
    """Random prices and fees of some machines, and what an hour of each costs with them."""

    def __init__(self, chance: Random, skus: list[str]) -> None:
        self.machine = {sku: Fraction(chance.randint(1, 99), 100) for sku in skus}
        self.spot = {sku: usd / chance.randint(2, 5) for sku, usd in self.machine.items()}
        self.dbus = {sku: Fraction(chance.randint(1, 30), 10) for sku in skus}
        self.uplift = {sku: Fraction(chance.randint(1, 9), 100) for sku in skus}
        self.billing = Billing(
            quantum_s=Fraction(chance.choice([1, 60, 3600])),
            minimum_s=Fraction(chance.choice([0, 60])),
            start_up_s=Fraction(chance.randint(0, 90)),
            idle_tail_s=Fraction(chance.randint(0, 30)),
            uplift_usd_per_node_hour=Fraction(chance.randint(0, 9), 100),
            dbu_usd=Fraction(chance.randint(0, 9), 10),
        )
        rows = [row(sku, usd) for sku, usd in self.machine.items()]
        rows += [row(sku, usd, PriceKind.SPOT) for sku, usd in self.spot.items()]
        rows += [row(sku, usd, PriceKind.DBU) for sku, usd in self.dbus.items()]
        rows += [row(sku, usd, PriceKind.UPLIFT) for sku, usd in self.uplift.items()]
        self.list = PriceList.of(rows, "random")

    def rate(self, sku: str, kind: PriceKind = PriceKind.ON_DEMAND) -> Rate:
        return vm_rate(HERE, sku, self.list, self.billing, kind)

    def hour_usd(self, sku: str, *, spot: bool = False) -> Fraction:
        machine = self.spot[sku] if spot else self.machine[sku]
        fees = self.uplift[sku] + self.dbus[sku] * (self.billing.dbu_usd or 0)
        return machine + fees + self.billing.uplift_usd_per_node_hour

    def rent_usd(self, used_ms: int, hour_usd: Fraction, *, tail: bool) -> Fraction:
        rented_s = Fraction(used_ms, 1000) + self.billing.start_up_s
        rented_s = max(rented_s + self.billing.idle_tail_s * tail, self.billing.minimum_s)
        return -(-rented_s // self.billing.quantum_s) * self.billing.quantum_s * hour_usd / 3600


def a_run_on_spot(
    tasks_ms: list[int], rate: float, wait_ms: int, seed: tuple[int, int]
) -> tuple[int, list[tuple[int, int]]]:
    """Tasks one after another on one VM; a lost one waits behind the others: end, and rentals."""
    lives = np.random.default_rng([*seed, 0])
    now, rentals, left = 0, [], list(tasks_ms)
    while True:
        gone = now + round(float(lives.standard_exponential()) * HOUR_MS / rate)
        begun = now
        while left and now + left[0] <= gone:
            now += left.pop(0)
        if not left:
            return now, [*rentals, (begun, now)]
        rentals.append((begun, gone))
        left.append(left.pop(0))
        now = gone + wait_ms


@pytest.mark.slow
def test_spot_costs_what_its_runs_one_by_one_cost() -> None:
    for seed in range(300):
        chance = Random(seed)
        prices = Prices(chance, ["vm"])
        tasks_ms = [chance.randint(60_000, 1_200_000) for _ in range(chance.randint(1, 4))]
        rate, wait_s = chance.choice([0.2, 1.0, 3.0]), chance.randint(0, 300)
        spot = prices.rate("vm", PriceKind.SPOT)
        offer = SpotOffer(1, 1, prices.rate("vm"), spot, rate, float(wait_s))
        plan = one_job(step(*tasks_ms))
        found = compare_spot_of(plan, 0, offer, prices.billing, trials=4, seed=seed)
        usd = []
        for trial in range(4):
            end_ms, rentals = a_run_on_spot(tasks_ms, rate, wait_s * 1000, (seed, trial))
            usd.append(
                sum(
                    prices.rent_usd(
                        to_ms - from_ms, prices.hour_usd("vm", spot=True), tail=to_ms == end_ms
                    )
                    for from_ms, to_ms in rentals
                )
            )
        assert found.spot.mean_usd == sum(usd, Fraction()) / 4, seed
        calm_usd = prices.rent_usd(sum(tasks_ms), prices.hour_usd("vm"), tail=True)
        assert found.on_demand.mean_usd == calm_usd, seed


@pytest.mark.slow
def test_no_choice_of_places_is_cheaper_with_fees() -> None:
    for seed in range(300):
        chance = Random(seed)
        prices, count = Prices(chance, ["vm", "driver"]), chance.randint(1, 4)
        rated = RentedCluster(
            count * prices.rate("vm").usd_per_hour,
            8,
            prices.rate("driver").usd_per_hour,
            prices.billing,
            chance.choice([0, 30_000]),
        )
        by_hand = replace(
            rated,
            usd_per_hour=count * prices.hour_usd("vm"),
            driver_usd_per_hour=prices.hour_usd("driver"),
        )
        per_gb = Fraction(chance.randint(1, 60), 10**5)
        offer = Serverless(
            ServerlessWorker(1, Fraction(2)),
            ResourceRate(per_gb, "random", DAY),
            10,
            ColdStarts(keep_alive_s=chance.choice([0.0, 30.0, 60.0])),
        )
        steps = []
        for _ in range(chance.randint(0, 4)):
            busy = tuple(chance.randint(0, 90_000) for _ in range(chance.randint(0, 4)))
            times = chance.randint(0, 90_000), chance.randint(0, 90_000)
            steps.append(RunStep((0,), *times, max(busy, default=0), busy))
        deadline_ms = chance.choice([None, chance.randint(0, 500_000)])
        least = cheapest_usd(steps, by_hand, offer, deadline_ms)
        if least is None:
            with pytest.raises(R2D2Error, match="no choice of places ends within"):
                choose(steps, rated, offer, deadline_ms)
        else:
            assert choose(steps, rated, offer, deadline_ms).usd == least, seed


@pytest.mark.slow
def test_no_schedule_is_cheaper_with_fees() -> None:
    for seed in range(300):
        chance = Random(seed)
        types = chance.randint(1, 2)
        jobs, machines, deadline_ms = random_pipeline(chance, chance.randint(1, 3), types)
        skus = [machine.sku for machine in machines]
        prices = Prices(chance, skus)
        lateness = Lateness(Fraction(chance.randint(0, 2)), Fraction(chance.randint(0, 5)))
        rated = [Machine(sku, prices.rate(sku).usd_per_hour) for sku in skus]
        by_hand = [Machine(sku, prices.hour_usd(sku)) for sku in skus]
        schedule = best_schedule(jobs, rated, deadline_ms, lateness, prices.billing)
        assert schedule.exact
        least = least_usd(jobs, by_hand, deadline_ms, lateness, prices.billing)
        assert schedule.usd == least, seed
