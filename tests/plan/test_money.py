"""Dollars and seconds, by hand."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.plan.costs import (
    TABLE_P95_S,
    Rebuild,
    maintenance_usd,
    rebuild_p95_s,
    rebuild_usd,
    storage_usd,
    view_p95_s,
    view_usd,
)
from r2d2.settings.plan import Prices, Rates, UsageDefaults
from tests.test_readme import REPOSITORY

GB = 10**9
PRICES = Prices(
    storage_usd_per_gb_month=0.02,
    scan_usd_per_gb=0.005,
    read_usd_per_gb=0.001,
    write_usd_per_gb=0.01,
    vm_usd_per_hour=3.6,
)
RATES = Rates(
    start_up_p95_s=100.0,
    read_p50_s_per_gb=10.0,
    read_p95_s_per_gb=20.0,
    write_p50_s_per_gb=30.0,
    write_p95_s_per_gb=60.0,
)
RUN = Rebuild(read_bytes=50 * GB, written_bytes=5 * GB)


def test_storing_and_scanning_are_priced_by_the_gigabyte() -> None:
    assert storage_usd(500 * GB, PRICES) == pytest.approx(10.0)
    assert maintenance_usd(500 * GB, 4.0, PRICES) == pytest.approx(10.0)


def test_a_rebuild_pays_for_reading_writing_machines_and_what_it_keeps_aside() -> None:
    once = 50 * 0.001 + 5 * 0.01 + (100 + 500 + 150) * 0.001
    assert rebuild_usd(RUN, 1.0, PRICES, RATES) == pytest.approx(once)
    assert rebuild_usd(RUN, 4.0, PRICES, RATES) == pytest.approx(4 * once)
    aside = replace(RUN, residual_bytes=10 * GB)
    assert rebuild_usd(aside, 0.0, PRICES, RATES) == pytest.approx(0.2)


def test_what_was_not_measured_takes_as_long_as_the_rates_say() -> None:
    assert rebuild_p95_s(RUN, RATES) == pytest.approx(100 + 1000 + 300 + TABLE_P95_S)


def test_what_was_measured_spreads_like_reading_and_is_written_by_the_rate() -> None:
    measured = replace(RUN, measured_s=40.0)
    assert rebuild_p95_s(measured, RATES) == pytest.approx(100 + 2 * 40 + 300 + TABLE_P95_S)
    once = 50 * 0.001 + 5 * 0.01 + (100 + 40) * 0.001
    assert rebuild_usd(measured, 1.0, PRICES, RATES) == pytest.approx(once)


def test_an_empty_table_takes_its_start_up_its_run_and_a_moment() -> None:
    assert rebuild_p95_s(Rebuild(0, 0), RATES) == 100.0 + TABLE_P95_S
    assert rebuild_p95_s(Rebuild(0, 0, measured_s=2.0), RATES) == 104.0 + TABLE_P95_S


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.floats(0, 1e4))
def test_more_bytes_never_cost_less_or_take_less_time(less: int, more: int, often: float) -> None:
    small, large = Rebuild(less, less), Rebuild(less + more, less + more)
    assert rebuild_p95_s(small, RATES) <= rebuild_p95_s(large, RATES)
    assert rebuild_usd(small, often, PRICES, RATES) <= rebuild_usd(large, often, PRICES, RATES)


def test_the_example_of_the_docs_is_computed_by_hand_and_by_the_code_alike() -> None:
    text = (REPOSITORY / "docs" / "plan.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- by hand: [^>]+ -->\n```\n(.*?)```", text, re.S)
    lines = [re.split(" += ", line) for line in shown.splitlines()]
    for name, by_hand, stated in lines:
        assert re.fullmatch(r"[\d. ×/+()-]+", by_hand), name
        assert eval(by_hand.replace("×", "*")) == pytest.approx(float(stated), rel=1e-9), name
    prices, rates, scans = Prices(), Rates(), UsageDefaults().maintenance_scans_per_month
    made = Rebuild(50 * GB, 50 * GB, 1 * GB)
    view = Rebuild(80 * GB, 50 * GB)
    keep = storage_usd(50 * GB, prices) + maintenance_usd(50 * GB, scans, prices)
    once = rebuild_usd(replace(made, residual_bytes=0), 1.0, prices, rates)
    machines = (once - 50 * prices.read_usd_per_gb - 50 * prices.write_usd_per_gb) * 3600
    assert {name: float(stated) for name, _, stated in lines} == pytest.approx(
        {
            "keep_usd_per_month": keep,
            "seconds of a rebuild": machines / prices.vm_usd_per_hour,
            "rebuild_usd_per_month": rebuild_usd(made, 2.0, prices, rates),
            "saving_usd_per_month": keep - rebuild_usd(made, 2.0, prices, rates),
            "rebuild_p95_s": rebuild_p95_s(made, rates),
            "rebuild_p95_s, run": rebuild_p95_s(replace(made, measured_s=300.0), rates),
            "rebuild_usd_per_month, of a view": view_usd(view, 2.0, prices, rates),
            "rebuild_p95_s, of a view": view_p95_s(view, rates),
            "rebuild_p95_s, of a view, run": view_p95_s(replace(view, measured_s=300.0), rates),
        },
        rel=1e-9,
    )
