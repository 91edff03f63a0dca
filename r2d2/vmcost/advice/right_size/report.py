"""Right-size for a report: by Ernest's model where the runs allow it, else by replaying the log."""

from collections.abc import Iterator

from r2d2.text_tables import pluralize
from r2d2.vmcost.advice.case import AdviceCase
from r2d2.vmcost.advice.replay import replay
from r2d2.vmcost.advice.right_size import Goal, SizedCluster, right_size
from r2d2.vmcost.advice.right_size.ernest import Ernest
from r2d2.vmcost.advice.right_size.run_time import ErnestTime, ReplayTime, RunTime, Spread
from r2d2.vmcost.report.data import Data
from r2d2.vmcost.settings import RightSizeSettings

SHOWN = 20


def right_size_advice(case: AdviceCase, settings: RightSizeSettings) -> Iterator[Data]:
    """Ernest's model of the runs, if it fits, and the cheapest machines in time.

    The odds are by the model's own errors on the runs; by `relative_sd` where there is one run.
    """
    machines = [case.rate(name, case.kind) for name in settings.vms or (case.cluster.vm,)]
    runs, model, count = case.runs, case.runs.ernest, len(case.runs.applications)
    run_time: RunTime = ReplayTime.of(case.application)
    error = replay(case.application).relative_error
    spread = Spread.given(settings.relative_sd)
    way = f"by replay of this log, {abs(error):.1%} off at its own size"
    if model is not None:
        yield _ernest_data(model)
        run_time = ErnestTime(model, runs.scale(case.application))
        spread = Spread.of(model.left_out_ratios)
        way = f"by Ernest's model of {pluralize(str(count), 'run')}"
    elif count > 1:
        spread, way = Spread.of(runs.ratios), f"by replay, checked on runs of this name ({count})"
    goal = Goal(settings.deadline_s, settings.probability)
    billing = case.costed.billing
    sizes = right_size(machines, settings.counts, run_time, spread, goal, billing, case.driver)
    yield {
        "kind": "right_size",
        "told": f"{sizes.verdict}, {way}",
        "basis": "modelled",
        "odds": sizes.odds,
        "candidates": [_candidate(each) for each in sizes.candidates[:SHOWN]],
        "left_out": dict(sizes.left_out),
    }


def _ernest_data(model: Ernest) -> Data:
    theta = ", ".join(f"{value:.4g}" for value in model.theta)
    sentence = (
        f"{pluralize(str(len(model.runs)), 'run')}: seconds = theta"
        f" · (1, data / slots, slots, ln slots), theta = ({theta});"
        f" each run left out is {model.left_out_error:.1%} off on average"
    )
    return {"kind": "ernest", "told": sentence, "basis": "modelled", "theta": list(model.theta)}


def _candidate(sized: SizedCluster) -> Data:
    return {
        "vm": sized.rate.sku,
        "count": sized.count,
        "expected_s": sized.expected_s,
        "probability": sized.probability,
        "usd": float(sized.usd),
        "meets": sized.meets,
        "extrapolated": list(sized.extrapolated),
    }
