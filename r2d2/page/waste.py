"""The bytes that a lake holds more than once, by table and by folder, tenant or reader."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from r2d2.page.families import Families
from r2d2.page.run_files import PageGraph

TOP = "."
"""In place of a folder's name: tables that lie in none."""


@dataclass(frozen=True, slots=True)
class Waste:
    """Tables by number: those contained in others, and those of them that one copy less needs.

    Of equal tables that no other one contains, one is not `spare`: the one that the plan keeps, or
    else the largest.
    """

    contained: frozenset[int]
    spare: frozenset[int]


@dataclass(frozen=True, slots=True)
class Total:
    """What the tables of a folder, a tenant or a reader come to."""

    name: str
    tables: int
    size_bytes: int
    contained: int
    contained_bytes: int
    spare: int
    spare_bytes: int
    deleted: int
    freed_bytes: int
    saving_usd_per_month: float


def waste_of(graph: PageGraph, families: Families, deleted: Collection[int] = ()) -> Waste:
    """The waste in a graph, where a plan deletes these tables."""
    number = {table.location: n for n, table in enumerate(graph.tables)}
    plain = [edge for edge in graph.edges if edge.plain]
    contained = {number[edge.child] for edge in plain}
    outside = {
        families.node[number[edge.child]]
        for edge in plain
        if families.node[number[edge.child]] != families.node[number[edge.parent]]
    }
    stays = {
        max(group, key=lambda n: (n not in deleted, graph.tables[n].size_bytes, -n))
        for group in families.groups
        if group[0] not in outside
    }
    return Waste(frozenset(contained), frozenset(contained - stays))


def totals(
    graph: PageGraph,
    waste: Waste,
    names: Sequence[Iterable[str]],
    plan: Mapping[str, Mapping[str, Any]],
) -> list[Total]:
    """The totals under each of the names that a table has, the largest waste first.

    Tables that are left out do not count.
    `plan` has the plan's entry of each table by its location.
    """
    tables: dict[str, list[int]] = defaultdict(list)
    for number, of_table in enumerate(names):
        for name in of_table if graph.tables[number].problem is None else ():
            tables[name].append(number)
    made = [_total(name, graph, waste, numbers, plan) for name, numbers in tables.items()]
    return sorted(made, key=lambda t: (-t.spare_bytes, -t.size_bytes, t.name))


def _total(
    name: str,
    graph: PageGraph,
    waste: Waste,
    numbers: Sequence[int],
    plan: Mapping[str, Mapping[str, Any]],
) -> Total:
    entries = (plan.get(graph.tables[n].location, {}) for n in numbers)
    deleted = [entry for entry in entries if entry.get("choice") == "delete"]
    return Total(
        name,
        len(numbers),
        sum(graph.tables[n].size_bytes for n in numbers),
        sum(n in waste.contained for n in numbers),
        sum(graph.tables[n].size_bytes for n in numbers if n in waste.contained),
        sum(n in waste.spare for n in numbers),
        sum(graph.tables[n].size_bytes for n in numbers if n in waste.spare),
        len(deleted),
        sum(entry["frees_bytes"] for entry in deleted),
        sum(entry["saving_usd_per_month"] for entry in deleted),
    )


def folder_of(location: str, depth: int = 1) -> str:
    """The first folders of a location, as many as that; "." where it lies in none.

    >>> folder_of("sales/2026/orders"), folder_of("sales/2026/orders", 2), folder_of("orders.csv")
    ('sales', 'sales/2026', '.')
    """
    return "/".join(location.split("/")[:-1][:depth]) or TOP
