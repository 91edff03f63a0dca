"""Spot against on demand: closed forms of simple cases, what a rate of zero means, and monotony."""

from dataclasses import replace
from fractions import Fraction
from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.errors import UsageError
from r2d2.vmcost.advice.replay import StuckError, replay, replay_workload
from r2d2.vmcost.advice.replay.slots import Life
from r2d2.vmcost.advice.replay.workload import Workload
from r2d2.vmcost.advice.spot import SpotOffer, SpotReport, compare_spot, compare_spot_of
from r2d2.vmcost.model import Billing, PriceKind
from tests.support.vmcost.random_logs import SEEDS, random_log
from tests.support.vmcost.replay_plans import chains, one_job, step
from tests.support.vmcost.vm_prices import rate

HOUR_MS = 3_600_000
EXACT = Billing(minimum_s=Fraction(0))
OFFER = SpotOffer(1, 1, rate("m", "1.00"), rate("m", "0.30", kind=PriceKind.SPOT), 0.0)


def offer(rate: float, count: int = 1, slots: int = 1, replacement_s: float = 120.0) -> SpotOffer:
    return replace(
        OFFER,
        count=count,
        slots_per_vm=slots,
        interruptions_per_vm_hour=rate,
        replacement_s=replacement_s,
    )


def report(plan: Workload, offered: SpotOffer, trials: int = 400, seed: int = 0) -> SpotReport:
    calm_s = replay_workload(plan, [Life(offered.slots_per_vm, 0)] * offered.count) / 1000
    return compare_spot_of(plan, 0, offered, EXACT, calm_s, trials, seed)


@given(chains(), st.integers(1, 3), st.integers(1, 3))
def test_without_interruptions_spot_is_on_demand_at_the_spot_price(
    plan: Workload, count: int, slots: int
) -> None:
    found = report(plan, offer(0.0, count, slots), trials=3)
    assert found.spot.mean_s == found.spot.p95_s == found.on_demand.mean_s
    assert found.spot.mean_usd == found.spot.p95_usd
    assert found.spot.mean_usd == found.on_demand.mean_usd * Fraction(3, 10)
    assert (found.interruptions, found.tasks_again, found.spot.miss_probability) == (0, 0, 0)


def test_on_demand_is_the_replay_of_the_log_on_the_slots_of_all_vms() -> None:
    app = random_log(7).truth
    found = compare_spot(app, offer(0.0, 2, 3), EXACT, trials=1)
    assert found.on_demand.mean_s == replay(app, 6).predicted_s
    milliseconds = round(found.on_demand.mean_s * 1000)
    assert found.on_demand.mean_usd == 2 * Fraction(milliseconds, HOUR_MS)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "hours"), [(0.5, 1.0), (1.0, 1.0), (2.0, 0.75)])
def test_one_task_on_one_vm_is_repeated_as_often_as_geometry_says(
    rate: float, hours: float
) -> None:
    """Tries until one lasts: e^λd - 1 failures, and (e^λd - 1)(1/λ + r) hours in all."""
    plan = one_job(step(round(hours * HOUR_MS)))
    found = report(plan, offer(rate, replacement_s=360), trials=6000)
    failures = exp(rate * hours) - 1
    assert found.interruptions == pytest.approx(failures, rel=0.06)
    assert found.tasks_again == found.interruptions
    assert found.spot.mean_s == pytest.approx(3600 * failures * (1 / rate + 0.1), rel=0.06)
    assert float(found.spot.mean_usd) == pytest.approx(0.30 * failures / rate, rel=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 4, 16])
def test_the_odds_of_a_run_without_interruption_are_those_of_poisson(count: int) -> None:
    plan = one_job(step(*[HOUR_MS] * count))
    found = report(plan, offer(0.05, count), trials=3000)
    assert found.spot.miss_probability == pytest.approx(1 - exp(-0.05 * count), abs=0.025)


def test_more_interruptions_take_longer_cost_more_and_miss_more_often() -> None:
    chain = [step(*[600_000] * 6), step(*[900_000] * 6, stage=1, after=[0])]
    found = [report(one_job(*chain), offer(rate, 3)) for rate in (0.0, 0.1, 0.4, 1.6)]
    for figure in ("mean_s", "p95_s", "mean_usd", "p95_usd", "miss_probability"):
        values = [getattr(one.spot, figure) for one in found]
        assert values == sorted(values)
        assert values[0] < values[-1]
    assert [one.on_demand for one in found] == [found[0].on_demand] * 4


