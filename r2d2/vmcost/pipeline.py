"""`r2d2 vmcost` on one screen: logs → applications → machines → bill → advice → report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from r2d2.errors import R2D2Error, UsageError
from r2d2.progress import Progress
from r2d2.vmcost.advice import advice_of
from r2d2.vmcost.advice.case import RepeatedRuns, runs_by_name
from r2d2.vmcost.advice.energy import energy_data
from r2d2.vmcost.advice.job_schedule.report import pipeline_data
from r2d2.vmcost.advice.slow_hosts import degradation_data
from r2d2.vmcost.bill import bill, not_included, worker_rate
from r2d2.vmcost.events import EventLogs, LeftOutLog, fault_text, read_logs
from r2d2.vmcost.machines import ClusterFacts, known_machines, platform_of
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
    return cost_of(read_logs(paths, progress), request)


def cost_of(logs: EventLogs, request: CostRequest) -> CostedLogs:
    """The same of logs that were read."""
    prices, settings = request.prices, request.settings
    runs = runs_by_name(logs.applications)
    costed, faults = _all_costed(logs.applications, runs, request)
    besides: Data = {
        "report": settings.report,
        "pipeline": settings.pipeline
        and pipeline_data(costed, settings.pipeline, prices, settings),
        "degradation": _degradation(runs),
    }
    return CostedLogs(costed, besides, replace(logs, refused=(*logs.refused, *faults)))


def _all_costed(
    applications: Sequence[Application], runs: Mapping[str, RepeatedRuns], request: CostRequest
) -> tuple[tuple[Costed, ...], list[LeftOutLog]]:
    """Each application with its bill and advice; those that a fault of r2d2 leaves without."""
    costed, faults = [], []
    for application in applications:
        try:
            bare = _costed(application, request)
            advice = advice_of(bare, runs[application.name], request.prices, request.settings)
            costed.append(replace(bare, energy=energy_data(bare), advice=advice))
        except R2D2Error as error:
            faults.append(LeftOutLog(application.files[0], str(error)))
        except Exception as error:  # noqa: BLE001  one application's fault must not cost the others
            faults.append(LeftOutLog(application.files[0], fault_text(error)))
    return tuple(costed), faults


def _degradation(runs: Mapping[str, RepeatedRuns]) -> list[Data]:
    return [
        degradation_data(name, len(same.applications), same.degradation)
        for name, same in sorted(runs.items())
        if len(same.applications) > 1
    ]


def _costed(application: Application, request: CostRequest) -> Costed:
    settings = request.settings
    stated = request.flags.over(settings.cluster)
    source = "flags" if request.flags != ClusterFacts() else "settings"
    machines = known_machines(application, stated, request.prices, source)
    billing = settings.billing
    if billing.service is None:
        billing = replace(billing, service=platform_of(application))
    its_bill = bill(application, machines.cluster, request.prices, billing)
    besides = not_included(application, machines.cluster, request.prices, billing, its_bill)
    return Costed(application, machines, billing, its_bill, tuple(besides))


def runs_of(costed: Sequence[Costed], request: CostRequest) -> list[ProfiledRun]:
    """The applications as runs of a profile, each with its VMs' price and number.

    Raises:
        UsageError: there is none, or the machines or the price of one are not known.
    """
    if not costed:
        raise UsageError("no application in these logs: nothing to make a profile of")
    return [_run(each, request) for each in costed]


def _run(costed: Costed, request: CostRequest) -> ProfiledRun:
    cluster, workers = costed.facts.cluster, [vm for vm in costed.bill.vms if not vm.driver]
    if cluster is None or costed.bill.usd is None:
        raise UsageError(f"{costed.application.id}: {costed.bill.why}")
    rate = worker_rate(cluster, request.prices, costed.billing)
    return ProfiledRun(costed.application, rate, cluster.count or len({vm.host for vm in workers}))
