"""What is advised of an application: sentences with their figures, each marked as modelled.

Packing and energy need nothing but the machines. Right-size, spot and serverless are asked for by
their sections in the settings. Slow hosts are looked for in all runs of one name together.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from r2d2.errors import R2D2Error
from r2d2.vmcost.advice.case import Case, RepeatedRuns, said
from r2d2.vmcost.advice.energy import POWERS, energy_of
from r2d2.vmcost.advice.packing import (
    Numa,
    Shape,
    best_shapes,
    fragment_rate,
    mib_per_core,
    pack,
    rooms_of,
)
from r2d2.vmcost.advice.right_size.report import sized
from r2d2.vmcost.advice.serverless.report import serverless
from r2d2.vmcost.advice.spot import spot
from r2d2.vmcost.model import Application, PriceKind
from r2d2.vmcost.prices import PriceList
from r2d2.vmcost.report.data import Costed
from r2d2.vmcost.settings import VmCostSettings

Data = dict[str, Any]
MODELLED = "modelled"


def energy_data(costed: Costed) -> Data | None:
    """The energy of the machines; None where they, or their provider's watts, are not known."""
    cluster = costed.facts.cluster
    if cluster is None or cluster.provider.casefold() not in POWERS:
        return None
    found = energy_of(costed.bill, POWERS[cluster.provider.casefold()])
    return {
        "kwh": found.kwh,
        "least_kwh": found.least_kwh,
        "vcpu_hours": found.vcpu_hours,
        "utilisation": found.utilisation,
        "parts": {part.value: kwh for part, kwh in found.parts.items()},
        "jobs": [{"job": one.key, "name": one.name, "kwh": one.kwh} for one in found.jobs],
        "told": said(found.verdict),
        "source": found.power.source,
    }


def advised(
    costed: Costed, runs: RepeatedRuns, prices: PriceList, settings: VmCostSettings
) -> tuple[Data, ...]:
    """All advice on the application; `runs` are those of its name, itself among them.

    What cannot be said of these machines is said to be so.
    """
    cluster = costed.facts.cluster
    found = [*_slow_hosts(costed.application, runs)]
    if cluster is None or costed.bill.usd is None:
        return tuple(found)
    case = Case(costed, cluster, runs, prices, settings)
    for kind, advise in ADVICE.items():
        try:
            found += advise(case)
        except R2D2Error as error:
            found.append({"kind": kind, "told": f"cannot be said: {error}", "basis": MODELLED})
    return tuple(found)


def _slow_hosts(application: Application, runs: RepeatedRuns) -> Iterator[Data]:
    hosts = {executor.host for executor in application.executors}
    for host in runs.degradation.slow:
        if host.host in hosts:
            yield {
                "kind": "slow_host",
                "told": said(host.verdict),
                "basis": MODELLED,
                "host": host.host,
            }


def _packing(case: Case) -> Iterator[Data]:
    """Only where another shape than the largest of today's executors strands fewer cores."""
    machine, memory = case.machine, mib_per_core(case.application)
    if machine.vcpu is None or machine.mem_mib is None or memory is None:
        return
    asked = case.settings.packing
    numa = Numa(asked.numa_cores) if asked.numa_cores else None
    rooms = rooms_of(machine.vcpu, machine.mem_mib, 1, asked.reserved_cores, asked.reserved_mib)
    shapes = [(one.cores, one.memory_mib or 0) for one in case.application.executors]
    today = pack(rooms, Shape(*max(shapes)), numa)
    best = best_shapes(rooms, memory, numa=numa)[0]
    if best.stranded_cores < today.stranded_cores or (today.warning and not best.warning):
        told = said(f"on {machine.sku}: {best.verdict}; today: {today.verdict}")
        free = [room.cores for room in rooms]
        yield {
            "kind": "packing",
            "told": told,
            "basis": MODELLED,
            "cores": best.shape.cores,
            "fragment_rate": float(fragment_rate(free, best.shape.cores)),
            "fragment_rate_today": float(fragment_rate(free, today.shape.cores)),
        }


def _right_size(case: Case) -> Iterator[Data]:
    asked = case.settings.right_size
    if asked is not None:
        kind = PriceKind.SPOT if case.cluster.spot else PriceKind.ON_DEMAND
        machines = [case.price(name, kind) for name in asked.vms or (case.cluster.vm,)]
        yield from sized(case.costed, case.runs, machines, case.driver, asked)


ADVICE: Mapping[str, Callable[[Case], Iterator[Data]]] = {
    "packing": _packing,
    "right_size": _right_size,
    "spot": spot,
    "serverless": serverless,
}
