"""Spot VMs against VMs on demand, for a report."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from r2d2.report.words import pluralize
from r2d2.vmcost.advice.case import Case, said
from r2d2.vmcost.advice.spot import Odds, compare_spot
from r2d2.vmcost.advice.spot.trial import SpotOffer
from r2d2.vmcost.model import PriceKind

Data = dict[str, Any]


def spot(case: Case) -> Iterator[Data]:
    """What the cluster's run would take and cost on spot VMs, if that is asked."""
    asked = case.settings.spot
    if asked is None:
        return
    on_demand = case.price(case.cluster.vm, PriceKind.ON_DEMAND)
    offered = (
        case.price(case.cluster.vm, PriceKind.SPOT)
        if asked.usd_per_hour is None
        else replace(on_demand, kind=PriceKind.SPOT, usd_per_hour=asked.usd_per_hour)
    )
    offer = SpotOffer(
        count=case.count,
        slots_per_vm=case.slots_per_vm,
        on_demand=on_demand,
        spot=offered,
        interruptions_per_vm_hour=asked.interruptions_per_vm_hour,
        replacement_s=asked.replacement_s,
        driver=case.driver,
    )
    found = compare_spot(
        case.application, offer, case.costed.billing, asked.deadline_s, asked.trials, asked.seed
    )
    yield {
        "kind": "spot",
        "told": said(
            f"{found.verdict}; {pluralize(str(found.trials), 'run')} simulated, seed {found.seed}"
        ),
        "basis": "modelled",
        "ways": {"on_demand": _odds(found.on_demand), "spot": _odds(found.spot)},
        "interruptions": found.interruptions,
        "tasks_again": found.tasks_again,
    }


def _odds(odds: Odds) -> Data:
    return {
        "mean_s": odds.mean_s,
        "p95_s": odds.p95_s,
        "mean_usd": float(odds.mean_usd),
        "p95_usd": float(odds.p95_usd),
        "miss_probability": odds.miss_probability,
    }