def test_a_longer_wait_for_a_new_vm_takes_longer_and_costs_no_less() -> None:
    plan = one_job(step(*[600_000] * 6))
    found = [report(plan, offer(1.0, 2, 1, wait_s)).spot for wait_s in (0, 300, 3000)]
    assert [one.mean_s for one in found] == sorted(one.mean_s for one in found)
    assert found[0].mean_s < found[-1].mean_s


def test_output_that_is_read_across_vms_makes_interruptions_dearer() -> None:
    steps = [step(*[900_000] * 4, stage=number) for number in (0, 1)]
    apart = one_job(steps[0], replace(steps[1], after=(0,)))
    reading = one_job(steps[0], replace(steps[1], after=(0,), reads=(0,)))
    found = [report(plan, offer(0.5, 4)).spot.mean_s for plan in (apart, reading)]
    assert found[0] < found[1]


@settings(max_examples=25)
@given(st.sampled_from(SEEDS), st.sampled_from([0.5, 5.0, 50.0]))
def test_no_interruption_makes_any_log_stuck_or_free(seed: int, rate: float) -> None:
    found = compare_spot(random_log(seed).truth, offer(rate, 2, 2, 10), EXACT, trials=5)
    assert found.spot.p95_s >= found.spot.mean_s * (1 - 1e-12)
    assert found.spot.mean_usd > 0


def test_the_same_seed_gives_the_same_report_and_another_seed_another() -> None:
    plan = one_job(step(*[600_000] * 6))
    assert report(plan, offer(1.0, 2), seed=3) == report(plan, offer(1.0, 2), seed=3)
    assert report(plan, offer(1.0, 2), seed=3) != report(plan, offer(1.0, 2), seed=4)


def test_every_new_vm_is_a_rental_with_a_minimum_and_a_lead() -> None:
    plan = one_job(step(HOUR_MS))
    hourly = replace(EXACT, quantum_s=Fraction(3600))
    found = compare_spot_of(plan, 0, offer(1.0), hourly, trials=2000)
    assert float(found.spot.mean_usd) > 0.30 * (1 + found.interruptions) - 1e-9
    lead = replace(EXACT, start_up_s=Fraction(100))
    dearer = compare_spot_of(plan, 0, offer(1.0), lead, trials=50).spot.mean_usd
    plain = compare_spot_of(plan, 0, offer(1.0), EXACT, trials=50)
    rentals = Fraction(round(50 * (1 + plain.interruptions)), 50)
    assert dearer - plain.spot.mean_usd == rentals * 100 * Fraction(3, 10) / 3600


def test_the_driver_is_paid_on_demand_for_the_whole_run() -> None:
    plan = one_job(step(HOUR_MS))
    driven = replace(offer(1.0), driver=rate("driver", "0.50"))
    found, bare = report(plan, driven), report(plan, offer(1.0))
    assert found.on_demand.mean_usd - bare.on_demand.mean_usd == Fraction(1, 2)
    added = float(found.spot.mean_usd - bare.spot.mean_usd)
    assert added == pytest.approx(0.50 * found.spot.mean_s / 3600)


def test_the_verdict_names_saving_delay_and_odds() -> None:
    calm = report(one_job(step(HOUR_MS)), offer(0.0))
    assert calm.verdict == (
        "spot is 70.0% cheaper and 0.0% slower on average, and misses the deadline with P 0.000"
    )
    wild = report(one_job(step(HOUR_MS)), offer(3.0))
    assert "dearer" in wild.verdict


def test_interruptions_that_let_no_run_end_are_named() -> None:
    with pytest.raises(StuckError, match="fewer interruptions"):
        report(one_job(step(HOUR_MS)), offer(60.0), trials=1)


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"slots_per_vm": 0}, {"interruptions_per_vm_hour": -1.0}]
)
def test_offers_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        replace(OFFER, **wrong)


def test_no_trial_tells_nothing() -> None:
    with pytest.raises(UsageError, match="0 trials"):
        report(one_job(step(1)), OFFER, trials=0)
