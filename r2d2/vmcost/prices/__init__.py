"""Prices of VMs and fees by provider, region and name; a price that is missing is never guessed.

A list is the one that comes with r2d2, or a file in its place:

    provider,region,sku,vcpu,mem_mib,usd_per_hour,kind,source,source_version,as_of
    azure,westus,Standard_E8s_v3,8,65536,0.56,on_demand,apache-libcloud,3.9.1,2025-03-02

AWS's offer file of EC2 (CSV) and an answer of Azure's retail prices (JSON) are read, too.

`kind` is on_demand, spot, dbu or uplift. A dbu row is what a node's hour costs at one dollar a DBU,
that is the DBUs an hour; an uplift row is added to its SKU's hours. Both may stand for all regions
(`*`), and leave `vcpu` and `mem_mib` empty. A price of 0 is a missing one, and refused.

`tools/prices/build.py` makes r2d2's own list and says of which sources it consists.
"""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from r2d2.errors import UsageError
from r2d2.text_tables import csv_text, pluralize
from r2d2.vmcost.model import Price, PriceKind

__all__ = [
    "Coverage",
    "NoPriceError",
    "PriceList",
    "age_days",
    "coverage",
    "family_of",
    "load_prices",
    "matching",
    "parse_prices",
    "prices_csv",
]


COLUMNS = (
    "provider", "region", "sku", "vcpu", "mem_mib", "usd_per_hour", "kind",
    "source", "source_version", "as_of",
)  # fmt: skip
OPTIONAL = ("vcpu", "mem_mib")
EVERYWHERE = "*"
"""The region of a fee that is the same in all regions."""
MACHINES = (PriceKind.ON_DEMAND, PriceKind.SPOT)
Key: TypeAlias = tuple[str, str, str, PriceKind]


class NoPriceError(UsageError):
    """The list has no such price; the message names what comes close."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """Rows in order of provider, region, SKU and kind; names are found in any case of letters."""

    rows: tuple[Price, ...]
    name: str
    by_key: Mapping[Key, Price] = field(repr=False, compare=False)

    @staticmethod
    def of(rows: Iterable[Price], name: str) -> "PriceList":
        """The rows in order, under the name of the file that they came from."""
        ordered = tuple(sorted(rows, key=_key))
        return PriceList(ordered, name, {_key(row): row for row in ordered})

    def price(
        self, provider: str, region: str, sku: str, kind: PriceKind = PriceKind.ON_DEMAND
    ) -> Price:
        """The row of a machine.

        Raises:
            NoPriceError: there is none.
        """
        row = self.by_key.get(_folded(provider, region, sku, kind))
        if row is None:
            raise NoPriceError(_why_not(self, provider, region, sku, kind))
        return row

    def fee(self, provider: str, region: str, sku: str, kind: PriceKind) -> Price | None:
        """The row of a fee in that region, else the one for all regions, else None."""
        regional = self.by_key.get(_folded(provider, region, sku, kind))
        return regional or self.by_key.get(_folded(provider, EVERYWHERE, sku, kind))

    def machines(
        self, provider: str, region: str, kind: PriceKind = PriceKind.ON_DEMAND
    ) -> tuple[Price, ...]:
        """All machines of a region, in the list's order."""
        wanted = (provider.casefold(), region.casefold(), kind)
        return tuple(row for row in self.rows if _place(row) == wanted)


_FAMILY = {
    "aws": re.compile(r"([^.]+)\..+"),
    "azure": re.compile(r"(Standard_[A-Z]+)\d+(.*)"),
    "gcp": re.compile(r"([a-z]\d\w?(?:-[a-z]+)?)-\d+.*"),
}
"""The part of a SKU's name that all sizes of its family share, by provider."""


def family_of(price: Price) -> str:
    """The family of a machine: its name without the size.

    >>> [row.sku for row in load_prices().rows if family_of(row) == "r5dn"][:1]
    ['r5dn.12xlarge']
    """
    pattern = _FAMILY.get(price.provider)
    match = pattern.fullmatch(price.sku) if pattern else None
    return "".join(match.groups()) if match else price.sku


@dataclass(frozen=True, slots=True)
class Coverage:
    """A family's sizes and regions in a list, and how many of their pairs have a price."""

    provider: str
    family: str
    kind: PriceKind
    sizes: int
    regions: int
    priced: int
    as_of: date

    @property
    def share(self) -> float:
        """The share of sizes × regions that has a price."""
        return self.priced / (self.sizes * self.regions)


