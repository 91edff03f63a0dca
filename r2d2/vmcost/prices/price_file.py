"""Reads price lists: the one that comes with r2d2, or a file in its place.

    provider,region,sku,vcpu,mem_mib,usd_per_hour,kind,source,source_version,as_of
    azure,westus,Standard_E8s_v3,8,65536,0.56,on_demand,apache-libcloud,3.9.1,2025-03-02

`kind` is on_demand, spot, dbu or uplift. A dbu row is what a node's hour costs at one dollar a DBU,
that is the DBUs an hour; an uplift row is added to its SKU's hours. Both may stand for all regions
(`*`), and leave `vcpu` and `mem_mib` empty. A price of 0 is a missing one, and refused.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any

from r2d2.errors import UsageError
from r2d2.report.words import pluralize
from r2d2.vmcost.model import Price, PriceKind
from r2d2.vmcost.prices.price_list import EVERYWHERE, MACHINES, PriceList

COLUMNS = (
    "provider", "region", "sku", "vcpu", "mem_mib", "usd_per_hour", "kind",
    "source", "source_version", "as_of",
)  # fmt: skip
OPTIONAL = ("vcpu", "mem_mib")


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
    return parse_prices(text, str(path))


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
        told = ", ".join(header) or "none"
        raise UsageError(f"{name}:1: columns are {', '.join(COLUMNS)}, each once; found: {told}")
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
