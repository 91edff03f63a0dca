"""The usage file: a CSV of reads and consumers by table, as a catalog's access log can give it.

    table,reads_per_month,last_read,consumers
    sales.orders,120,2026-09-01,14
    exports/orders.parquet,0,,finance dashboard; churn model

`table` is required, and one of the others; they come in any order, their names
in any case. Other columns are passed over, unless one looks like a known one that is missing: that
is an error. Empty cells, `null` and `\\N` are unknown. `last_read` is an ISO date, or a time of
which the date counts. `consumers` is what reads the table downstream: a number, or names parted by
`;`.

A line names a table of the lake by its location, or as a catalog does: parts joined by dots or
slashes, of which the last are the last of the location. Case, quotes, and what stands for a
character that a catalog does not take count for nothing. `orders`, `sales.orders` and
`SALES."Orders"` all mean `lake/sales/orders.parquet`, as long as no other table ends so. A prefix
may go before, a catalog's or a bucket's: `main.sales.orders` and `s3://bucket/lake/sales/orders`
mean `sales/orders`.

A catalog knows tables of other lakes too: their lines are passed over, unless no line is left.
"""

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any

from r2d2.errors import UsageError
from r2d2.text_tables import pluralize

COLUMNS = ("table", "reads_per_month", "last_read", "consumers")
UNKNOWN = ("", "null", "\\n")
ZONE = re.compile(r"\s+(UTC|GMT|[+-]\d\d:?\d\d)$", re.I)


@dataclass(frozen=True, slots=True)
class Usage:
    """A line of the file: reads and consumers of a table; None is unknown."""

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


def usages_of_plan(plan: Mapping[str, Any]) -> tuple[Usage, ...]:
    """The usage that a plan was made with; what it took from the default is left out.

    Raises:
        UsageError: the data is no plan.
    """
    try:
        told = [(table["table"], table["usage"]) for table in plan["tables"]]
        return tuple(
            _of_plan(name, usage)
            for name, usage in told
            if not usage["assumed"] or any(usage[key] for key in _TOLD)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"not a plan of r2d2's: {error!r}") from error


_TOLD = ("last_read", "consumers", "consumer_names")


def _of_plan(name: str, usage: Mapping[str, Any]) -> Usage:
    reads, day = usage["reads_per_month"], usage["last_read"]
    return Usage(
        0,
        name,
        None if usage["assumed"] else reads,
        None if day is None else date.fromisoformat(day),
        usage["consumers"],
        tuple(usage["consumer_names"]),
    )


def _usages(path: Path, reader: Any) -> Iterator[Usage]:
    header = [name.strip() for name in next(reader, [])]
    places = _places(path, header)
    start = 2
    for cells in reader:
        line, start = start, reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            found, expected = pluralize(len(cells), "cell"), pluralize(len(header), "column")
            raise UsageError(f"{path}:{line}: {found} under {expected}")
        yield _usage(path, line, {name: cells[place].strip() for name, place in places.items()})


def _places(path: Path, header: Sequence[str]) -> Mapping[str, int]:
    """The place of each known column."""
    folded = [name.casefold() for name in header]
    known = [name for name in COLUMNS if name in folded]
    others = [name for name in folded if name not in COLUMNS]
    meant = [(_alike(name, others), name) for name in COLUMNS if name not in known]
    misspelt = [f"{other!r} for {name!r}?" for other, name in meant if other]
    repeated = len(known) < len(folded) - len(others)
    if "table" not in known or len(known) < 2 or repeated or misspelt:
        hint = f" (is {' '.join(misspelt)} Rename it or leave it out)" if misspelt else ""
        raise UsageError(
            f"{path}:1: columns are table and {', '.join(COLUMNS[1:])}, each once;"
            f" found: {', '.join(header) or 'none'}{hint}"
        )
    return {name: folded.index(name) for name in known}


def _alike(name: str, others: Sequence[str]) -> str | None:
    """The one of the others that is the name misspelt, begun or continued, if any is."""
    close = get_close_matches(name, others, n=1)
    begun = [
        other for other in others if other and (name.startswith(other) or other.startswith(name))
    ]
    return next(iter(close + begun), None)