def coverage(prices: Iterable[Price]) -> tuple[Coverage, ...]:
    """Of each family of machines, those of one provider and kind beside each other."""
    families: dict[tuple[str, PriceKind, str], list[Price]] = defaultdict(list)
    regions: dict[tuple[str, PriceKind], set[str]] = defaultdict(set)
    for row in prices:
        if row.kind in MACHINES:
            families[row.provider, row.kind, family_of(row)].append(row)
            regions[row.provider, row.kind].add(row.region)
    return tuple(
        Coverage(
            provider,
            family,
            kind,
            len({row.sku for row in rows}),
            len(regions[provider, kind]),
            len(rows),
            min(row.as_of for row in rows),
        )
        for (provider, kind, family), rows in sorted(families.items(), key=lambda each: each[0])
    )


def matching(prices: PriceList, words: Iterable[str]) -> tuple[Price, ...]:
    """The rows of which every word is in the provider, region, SKU, kind or source."""
    asked = [word.casefold() for word in words]

    def has_all(row: Price) -> bool:
        text = " ".join((row.provider, row.region, row.sku, row.kind.value, row.source)).casefold()
        return all(word in text for word in asked)

    return tuple(row for row in prices.rows if has_all(row))


def prices_csv(rows: Iterable[Price]) -> str:
    """The rows as a file for --prices."""
    cells = ([_cell(row, column) for column in COLUMNS] for row in rows)
    return csv_text(COLUMNS, cells)


def _cell(row: Price, column: str) -> object:
    value = getattr(row, column)
    if isinstance(value, Fraction):
        usd = Decimal(value.numerator) / Decimal(value.denominator)
        return f"{usd.normalize():f}"
    return value.value if isinstance(value, PriceKind) else value


def age_days(price: Price, today: date) -> int:
    """The days since the price was known to hold."""
    return (today - price.as_of).days


def _key(row: Price) -> Key:
    return _folded(row.provider, row.region, row.sku, row.kind)


def _folded(provider: str, region: str, sku: str, kind: PriceKind) -> Key:
    return provider.casefold(), region.casefold(), sku.casefold(), kind


def _place(row: Price) -> tuple[str, str, PriceKind]:
    return row.provider.casefold(), row.region.casefold(), row.kind


def _why_not(prices: PriceList, provider: str, region: str, sku: str, kind: PriceKind) -> str:
    """Names the first of provider, region and SKU that the list does not know."""
    rows = [row for row in prices.rows if row.kind in MACHINES]
    remedy = f"give its row in a file with --prices (read: {prices.name})"
    of_provider = [row for row in rows if row.provider.casefold() == provider.casefold()]
    if not of_provider:
        known = ", ".join(sorted({row.provider for row in rows})) or "none"
        return f"no prices of provider {provider!r}; known are {known}; {remedy}"
    in_region = [row for row in of_provider if row.region.casefold() == region.casefold()]
    if not in_region:
        known = ", ".join(sorted({row.region for row in of_provider}))
        return f"no prices of {provider} in region {region!r}; known are {known}; {remedy}"
    names = sorted({row.sku for row in in_region if row.kind is kind})
    elsewhere = sorted({row.region for row in of_provider if row.sku.casefold() == sku.casefold()})
    hint = _close(sku, names)
    if elsewhere:
        hint += f"; other rows of it: {', '.join(elsewhere)}"
    return f"no {kind.value} price of {sku!r} in {provider} {region}{hint}; {remedy}"


def _close(sku: str, names: list[str]) -> str:
    by_folded = {name.casefold(): name for name in names}
    close = get_close_matches(sku.casefold(), list(by_folded), n=3)
    return f" (close are {', '.join(by_folded[name] for name in close)})" if close else ""


def load_prices(path: Path | None = None) -> PriceList:
    """The prices of a file, or those that come with r2d2.

    Raises:
        UsageError: the file is missing or no CSV, or a column or value is wrong, with its line.
    """
    if path is None:
        text = files(__package__).joinpath("prices.csv").read_text(encoding="utf-8")
        return parse_prices(text, "r2d2's own prices")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8: {error}") from error
    if text.startswith(('"FormatVersion"', "FormatVersion")):
        return PriceList.of(_unique(_of_aws(text, str(path))), str(path))
    if text.lstrip().startswith(("{", "[")):
        return PriceList.of(_unique(_of_azure(text, str(path))), str(path))
    return parse_prices(text, str(path))


