"""The nouns of a bill: its parts, the shares of jobs, stages and executors, and its VMs.

Money is USD as Fraction, time is VM-seconds as Fraction: a part that took a quarter of a VM's
cores for eight seconds took two VM-seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from r2d2.vmcost.bill.service_fees import fees_of
from r2d2.vmcost.bill.timeline import Integers
from r2d2.vmcost.model import SECONDS_PER_HOUR, Billing, Cluster, Price, PriceKind
from r2d2.vmcost.prices import NoPriceError, PriceList


class Part(str, Enum):
    """The parts of a VM's money. They share no moment of a core and leave none out."""

    DRIVER = "driver"
    START_UP = "start_up"
    BUSY = "busy"
    IDLE_IN_JOBS = "idle_in_jobs"
    IDLE_BETWEEN_JOBS = "idle_between_jobs"
    FAILED = "failed"
    STRANDED = "stranded"
    ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class Amount:
    """Rented time and its price; `usd` is None where the price is not known."""

    vm_s: Fraction
    usd: Fraction | None


def amount_of(vm_s: Fraction, rate: "Rate | None") -> Amount:
    """Rented time at a rate; None is one that is not known."""
    return Amount(vm_s, None if rate is None else rate.usd(vm_s))


@dataclass(frozen=True, slots=True)
class Share:
    """The time and money of the tasks of a job, a stage or an executor; `key` is its id.

    A job's key is `3`, a stage's `7.0` (id and attempt), an executor's its id; tasks that belong to
    no job that the log names stand under the empty key, those beyond `MOST_LISTED` under `OTHERS`.
    """

    key: str
    name: str
    tasks: int
    busy: Amount
    failed: Amount


MOST_LISTED = 10_000
"""Of more jobs or stages those that cost most are told one by one, the others in one row."""
OTHERS = "others"
"""The key of that row."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of a VM's hour: the machine, its fees, and their sum."""

    sku: str
    machine: Price
    fees: tuple[Price, ...]
    usd_per_hour: Fraction

    @property
    def fee_share(self) -> Fraction:
        """The share of the price that is fees."""
        return 1 - self.machine.usd_per_hour / self.usd_per_hour

    def usd(self, seconds: Fraction) -> Fraction:
        """The price of rented time."""
        return seconds * self.usd_per_hour / SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class ExecutorTime:
    """The cores of its host that an executor owned, and the time, within the application."""

    id: str
    start_ms: int
    end_ms: int
    cores: int


@dataclass(frozen=True, slots=True)
class HostTime:
    """A host over time, to be drawn: when it was rented, who owned its cores, how busy they were.

    `cores` are the VM's own where its price row tells them, else the most that executors owned at
    once. `busy_cores` are means over equal parts of the application from `start_ms` to `end_ms`,
    with a task's time as the log has it; `failed_cores` are those of them in failed tasks.
    """

    host: str
    cores: int
    start_ms: int
    end_ms: int
    rented: tuple[tuple[int, int], ...]
    executors: tuple[ExecutorTime, ...]
    busy_cores: tuple[float, ...]
    failed_cores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class VmBill:
    """One VM: the time it was rented (`metered_s`) and is billed, and the parts of its money.

    `standing` VMs stood for the whole run; others came and went with their executors.
    """

    host: str
    sku: str | None
    driver: bool
    standing: bool
    metered_s: Fraction
    billed_s: Fraction
    usd: Fraction | None
    parts: Mapping[Part, Amount]
    time: HostTime


@dataclass(frozen=True, slots=True)
class Bill:
    """The costs of an application's machines; `why` says why `usd` is None, else it is empty.

    `parts` has every part in the order of `Part` and adds up to `usd`. `computing` is the share of
    its `busy` in which tasks neither waited nor were started: CPU and garbage collection. `jobs`,
    `stages` and `executors` each add up to its `busy` and `failed`, except that tasks on executors
    which were never added are paid for by nobody. `problems` counts what was damaged or assumed.
    `vm_share` is the share of a VM that each worker is, a pod's; its rate is that share's.
    `fees_usd` is the part of the money that is fees of services and disks.
    """

    usd: Fraction | None
    why: str
    parts: Mapping[Part, Amount]
    computing: Amount
    jobs: tuple[Share, ...]
    stages: tuple[Share, ...]
    executors: tuple[Share, ...]
    vms: tuple[VmBill, ...]
    rates: tuple[Rate, ...]
    problems: Mapping[str, int]
    vm_share: Fraction = Fraction(1)
    fees_usd: Fraction = Fraction(0)


MS_PER_SECOND = 1000


@dataclass(frozen=True, slots=True)
class Charges:
    """Units charged to each task, how many of them a VM-millisecond has, and the VM's price."""

    units: Integers
    scale: int
    rate: Rate | None

    def amount(self, units: int) -> Amount:
        """The units as rented time and money."""
        return amount_of(Fraction(units, self.scale * MS_PER_SECOND), self.rate)


def worker_rate(cluster: Cluster, prices: PriceList, billing: Billing) -> Rate:
    """The price of a worker's hour; of spot without a row that on demand, an upper bound.

    Raises:
        NoPriceError: the list has neither.
    """
    place = (cluster.provider, cluster.region)
    if cluster.spot:
        try:
            return vm_rate(place, cluster.vm, prices, billing, PriceKind.SPOT)
        except NoPriceError as error:
            try:
                return vm_rate(place, cluster.vm, prices, billing)
            except NoPriceError:
                raise error from None
    return vm_rate(place, cluster.vm, prices, billing)


def vm_rate(
    place: tuple[str, str],
    sku: str,
    prices: PriceList,
    billing: Billing,
    kind: PriceKind = PriceKind.ON_DEMAND,
) -> Rate:
    """The price of the SKU's hour at a provider and region, for bill and advice alike.

    Fees are the uplift rows of the list, DBUs, a service's fee, disks (`service_fees`), and the
    uplift that `billing` itself adds to each VM.

    Raises:
        NoPriceError: the machine, or a DBU row that was asked for, is not in the list.
    """
    return rate_of(prices.price(*place, sku, kind), prices, billing)


def rate_of(machine: Price, prices: PriceList, billing: Billing) -> Rate:
    """The price of a machine's hour with its fees.

    Raises:
        NoPriceError: a DBU row that was asked for is not in the list.
    """
    fees = tuple(fees_of(machine, prices, billing))
    usd = sum((usd for _, usd in fees), machine.usd_per_hour + billing.uplift_usd_per_node_hour)
    return Rate(machine.sku, machine, tuple(row for row, _ in fees), usd)
