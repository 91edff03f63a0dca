"""The cheapest machines under a deadline: every candidate is listed, priced and given its odds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.errors import UsageError
from r2d2.vmcost.advice.right_size import Goal, RightSize, right_size
from r2d2.vmcost.advice.right_size.ernest import MeasuredRun, Prediction, fit_ernest
from r2d2.vmcost.advice.right_size.run_time import ErnestTime, ReplayTime, Spread
from r2d2.vmcost.bill import Rate
from r2d2.vmcost.model import Billing, Price
from tests.support.vmcost.applications import application
from tests.support.vmcost.vm_prices import rate

SURE = Spread.given(0.0)
BY_SECOND = Billing(quantum_s=Fraction(1), minimum_s=Fraction(1))


@dataclass(frozen=True, slots=True)
class Parallel:
    """An application of so many core-seconds that uses every core."""

    core_s: float

    def unfit_reason(self, price: Price) -> str | None:
        return None

    def expected(self, price: Price, count: int) -> Prediction:
        return Prediction(self.core_s / (count * (price.vcpu or 1)))


def names(found: RightSize) -> list[tuple[str, int]]:
    return [(one.rate.sku, one.count) for one in found.candidates]


def test_the_cheapest_that_meets_the_deadline_is_named() -> None:
    prices = [rate("slow", "0.10", 2), rate("quick", "0.50", 8)]
    found = right_size(prices, (1, 2, 4), Parallel(3600), SURE, Goal(500), BY_SECOND)
    assert found.best is not None
    assert (found.best.rate.sku, found.best.count) == ("slow", 4)
    assert found.best.usd == Fraction("0.10") * 4 * 450 / 3600
    assert "4 x slow is the cheapest that meets 500 s" in found.verdict


def test_every_candidate_is_listed_those_that_meet_first_then_by_price() -> None:
    prices = [rate("slow", "0.10", 2), rate("quick", "0.50", 8)]
    found = right_size(prices, (4, 1, 2, 1), Parallel(3600), SURE, Goal(500), BY_SECOND)
    assert [one.usd for one in found.candidates] == [
        Fraction(seconds, 3600) for seconds in (180, 225, 225, 226, 180, 180)
    ]
    assert names(found) == [
        ("slow", 4),
        ("quick", 2),
        ("quick", 1),
        ("quick", 4),
        ("slow", 2),
        ("slow", 1),
    ]
    assert [one.meets for one in found.candidates] == [True] * 4 + [False] * 2


def test_where_none_meets_the_verdict_says_so() -> None:
    found = right_size([rate("slow", "0.10")], (1,), Parallel(3600), SURE, Goal(10))
    assert found.best is None
    assert found.verdict.startswith("none of 1 candidate meets 10 s")


def test_money_is_billed_by_minimum_quantum_lead_tail_and_driver() -> None:
    billing = Billing(Fraction(60), Fraction(600), Fraction(30), Fraction(15))
    few = right_size([rate("one", "0.60")], (2,), Parallel(8), SURE, Goal(9), billing)
    assert few.candidates[0].usd == 2 * Fraction("0.60") * 600 / 3600
    more = right_size(
        [rate("one", "0.60")],
        (2,),
        Parallel(4800),
        SURE,
        Goal(900),
        billing,
        rate("driver", "0.30"),
    )
    assert more.candidates[0].usd == (2 * Fraction("0.60") + Fraction("0.30")) * 660 / 3600


@given(st.fractions(Fraction(1, 100), 10), st.integers(2, 9))
def test_money_is_linear_in_the_price(usd_per_hour: Fraction, times: int) -> None:
    price = rate("one", str(usd_per_hour))
    dearer = replace(price, usd_per_hour=usd_per_hour * times)
    one, many = (
        right_size([row], (3,), Parallel(999), SURE, Goal(9)).candidates[0].usd
        for row in (price, dearer)
    )
    assert many == one * times


@given(st.lists(st.floats(0.5, 2), min_size=2, max_size=30), st.floats(1, 500))
def test_more_time_is_never_less_likely_to_do(ratios: list[float], deadline_s: float) -> None:
    spread = Spread.of(ratios)
    odds = [spread.probability_within(100, limit_s) for limit_s in (deadline_s, 2 * deadline_s)]
    assert 0 <= odds[0] <= odds[1] <= 1


def test_a_wider_spread_asks_for_more_machines() -> None:
    prices, counts, goal = [rate("one", "0.10")], range(1, 20), Goal(100, 0.95)
    fewest = [
        min(
            one.count
            for one in right_size(prices, counts, Parallel(3600), spread, goal).candidates
            if one.meets
        )
        for spread in (SURE, Spread.given(0.1), Spread.given(0.3))
    ]
    assert fewest == [9, 11, 15]


def test_replay_gives_the_seconds_of_all_slots_that_count() -> None:
    app = application([(0, 0, 0, 100_000)] * 8, 100_000, cores=8)
    found = right_size([rate("one", "1", 3)], (1, 2, 4), ReplayTime.of(app), SURE, Goal(1))
    assert {one.count: one.expected_s for one in found.candidates} == {1: 300, 2: 200, 4: 100}


def test_a_task_of_two_cores_takes_two() -> None:
    app = application([(0, 0, 0, 100_000)] * 4, 100_000, cores=8)
    wide = replace(app, executors=(replace(app.executors[0], task_cpus=2),))
    prices = [rate("five", "1", 5), rate("one", "1", 1)]
    found = right_size(prices, (2,), ReplayTime.of(wide), SURE, Goal(1))
    assert [one.expected_s for one in found.candidates] == [100]
    assert found.left_out == (
        ("cloud here one on_demand", "1 vCPUs are fewer than a task takes (2)"),
    )


def test_types_without_the_memory_that_the_executors_had_are_left_out_with_the_reason() -> None:
    app = application([(0, 0, 0, 100)], 100, cores=4)
    big = replace(app, executors=(replace(app.executors[0], memory_mib=20_000),))
    prices = [rate("lean", "1", 4, 16_384), rate("rich", "2", 4, 32_768), rate("odd", "1", None)]
    found = right_size(prices, (1,), ReplayTime.of(big), SURE, Goal(1))
    assert names(found) == [("rich", 1)]
    assert found.left_out == (
        ("cloud here lean on_demand", "16384 MiB are less than its 4 slots need (20000)"),
        ("cloud here odd on_demand", "its vCPUs are not known"),
    )


def ernest_runs() -> Sequence[MeasuredRun]:
    return [MeasuredRun(scale, cores, 5 + 80 * scale / cores) for scale, cores in RUN_SIZES]


RUN_SIZES = ((0.1, 1), (0.2, 2), (0.5, 4), (1, 4), (1, 8))


def test_ernest_gives_the_seconds_and_flags_what_lies_beyond() -> None:
    run_time = ErnestTime(fit_ernest(ernest_runs()), 1.0)
    found = right_size([rate("one", "1", 4)], (2, 9), run_time, SURE, Goal(16))
    by_count = {one.count: one for one in found.candidates}
    assert by_count[2].expected_s == pytest.approx(15)
    assert (by_count[2].extrapolated, by_count[9].extrapolated) == ((), ("machines",))


@pytest.mark.parametrize(
    ("prices", "counts"), [([], (1,)), ([rate("one", "1")], ()), ([rate("one", "1")], (0,))]
)
def test_without_types_or_counts_there_is_nothing_to_size(
    prices: list[Rate], counts: tuple[int, ...]
) -> None:
    with pytest.raises(UsageError, match="counts of 1 or more"):
        right_size(prices, counts, Parallel(1), SURE, Goal(1))


@pytest.mark.parametrize(("deadline_s", "probability"), [(0, 0.9), (1, 0), (1, 1)])
def test_a_goal_that_makes_no_sense_is_refused(deadline_s: float, probability: float) -> None:
    with pytest.raises(UsageError, match="must be"):
        Goal(deadline_s, probability)