def _unique(rows: Iterable[Price]) -> Iterator[Price]:
    """The rows, of several of one key the first."""
    yield from {_key(row): row for row in reversed(list(rows))}.values()


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


def _of_azure(text: str, name: str) -> Iterator[Price]:
    """The rows of an answer of Azure's retail prices: Linux VMs, on demand and spot, by the hour.

    It has no sizes: vCPUs and memory are those of r2d2's own list.
    """
    try:
        found = json.loads(text, parse_float=Decimal)
        items = found["Items"] if isinstance(found, dict) else found
        sizes = {row.sku.casefold(): row for row in load_prices().rows if row.vcpu}
        for item in items:
            hourly = item["unitOfMeasure"] == "1 Hour" and item["type"] == "Consumption"
            usual = "Windows" not in item["productName"] and "Low Priority" not in item["skuName"]
            if not (hourly and usual and item["armSkuName"] and item["retailPrice"] > 0):
                continue
            size = sizes.get(item["armSkuName"].casefold())
            kind = PriceKind.SPOT if "Spot" in item["skuName"] else PriceKind.ON_DEMAND
            yield Price(
                "azure", item["armRegionName"], item["armSkuName"],
                size.vcpu if size else None, size.mem_mib if size else None,
                Fraction(item["retailPrice"]), kind,
                "Azure's retail prices", "", date.fromisoformat(item["effectiveStartDate"][:10]),
            )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{name}: not Azure's retail prices: {error!r}") from error


def parse_prices(text: str, name: str) -> PriceList:
    """The prices of a CSV text; `name` is what errors call it."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return PriceList.of(_once(name, _rows(name, reader)), name)
    except csv.Error as error:
        raise UsageError(f"{name}:{reader.line_num}: not CSV: {error}") from error


def _once(name: str, rows: Iterator[tuple[int, Price]]) -> Iterator[Price]:
    lines: dict[tuple[object, ...], int] = {}
    for line, row in rows:
        key = (row.provider.casefold(), row.region.casefold(), row.sku.casefold(), row.kind)
        first = lines.setdefault(key, line)
        if first != line:
            raise UsageError(f"{name}:{line}: {row.sku} was priced in line {first}; keep one row")
        yield row


def _rows(name: str, reader: Any) -> Iterator[tuple[int, Price]]:
    header = [cell.strip() for cell in next(reader, [])]
    if sorted(header) != sorted(COLUMNS):
        columns = ", ".join(header) or "none"
        raise UsageError(f"{name}:1: columns are {', '.join(COLUMNS)}, each once; found: {columns}")
    for cells in reader:
        place = f"{name}:{reader.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            found, expected = pluralize(len(cells), "cell"), pluralize(len(header), "column")
            raise UsageError(f"{place}: {found} under {expected}")
        cell = {column: text.strip() for column, text in zip(header, cells, strict=True)}
        yield reader.line_num, _row(place, cell)


def _row(place: str, cell: Mapping[str, str]) -> Price:
    for column in COLUMNS:
        if not cell[column] and column not in OPTIONAL:
            raise UsageError(f"{place}: {column} is empty")
    kinds = ", ".join(kind.value for kind in PriceKind)
    kind = _read(place, cell, "kind", PriceKind, f"one of {kinds}")
    if kind in MACHINES and cell["region"] == EVERYWHERE:
        raise UsageError(f"{place}: region = '*': only fees are the same in all regions")
    whole = "a whole number above 0, or nothing"
    return Price(
        cell["provider"],
        cell["region"],
        cell["sku"],
        _read(place, cell, "vcpu", _count, whole) if cell["vcpu"] else None,
        _read(place, cell, "mem_mib", _count, whole) if cell["mem_mib"] else None,
        _read(place, cell, "usd_per_hour", _usd, "a price above 0 (0 is missing, never free)"),
        kind,
        cell["source"],
        cell["source_version"],
        _read(place, cell, "as_of", date.fromisoformat, "a day such as 2026-09-01"),
    )


def _read(
    place: str, cell: Mapping[str, str], column: str, meaning: Callable[[str], Any], expected: str
) -> Any:
    try:
        return meaning(cell[column])
    except (ValueError, InvalidOperation) as error:
        raise UsageError(f"{place}: {column} = {cell[column]!r}: expected {expected}") from error


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _usd(text: str) -> Fraction:
    number = Decimal(text)
    if not number.is_finite() or number <= 0:
        raise ValueError(text)
    return Fraction(number)
