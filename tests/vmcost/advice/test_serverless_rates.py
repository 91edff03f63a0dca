"""Rates, the break-even, cold starts: the published examples."""

from datetime import date
from fractions import Fraction

import pytest

from r2d2.errors import UsageError
from r2d2.vmcost.advice.serverless.model import ColdStarts
from r2d2.vmcost.advice.serverless.prices import (
    ResourceRate,
    ServerlessWorker,
    UnitRate,
    break_even_utilisation,
)

DAY = date(2026, 3, 18)
UNITS = UnitRate(Fraction(1), "made up", DAY)


def test_alibabas_example_is_180_unit_minutes_144_after_the_discount_2_4_hours() -> None:
    cores, memory_gb = Fraction(3), Fraction(6)
    assert UNITS.units(cores, memory_gb) * 60 == 180
    assert UNITS.unit_hours(cores, memory_gb, Fraction(1)) * 60 == 144
    assert UNITS.unit_hours(cores, memory_gb, Fraction(1)) == Fraction(24, 10)


@pytest.mark.parametrize(
    ("memory_gb", "factor"), [("1.9", "0.7"), ("2", "0.8"), ("3", "0.9"), ("4", "1"), ("16", "1")]
)
def test_the_discount_includes_the_lower_end_of_its_range(memory_gb: str, factor: str) -> None:
    assert UNITS.discount(Fraction(1), Fraction(memory_gb)) == Fraction(factor)


def test_memory_beyond_four_gb_to_a_core_is_paid_as_further_units() -> None:
    assert UNITS.unit_hours(Fraction(1), Fraction(16), Fraction(1)) == 4


def test_a_worker_below_the_services_least_size_pays_for_the_least() -> None:
    rate = ResourceRate(Fraction(2), "made up", DAY, usd_per_core_second=Fraction(3))
    assert (
        rate.usd_per_second(
            ServerlessWorker(1, Fraction(1), minimum_cores=2, minimum_gb=Fraction(4))
        )
        == 14
    )


def test_the_break_even_is_price_over_slots_memory_and_gb_seconds() -> None:
    rate = ResourceRate(Fraction(1, 60_000), "made up", DAY)
    share = break_even_utilisation(Fraction(384, 1000), 8, rate, ServerlessWorker(1, Fraction(2)))
    assert share == Fraction(384, 1000) / 3600 / (8 * 2 * Fraction(1, 60_000)) == Fraction(2, 5)


def test_at_the_break_even_both_cost_the_same() -> None:
    rate, worker, usd_per_hour = (
        ResourceRate(Fraction(1, 50_000), "", DAY),
        ServerlessWorker(4, Fraction(16)),
        2,
    )
    share = break_even_utilisation(Fraction(usd_per_hour), 32, rate, worker)
    worked_slot_seconds = share * 32 * 3600
    assert worked_slot_seconds / worker.cores * rate.usd_per_second(worker) == usd_per_hour


def test_a_missing_rate_is_not_free() -> None:
    with pytest.raises(UsageError, match="a missing price is not a free one"):
        break_even_utilisation(
            Fraction(1), 4, ResourceRate(Fraction(0), "none", DAY), ServerlessWorker(1, Fraction(2))
        )


def test_the_log_normal_has_the_moments_and_quantile_of_huaweis_trace() -> None:
    cold = ColdStarts()
    assert round(cold.mu, 4) == 0.2965
    assert round(cold.sigma, 4) == 1.3260
    assert round(cold.quantile_s(0.95), 2) == 11.91


def test_many_workers_wait_for_the_slowest_of_them() -> None:
    cold = ColdStarts()
    assert cold.all_started_s(0, 0.5) == 0
    assert cold.all_started_s(1, 0.95) == cold.quantile_s(0.95)
    assert cold.all_started_s(20, 0.5) == pytest.approx(cold.quantile_s(0.5 ** (1 / 20)))


def test_a_start_without_deviation_takes_its_mean() -> None:
    assert ColdStarts(2.0, 0.0).quantile_s(0.99) == pytest.approx(2.0)


def test_a_start_of_no_time_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a mean above 0"):
        ColdStarts(mean_s=0)
