"""The providers' own exports as rows of prices, as they are:

- AWS's offer file of EC2, `index.csv` of a region: Linux, shared tenancy, on demand
- Azure's retail prices, an answer or the items of several (JSON): Linux, on demand and spot
- GCP's Cloud Billing catalogue of Compute Engine, an answer or the SKUs of several (JSON): prices
  of a vCPU and a GiB, on demand and spot, put together for each predefined type without a GPU
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from r2d2.errors import UsageError
from r2d2.vmcost.model import Price, PriceKind

USD = "USD"
MIB_PER_GIB = 1024
_AZURE_CORES = re.compile(r"Standard_[A-Z]+(\d+)(?:-(\d+))?[a-z]*(?:_\w+)?_v[3-9]")
_GCP_SKU = re.compile(
    r"(?:Spot )?(?:Preemptible )?(Compute optimized|[A-Z]\d[A-Z]?)(?: AMD| Predefined)?"
    r"(?: Instance)? (Core|Ram) running in .+"
)
_GCP_CLASSES = {"standard": 4, "highcpu": 2, "highmem": 8}
"""GiB of a vCPU in the newer series."""
_GCP_SIZES: Mapping[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "c2d": (("standard", "highcpu", "highmem"), (2, 4, 8, 16, 32, 56, 112)),
    "c3": (("standard", "highcpu", "highmem"), (4, 8, 22, 44, 88, 176)),
    "n4": (("standard", "highcpu", "highmem"), (2, 4, 8, 16, 32, 48, 64, 80)),
    "t2d": (("standard",), (1, 2, 4, 8, 16, 32, 48, 60)),
}
"""Classes and sizes of the series that r2d2's own list has no price of."""


def exported(text: str, name: str, known: Callable[[], Sequence[Price]]) -> Iterator[Price] | None:
    """The rows of a provider's export; None where the text is none. `known` gives sizes of types.

    Raises:
        UsageError: while the rows are read: it is damaged, or lacks what is needed.
    """
    if text.startswith(('"FormatVersion"', "FormatVersion")):
        return _of_aws(text, name)
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise UsageError(f"{name}: not JSON: {error}") from error
    skus = found.get("skus") if isinstance(found, dict) else found
    if isinstance(skus, list) and skus and "skuId" in skus[0] and "pricingInfo" in skus[0]:
        return _of_gcp(skus, name, known)
    return _of_azure(found, name, known)


def _in_dollars(currency: str, name: str) -> None:
    if currency != USD:
        raise UsageError(f"{name}: prices in {currency}: export them in {USD}")


def _of_aws(text: str, name: str) -> Iterator[Price]:
    """The rows of AWS's offer file of EC2: Linux, shared tenancy, on demand."""
    lines = csv.reader(io.StringIO(text, newline=""))
    head = {row[0]: row[1] for _, row in zip(range(5), lines, strict=False) if len(row) > 1}
    columns = next(lines, [])
    wanted = {
        "TermType": "OnDemand", "Unit": "Hrs", "Currency": "USD", "Operating System": "Linux",
        "Tenancy": "Shared", "Pre Installed S/W": "NA", "CapacityStatus": "Used",
    }  # fmt: skip
    needed = {*wanted, "Region Code", "Instance Type", "vCPU", "Memory", "PricePerUnit"}
    if missing := sorted(needed - set(columns)):
        raise UsageError(f"{name}: an offer file of AWS without its column {missing[0]!r}")
    for cells in lines:
        row = dict(zip(columns, cells, strict=False))
        usd = row.get("PricePerUnit", "")
        if all(row.get(key) == value for key, value in wanted.items()) and Decimal(usd or 0) > 0:
            mem_mib = int(Decimal(row["Memory"].split()[0].replace(",", "")) * 1024)
            place = ("aws", row["Region Code"], row["Instance Type"], int(row["vCPU"]), mem_mib)
            day = date.fromisoformat(head.get("Publication Date", "")[:10])
            source = ("AWS's offer file", head.get("Version", ""), day)
            yield Price(*place, Fraction(usd), PriceKind.ON_DEMAND, *source)


