import pytest

from r2d2.text_tables import duration
from r2d2.vmcost.report.figures import cluster_text, count, money, priced, share
from tests.support.vmcost.report_examples import an_application


@pytest.mark.parametrize(
    ("amount", "whole", "text"),
    [
        (0.13392, None, "$0.1339"),
        (0.0005, 0.13392, "$0.0005"),
        (1234.5, None, "$1,234.50"),
        (-1234.5, None, "-$1,234.50"),
        (-0.000001, 10.0, "$0.00"),
        (0.0, None, "$0.00"),
        (0.00000000012, None, "$0.00000000"),
        (None, None, "–"),
    ],
)
def test_money_has_the_decimals_that_show_four_digits_of_the_whole(
    amount: float | None, whole: float | None, text: str
) -> None:
    assert money(amount, whole) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.1234, "0.123 s"),
        (0.0123, "12.3 ms"),
        (59.96, "1 min"),
        (344.6, "5 min 45 s"),
        (3599.9, "1 h"),
        (7260, "2 h 1 min"),
        (200000, "2 d 7 h"),
        (-90, "-1 min 30 s"),
    ],
)
def test_a_span_of_time_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_is_not_nothing_is_never_shown_as_zero_percent() -> None:
    assert [share(x) for x in (0.0, 0.00002, -0.00002, 0.679)] == [
        "0.0 %",
        "<0.1 %",
        ">-0.1 %",
        "67.9 %",
    ]


def test_counts_have_no_decimals_that_nobody_reads() -> None:
    assert [count(x) for x in (8630, 1993.48, 0.25, 0.0)] == ["8,630", "1,993.5", "0.25", "0"]


def test_money_is_as_of_the_oldest_price_it_rests_on() -> None:
    prices = [
        {"as_of": "2026-09-01", "age_days": 1},
        {"as_of": "2026-08-01", "age_days": 32},
    ]
    assert priced(prices) == "priced (as of 2026-08-01, 32 days old)"
    assert priced(prices[:1]) == "priced (as of 2026-09-01, 1 day old)"


def test_machines_whose_number_is_not_known_get_none() -> None:
    cluster = an_application()["cluster"] | {"count": None, "driver_vm": None, "spot": True}
    assert cluster_text(cluster) == "VMs of Standard_E8s_v3, spot, azure westus"
    assert cluster_text(None) == "machines unknown"
