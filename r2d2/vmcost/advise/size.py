"""Right-size for a report: by Ernest's model where the runs allow it, else by replaying the log."""

from collections.abc import Iterator, Sequence
from typing import Any

from r2d2.vmcost.advice.ernest import FEWEST_RUNS, Ernest, fit_ernest
from r2d2.vmcost.advice.right_size import Candidate, Goal, right_size
from r2d2.vmcost.advice.right_size.runs import measured_run, replay_ratios
from r2d2.vmcost.advice.right_size.spread import Spread
from r2d2.vmcost.advice.right_size.time import ErnestTime, ReplayTime, RunTime
from r2d2.vmcost.advise.case import said
from r2d2.vmcost.model import Application, Price
from r2d2.vmcost.report.data import Costed
from r2d2.vmcost.settings import RightSizeSettings

Data = dict[str, Any]
SHOWN = 20


def sized(
    costed: Costed,
    runs: Sequence[Application],
    machines: Sequence[Price],
    driver: Price | None,
    asked: RightSizeSettings,
) -> Iterator[Data]:
    """What Ernest's model says of the runs, if it fits, and the cheapest machines in time.

    The odds are by the model's own errors on the runs; by `relative_sd` where there is one run.
    """
    model, application = ernest_of(runs), costed.application
    run_time: RunTime = ReplayTime.of(application)
    spread, way = Spread.given(asked.relative_sd), "by replay of this log"
    if model is not None:
        yield _ernest_data(model)
        run_time = ErnestTime(model, _scale(application, runs))
        spread, way = Spread.of(model.left_out_ratios), f"by Ernest's model of {len(runs)} runs"
    elif len(runs) > 1:
        spread, way = Spread.of(replay_ratios(runs)), f"by replay, checked on {len(runs)} runs"
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
        f"{len(model.runs)} runs: seconds = theta · (1, data / slots, slots, ln slots), theta ="
        f" ({theta}); each run left out is {model.left_out_error:.1%} off on average"
    )
    return {"kind": "ernest", "told": told, "basis": "modelled", "theta": list(model.theta)}


def ernest_of(runs: Sequence[Application]) -> Ernest | None:
    """The model of the runs; None where they are too few, or of too few sizes."""
    sizes = [measured_run(one, _scale(one, runs)) for one in runs if len(one.tasks)]
    different = {(run.scale, run.machines) for run in sizes}
    return fit_ernest(sizes) if len(different) >= FEWEST_RUNS else None


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
