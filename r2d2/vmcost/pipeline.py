"""The companion job on one screen: logs → applications → machines → bill → advice → report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from r2d2.errors import UsageError
from r2d2.progress import Progress
from r2d2.vmcost.advice import advised, energy_data
from r2d2.vmcost.advice.case import by_name, degradation_data
from r2d2.vmcost.advice.pipeline.report import pipeline_data
from r2d2.vmcost.bill import bill
from r2d2.vmcost.events import EventLogs, LeftOutLog, read_logs
from r2d2.vmcost.machines import Stated, known_machines
from r2d2.vmcost.model import Application
from r2d2.vmcost.prices import PriceList
from r2d2.vmcost.profile import ProfiledRun
from r2d2.vmcost.report.data import Costed
from r2d2.vmcost.settings import VmCostSettings


@dataclass(frozen=True, slots=True)
class CostRequest:
    """What is asked of the logs: the prices, and what was stated in a file and by flags."""

    prices: PriceList
    settings: VmCostSettings = field(default_factory=VmCostSettings)
    flags: Stated = field(default_factory=Stated)


@dataclass(frozen=True, slots=True)
class CostedLogs:
    """The applications of the logs, costed, what the report says of them together, and all logs."""

    costed: tuple[Costed, ...]
    besides: dict[str, Any]
    logs: EventLogs

    def renamed(self, name: Callable[[str], str]) -> "CostedLogs":
        """The same with other names for the files, where they are copies."""
        costed = tuple(
            replace(one, application=_renamed(one.application, name)) for one in self.costed
        )
        left_out = (
            tuple(LeftOutLog(name(path), name(reason)) for path, reason in some)
            for some in (self.logs.refused, self.logs.repeated)
        )
        applications = tuple(one.application for one in costed)
        return CostedLogs(costed, self.besides, EventLogs(applications, *left_out))


def cost(
    paths: Sequence[Path | str], question: CostRequest, progress: Progress | None = None
) -> CostedLogs:
    """What the applications of the logs cost, and what would be cheaper."""
    logs = read_logs(paths, progress)
    costed = [_costed(each, question) for each in logs.applications]
    runs = by_name(logs.applications)
    prices, settings = question.prices, question.settings
    whole = [
        replace(
            one,
            energy=energy_data(one),
            advice=advised(one, runs[one.application.name], prices, settings),
        )
        for one in costed
    ]
    besides = {
        "pipeline": pipeline_data(whole, prices, settings),
        "degradation": degradation_data(runs),
    }
    return CostedLogs(tuple(whole), besides, logs)


def _renamed(application: Application, name: Callable[[str], str]) -> Application:
    return replace(application, files=tuple(map(name, application.files)))


def _costed(application: Application, question: CostRequest) -> Costed:
    settings = question.settings
    stated = question.flags.over(settings.cluster)
    source = "flags" if question.flags != Stated() else "settings"
    facts = known_machines(application, stated, question.prices, source)
    made = bill(application, facts.cluster, question.prices, settings.billing)
    return Costed(application, facts, settings.billing, made)


def runs_of(costed: Sequence[Costed]) -> list[ProfiledRun]:
    """The applications as runs of a profile, each with its VMs' price and number.

    Raises:
        UsageError: there is none, or the machines or the price of one are not known.
    """
    if not costed:
        raise UsageError("no application in these logs: nothing to make a profile of")
    return [_run(one) for one in costed]


def _run(one: Costed) -> ProfiledRun:
    cluster, workers = one.facts.cluster, [vm for vm in one.bill.vms if not vm.driver]
    if cluster is None or one.bill.usd is None:
        raise UsageError(f"{one.application.id}: {one.bill.why}")
    machine = next(rate.machine for rate in one.bill.rates if rate.sku == cluster.vm)
    return ProfiledRun(one.application, machine, cluster.count or len({vm.host for vm in workers}))
