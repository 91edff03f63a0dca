"""Advice on an application: sentences with their figures, each marked as modelled.

Packing needs nothing but the machines. Right-size, spot and serverless are asked for by their
sections in the settings. Right-size is by Ernest's model where the runs allow it, else by replaying
the log. Slow hosts are looked for in all runs of one name together.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial

from r2d2.errors import R2D2Error
from r2d2.text_tables import pluralize
from r2d2.vmcost.advice.case import AdviceCase, RepeatedRuns
from r2d2.vmcost.advice.packing import packing_advice
from r2d2.vmcost.advice.replay import replay
from r2d2.vmcost.advice.right_size import Goal, SizedCluster, right_size
from r2d2.vmcost.advice.right_size.ernest import Ernest
from r2d2.vmcost.advice.right_size.run_time import ErnestTime, ReplayTime, RunTime, Spread
from r2d2.vmcost.advice.serverless.report import serverless_advice
from r2d2.vmcost.advice.slow_hosts import slow_host_advice
from r2d2.vmcost.advice.spot import spot_advice
from r2d2.vmcost.events import fault_text
from r2d2.vmcost.prices import PriceList
from r2d2.vmcost.report.data import Costed, Data
from r2d2.vmcost.settings import RightSizeSettings, VmCostSettings

MOST_CANDIDATES = 20
"""Of machines that are shown."""
MOST_OFF = 0.2
"""A model that is further off from the run that it was made of claims no saving by itself."""


def advice_of(
    costed: Costed, runs: RepeatedRuns, prices: PriceList, settings: VmCostSettings
) -> tuple[Data, ...]:
    """All advice on the application; `runs` are those of its name, itself among them.

    Advice that these machines do not allow is replaced by its reason.
    """
    asked: list[tuple[str, Callable[[], Iterator[Data]]]] = [
        ("slow_host", lambda: slow_host_advice(costed.application, runs.host_health))
    ]
    if costed.facts.cluster is not None and costed.bill.usd is not None:
        case = AdviceCase(costed, costed.facts.cluster, runs, prices, settings)
        asked += [(kind, partial(advise, case)) for kind, advise in _wanted(settings)]
    today_usd = costed.bill.usd
    return tuple(
        _beside_today(each, today_usd) for kind, advise in asked for each in _said(kind, advise)
    )


def _beside_today(advice: Data, today_usd: Fraction | None) -> Data:
    """Advice with money, beside today's: what it would save."""
    if advice.get("usd") is None or today_usd is None:
        return advice
    usd, own = advice["usd"], ""
    modelled_usd = advice.get("ways", {}).get("on_demand", {}).get("mean_usd")
    if modelled_usd and abs(float(today_usd) / modelled_usd - 1) > MOST_OFF:
        # The model rents all cores of the VMs for the whole run: its share holds, not its money.
        usd = float(today_usd) * usd / modelled_usd
        own = f"by that share today's run would be ${usd:.4f}; "
    saving_usd = float(today_usd) - usd
    share = f" ({abs(saving_usd) / float(today_usd):.1%})" if today_usd else ""
    way = "less" if saving_usd >= 0 else "more"
    beside = f"today ${float(today_usd):.4f}, that is ${abs(saving_usd):.4f}{share} {way}"
    told = f"{advice['told']}; {own}{beside}"
    return {**advice, "told": told, "today_usd": float(today_usd), "saving_usd": saving_usd}


def _said(kind: str, advise: Callable[[], Iterator[Data]]) -> list[Data]:
    try:
        return list(advise())
    except R2D2Error as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  an advice's fault must not cost the bill
        reason = fault_text(error)
    return [{"kind": kind, "told": f"cannot be said: {reason}", "basis": "modelled"}]


def _wanted(
    settings: VmCostSettings,
) -> Iterator[tuple[str, Callable[[AdviceCase], Iterator[Data]]]]:
    yield "packing", packing_advice
    if settings.right_size:
        yield "right_size", partial(right_size_advice, settings=settings.right_size)
    if settings.spot:
        yield "spot", partial(spot_advice, settings=settings.spot)
    if settings.serverless:
        yield "serverless", partial(serverless_advice, settings=settings.serverless)


def right_size_advice(case: AdviceCase, settings: RightSizeSettings) -> Iterator[Data]:
    """Ernest's model of the runs, if it fits, and the cheapest machines in time.

    The odds are by the model's own errors on the runs; by `relative_sd` where there is one run.
    """
    machines = [case.rate(name, case.kind) for name in settings.vms or (case.cluster.vm,)]
    runs, model, count = case.runs, case.runs.ernest, len(case.runs.applications)
    run_time: RunTime = ReplayTime.of(case.application)
    error = replay(case.application).relative_error
    spread, far = Spread.given(settings.relative_sd), abs(error) > MOST_OFF
    way = f"by replay of this log, {abs(error):.1%} off at its own size"
    if model is not None:
        yield _ernest_data(model)
        run_time = ErnestTime(model, runs.scale(case.application))
        spread = Spread.of(model.left_out_ratios)
        way, far = f"by Ernest's model of {pluralize(str(count), 'run')}", False
    elif count > 1:
        spread = Spread.of(runs.ratios)
        way = f"by replay, {abs(error):.1%} off here, checked on runs of this name ({count})"
    if far:
        way += ", too far for more than a hint"
    goal = Goal(settings.deadline_s, settings.probability)
    billing = case.costed.billing
    sizes = right_size(machines, settings.counts, run_time, spread, goal, billing, case.driver)
    yield {
        "kind": "right_size",
        "told": f"{sizes.verdict}, {way}{_of_memory(case)}",
        "basis": "modelled",
        "odds": sizes.odds,
        "usd": None if sizes.best is None or far else float(sizes.best.usd),
        "candidates": [_candidate_data(each) for each in sizes.candidates[:MOST_CANDIDATES]],
        "left_out": dict(sizes.left_out),
    }


def _of_memory(case: AdviceCase) -> str:
    """A warning where executors do not tell their memory: no type was left out for too little."""
    unknown = sum(executor.memory_mib is None for executor in case.application.executors)
    if not unknown:
        return ""
    executors = pluralize(str(unknown), "executor")
    return f"; the memory of {executors} is not known: check that each type has enough"


def _ernest_data(model: Ernest) -> Data:
    theta = ", ".join(f"{value:.4g}" for value in model.theta)
    sentence = (
        f"{pluralize(str(len(model.runs)), 'run')}: seconds = theta"
        f" · (1, data / slots, slots, ln slots), theta = ({theta});"
        f" each run left out is {model.left_out_error:.1%} off on average"
    )
    return {"kind": "ernest", "told": sentence, "basis": "modelled", "theta": list(model.theta)}


def _candidate_data(sized: SizedCluster) -> Data:
    return {
        "vm": sized.rate.sku,
        "count": sized.count,
        "expected_s": sized.expected_s,
        "probability": sized.probability,
        "usd": float(sized.usd),
        "meets": sized.meets,
        "extrapolated": list(sized.extrapolated),
    }
