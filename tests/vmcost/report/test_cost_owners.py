"""Who pays, how much a month, how it changes, and what to do: by hand on a few runs."""

from collections.abc import Sequence
from typing import Any

import pytest

from r2d2.vmcost.report.owners import (
    actions,
    chargeback,
    largest,
    month_rows,
    trend_text,
    trends,
    usd_per_month,
)
from tests.support.vmcost.report_examples import an_application, without_money


def runs(*usd: float, **changes: Any) -> list[dict[str, Any]]:
    return [
        an_application(at, name="load", usd=each, started=f"2026-09-{at:02}T00:00:00Z", **changes)
        for at, each in enumerate(usd, start=1)
    ]


def by(rows: Sequence[dict[str, Any]], column: str) -> dict[str, float]:
    return {row["key"]: row["usd"] for row in rows if row["by"] == column}


def test_money_is_charged_to_each_user_name_and_tag() -> None:
    ann, bob = runs(1.0, 2.0), runs(4.0, user="bob", tags={"spark.yarn.queue": "ml"})
    rows = chargeback([*ann, *bob], 30)
    assert by(rows, "user") == {"bob": 4.0, "ann": 3.0}
    assert by(rows, "name") == {"load": 7.0}
    assert by(rows, "spark.yarn.queue") == {"ml": 4.0, "etl": 3.0}
    assert [row["by"] for row in rows] == ["user", "user", "name", *["spark.yarn.queue"] * 2]
    assert sum(row["share"] for row in rows if row["by"] == "user") == pytest.approx(1)
    assert list(month_rows(rows)) == rows


def test_a_month_is_the_mean_of_each_names_runs_so_many_times() -> None:
    other = an_application(9, name="other", usd=10.0)
    assert usd_per_month([*runs(1.0, 2.0, 3.0), other], 30) == 30 * (2.0 + 10.0)
    assert usd_per_month([without_money()], 30) is None


def test_a_run_without_money_is_counted_and_charged_to_nobody() -> None:
    (user, *_) = chargeback([*runs(1.0), without_money()], 30)
    assert (user["usd"], user["runs"], user["unpriced"]) == (1.0, 2, 1)


def test_a_trend_is_the_last_run_beside_the_median_of_those_before() -> None:
    (trend,) = trends(runs(1.0, 2.0, 9.0, 3.0))
    assert (trend["usual_usd"], trend["last_usd"], trend["usd_change"]) == (2.0, 3.0, 0.5)
    assert "4 runs; the last one $3.000 (+50.0 %)" in trend_text(trend)
    assert trends(runs(1.0)) == []


def test_what_to_do_has_the_largest_saving_first_and_what_a_month_is() -> None:
    money = {"busy": 5.0, "idle_in_jobs": 1.0, "idle_between_jobs": 3.0, "failed": 0.01}
    saving = {"kind": "right_size", "told": "2 x small", "saving_usd": 2.0, "basis": "modelled"}
    dearer = {"kind": "spot", "told": "spot", "saving_usd": -1.0, "basis": "modelled"}
    app = an_application(usd=9.01, money=money, advice=[saving, dearer])
    found = actions(app, 10)
    assert [(each["kind"], each["saving_usd"]) for each in found] == [
        ("idle_between_jobs", 3.0),
        ("right_size", 2.0),
        ("idle_in_jobs", 1.0),
    ]
    assert [each["basis"] for each in found] == ["at most", "modelled", "at most"]
    assert found[0]["saving_usd_per_month"] == 30.0
    assert "in stage 0 the slowest task took" in found[2]["told"]


def test_what_to_do_about_many_runs_of_a_name_is_one_row() -> None:
    made = runs(1.0, 2.0)
    for app, saving_usd in zip(made, (0.25, 0.75), strict=True):
        app["what_to_do"] = [
            {"name": "load", "kind": "failed", "saving_usd": saving_usd, "told": str(saving_usd)}
        ]
    (row,) = largest(made, 30)
    assert (row["saving_usd"], row["runs"]) == (1.0, 2)
    assert row["told"].endswith("($1.000, 33.3 % of the money)")
    assert row["saving_usd_per_month"] == 30 * 0.5
