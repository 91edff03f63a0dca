"""A cluster against serverless workers, for a report."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from r2d2.report.words import pluralize
from r2d2.vmcost.advice.case import Case
from r2d2.vmcost.advice.serverless.model import Place, RentedCluster, Serverless
from r2d2.vmcost.advice.serverless.prices import Rate, ResourceRate, UnitRate, Worker
from r2d2.vmcost.advice.serverless.report import advise_serverless
from r2d2.vmcost.settings import ServerlessSettings

Data = dict[str, Any]


def serverless(case: Case) -> Iterator[Data]:
    """Where each step of the run would be cheapest, if that is asked."""
    asked = case.settings.serverless
    if asked is None:
        return
    rented = RentedCluster(
        usd_per_hour=case.count * case.machine.usd_per_hour,
        slots=case.count * case.slots_per_vm,
        driver_usd_per_hour=Fraction(0) if case.driver is None else case.driver.usd_per_hour,
        billing=case.costed.billing,
    )
    offer = Serverless(
        worker=Worker(asked.worker_cores, asked.worker_gb, minimum_s=asked.minimum_s),
        rate=_rate(asked),
        max_workers=asked.max_workers,
        core_speed=asked.core_speed,
    )
    deadline_ms = None if asked.deadline_s is None else round(asked.deadline_s * 1000)
    found = advise_serverless(case.application, rented, offer, deadline_ms)
    ways = {"cheapest": found.cheapest, "cluster": found.on_cluster, "workers": found.on_workers}
    steps = [step for step in found.cheapest.placed if step.stages]
    moved = sum(step.place is Place.SERVERLESS for step in steps)
    told = ", ".join(f"{name} ${float(plan.usd):.4f}" for name, plan in ways.items())
    yield {
        "kind": "serverless",
        "told": (
            f"{told}; cheapest has {moved} of {pluralize(str(len(steps)), 'step')} on workers."
            f" Both cost the same at {found.break_even_utilisation:.1%} utilisation;"
            f" it was {found.utilisation:.1%} (rates of {asked.source}, {asked.as_of})"
        ),
        "basis": "modelled",
        "ways": {
            name: {"usd": float(plan.usd), "seconds": plan.elapsed_ms / 1000}
            for name, plan in ways.items()
        },
        "steps": [{"stages": list(step.stages), "place": step.place.value} for step in steps],
        "break_even_utilisation": found.break_even_utilisation,
        "utilisation": found.utilisation,
    }


def _rate(asked: ServerlessSettings) -> Rate:
    if asked.usd_per_cu_hour:
        return UnitRate(asked.usd_per_cu_hour, asked.source, asked.as_of)
    return ResourceRate(
        asked.usd_per_gb_second, asked.source, asked.as_of, asked.usd_per_core_second
    )
