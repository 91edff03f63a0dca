"""Pipelines on VM types under a deadline: against every schedule, and against single types."""

from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.errors import UsageError
from r2d2.vmcost.advice.job_schedule import best_schedule
from r2d2.vmcost.advice.job_schedule.model import Lateness, Machine, PipelineJob
from r2d2.vmcost.model import Billing
from tests.support.vmcost.pipeline_oracle import least_usd, random_pipeline

MINUTE = 60_000
LATENESS = Lateness(Fraction(1), Fraction(2))
HOURLY = Billing(quantum_s=Fraction(3600), start_up_s=Fraction(120))
SMALL, LARGE = Machine("small", Fraction(1)), Machine("large", Fraction(3))

billings = st.builds(
    Billing,
    quantum_s=st.sampled_from([Fraction(1, 1000), Fraction(60), Fraction(3600)]),
    minimum_s=st.sampled_from([Fraction(0), Fraction(60), Fraction(900)]),
    start_up_s=st.integers(0, 300).map(Fraction),
    idle_tail_s=st.integers(0, 60).map(Fraction),
)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 10**9), st.integers(0, 4), st.integers(1, 3), billings, st.integers(0, 5))
def test_no_schedule_of_few_jobs_is_cheaper(
    seed: int, count: int, types: int, billing: Billing, late_usd: int
) -> None:
    jobs, machines, deadline_ms = random_pipeline(Random(seed), count, types)
    lateness = Lateness(Fraction(1), Fraction(late_usd))
    schedule = best_schedule(jobs, machines, deadline_ms, lateness, billing)
    assert schedule.exact
    assert schedule.usd == least_usd(jobs, machines, deadline_ms, lateness, billing)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_no_schedule_of_six_jobs_is_cheaper(seed: int) -> None:
    jobs, machines, deadline_ms = random_pipeline(Random(seed), 6, 2, edge=0.6)
    schedule = best_schedule(jobs, machines, deadline_ms, LATENESS, HOURLY)
    assert schedule.usd == least_usd(jobs, machines, deadline_ms, LATENESS, HOURLY)


@pytest.mark.parametrize("count", [3, 8, 15])
def test_lists_never_cost_more_than_the_best_single_type(count: int) -> None:
    for seed in range(10):
        jobs, machines, deadline_ms = random_pipeline(Random(seed), count, 4)
        schedule = best_schedule(jobs, machines, deadline_ms, LATENESS, HOURLY, exact_up_to=0)
        assert not schedule.exact
        assert schedule.single_type_usd is not None
        assert schedule.usd <= schedule.single_type_usd


@given(st.integers(0, 10**9), st.integers(1, 9), billings)
@settings(max_examples=30)
def test_jobs_wait_for_those_before_them_and_share_no_moment_of_a_vm(
    seed: int, count: int, billing: Billing
) -> None:
    jobs, machines, deadline_ms = random_pipeline(Random(seed), count, 2)
    schedule = best_schedule(jobs, machines, deadline_ms, LATENESS, billing, exact_up_to=4)
    placed = {one.job: one for one in schedule.placed}
    assert sorted(placed) == sorted(job.name for job in jobs)
    for job in jobs:
        own = placed[job.name]
        assert all(placed[other].end_ms <= own.start_ms for other in job.after)
        assert own.end_ms - own.start_ms == job.run_ms[schedule.rentals[own.rental].sku]
    for number, rental in enumerate(schedule.rentals):
        times = sorted((o.start_ms, o.end_ms) for o in schedule.placed if o.rental == number)
        assert all(one[1] <= other[0] for one, other in pairwise(times))
        assert 0 <= rental.from_ms <= times[0][0]
        assert rental.to_ms >= times[-1][1]
    assert schedule.rent_usd == sum(rental.usd for rental in schedule.rentals)


def test_being_half_an_hour_late_costs_one_and_two_halves() -> None:
    assert LATENESS.penalty_usd(30 * MINUTE) == 2
    assert LATENESS.penalty_usd(0) == 0


def test_a_job_that_fits_into_the_paid_hour_rents_no_second_vm() -> None:
    jobs = [PipelineJob(name, (), {"small": 20 * MINUTE}) for name in ("a", "b")]
    schedule = best_schedule(jobs, [SMALL], 120 * MINUTE, LATENESS, HOURLY)
    assert [rental.usd for rental in schedule.rentals] == [1]


def test_a_deadline_that_costs_more_than_a_large_vm_rents_it() -> None:
    jobs = [PipelineJob("a", (), {"small": 110 * MINUTE, "large": 40 * MINUTE})]
    calm = best_schedule(jobs, [SMALL, LARGE], 120 * MINUTE, LATENESS, HOURLY)
    hurried = best_schedule(jobs, [SMALL, LARGE], 60 * MINUTE, LATENESS, HOURLY)
    assert [calm.rentals[0].sku, hurried.rentals[0].sku] == ["small", "large"]
    assert (calm.usd, hurried.usd) == (2, 3)
    assert hurried.verdict == (
        "rent 1 x large: $3.0000, of it $0.0000 for lateness, done after 2520.0 s"
        " (no schedule is cheaper); on large alone $3.0000"
    )


def test_a_short_delay_may_be_cheaper_than_keeping_the_deadline() -> None:
    jobs = [PipelineJob("a", (), {"small": 110 * MINUTE, "large": 40 * MINUTE})]
    schedule = best_schedule(
        jobs, [SMALL, LARGE], 100 * MINUTE, Lateness(Fraction(0), Fraction(1)), HOURLY
    )
    assert schedule.rentals[0].sku == "small"
    assert schedule.penalty_usd == Fraction(12, 60)


def test_a_job_that_only_one_type_can_run_runs_there() -> None:
    jobs = [
        PipelineJob("a", (), {"small": MINUTE}),
        PipelineJob("b", ("a",), {"large": MINUTE}),
    ]
    schedule = best_schedule(jobs, [SMALL, LARGE], 60 * MINUTE, LATENESS, HOURLY)
    assert [rental.sku for rental in schedule.rentals] == ["small", "large"]
    assert schedule.single_type is None


def test_the_order_in_which_machines_are_listed_changes_nothing() -> None:
    jobs, machines, deadline_ms = random_pipeline(Random(7), 9, 4)
    one = best_schedule(jobs, machines, deadline_ms, LATENESS, HOURLY)
    assert one == best_schedule(jobs, machines[::-1], deadline_ms, LATENESS, HOURLY)


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        ([PipelineJob("a", ("b",), {"small": 1})], "after 'b', which is no job"),
        ([PipelineJob("a", (), {"other": 1})], "'other', which is no machine"),
        ([PipelineJob("a", (), {})], "needs a time above 0"),
        ([PipelineJob("a", (), {"small": 1})] * 2, "'a' is listed twice"),
        (
            [PipelineJob("a", ("b",), {"small": 1}), PipelineJob("b", ("a",), {"small": 1})],
            "in a circle: ",
        ),
    ],
)
def test_an_unsound_pipeline_is_refused(jobs: list[PipelineJob], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        best_schedule(jobs, [SMALL], MINUTE, LATENESS, HOURLY)
