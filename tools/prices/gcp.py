"""Quotes of GCP: libcloud's prices of a vCPU and a GiB, put together for each predefined type."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from r2d2.vmcost.model import PriceKind
from tools.prices.packages import Packages
from tools.prices.rule import Quote, Source, Specs

REGIONS = (
    "asia-southeast1", "europe-west1", "us-central1", "us-east4",
)  # fmt: skip
SERIES = ("c2", "e2", "n1", "n2", "n2d")
KINDS = {"on_demand": PriceKind.ON_DEMAND, "preemptible": PriceKind.SPOT}
SHARED_CORE = ("micro", "small", "medium")
"""Sizes of e2 that pay for parts of a vCPU."""

MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True)
class _Line:
    """A series in a region: its price of a vCPU and of a GiB, 0 where one is missing."""

    series: str
    region: str
    kind: PriceKind
    cpu_usd: Decimal
    ram_usd: Decimal


def quotes(packages: Packages) -> Iterator[Quote]:
    """The prices of all types of the series, in all regions: the line is drawn through them all."""
    pricing = packages.json("libcloud", "data/pricing.json")
    day = datetime.fromtimestamp(pricing["updated"], UTC).date()
    source = packages.source("apache-libcloud", day)
    specs = _specs(packages)
    for series in SERIES:
        table = pricing["compute"]["gce_instances"][series]
        for name, kind in KINDS.items():
            cpu, ram = table["cpu"][name], table["ram"][name]
            for region in sorted(cpu.keys() & ram.keys()):
                usd = Decimal(cpu[region]["price"]), Decimal(ram[region]["price"])
                yield from _types(_Line(series, region, kind, *usd), specs, source)


def _specs(packages: Packages) -> dict[str, Specs]:
    found = packages.json("spark_rapids_pytools", "resources/dataproc-instance-catalog.json")
    return {sku: Specs(row["VCpuCount"], row["MemoryInMB"]) for sku, row in found.items()}


def _types(line: _Line, specs: Mapping[str, Specs], source: Source) -> Iterator[Quote]:
    ratio = line.cpu_usd / line.ram_usd if line.cpu_usd and line.ram_usd else None
    place = ("gcp", line.region)
    for sku, has in specs.items():
        if sku.split("-")[0] == line.series and not sku.endswith(SHARED_CORE):
            usd = line.cpu_usd * has.vcpu + line.ram_usd * has.mem_mib / MIB_PER_GIB
            priced = usd if ratio else Decimal(0)
            yield Quote(*place, sku, has, priced, line.kind, source, line.series, ratio)
