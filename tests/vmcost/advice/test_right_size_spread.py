"""Odds to end within a time: from many errors, from few, and from a stated deviation."""

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.errors import UsageError
from r2d2.vmcost.advice.right_size.run_time import Spread


def test_a_stated_deviation_gives_the_normal_quantiles_of_the_logarithm() -> None:
    spread = Spread.given(0.1)
    assert spread.method == "normal"
    assert spread.probability_within(100, 100) == 0.5
    assert spread.probability_within(100, 100 * exp(0.1 * 1.6448536)) == pytest.approx(0.95)


def test_few_errors_cost_confidence_as_student_says() -> None:
    """Of two runs, t with one degree of freedom has its 0.95 quantile at 6.3138."""
    spread = Spread.of([exp(-0.1), exp(0.1)])
    scale = 0.1 * 2**0.5 * 1.5**0.5
    assert spread.method == "student"
    assert spread.probability_within(100, 100) == pytest.approx(0.5)
    assert spread.probability_within(100, 100 * exp(6.313752 * scale)) == pytest.approx(0.95)


def test_many_errors_speak_for_themselves() -> None:
    spread = Spread.of([1 + number / 100 for number in range(24)])
    assert spread.method == "empirical"
    assert spread.probability_within(100, 111.5) == 12 / 25
    assert spread.probability_within(100, 99) == 0
    assert spread.probability_within(100, 1000) == 24 / 25


def test_a_model_that_is_always_too_low_is_not_believed() -> None:
    assert Spread.of([1.5] * 3).probability_within(100, 149) == 0
    assert Spread.of([1.5] * 3).probability_within(100, 151) == 1


@given(st.lists(st.floats(0.5, 2), min_size=2, max_size=30))
def test_the_order_of_the_runs_is_irrelevant(ratios: list[float]) -> None:
    assert Spread.of(ratios) == Spread.of(ratios[::-1])


@pytest.mark.parametrize("ratios", [[], [1.0]])
def test_less_than_two_runs_tell_no_spread(ratios: list[float]) -> None:
    with pytest.raises(UsageError, match="give two or more runs, or a relative"):
        Spread.of(ratios)


def test_a_run_that_took_no_time_tells_no_spread() -> None:
    with pytest.raises(UsageError, match="numbers above 0"):
        Spread.of([0, 1])


def test_a_model_that_says_no_time_at_all_promises_nothing() -> None:
    assert Spread.given(0.1).probability_within(0.0, 100) == 0


def test_ratios_and_deviations_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="numbers above 0"):
        Spread.of([1.0, 0.0])
    with pytest.raises(UsageError, match="0 or above"):
        Spread.given(-0.1)
