"""Energy: the formula, and that it parts like the money."""

from datetime import date
from fractions import Fraction

import pytest

from r2d2.errors import UsageError
from r2d2.vmcost.advice.energy import POWERS, Energy, Power, energy_of
from r2d2.vmcost.bill import Part, bill
from r2d2.vmcost.model import Application, Billing, Cluster, Job, Price, PriceKind
from r2d2.vmcost.prices import PriceList
from tests.support.vmcost.applications import START_MS, application

HOUR_MS = 3_600_000
START = date(2026, 1, 1)
PLAIN = Power("made up", 1.0, 5.0, 2.0, "by hand")
NO_PRICES = PriceList.of((), "none")


def drawn(app: Application) -> Energy:
    return energy_of(bill(app, None, NO_PRICES, Billing(minimum_s=Fraction(0))), PLAIN)


def test_a_busy_core_draws_the_maximum_and_an_idle_one_the_minimum() -> None:
    energy = drawn(application([(0, 0, 0, HOUR_MS)], HOUR_MS, cores=4))
    assert energy.vcpu_hours == 4
    assert energy.utilisation == 0.25
    assert energy.kwh == pytest.approx((5 + 3 * 1) * 2 / 1000)


def test_the_sum_of_the_parts_is_the_formula() -> None:
    rows = [(0, 0, 0, HOUR_MS // 2), (0, 1, 0, HOUR_MS // 4), (1, 0, HOUR_MS // 2, HOUR_MS)]
    energy = drawn(application(rows, 2 * HOUR_MS, hosts=("a", "b"), cores=4))
    assert sum(energy.parts.values()) == pytest.approx(energy.kwh)
    assert energy.kwh == pytest.approx(PLAIN.kwh(energy.vcpu_hours, energy.utilisation))
    assert energy.utilisation == pytest.approx(1.25 / 16)


def test_jobs_add_up_to_what_tasks_drew() -> None:
    rows = [(0, 0, 0, 3000), (0, 1, 0, 2000), (1, 0, 4000, 5000)]
    jobs = [Job(3, (0,), START_MS, START_MS + 3000), Job(4, (1,), START_MS + 4000)]
    energy = drawn(application(rows, 6000, hosts=("a", "b"), jobs=jobs))
    assert [job.key for job in energy.jobs] == ["3", "4"]
    assert sum(job.kwh for job in energy.jobs) == pytest.approx(energy.parts[Part.BUSY])
    assert energy.jobs[0].kwh == pytest.approx(5 * energy.jobs[1].kwh)


def test_waiting_tasks_draw_less_where_only_computing_counts() -> None:
    energy = drawn(application([(0, 0, 0, HOUR_MS)], HOUR_MS, cores=1))
    assert energy.kwh == pytest.approx(PLAIN.kwh(1, 1.0))
    assert energy.least_kwh == pytest.approx(PLAIN.kwh(1, 0.5))


def test_the_coefficients_are_cloud_carbon_footprints() -> None:
    found = {name: (one.min_watts, one.max_watts, one.pue) for name, one in POWERS.items()}
    assert found == {
        "aws": (0.74, 3.5, 1.135),
        "azure": (0.78, 3.76, 1.185),
        "gcp": (0.71, 4.26, 1.1),
    }


def test_a_hundred_hours_half_busy_on_aws() -> None:
    assert POWERS["aws"].kwh(100, 0.5) == pytest.approx(2.12 * 100 * 1.135 / 1000)


def test_the_drivers_own_vm_counts_as_half_busy() -> None:
    prices = PriceList.of(
        [
            Price("aws", "here", sku, cores, 1024, Fraction(1), PriceKind.ON_DEMAND, "", "", START)
            for sku, cores in (("small", 2), ("large", 4))
        ],
        "by hand",
    )
    cluster = Cluster("aws", "here", "large", 1, "small", False, "by hand")
    app = application([(0, 0, 0, HOUR_MS)], HOUR_MS, cores=4)
    energy = energy_of(bill(app, cluster, prices, Billing(minimum_s=Fraction(0))), PLAIN)
    assert energy.parts[Part.DRIVER] == pytest.approx(PLAIN.kwh(2, 0.5))
    assert energy.vcpu_hours == 6
    assert energy.utilisation == 0.25


def test_an_application_without_executors_drew_nothing() -> None:
    assert drawn(application([], 5000, hosts=())).kwh == 0


def test_watts_that_fall_with_load_are_refused() -> None:
    with pytest.raises(UsageError, match="the greater one last"):
        Power("made up", 5, 1, 1.1, "by hand")
