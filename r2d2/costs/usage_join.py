"""Finds the lake's table that a line of a usage file means.

A line names a table by its location relative to the lake, or as a catalog does: parts joined by
dots or slashes, case aside, of which the last are the last of the location. `orders`,
`sales.orders` and `SALES.Orders` all mean `lake/sales/orders.parquet`, as long as no other table
ends so. A catalog's own prefix may go before: `main.sales.orders` means `sales/orders`.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from r2d2.costs.usage_file import Usage

FILE_ENDING = re.compile(r"(\.(parquet|csv|tsv|json|jsonl|ndjson|orc|avro|gz|zst|bz2))+$", re.I)

Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JoinedUsage:
    """Usage by location, and why the other lines were left out."""

    by_location: Mapping[str, Usage]
    left_out: tuple[str, ...]


def joined(usages: Sequence[Usage], locations: Collection[str]) -> JoinedUsage:
    """The lines by the location that each means; a line that means none or several is left out."""
    by_end: dict[str, list[tuple[Parts, str]]] = {}
    for location in sorted(locations):
        parts = _parts(location)
        by_end.setdefault(parts[-1], []).append((parts, location))
    found: dict[str, Usage] = {}
    left_out = []
    for usage in usages:
        meant = _meant(usage.table, locations, by_end)
        if len(meant) != 1:
            told = f"is one of {', '.join(meant)}" if meant else "is not in the lake"
            left_out.append(f"line {usage.line}: {usage.table!r} {told}")
        elif meant[0] in found:
            before = found[meant[0]].line
            left_out.append(f"line {usage.line}: {meant[0]!r} is told on line {before} already")
        else:
            found[meant[0]] = usage
    return JoinedUsage(found, tuple(left_out))


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
    return tuple(re.split(r"[./]", FILE_ENDING.sub("", name).casefold()))


def _ends(parts: Parts, end: Parts) -> bool:
    return parts[-len(end) :] == end
