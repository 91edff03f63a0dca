"""What every piece of advice is given: an application on known machines, and what is asked."""

from dataclasses import dataclass

from r2d2.vmcost.advise.runs import Runs
from r2d2.vmcost.model import Application, Cluster, Price, PriceKind
from r2d2.vmcost.prices import PriceList
from r2d2.vmcost.report.data import Costed
from r2d2.vmcost.settings import VmCostSettings


@dataclass(frozen=True, slots=True)
class Case:
    """An application whose machines are known and priced, the runs of its name, what is asked."""

    costed: Costed
    cluster: Cluster
    runs: Runs
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
        """How many tasks a worker runs at once."""
        task_cpus = max((one.task_cpus for one in self.application.executors), default=1)
        return max(1, (self.machine.vcpu or 1) // task_cpus)

    def price(self, sku: str, kind: PriceKind) -> Price:
        """The listed price of a type where the cluster is.

        Raises:
            NoPriceError: there is none.
        """
        return self.prices.price(self.cluster.provider, self.cluster.region, sku, kind)

    def _billed(self, sku: str) -> Price:
        return next(rate.machine for rate in self.costed.bill.rates if rate.sku == sku)


def said(verdict: str) -> str:
    """The sentence without its mark: a report marks each figure in its own way."""
    return verdict.replace(" (modelled)", "")
