"""The bill of an application's machines: an exact partition of rented time into money.

A VM's money is billed seconds · (price + fees) / 3600, with billed seconds of each of its rentals
ceil(max(minimum, metered) / quantum) · quantum. Its metered time falls into

    start_up            before its first executor, and the lead that `Billing` adds
    busy                cores in tasks that succeeded, speculative copies too
    failed              cores in tasks that failed or were killed
    idle_in_jobs        cores without a task, or the whole VM between executors, while a job runs
    idle_between_jobs   the same while none runs, and the tail that `Billing` adds
    stranded            cores that no executor owns while another one lives on the VM
    rounding            what is billed beyond the metered time

and the driver's own VM into `driver` and `rounding`. While executors own c of v cores, a core takes
1/max(v, c) of the VM. Tasks that overlap more than their executor's cores allow share them equally.

`Bill.problems` counts, besides what `events.problems` lists:

| key | counts |
|---|---|
| `core_ms_beyond_cores` | core-milliseconds of tasks beyond the cores, which they share |
| `executor_outside_application` | executors that did not live within the application's time |
| `host_beyond_count` | hosts beyond the stated number of VMs, billed by their executors' time |
| `no_executor_ran` | 1 where no executor lived within the application: no worker is paid for |
| `pod_laid_on_vm` | Kubernetes' pods laid on the stated VMs, which the log does not name |
| `pod_priced_by_share` | pods that pay for the share of a VM that they ask for |
| `spot_priced_on_demand_at_most` | spot VMs without a spot price: the price on demand is a bound |
| `task_outlasts_executor` | tasks that began before or ended after their executor |
| `vm_cores_exceeded` | VMs whose executors owned more cores than the VM has |
| `vm_cores_unknown` | VMs of a type whose vCPUs the price list does not tell |
| `vm_kept_between_executors` | VMs to which executors came again: kept meanwhile, to the end |
| `vm_rented_anew` | VMs that were rented more than once, each time at the minimum or more |
| `vm_without_executor` | stated VMs on which no executor ran |
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

import numpy as np

from r2d2.vmcost.bill.fleet import driver_bill, worker_fleet
from r2d2.vmcost.bill.model import (
    MOST_LISTED,
    OTHERS,
    Amount,
    Bill,
    Charges,
    ExecutorTime,
    HostTime,
    Part,
    Rate,
    Share,
    VmBill,
    rate_of,
    vm_rate,
    worker_rate,
)
from r2d2.vmcost.bill.not_included import not_included
from r2d2.vmcost.bill.task_time import (
    NO_JOB,
    blocks,
    computing_units,
    jobs_of_attempts,
    positions_of_attempts,
)
from r2d2.vmcost.bill.timeline import (
    BilledRun,
    Integers,
    Positions,
    count_jobs_without_ends,
    most_at_once,
    on_kubernetes,
    pod_share,
)
from r2d2.vmcost.model import Application, Billing, Cluster, PriceKind
from r2d2.vmcost.prices import NoPriceError, PriceList

__all__ = [
    "MOST_LISTED",
    "OTHERS",
    "Amount",
    "Bill",
    "ExecutorTime",
    "HostTime",
    "Part",
    "Rate",
    "Share",
    "VmBill",
    "bill",
    "micro_usd",
    "most_at_once",
    "not_included",
    "printed_total_usd",
    "printed_usd",
    "rate_of",
    "vm_rate",
    "worker_rate",
]

Name = TypeVar("Name", bound=Hashable)
MICRO = 1_000_000
NO_CLUSTER = "the VM type is not known: name it with --vm, --region and --provider"


def bill(
    app: Application, cluster: Cluster | None, prices: PriceList, billing: Billing | None = None
) -> Bill:
    """The costs of the application's machines, by what they were for.

    Without a cluster, or where a price is missing, the time is divided all the same, and `usd` is
    None with its reason.
    """
    billing = billing or Billing()
    rates = _rates(cluster, prices, billing)
    problems: Counter[str] = Counter()
    count_jobs_without_ends(app, problems)
    run = BilledRun.of(app)
    whole_rates = rates
    share = _pod_share(app, cluster, rates.worker, problems)
    rates = rates.of_share(share)
    fleet = worker_fleet(run, cluster, rates.worker, billing, problems)
    if cluster and cluster.spot and rates.worker:
        on_demand = rates.worker.machine.kind is PriceKind.ON_DEMAND
        problems["spot_priced_on_demand_at_most"] += on_demand * len(fleet.vms)
    vms = fleet.vms
    if cluster is not None and cluster.driver_vm is not None:
        vms = (driver_bill(app, cluster.driver_vm, rates.driver, billing), *vms)
    parts = {part: _sum([vm.parts[part] for vm in vms], rates) for part in Part}
    sums = ChargeSums(run, fleet.charges)
    stages, jobs = stage_and_job_shares(app, sums)
    return Bill(
        usd=_sum(list(parts.values()), rates).usd,
        why=rates.why,
        parts=parts,
        computing=sums.computing(),
        jobs=jobs,
        stages=stages,
        executors=executor_shares(app, sums),
        vms=vms,
        rates=rates.used(vms),
        vm_share=share,
        fees_usd=_fees_usd(vms, whole_rates),
        problems={name: count for name, count in sorted(problems.items()) if count},
    )


@dataclass(frozen=True, slots=True)
class _Rates:
    """The prices of both kinds of VM; where one is missing both are None, and `why` says why."""

    worker: Rate | None = None
    driver: Rate | None = None
    why: str = ""

    def of_share(self, share: Fraction) -> "_Rates":
        """The same where each worker is a share of a VM."""
        if self.worker is None:
            return self
        usd_per_hour = self.worker.usd_per_hour * share
        return replace(self, worker=replace(self.worker, usd_per_hour=usd_per_hour))

    def used(self, vms: tuple[VmBill, ...]) -> tuple[Rate, ...]:
        """The rates that the VMs are billed by, each once, the driver's first."""
        of_vms = [self.driver if vm.driver else self.worker for vm in vms]
        return tuple(dict.fromkeys(rate for rate in of_vms if rate is not None))


