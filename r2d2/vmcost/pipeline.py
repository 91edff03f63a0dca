"""The companion job on one screen: logs → applications → machines → bill → report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from r2d2.vmcost.bill import bill
from r2d2.vmcost.events import Logs, read_logs
from r2d2.vmcost.facts import Stated, find_facts
from r2d2.vmcost.model import Application, Billing
from r2d2.vmcost.prices import PriceList
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