def _usage(path: Path, line: int, row: Mapping[str, str]) -> Usage:
    place = f"{path}:{line}"
    if not row["table"]:
        raise UsageError(f"{place}: no table is named")
    count, names = _read(
        place, row, "consumers", _consumers, "a whole number, or names parted by ;"
    ) or (None, ())
    return Usage(
        line,
        row["table"],
        _read(place, row, "reads_per_month", _number, "a number, 0 or more"),
        _read(place, row, "last_read", _day, "a date such as 2026-09-01"),
        count,
        names,
    )


def _read(
    place: str, row: Mapping[str, str], column: str, meaning: Callable[[str], Any], expected: str
) -> Any:
    cell = row.get(column, "")
    if cell.casefold() in UNKNOWN:
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
    """The date of an ISO time too, and of `2026-09-01 10:00:00.000 UTC` as catalogs write it."""
    return datetime.fromisoformat(ZONE.sub("", cell)).date()


def _consumers(cell: str) -> tuple[int, tuple[str, ...]]:
    try:
        count = float(cell)
    except ValueError:
        names = tuple(name.strip() for name in cell.split(";") if name.strip())
        return len(names), names
    if count < 0 or not count.is_integer():
        raise ValueError(cell)
    return int(count), ()


FILE_ENDING = re.compile(r"(\.(parquet|csv|tsv|json|jsonl|ndjson|orc|avro|gz|zst|bz2))+$", re.I)
QUOTES = re.compile(r"[\"`]")
Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JoinedUsage:
    """Usage by location, and the lines that mean no one table, with the reason.

    `elsewhere` are tables that are not in the lake.
    """

    by_location: Mapping[str, Usage]
    left_out: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()


def joined(usages: Sequence[Usage], locations: Collection[str]) -> JoinedUsage:
    """The lines by the location that each means; a line that means none or several is left out."""
    if not usages:
        return JoinedUsage({}, ())
    by_end: dict[str, list[tuple[Parts, str]]] = {}
    for location in sorted(locations):
        parts = _parts(location)
        by_end.setdefault(parts[-1], []).append((parts, location))
    by_location: dict[str, Usage] = {}
    left_out, elsewhere = [], []
    for usage in usages:
        meant = _meant(usage.table, locations, by_end)
        if not meant:
            elsewhere.append(usage.table)
        elif len(meant) > 1:
            left_out.append(f"line {usage.line}: {usage.table!r} is one of {', '.join(meant)}")
        elif meant[0] in by_location:
            before = by_location[meant[0]].line
            left_out.append(f"line {usage.line}: {meant[0]!r} is told on line {before} already")
        else:
            by_location[meant[0]] = usage
    if len(elsewhere) == len(usages):
        example = f"such as {elsewhere[0]!r} on line {usages[0].line}"
        left_out.append(f"of its {pluralize(len(usages), 'table')} none is in the lake, {example}")
    return JoinedUsage(by_location, tuple(left_out), tuple(elsewhere))


def _meant(
    name: str, locations: Collection[str], by_end: Mapping[str, list[tuple[Parts, str]]]
) -> list[str]:
    plain = name.removeprefix("./").strip("/")
    if plain in locations:
        return [plain]
    parts = _parts(plain)
    alike = by_end.get(parts[-1], ())
    longer = [location for known, location in alike if _ends(known, parts)]
    return longer or [
        location for known, location in alike if len(known) > 1 and _ends(parts, known)
    ]


def _parts(name: str) -> Parts:
    """The name's parts as they are compared.

    >>> _parts("Sales/orders_2024-01.parquet") == _parts("SALES.`orders_2024_01`")
    True
    """
    bare = FILE_ENDING.sub("", QUOTES.sub("", name)).casefold()
    return tuple(re.sub(r"\W", "_", part) for part in re.split(r"[./]", bare))


def _ends(parts: Parts, end: Parts) -> bool:
    return parts[-len(end) :] == end