def _of_azure(found: Any, name: str, known: Callable[[], Sequence[Price]]) -> Iterator[Price]:
    """The rows of answers of Azure's retail prices: Linux VMs, on demand and spot, by the hour.

    They have no sizes: vCPUs and memory are those of the known rows, else vCPUs as the name of a
    type from version 3 on tells them.
    """
    try:
        items = found["Items"] if isinstance(found, dict) else found
        sizes = {row.sku.casefold(): row for row in known() if row.vcpu}
        for item in items:
            _in_dollars(item.get("currencyCode", USD), name)
            hourly = item["unitOfMeasure"] == "1 Hour" and item["type"] == "Consumption"
            usual = "Windows" not in item["productName"] and "Low Priority" not in item["skuName"]
            if not (hourly and usual and item["armSkuName"] and item["retailPrice"] > 0):
                continue
            size = sizes.get(item["armSkuName"].casefold())
            told = _AZURE_CORES.fullmatch(item["armSkuName"])
            day = item["effectiveStartDate"][:10]
            yield Price(
                "azure", item["armRegionName"], item["armSkuName"],
                size.vcpu if size else int(told[2] or told[1]) if told else None,
                size.mem_mib if size else None, Fraction(item["retailPrice"]),
                PriceKind.SPOT if "Spot" in item["skuName"] else PriceKind.ON_DEMAND,
                "Azure's retail prices", day, date.fromisoformat(day),
            )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{name}: not Azure's retail prices: {error!r}") from error


def _of_gcp(skus: Any, name: str, known: Callable[[], Sequence[Price]]) -> Iterator[Price]:
    """A type's price is its vCPUs' and its GiB's; types of which one has no price are left out."""
    units: dict[tuple[str, str, PriceKind, str], tuple[Fraction, date]] = {}
    try:
        for sku in skus:
            match = _GCP_SKU.fullmatch(sku["description"])
            kind = _GCP_KINDS.get(sku["category"]["usageType"])
            if match and kind:
                series = "c2" if match[1] == "Compute optimized" else match[1].lower()
                info = sku["pricingInfo"][-1]
                usd = _gcp_usd(info["pricingExpression"]["tieredRates"][-1]["unitPrice"], name)
                day = date.fromisoformat(info["effectiveTime"][:10])
                for region in sku["serviceRegions"]:
                    units[series, region, kind, match[2]] = usd, day
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UsageError(f"{name}: not GCP's catalogue of SKUs: {error!r}") from error
    sizes = list(_gcp_sizes(known()))
    for (series, region, kind, part), (cpu_usd, day) in units.items():
        ram_usd, ram_day = units.get((series, region, kind, "Ram"), (Fraction(0), day))
        for type_name, vcpu, mem_mib in sizes if part == "Core" and cpu_usd and ram_usd else ():
            if type_name.startswith(f"{series}-"):
                usd = cpu_usd * vcpu + ram_usd * Fraction(mem_mib, MIB_PER_GIB)
                as_of = min(day, ram_day)
                source = ("GCP's catalogue of SKUs", as_of.isoformat(), as_of)
                yield Price("gcp", region, type_name, vcpu, mem_mib, usd, kind, *source)


_GCP_KINDS = {"OnDemand": PriceKind.ON_DEMAND, "Preemptible": PriceKind.SPOT}


def _gcp_usd(money: Any, name: str) -> Fraction:
    _in_dollars(money["currencyCode"], name)
    return int(money.get("units") or 0) + Fraction(int(money.get("nanos") or 0), 10**9)


def _gcp_sizes(known: Sequence[Price]) -> Iterator[tuple[str, int, int]]:
    """Each type with its vCPUs and MiB."""
    seen = {row.sku: row for row in known if row.provider == "gcp"}
    yield from ((sku, row.vcpu or 0, row.mem_mib or 0) for sku, row in seen.items())
    for series, (classes, sizes) in _GCP_SIZES.items():
        for name in classes:
            gib = _GCP_CLASSES[name]
            yield from ((f"{series}-{name}-{n}", n, n * gib * MIB_PER_GIB) for n in sizes)