def _rates(cluster: Cluster | None, prices: PriceList, billing: Billing) -> _Rates:
    if cluster is None:
        return _Rates(why=NO_CLUSTER)
    try:
        place = (cluster.provider, cluster.region)
        worker = worker_rate(cluster, prices, billing)
        driver = (
            vm_rate(place, cluster.driver_vm, prices, billing)
            if cluster.driver_vm is not None
            else None
        )
    except NoPriceError as error:
        return _Rates(why=str(error))
    return _Rates(worker, driver)


def _pod_share(
    app: Application, cluster: Cluster | None, rate: Rate | None, problems: Counter[str]
) -> Fraction:
    """The share of a VM that each worker is: less than 1 for pods that nobody states the VMs of."""
    if rate is None or (cluster and cluster.count) or not on_kubernetes(app):
        return Fraction(1)
    problems["pod_priced_by_share"] += len(app.executors)
    return pod_share(app, rate.machine.vcpu, rate.machine.mem_mib)


def _sum(amounts: list[Amount], rates: _Rates) -> Amount:
    vm_s = sum((amount.vm_s for amount in amounts), Fraction(0))
    if rates.why:
        return Amount(vm_s, None)
    return Amount(vm_s, sum((amount.usd or Fraction(0) for amount in amounts), Fraction(0)))


def _fees_usd(vms: Sequence[VmBill], rates: _Rates) -> Fraction:
    """The part of the VMs' money that is fees."""
    fees_usd = Fraction(0)
    for vm in vms:
        rate = rates.driver if vm.driver else rates.worker
        fees_usd += (vm.usd or Fraction(0)) * rate.fee_share if rate else 0
    return fees_usd


