"""Right-size for a report: by Ernest's model where the runs allow it, else by replaying the log."""

from collections.abc import Iterator, Sequence
from typing import Any

from r2d2.vmcost.advice.ernest import FEWEST_RUNS, Ernest, Run, fit_ernest
from r2d2.vmcost.advice.right_size import Candidate, Goal, right_size
from r2d2.vmcost.advice.right_size_spread import Spread
from r2d2.vmcost.advice.right_size_time import ErnestTime, ReplayTime, RunTime
from r2d2.vmcost.model import Application, Price
from r2d2.vmcost.report.data import Costed
from r2d2.vmcost.settings import RightSizeSettings
from r2d2.vmcost.usage import core_seconds, duration_s

Data = dict[str, Any]
SHOWN = 20


def sized(
    costed: Costed,
    runs: Sequence[Application],
    machines: Sequence[Price],
    driver: Price | None,
    asked: RightSizeSettings,
) -> Iterator[Data]:
    """What Ernest's model says of the runs, if it fits, and the cheapest machines in time."""
    model = ernest_of(runs)
    application = costed.application
    run_time: RunTime = ReplayTime.of(application)
    spread, way = Spread.given(asked.relative_sd), "by replay of this log"
    if model is not None:
        theta = ", ".join(f"{value:.4g}" for value in model.theta)
        told = (
            f"{len(model.runs)} runs: seconds = theta · (1, data / cores, cores, ln cores), theta"
            f" = ({theta}); each run left out is {model.left_out_error:.1%} off on average"
        )
        yield {"kind": "ernest", "told": told, "basis": "modelled", "theta": list(model.theta)}
        run_time = ErnestTime(model, _scale(application, runs))
        spread, way = Spread.of(model.left_out_ratios), "by Ernest's model of all runs"
    goal = Goal(asked.deadline_s, asked.probability)
    found = right_size(machines, asked.counts, run_time, spread, goal, costed.billing, driver)
    yield {
        "kind": "right_size",
        "told": said(f"{found.verdict}, {way}"),
        "basis": "modelled",
        "odds": found.odds,
        "candidates": [_candidate(one) for one in found.candidates[:SHOWN]],
        "left_out": dict(found.left_out),
    }


def said(verdict: str) -> str:
    """The sentence without its mark: a report marks each figure in its own way."""
    return verdict.replace(" (modelled)", "")


def ernest_of(runs: Sequence[Application]) -> Ernest | None:
    """The model of the runs; None where they are too few, or all of one size."""
    sizes = [
        Run(_scale(one, runs), core_seconds(one) / duration_s(one), duration_s(one))
        for one in runs
        if core_seconds(one) and duration_s(one)
    ]
    alike = len({(run.scale, round(run.machines)) for run in sizes}) < FEWEST_RUNS
    return None if alike else fit_ernest(sizes)


def _scale(application: Application, runs: Sequence[Application]) -> float:
    """GB that its tasks read; 1 for all runs where Spark counted none of one's."""
    sizes = {id(one): int(one.tasks["input_bytes"].sum()) / 1e9 for one in runs}
    return sizes[id(application)] if all(sizes.values()) else 1.0


def _candidate(one: Candidate) -> Data:
    return {
        "vm": one.price.sku,
        "count": one.count,
        "expected_s": one.expected_s,
        "probability": one.probability,
        "usd": float(one.usd),
        "meets": one.meets,
        "extrapolated": list(one.extrapolated),
    }
