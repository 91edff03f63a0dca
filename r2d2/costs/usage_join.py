"""Finds the lake's table that a line of a usage file means.

A line names a table by its location relative to the lake, or as a catalog does: parts joined by
dots or slashes, of which the last are the last of the location. Case, quotes, and what stands for
a character that a catalog does not take count for nothing. `orders`, `sales.orders` and
`SALES."Orders"` all mean `lake/sales/orders.parquet`, as long as no other table ends so. A prefix
may go before, a catalog's or a bucket's: `main.sales.orders` and `s3://bucket/lake/sales/orders`
mean `sales/orders`.

A catalog knows tables of other lakes too: their lines are passed over, unless no line is left.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from r2d2.plan.usage import Usage
from r2d2.report.words import pluralize

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
    by_end: dict[str, list[tuple[Parts, str]]] = {}
    for location in sorted(locations):
        parts = _parts(location)
        by_end.setdefault(parts[-1], []).append((parts, location))
    found: dict[str, Usage] = {}
    left_out, elsewhere = [], []
    for usage in usages:
        meant = _meant(usage.table, locations, by_end)
        if not meant:
            elsewhere.append(usage.table)
        elif len(meant) > 1:
            left_out.append(f"line {usage.line}: {usage.table!r} is one of {', '.join(meant)}")
        elif meant[0] in found:
            before = found[meant[0]].line
            left_out.append(f"line {usage.line}: {meant[0]!r} is told on line {before} already")
        else:
            found[meant[0]] = usage
    if usages and len(elsewhere) == len(usages):
        told = f"such as {elsewhere[0]!r} on line {usages[0].line}"
        left_out.append(f"of its {pluralize(len(usages), 'table')} none is in the lake, {told}")
    return JoinedUsage(found, tuple(left_out), tuple(elsewhere))


def _meant(
    name: str, locations: Collection[str], by_end: Mapping[str, list[tuple[Parts, str]]]
) -> list[str]:
    plain = name.removeprefix("./").strip("/")
    if plain in locations:
        return [plain]
    parts = _parts(plain)
    ends = [(own, location) for own, location in by_end.get(parts[-1], ()) if _ends(own, parts)]
    if ends:
        return [location for _, location in ends]
    return [
        location
        for own, location in by_end.get(parts[-1], ())
        if len(own) > 1 and _ends(parts, own)
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
