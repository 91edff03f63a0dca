"""Reads who reads which table: a CSV that any catalog's access log can be brought into.

    table,reads_per_month,last_read,consumers
    sales.orders,120,2026-09-01,14
    exports/orders.parquet,0,,finance dashboard; churn model

`table` is required (see `usage_join`); the columns come in any order under these names.
Empty cells are unknown. `last_read` is an ISO date, or a time of which the date counts.
`consumers` is what reads the table downstream: a number, or names parted by `;`.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from r2d2.errors import UsageError

COLUMNS = ("table", "reads_per_month", "last_read", "consumers")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a line of the file says of a table; None is unknown."""

    line: int
    table: str
    reads_per_month: float | None = None
    last_read: date | None = None
    consumers: int | None = None
    consumer_names: tuple[str, ...] = ()


def load_usage(path: Path) -> tuple[Usage, ...]:
    """The file's lines.

    Raises:
        UsageError: the file is missing or no CSV, or a column or value is wrong, with its line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8: {error}") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return tuple(_usages(path, reader))
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: not CSV: {error}") from error


def _usages(path: Path, reader: Any) -> Iterator[Usage]:
    header = [name.strip() for name in next(reader, [])]
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or "table" not in header or len(set(header)) < len(header):
        told = ", ".join(header) or "none"
        raise UsageError(f"{path}:1: columns are {', '.join(COLUMNS)}, each once; found: {told}")
    start = 2
    for cells in reader:
        line, start = start, reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise UsageError(f"{path}:{line}: {len(cells)} cells under {len(header)} columns")
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        if not row["table"]:
            raise UsageError(f"{path}:{line}: no table is named")
        place = f"{path}:{line}"
        count, names = _read(place, row, "consumers", _consumers, "a number or names") or (None, ())
        yield Usage(
            line,
            row["table"],
            _read(place, row, "reads_per_month", _number, "a number, 0 or more"),
            _read(place, row, "last_read", _day, "a date such as 2026-09-01"),
            count,
            names,
        )


def _read(
    place: str, row: dict[str, str], column: str, meaning: Callable[[str], Any], expected: str
) -> Any:
    cell = row.get(column, "")
    if not cell:
        return None
    try:
        return meaning(cell)
    except ValueError as error:
        raise UsageError(f"{place}: {column} = {cell!r}: expected {expected}") from error


def _number(cell: str) -> float:
    number = float(cell)
    if not isfinite(number) or number < 0:
        raise ValueError(cell)
    return number


def _day(cell: str) -> date:
    return datetime.fromisoformat(cell).date()


def _consumers(cell: str) -> tuple[int, tuple[str, ...]]:
    try:
        count = int(cell)
    except ValueError:
        names = tuple(name.strip() for name in cell.split(";") if name.strip())
        return len(names), names
    if count < 0:
        raise ValueError(cell)
    return count, ()
