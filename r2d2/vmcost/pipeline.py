"""`r2d2 vmcost` on one screen: logs → applications → machines → bill → advice → report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from r2d2.errors import UsageError
from r2d2.progress import Progress
from r2d2.vmcost.advice import advice_of
from r2d2.vmcost.advice.case import runs_by_name
from r2d2.vmcost.advice.energy import energy_data
from r2d2.vmcost.advice.job_schedule.report import pipeline_data
from r2d2.vmcost.advice.slow_hosts import degradation_data
from r2d2.vmcost.bill import bill
from r2d2.vmcost.events import EventLogs, LeftOutLog, read_logs
from r2d2.vmcost.machines import ClusterFacts, known_machines
from r2d2.vmcost.model import Application
from r2d2.vmcost.prices import PriceList
from r2d2.vmcost.profile import ProfiledRun
from r2d2.vmcost.report.data import Costed, Data
from r2d2.vmcost.settings import VmCostSettings


@dataclass(frozen=True, slots=True)
class CostRequest:
    """The prices, and the settings of a file and of flags."""

    prices: PriceList
    settings: VmCostSettings = field(default_factory=VmCostSettings)
    flags: ClusterFacts = field(default_factory=ClusterFacts)


@dataclass(frozen=True, slots=True)
class CostedLogs:
    """The applications of the logs with their costs; `besides` is of all of them together."""

    costed: tuple[Costed, ...]
    besides: Data
    logs: EventLogs

    def renamed(self, name: Callable[[str], str]) -> "CostedLogs":
        """The same with other names for the files, where they are copies."""
        costed = tuple(
            replace(
                each,
                application=replace(
                    each.application, files=tuple(map(name, each.application.files))
                ),
            )
            for each in self.costed
        )
        left_out = (
            tuple(LeftOutLog(name(path), name(reason)) for path, reason in logs)
            for logs in (self.logs.refused, self.logs.repeated)
        )
        applications = tuple(each.application for each in costed)
        return CostedLogs(costed, self.besides, EventLogs(applications, *left_out))


def cost(
    paths: Sequence[Path | str], request: CostRequest, progress: Progress | None = None
) -> CostedLogs:
    """The costs of the logs' applications, and what would be cheaper."""
    prices, settings = request.prices, request.settings
    logs = read_logs(paths, progress)
    runs = runs_by_name(logs.applications)
    costed = tuple(
        replace(
            each,
            energy=energy_data(each),
            advice=advice_of(each, runs[each.application.name], prices, settings),
        )
        for each in (_costed(application, request) for application in logs.applications)
    )
    besides = {
        "pipeline": settings.pipeline
        and pipeline_data(costed, settings.pipeline, prices, settings),
        "degradation": [
            degradation_data(name, len(same.applications), same.degradation)
            for name, same in sorted(runs.items())
            if len(same.applications) > 1
        ],
    }
    return CostedLogs(costed, besides, logs)


def _costed(application: Application, request: CostRequest) -> Costed:
    settings = request.settings
    stated = request.flags.over(settings.cluster)
    source = "flags" if request.flags != ClusterFacts() else "settings"
    machines = known_machines(application, stated, request.prices, source)
    its_bill = bill(application, machines.cluster, request.prices, settings.billing)
    return Costed(application, machines, settings.billing, its_bill)


def runs_of(costed: Sequence[Costed]) -> list[ProfiledRun]:
    """The applications as runs of a profile, each with its VMs' price and number.

    Raises:
        UsageError: there is none, or the machines or the price of one are not known.
    """
    if not costed:
        raise UsageError("no application in these logs: nothing to make a profile of")
    return [_run(each) for each in costed]


def _run(costed: Costed) -> ProfiledRun:
    cluster, workers = costed.facts.cluster, [vm for vm in costed.bill.vms if not vm.driver]
    if cluster is None or costed.bill.usd is None:
        raise UsageError(f"{costed.application.id}: {costed.bill.why}")
    machine = next(rate.machine for rate in costed.bill.rates if rate.sku == cluster.vm)
    return ProfiledRun(
        costed.application, machine, cluster.count or len({vm.host for vm in workers})
    )
