"""Quotes of GCP: libcloud's prices of a vCPU and a GiB, put together for each predefined type."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from r2d2.vmcost.model import PriceKind
from r2d2.vmcost.prices.sources.packages import Packages
from r2d2.vmcost.prices.sources.quote import Quote, Source, Specs

REGIONS = (
    "asia-southeast1", "europe-west1", "us-central1", "us-east4",
)  # fmt: skip
SERIES = ("c2", "e2", "n1", "n2", "n2d")
KINDS = {"on_demand": PriceKind.ON_DEMAND, "preemptible": PriceKind.SPOT}
SHARED_CORE = ("micro", "small", "medium")
"""Sizes of e2 that pay for parts of a vCPU."""

MIB_PER_GIB = 1024


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
                yield from _types(
                    series, region, kind, specs, _usd(cpu, region), _usd(ram, region), source
                )


def _specs(packages: Packages) -> dict[str, Specs]:
    found = packages.json("spark_rapids_pytools", "resources/dataproc-instance-catalog.json")
    return {sku: Specs(row["VCpuCount"], row["MemoryInMB"]) for sku, row in found.items()}


def _usd(table: Mapping[str, Any], region: str) -> Decimal:
    return Decimal(table[region]["price"])


def _types(
    series: str,
    region: str,
    kind: PriceKind,
    specs: Mapping[str, Specs],
    cpu_usd: Decimal,
    ram_usd: Decimal,
    source: Source,
) -> Iterator[Quote]:
    ratio = cpu_usd / ram_usd if cpu_usd and ram_usd else None
    for sku, has in specs.items():
        if sku.split("-")[0] == series and not sku.endswith(SHARED_CORE):
            usd = cpu_usd * has.vcpu + ram_usd * has.mem_mib / MIB_PER_GIB
            yield Quote(
                "gcp", region, sku, has, usd if ratio else Decimal(0), kind, source, series, ratio
            )
