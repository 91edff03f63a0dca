"""Quotes of Azure: libcloud's table, the Databricks catalog beside it, cloudprice's types; DBUs."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from r2d2.vmcost.model import Price, PriceKind
from r2d2.vmcost.prices import EVERYWHERE
from tools.prices.aws import cloudprice
from tools.prices.packages import Packages, release_day
from tools.prices.rule import Quote, Source, Specs, per_vcpu

REGIONS = (
    "centralus", "eastus", "eastus2", "northeurope", "uksouth", "westeurope", "westus", "westus2",
)  # fmt: skip
CATALOG_REGION = "westus2"
"""The Databricks catalog names no region; in this one all of its types cost what libcloud says."""
DATABRICKS = "resources/premium-databricks-azure-catalog.json"
SIZE = re.compile(r"Standard_([A-Z]+)(\d+)([a-z]*)((?:_[A-Z]\w*?)?)(_v\d)?")


def quotes(packages: Packages) -> Iterator[Quote]:
    """All prices of all sources, in the regions above."""
    specs = _specs(packages)
    names = {_folded(sku): sku for sku in specs}
    pricing = packages.json("libcloud", "data/pricing.json")
    day = datetime.fromtimestamp(pricing["updated"], UTC).date()
    source = packages.source("apache-libcloud", day)
    for name, by_region in pricing["compute"]["azure_linux"].items():
        if name.startswith("lowpriority"):
            continue  # Azure Batch's low-priority nodes: another product than spot
        sku = names.get(name, name)
        for region in REGIONS:
            if region in by_region:
                yield _quote(region, sku, specs.get(sku), by_region[region], source)
    yield from _catalog(packages, specs)
    yield from _cloudprice(packages, specs)


def _specs(packages: Packages) -> dict[str, Specs]:
    """vCPUs and memory by SKU, as Azure writes it: Standard_E8s_v3."""
    found: Mapping[str, Mapping[str, int]] = packages.json(
        "spark_rapids_pytools", "resources/databricks_azure-instance-catalog.json"
    )
    return {
        sku: Specs(row["VCpuCount"], row["MemoryInMB"])
        for sku, row in found.items()
        if "MemoryInMB" in row and sku.startswith("Standard_")
    }


def _catalog(packages: Packages, specs: Mapping[str, Specs]) -> Iterator[Quote]:
    rows, source = _databricks(packages)
    for name, row in rows.items():
        usd = row["TotalPricePerHour"] - row["DBUPricePerHour"]
        sku = f"Standard_{name}"
        has = specs.get(sku) or Specs(row["vCPUs"], row["RAMinMB"])
        yield _quote(CATALOG_REGION, sku, has, usd, source)


def _databricks(packages: Packages) -> tuple[Mapping[str, Any], Source]:
    """The types of the Databricks catalog for jobs, by name."""
    version = packages.version("spark-rapids-user-tools")
    source = packages.source("spark-rapids-user-tools", release_day(version))
    catalog = packages.json("spark_rapids_pytools", DATABRICKS)
    return catalog["Jobs Compute"]["Instances"], source


def _cloudprice(packages: Packages, specs: Mapping[str, Specs]) -> Iterator[Quote]:
    for region, size, usd, kind, source in cloudprice(packages, "azure"):
        sku = f"Standard_{size}"
        yield _quote(region, sku, specs.get(sku), usd, source, kind)


def _quote(
    region: str,
    sku: str,
    specs: Specs | None,
    usd: Decimal,
    source: Source,
    kind: PriceKind = PriceKind.ON_DEMAND,
) -> Quote:
    usd = Decimal(usd)
    return Quote("azure", region, sku, specs, usd, kind, source, family(sku), per_vcpu(usd, specs))


def family(sku: str) -> str:
    """The types that differ in size alone; empty where the name does not tell.

    Sizes from 11 on of D and DS before version 3 have twice the memory of those below.

    >>> family("Standard_E8s_v3"), family("Standard_DS3_v2"), family("Standard_DS13_v2")
    ('Es_v3', 'DS_v2', 'DS1x_v2')
    """
    match = SIZE.fullmatch(sku)
    if match is None:
        return ""
    letters, size, suffix, accelerator, version = match.groups()
    large = letters in ("D", "DS") and version in (None, "_v2") and int(size) >= 11
    return f"{letters}{'1x' if large else ''}{suffix}{accelerator}{version or ''}"


def _folded(sku: str) -> str:
    return sku.lower().replace("_", "")


def dbu_rows(packages: Packages) -> Iterator[Price]:
    """The DBUs that a node takes an hour, at one dollar each: in all regions, without Photon."""
    rows, source = _databricks(packages)
    for name, row in rows.items():
        yield Price(
            "azure",
            EVERYWHERE,
            f"Standard_{name}",
            None,
            None,
            Fraction(row["DBUCount"]),
            PriceKind.DBU,
            source.package,
            source.version,
            source.as_of,
        )
