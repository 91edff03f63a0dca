"""The companion job on one screen: logs → applications → machines → bill → report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from r2d2.errors import UsageError
from r2d2.vmcost.bill import bill
from r2d2.vmcost.events import Logs, read_logs
from r2d2.vmcost.facts import Stated, find_facts
from r2d2.vmcost.model import Application, Billing
from r2d2.vmcost.prices import PriceList
from r2d2.vmcost.profile import Run
from r2d2.vmcost.report.data import Costed


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the logs: which machines were stated, by whom, and how they are paid."""

    prices: PriceList
    stated: Stated = field(default_factory=Stated)
    billing: Billing = field(default_factory=Billing)
    source: str = "flags"


@dataclass(frozen=True, slots=True)
class Answer:
    """The applications of the logs, costed, and the logs that gave none."""

    costed: tuple[Costed, ...]
    logs: Logs


def cost(paths: Sequence[Path | str], question: Question) -> Answer:
    """What the applications of the logs cost."""
    logs = read_logs(paths)
    return Answer(tuple(_costed(each, question) for each in logs.applications), logs)


def _costed(application: Application, question: Question) -> Costed:
    facts = find_facts(application, question.stated, question.prices, question.source)
    made = bill(application, facts.cluster, question.prices, question.billing)
    return Costed(application, facts, question.billing, made)


def runs_of(costed: Sequence[Costed]) -> list[Run]:
    """The applications as runs of a profile, each with its VMs' price and number.

    Raises:
        UsageError: there is none, or the machines or the price of one are not known.
    """
    if not costed:
        raise UsageError("no application in these logs: nothing to make a profile of")
    return [_run(one) for one in costed]


def _run(one: Costed) -> Run:
    cluster, workers = one.facts.cluster, [vm for vm in one.bill.vms if not vm.driver]
    if cluster is None or one.bill.usd is None:
        raise UsageError(f"{one.application.id}: {one.bill.why}")
    machine = next(rate.machine for rate in one.bill.rates if rate.sku == cluster.vm)
    return Run(one.application, machine, cluster.count or len({vm.host for vm in workers}))
