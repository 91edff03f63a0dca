"""Prices of VMs and fees by provider, region and name; a price that is missing is never guessed.

A list is the one that comes with r2d2, or a file in its place:

    provider,region,sku,vcpu,mem_mib,usd_per_hour,kind,source,source_version,as_of
    azure,westus,Standard_E8s_v3,8,65536,0.56,on_demand,apache-libcloud,3.9.1,2025-03-02

The providers' own exports are read, too: see `exports`.

`kind` is on_demand, spot, dbu or uplift. A dbu row is what a node's hour costs at one dollar a DBU,
that is the DBUs an hour; an uplift row is added to its SKU's hours. Both may stand for all regions
(`*`), and leave `vcpu` and `mem_mib` empty. A price of 0 is a missing one, and refused.

`tools/prices/build.py` makes r2d2's own list and says of which sources it consists.
"""

import csv
import io
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
from r2d2.vmcost.prices.coverage import MACHINES, Coverage, coverage, family_of
from r2d2.vmcost.prices.exports import exported

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
    rows = exported(text, str(path), lambda: load_prices().rows)
    if rows is None:
        return parse_prices(text, str(path))
    first = {_key(row): row for row in reversed(list(rows))}
    if not first:
        raise UsageError(f"{path}: no price of a Linux VM by the hour in it")
    return PriceList.of(first.values(), str(path))


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
