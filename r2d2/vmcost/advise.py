"""What is advised of an application: sentences with their figures, each marked as modelled.

Packing and energy need nothing but the machines. Right-size, spot and serverless are asked for by
their sections in the settings. Slow hosts are looked for in all runs of one name together.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from r2d2.errors import R2D2Error
from r2d2.vmcost.advice.degradation import degradation
from r2d2.vmcost.advice.energy import POWERS, energy_of
from r2d2.vmcost.advice.packing import Numa, Shape, best_shapes, mib_per_core, pack, rooms_of
from r2d2.vmcost.advice.serverless.advice import advise_serverless
from r2d2.vmcost.advice.serverless.model import Place, RentedCluster, Serverless
from r2d2.vmcost.advice.serverless.rates import Rate, ResourceRate, UnitRate, Worker
from r2d2.vmcost.advice.spot import Odds, compare_spot
from r2d2.vmcost.advice.spot.trial import SpotOffer
from r2d2.vmcost.advise_size import said, sized
from r2d2.vmcost.model import Application, Cluster, Price, PriceKind
from r2d2.vmcost.prices import PriceList
from r2d2.vmcost.report.data import Costed
from r2d2.vmcost.settings import ServerlessSettings, VmCostSettings

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


@dataclass(frozen=True, slots=True)
class _Case:
    """An application whose machines are known and priced, the runs of its name, what is asked."""

    costed: Costed
    cluster: Cluster
    runs: Sequence[Application]
    prices: PriceList
    settings: VmCostSettings

    @property
    def application(self) -> Application:
        return self.costed.application

    @property
    def machine(self) -> Price:
        """The price by which a worker was billed."""
        return self._billed(self.cluster.vm)

    @property
    def driver(self) -> Price | None:
        return None if self.cluster.driver_vm is None else self._billed(self.cluster.driver_vm)

    @property
    def count(self) -> int:
        """The worker VMs: as stated, else those that were billed."""
        return self.cluster.count or sum(not vm.driver for vm in self.costed.bill.vms)

    @property
    def slots_per_vm(self) -> int:
        """How many tasks a worker runs at once."""
        task_cpus = max((one.task_cpus for one in self.application.executors), default=1)
        return max(1, (self.machine.vcpu or 1) // task_cpus)

    def price(self, sku: str, kind: PriceKind) -> Price:
        return self.prices.price(self.cluster.provider, self.cluster.region, sku, kind)

    def _billed(self, sku: str) -> Price:
        return next(rate.machine for rate in self.costed.bill.rates if rate.sku == sku)


def advised(
    costed: Costed, runs: Sequence[Application], prices: PriceList, settings: VmCostSettings
) -> tuple[Data, ...]:
    """All advice on the application; `runs` are those of its name, itself among them.

    What cannot be said of these machines is said to be so.
    """
    cluster = costed.facts.cluster
    found = [*_slow_hosts(costed.application, runs)]
    if cluster is None or costed.bill.usd is None:
        return tuple(found)
    case = _Case(costed, cluster, runs, prices, settings)
    for kind, advise in ADVICE.items():
        try:
            found += advise(case)
        except R2D2Error as error:
            found.append({"kind": kind, "told": f"cannot be said: {error}", "basis": MODELLED})
    return tuple(found)


def _slow_hosts(application: Application, runs: Sequence[Application]) -> Iterator[Data]:
    hosts = {executor.host for executor in application.executors}
    for host in degradation(runs).slow:
        if host.host in hosts:
            yield {
                "kind": "slow_host",
                "told": said(host.verdict),
                "basis": MODELLED,
                "host": host.host,
            }


def _packing(case: _Case) -> Iterator[Data]:
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
        yield {"kind": "packing", "told": told, "basis": MODELLED, "cores": best.shape.cores}


def _right_size(case: _Case) -> Iterator[Data]:
    asked = case.settings.right_size
    if asked is not None:
        kind = PriceKind.SPOT if case.cluster.spot else PriceKind.ON_DEMAND
        machines = [case.price(name, kind) for name in asked.vms or (case.cluster.vm,)]
        yield from sized(case.costed, case.runs, machines, case.driver, asked)


def _spot(case: _Case) -> Iterator[Data]:
    asked = case.settings.spot
    if asked is None:
        return
    on_demand = case.price(case.cluster.vm, PriceKind.ON_DEMAND)
    spot = (
        case.price(case.cluster.vm, PriceKind.SPOT)
        if asked.usd_per_hour is None
        else replace(on_demand, kind=PriceKind.SPOT, usd_per_hour=asked.usd_per_hour)
    )
    offer = SpotOffer(
        count=case.count,
        slots_per_vm=case.slots_per_vm,
        on_demand=on_demand,
        spot=spot,
        interruptions_per_vm_hour=asked.interruptions_per_vm_hour,
        replacement_s=asked.replacement_s,
        driver=case.driver,
    )
    found = compare_spot(
        case.application, offer, case.costed.billing, asked.deadline_s, asked.trials, asked.seed
    )
    yield {
        "kind": "spot",
        "told": said(f"{found.verdict}; {found.trials} runs simulated, seed {found.seed}"),
        "basis": MODELLED,
        "ways": {"on_demand": _odds(found.on_demand), "spot": _odds(found.spot)},
        "interruptions": found.interruptions,
    }


def _odds(odds: Odds) -> Data:
    return {
        "mean_s": odds.mean_s,
        "p95_s": odds.p95_s,
        "mean_usd": float(odds.mean_usd),
        "p95_usd": float(odds.p95_usd),
        "miss_probability": odds.miss_probability,
    }


def _serverless(case: _Case) -> Iterator[Data]:
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
            f"{told}; cheapest has {moved} of {len(steps)} steps on workers. Both cost the same at"
            f" {found.break_even_utilisation:.1%} utilisation; it was {found.utilisation:.1%}"
            f" (rates of {asked.source}, {asked.as_of})"
        ),
        "basis": MODELLED,
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


def by_name(costed: Sequence[Costed]) -> Mapping[str, list[Application]]:
    """The applications of each name, as runs of one job."""
    found: dict[str, list[Application]] = defaultdict(list)
    for one in costed:
        found[one.application.name].append(one.application)
    return found


ADVICE: Mapping[str, Callable[[_Case], Iterator[Data]]] = {
    "packing": _packing,
    "right_size": _right_size,
    "spot": _spot,
    "serverless": _serverless,
}
