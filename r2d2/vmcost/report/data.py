"""The report as plain data, which every rendering is made from: `report.json`.

| key of an application | what |
|---|---|
| `application_id`, `attempt`, `name`, `spark_version`, `files`, … | which run |
| `duration_s`, `core_seconds`, `tasks`, `busy_fraction`, `task_time` | measured |
| `vm_s` | VM-seconds by the parts of the money, measured; without a cluster one VM to each host |
| `usd`, `money`, `billed`, `prices`, `why` | priced: the whole, its parts, how, as of when |
| `cluster`, `candidates` | the machines; where nobody tells, all that fit, never a pick |
| `by_job`, `by_stage`, `by_executor` | shares of the money of `busy` and `failed`, and task time |
| `timeline` | hosts over time: rented, busy |
| `energy`, `advice` | modelled |
| `problems` | what was damaged, skipped or guessed, counted |

Besides, `pipeline` has the schedule of jobs that were asked for, or null, and `degradation` the
hosts and the slowest stages of applications that ran several times.
The parts in `money` sum to `usd`: both are rounded to a millionth of a dollar so that they do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from r2d2.vmcost.bill import Bill, printed_total_usd, printed_usd
from r2d2.vmcost.bill.task_time import busy_fraction, core_seconds, duration_s, task_time
from r2d2.vmcost.machines import KnownMachines
from r2d2.vmcost.model import Application, Billing, Cluster
from r2d2.vmcost.prices import age_days
from r2d2.vmcost.report.rows import by_executor, by_job, by_stage, timeline

Data = dict[str, Any]
VERSION = 1
MOST_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Costed:
    """An application with its machines, its bill, and what is advised."""

    application: Application
    facts: KnownMachines
    billing: Billing
    bill: Bill
    energy: Data | None = None
    advice: tuple[Data, ...] = ()


def report_data(costed: Sequence[Costed], today: date, besides: Data | None = None) -> Data:
    """The report; prices are as old as they are on that day. `besides` are its other keys."""
    return {
        "version": VERSION,
        "applications": [application_data(one, today) for one in costed],
    } | (besides or {})


def application_data(costed: Costed, today: date) -> Data:
    """One application, as the module tells."""
    application, bill = costed.application, costed.bill
    known = bill.usd is not None
    return {
        "application_id": application.id,
        "attempt": application.attempt,
        "name": application.name,
        "spark_version": application.spark_version,
        "files": list(application.files),
        "started": datetime.fromtimestamp(application.started_ms / 1000, UTC).isoformat(),
        "ended_told": application.ended_told,
        "duration_s": duration_s(application),
        "core_seconds": core_seconds(application),
        "tasks": len(application.tasks),
        "busy_fraction": busy_fraction(application),
        "task_time": asdict(task_time(application)),
        "vm_s": {part.value: float(amount.vm_s) for part, amount in bill.parts.items()},
        "usd": None if bill.usd is None else printed_total_usd(bill.usd),
        "why": bill.why or None,
        "money": _money(bill) if known else None,
        "billed": {key: _number(value) for key, value in asdict(costed.billing).items()},
        "cluster": _cluster(costed.facts.cluster),
        "candidates": _candidates(costed.facts),
        "prices": list(_prices(bill, today)),
        "by_job": list(by_job(application, bill)),
        "by_stage": list(by_stage(application, bill)),
        "by_executor": list(by_executor(application, bill)),
        "timeline": timeline(application, bill),
        "problems": _problems(costed),
        "energy": costed.energy,
        "advice": list(costed.advice),
    }


def _money(bill: Bill) -> dict[str, float]:
    usd = printed_usd(
        {part.value: amount.usd or Fraction(0) for part, amount in bill.parts.items()}
    )
    return dict(usd)


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _cluster(cluster: Cluster | None) -> Data | None:
    return None if cluster is None else asdict(cluster)


def _candidates(facts: KnownMachines) -> list[Data]:
    return [
        {
            "provider": one.price.provider,
            "region": one.price.region,
            "sku": one.price.sku,
            "count": None,
            "usd_per_hour": float(one.price.usd_per_hour),
            "vcpu": one.price.vcpu,
            "mem_mib": one.price.mem_mib,
        }
        for one in facts.candidates[:MOST_CANDIDATES]
    ]


def _prices(bill: Bill, today: date) -> Iterator[Data]:
    for rate in bill.rates:
        for price in (rate.machine, *rate.fees):
            yield {
                "sku": price.sku,
                "kind": price.kind.value,
                "usd_per_hour": float(price.usd_per_hour),
                "as_of": price.as_of.isoformat(),
                "age_days": age_days(price, today),
                "source": f"{price.source} {price.source_version}".strip(),
            }


def _problems(costed: Costed) -> dict[str, int]:
    found = {**costed.application.problems, **costed.bill.problems}
    return dict(sorted(found.items())) | dict.fromkeys(costed.facts.problems, 1)
