"""Reports of real logs: r2d2's own runs, and those beside a developer's checkout."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from r2d2.vmcost.machines import ClusterFacts
from r2d2.vmcost.pipeline import CostRequest, cost
from r2d2.vmcost.prices import load_prices
from r2d2.vmcost.report.data import report_data
from r2d2.vmcost.report.diff import differences
from r2d2.vmcost.report.figures import csv_texts
from r2d2.vmcost.report.html import page
from r2d2.vmcost.report.text import report_lines
from tests.support.vmcost.report_examples import an_application, without_money

OWN = Path(__file__).parents[1] / "logs"
MACHINES = ClusterFacts(provider="aws", region="us-east-1", vm="m5.xlarge", driver_vm="m5.large")


def a_report_on(path: Path, stated: ClusterFacts) -> dict[str, Any]:
    answer = cost([path], CostRequest(load_prices(), flags=stated))
    return report_data(answer.costed, date(2026, 9, 25))


def keys_of(data: Any) -> Any:
    """The shape of plain data, of lists by their first item; what is empty or None tells none."""
    if isinstance(data, dict):
        return {key: keys_of(value) for key, value in data.items()}
    return [keys_of(data[0])] if isinstance(data, list) and data else None


@pytest.mark.parametrize("stated", [MACHINES, ClusterFacts()], ids=["priced", "unpriced"])
def test_the_examples_of_these_tests_have_the_shape_of_real_reports(stated: ClusterFacts) -> None:
    (real, *_) = a_report_on(OWN / "find-cluster-1.zstd", stated)["applications"]
    made = an_application() if stated == MACHINES else without_money()
    for key in ("money", "task_time", "billed", "cluster", "candidates", "prices"):
        assert keys_of(made[key]) == keys_of(real[key]), key
    for key in ("by_job", "by_stage", "by_executor", "timeline"):
        assert keys_of(made[key]) == keys_of(real[key]), key
    assert made.keys() == real.keys()


@pytest.mark.slow
@pytest.mark.parametrize("stated", [MACHINES, ClusterFacts()], ids=["priced", "unpriced"])
@pytest.mark.parametrize("log", sorted(path.name for path in OWN.iterdir()))
def test_reports_of_own_runs_are_rendered(log: str, stated: ClusterFacts) -> None:
    every_rendering_of(a_report_on(OWN / log, stated))


@pytest.mark.shared
@pytest.mark.parametrize("stated", [MACHINES, ClusterFacts()], ids=["priced", "unpriced"])
def test_reports_of_others_runs_are_rendered(shared: Path, stated: ClusterFacts) -> None:
    report = a_report_on(shared / "event-logs", stated)
    assert len(report["applications"]) > 7
    every_rendering_of(report)


def every_rendering_of(report: dict[str, Any]) -> None:
    assert all(line.isprintable() for line in report_lines(report))
    assert all(text.count("\n") for text in csv_texts(report).values())
    text = page(report)
    before = '<p class="meta">' if len(report["applications"]) == 1 else " · "
    for application in report["applications"]:
        assert f"{before}{application['application_id']}" in text
        assert application["usd"] is None or "What the money went into" in text
    found = differences(report, report)
    assert len(found.runs) == len(report["applications"])
    assert all(run.explained_by is None for run in found.runs)
