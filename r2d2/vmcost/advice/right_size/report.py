"""Right-size for a report: by Ernest's model where the runs allow it, else by replaying the log."""

from collections.abc import Iterator, Sequence
from typing import Any

from r2d2.text_tables import pluralize
from r2d2.vmcost.advice.case import RepeatedRuns, said
from r2d2.vmcost.advice.replay import replay
from r2d2.vmcost.advice.right_size import Goal, SizedCluster, right_size
from r2d2.vmcost.advice.right_size.ernest import Ernest
from r2d2.vmcost.advice.right_size.run_time import ErnestTime, ReplayTime, RunTime, Spread
from r2d2.vmcost.model import Price
from r2d2.vmcost.report.data import Costed
from r2d2.vmcost.settings import RightSizeSettings

Data = dict[str, Any]
SHOWN = 20


def sized(
    costed: Costed,
    runs: RepeatedRuns,
    machines: Sequence[Price],
    driver: Price | None,
    asked: RightSizeSettings,
) -> Iterator[Data]:
    """What Ernest's model says of the runs, if it fits, and the cheapest machines in time.

    The odds are by the model's own errors on the runs; by `relative_sd` where there is one run.
    """
    model, application, count = runs.ernest, costed.application, len(runs.applications)
    run_time: RunTime = ReplayTime.of(application)
    own = replay(application).relative_error
    spread = Spread.given(asked.relative_sd)
    way = f"by replay of this log, {abs(own):.1%} off at its own size"
    if model is not None:
        yield _ernest_data(model)
        run_time = ErnestTime(model, runs.scale(application))
        spread = Spread.of(model.left_out_ratios)
        way = f"by Ernest's model of {pluralize(str(count), 'run')}"
    elif count > 1:
        spread, way = Spread.of(runs.ratios), f"by replay, checked on runs of this name ({count})"
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


def _ernest_data(model: Ernest) -> Data:
    theta = ", ".join(f"{value:.4g}" for value in model.theta)
    told = (
        f"{pluralize(str(len(model.runs)), 'run')}: seconds = theta"
        f" · (1, data / slots, slots, ln slots), theta = ({theta});"
        f" each run left out is {model.left_out_error:.1%} off on average"
    )
    return {"kind": "ernest", "told": told, "basis": "modelled", "theta": list(model.theta)}


def _candidate(one: SizedCluster) -> Data:
    return {
        "vm": one.price.sku,
        "count": one.count,
        "expected_s": one.expected_s,
        "probability": one.probability,
        "usd": float(one.usd),
        "meets": one.meets,
        "extrapolated": list(one.extrapolated),
    }
