"""The backend of each step: against every choice, and what couples the steps."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.errors import R2D2Error
from r2d2.vmcost.advice.serverless import choose
from r2d2.vmcost.advice.serverless.model import (
    Backend,
    ColdStarts,
    RentedCluster,
    RunStep,
    Serverless,
)
from r2d2.vmcost.advice.serverless.prices import ResourceRate, ServerlessWorker
from r2d2.vmcost.model import Billing
from tests.support.vmcost.serverless_oracle import cheapest_usd

CLUSTER = RentedCluster(Fraction(36), 16, Fraction(18, 10), Billing(start_up_s=Fraction(30)))
SERVERLESS = Serverless(
    ServerlessWorker(4, Fraction(8)),
    ResourceRate(Fraction(1, 6000), "made up", date(2026, 1, 1)),
    100,
)
BUSY = RunStep((1,), 0, 60_000, 60_000, (60_000,) * 40)
QUIET = RunStep((2,), 0, 60_000, 60_000, (60_000,))

times_ms = st.integers(0, 90_000)


@st.composite
def steps(draw: st.DrawFn) -> RunStep:
    worker_ms = draw(st.lists(times_ms, max_size=4))
    return RunStep(
        (0,), draw(times_ms), draw(times_ms), max(worker_ms, default=0), tuple(worker_ms)
    )


@st.composite
def billings(draw: st.DrawFn) -> Billing:
    return Billing(
        quantum_s=draw(st.sampled_from([Fraction(1, 1000), Fraction(1), Fraction(60)])),
        minimum_s=Fraction(draw(st.sampled_from([0, 60, 120]))),
        start_up_s=Fraction(draw(st.integers(0, 40))),
        idle_tail_s=Fraction(draw(st.integers(0, 20))),
    )


@st.composite
def offers(draw: st.DrawFn) -> Serverless:
    rate = ResourceRate(Fraction(draw(st.integers(1, 60)), 10**4), "drawn", date(2026, 1, 1))
    worker = ServerlessWorker(
        1,
        Fraction(2),
        minimum_s=Fraction(draw(st.sampled_from([0, 60]))),
        quantum_s=draw(st.sampled_from([Fraction(1, 1000), Fraction(1), Fraction(60)])),
    )
    kept_s = draw(st.sampled_from([0.0, 30.0, 60.0]))
    return Serverless(
        worker,
        rate,
        10,
        ColdStarts(keep_alive_s=kept_s),
        start_probability=draw(st.sampled_from([0.5, 0.95])),
        bills_cold_starts=draw(st.booleans()),
    )


@pytest.mark.slow
@settings(max_examples=100)
@given(
    st.lists(steps(), max_size=4),
    billings(),
    st.integers(0, 40),
    st.integers(0, 5),
    offers(),
    st.none() | st.integers(0, 500_000),
)
def test_no_choice_of_places_is_cheaper(
    chain: list[RunStep],
    billing: Billing,
    cluster_usd: int,
    driver_usd: int,
    offer: Serverless,
    deadline_ms: int | None,
) -> None:
    cluster = RentedCluster(Fraction(cluster_usd), 8, Fraction(driver_usd), billing)
    least_usd = cheapest_usd(chain, cluster, offer, deadline_ms)
    if least_usd is None:
        with pytest.raises(R2D2Error, match="no choice of places ends within"):
            choose(chain, cluster, offer, deadline_ms)
    else:
        plan = choose(chain, cluster, offer, deadline_ms)
        assert plan.usd == least_usd
        assert deadline_ms is None or plan.elapsed_ms <= deadline_ms


def test_a_step_that_fills_the_cluster_stays_and_one_of_few_tasks_goes() -> None:
    plan = choose([BUSY, QUIET, QUIET, QUIET], CLUSTER, SERVERLESS)
    assert [step.place for step in plan.placed] == [Backend.VM] + [Backend.SERVERLESS] * 3


def test_the_cluster_is_let_go_where_no_later_step_needs_it() -> None:
    assert choose([BUSY, QUIET, QUIET, QUIET], CLUSTER, SERVERLESS).rentals_ms == (90_000,)


def test_a_cluster_idles_through_a_short_step_rather_than_start_twice() -> None:
    short = replace(QUIET, vm_ms=15_000, serverless_ms=5_000, worker_ms=(5_000,))
    plan = choose([BUSY, short, BUSY], CLUSTER, SERVERLESS)
    assert len(plan.rentals_ms) == 1


def test_workers_are_warm_for_the_next_step_until_the_keep_alive_is_over() -> None:
    near, far = replace(QUIET, gap_ms=60_000), replace(QUIET, gap_ms=60_001)
    plan = choose([QUIET, near, far], CLUSTER, SERVERLESS, places=frozenset({Backend.SERVERLESS}))
    assert [step.cold_workers for step in plan.placed] == [1, 0, 1]


def test_a_deadline_buys_speed() -> None:
    slow = RunStep((1,), 0, 10_000, 300_000, (100_000,))
    calm = choose([slow], CLUSTER, SERVERLESS)
    hurried = choose([slow], CLUSTER, SERVERLESS, deadline_ms=60_000)
    assert (calm.placed[0].place, hurried.placed[0].place) == (Backend.SERVERLESS, Backend.VM)
    assert calm.usd < hurried.usd


def test_two_hundred_steps_are_decided_exactly() -> None:
    chain = [BUSY, QUIET] * 100
    plan = choose(chain, CLUSTER, SERVERLESS)
    assert len(plan.placed) == 200
    assert plan.usd <= choose(chain, CLUSTER, SERVERLESS, places=frozenset({Backend.VM})).usd
    assert (
        plan.usd <= choose(chain, CLUSTER, SERVERLESS, places=frozenset({Backend.SERVERLESS})).usd
    )
