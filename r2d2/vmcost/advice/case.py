"""An application to advise on, and the runs of its name, whose common figures are computed once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from r2d2.vmcost.advice.right_size.ernest import (
    FEWEST_RUNS,
    Ernest,
    fit_ernest,
    measured_run,
    replay_ratios,
)
from r2d2.vmcost.advice.slow_hosts import Degradation, degradation
from r2d2.vmcost.model import Application, Cluster, Price, PriceKind
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
    def machine(self) -> Price:
        """The price by which a worker was billed."""
        return self._billed(self.cluster.vm)

    @property
    def driver(self) -> Price | None:
        """The price by which the driver's VM was billed; None where it has none of its own."""
        return None if self.cluster.driver_vm is None else self._billed(self.cluster.driver_vm)

    @property
    def count(self) -> int:
        """The worker VMs: as stated, else those that were billed."""
        return self.cluster.count or sum(not vm.driver for vm in self.costed.bill.vms)

    @property
    def slots_per_vm(self) -> int:
        """The tasks that a worker runs at once."""
        task_cpus = max((executor.task_cpus for executor in self.application.executors), default=1)
        return max(1, (self.machine.vcpu or 1) // task_cpus)

    def price(self, sku: str, kind: PriceKind) -> Price:
        """The listed price of a type in the cluster's region.

        Raises:
            NoPriceError: there is none.
        """
        return self.prices.price(self.cluster.provider, self.cluster.region, sku, kind)

    def _billed(self, sku: str) -> Price:
        return next(rate.machine for rate in self.costed.bill.rates if rate.sku == sku)


@dataclass(frozen=True)
class RepeatedRuns:
    """The applications of one name, which are taken to have done the same work."""

    applications: tuple[Application, ...]

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