def micro_usd(parts: Mapping[Name, Fraction]) -> dict[Name, int]:
    """The parts in millionths of a dollar, which add up to the rounded sum of the parts.

    Each is the part rounded down or up; those with the largest remainders go up, the first of
    equal ones first (the method of largest remainders).

    >>> micro_usd({"a": Fraction(1, 3_000_000), "b": Fraction(2, 3_000_000)})
    {'a': 0, 'b': 1}
    """
    exact = {name: part * MICRO for name, part in parts.items()}
    down = {name: int(part // 1) for name, part in exact.items()}
    up = _round_half_up(sum(exact.values(), Fraction(0))) - sum(down.values())
    by_remainder = sorted(exact, key=lambda name: down[name] - exact[name])
    return {name: whole + (name in by_remainder[:up]) for name, whole in down.items()}


def printed_usd(parts: Mapping[Name, Fraction]) -> dict[Name, float]:
    """The parts in dollars with six decimals, whose printed sum is `printed_total_usd`."""
    return {name: micro / MICRO for name, micro in micro_usd(parts).items()}


def printed_total_usd(usd: Fraction) -> float:
    """Dollars with six decimals, half a millionth rounded up."""
    return _round_half_up(usd * MICRO) / MICRO


def _round_half_up(number: Fraction) -> int:
    """The nearest whole number; the greater of two that are equally near."""
    return int((number + Fraction(1, 2)) // 1)


class ChargeSums:
    """Adds the charges of one application up by whatever key each of its tasks has."""

    def __init__(self, run: BilledRun, charges: Charges) -> None:
        self._charges, self._tasks = charges, run.app.tasks
        self._busy = np.where(run.failed, 0, charges.units)
        self._failed = np.where(run.failed, charges.units, 0)

    def computing(self) -> Amount:
        """The part of the busy charges in which tasks computed."""
        computed = (
            int(computing_units(self._tasks[rows], self._busy[rows]).sum())
            for rows in blocks(len(self._tasks))
        )
        return self._charges.amount(sum(computed))

    def shares(
        self, place: Positions, size: int, name_of: Callable[[int], tuple[str, str]]
    ) -> tuple[Share, ...]:
        """A share for each of `size` positions, of which `place` has each task's.

        `name_of` tells its key and name, and is asked for those that are listed.
        """
        tasks = np.bincount(place, minlength=size)
        busy, failed = (_sums(place, size, units) for units in (self._busy, self._failed))
        if size <= MOST_LISTED:
            names = [name_of(at) for at in range(size)]
        else:
            listed = _dearest(busy + failed)
            others = (OTHERS, f"{size - MOST_LISTED:,} others")
            names = [*(name_of(at) for at in listed.tolist()), others]
            tasks, busy, failed = (
                np.append(each[listed], each.sum() - each[listed].sum())
                for each in (tasks, busy, failed)
            )
        amount = self._charges.amount
        return tuple(
            Share(
                key,
                name,
                int(tasks[at]),
                amount(int(busy[at])),
                amount(int(failed[at])),
            )
            for at, (key, name) in enumerate(names)
        )


def _dearest(units: Integers) -> Positions:
    """The positions of the most units, in order; of equal ones the first."""
    return np.sort(np.argsort(-units, kind="stable")[:MOST_LISTED])


def _sums(place: Positions, size: int, units: Integers) -> Integers:
    sums = np.zeros(size, np.int64)
    np.add.at(sums, place, units)
    return sums


def stage_and_job_shares(
    app: Application, sums: ChargeSums
) -> tuple[tuple[Share, ...], tuple[Share, ...]]:
    """The shares of stage attempts and of jobs, each in order of id.

    All jobs of the application are named; tasks of none stand last under the empty key.
    """
    attempts, place, jobs = jobs_of_attempts(app)
    of_stage = positions_of_attempts(app, attempts)

    def stage(at: int) -> tuple[str, str]:
        number, attempt = attempts[at].tolist()
        return f"{number}.{attempt}", app.stages[of_stage[at]].name if of_stage[at] >= 0 else ""

    order = np.argsort(np.array([job.id for job in app.jobs], np.int64), kind="stable").tolist()

    def job(at: int) -> tuple[str, str]:
        if at == len(order):
            return "", "tasks of no job"
        return str(app.jobs[order[at]].id), app.jobs[order[at]].name

    rank = np.full(len(app.jobs) + 1, len(order), np.intp)
    rank[order] = np.arange(len(order))
    of_job = rank[np.where(jobs == NO_JOB, len(app.jobs), jobs)]
    named = len(order) + bool((of_job == len(order)).any())
    return sums.shares(place, len(attempts), stage), sums.shares(of_job[place], named, job)


def executor_shares(app: Application, sums: ChargeSums) -> tuple[Share, ...]:
    """The shares of executors, in the order in which they were added."""
    order = sorted(
        range(len(app.executors)),
        key=lambda number: (app.executors[number].added_ms, app.executors[number].id),
    )
    names = [(app.executors[number].id, app.executors[number].host) for number in order]
    rank = np.full(len(app.executors) + 1, len(order), np.intp)
    rank[order] = np.arange(len(order))
    place = rank[app.tasks["executor"]]
    if (app.tasks["executor"] < 0).any():
        names.append(("", "executors that were never added"))
    return sums.shares(place, len(names), names.__getitem__)
