"""An application to advise on, and the runs of its name, whose common figures are computed once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from r2d2.errors import UsageError
from r2d2.vmcost.advice.replay.slots import slot_cpus
from r2d2.vmcost.advice.right_size.ernest import (
    FEWEST_RUNS,
    Ernest,
    fit_ernest,
    measured_run,
    replay_ratios,
)
from r2d2.vmcost.advice.slow_hosts import (
    Degradation,
    HostHealth,
    degradation,
    host_health,
)
from r2d2.vmcost.bill import Rate, most_at_once, vm_rate, worker_rate
from r2d2.vmcost.model import Application, Cluster, PriceKind
from r2d2.vmcost.prices import PriceList
from r2d2.vmcost.report.data import Costed
from r2d2.vmcost.settings import VmCostSettings

MOST_REPLAYED = 8
"""So many runs, the latest, are replayed as each other: 56 times."""


@dataclass(frozen=True, slots=True)
class AdviceCase:
    """An application whose machines are known and priced, the runs of its name, the settings."""

    costed: Costed
    cluster: Cluster
    runs: "RepeatedRuns"
    prices: PriceList
    settings: VmCostSettings

    @property
    def application(self) -> Application:
        """The application itself."""
        return self.costed.application

    @property
    def worker(self) -> Rate:
        """The rate by which a worker is billed."""
        return worker_rate(self.cluster, self.prices, self.costed.billing)

    @property
    def driver(self) -> Rate | None:
        """The rate by which the driver's VM is billed; None where it has none of its own."""
        return None if self.cluster.driver_vm is None else self.rate(self.cluster.driver_vm)

    @property
    def kind(self) -> PriceKind:
        """The kind of the workers' price."""
        return PriceKind.SPOT if self.cluster.spot else PriceKind.ON_DEMAND

    @property
    def count(self) -> int:
        """The worker VMs: as stated, else the most that were rented at once.

        Raises:
            UsageError: there was none.
        """
        rented = [vm.time.rented for vm in self.costed.bill.vms if not vm.driver]
        count = self.cluster.count or ceil(most_at_once(rented) * self.costed.bill.vm_share)
        if not count:
            raise UsageError("no executor ever ran: there is no worker VM to advise on")
        return count

    @property
    def slots_per_vm(self) -> int:
        """The slots of a worker, see `replay.slots`."""
        return max(1, (self.worker.machine.vcpu or 1) // slot_cpus(self.application))

    def rate(self, sku: str, kind: PriceKind = PriceKind.ON_DEMAND) -> Rate:
        """The rate by which a type in the cluster's region is, or would be, billed.

        Raises:
            NoPriceError: there is none.
        """
        place = (self.cluster.provider, self.cluster.region)
        return vm_rate(place, sku, self.prices, self.costed.billing, kind)


@dataclass(frozen=True)
class RepeatedRuns:
    """The applications of one name, which are taken to have done the same work."""

    applications: tuple[Application, ...]

    @cached_property
    def host_health(self) -> tuple[HostHealth, ...]:
        """The hosts of the runs, slowest first."""
        return host_health(self.applications)

    @cached_property
    def degradation(self) -> Degradation:
        """Hosts and stages that stay behind the best seen of them."""
        return degradation(self.applications)

    @cached_property
    def ernest(self) -> Ernest | None:
        """The model of the runs; None where they are too few, or of too few sizes."""
        runs = [
            measured_run(app, self.scales[place])
            for place, app in enumerate(self.applications)
            if len(app.tasks)
        ]
        sizes = {(run.scale, run.machines) for run in runs}
        return fit_ernest(runs) if len(sizes) >= FEWEST_RUNS else None

    @cached_property
    def scales(self) -> tuple[float, ...]:
        """GB that each run's tasks read; 1 for all where Spark counted none of one's."""
        sizes = tuple(int(app.tasks["input_bytes"].sum()) / 1e9 for app in self.applications)
        return sizes if all(sizes) else (1.0,) * len(sizes)

    @cached_property
    def ratios(self) -> tuple[float, ...]:
        """Measured over replayed time, of the latest runs as each other."""
        in_order = sorted(self.applications, key=lambda app: app.started_ms)
        return replay_ratios(in_order[-MOST_REPLAYED:])

    def scale(self, application: Application) -> float:
        """GB that the application's tasks read, as in `scales`."""
        return self.scales[self.applications.index(application)]


def runs_by_name(applications: Sequence[Application]) -> Mapping[str, RepeatedRuns]:
    """The runs of each name."""
    runs: dict[str, list[Application]] = defaultdict(list)
    for application in applications:
        runs[application.name].append(application)
    return {name: RepeatedRuns(tuple(same)) for name, same in runs.items()}
