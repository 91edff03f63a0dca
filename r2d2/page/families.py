"""Families of related tables, the edges that a drawing of one needs, and the bytes held twice.

Equal tables are one node. Of the edges between nodes those are left out that follow from others
that are there: the transitive reduction of a graph without cycles (Aho, Garey, Ullman 1972).
Near-containment, and edges that hold without some column, do not follow from each other: they stay.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np

from r2d2.graph import connected_components
from r2d2.page.run_files import PageEdge, PageGraph

TOP = "."
"""In place of a folder's name: tables that lie in none."""
MOST_OTHER = 20_000
"""Of edges that do not follow from each other, so many are drawn."""


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """An edge from the `child` to the `parent`, two tables by number, that stands for a node's."""

    child: int
    parent: int
    edge: PageEdge


@dataclass(frozen=True, slots=True)
class Families:
    """The graph as it is drawn; tables go by their number in the graph's order.

    `groups` are equal tables, `node[table]` is the first table of its group. `edges` lead from
    group to group, `equal` from the first table of a group to each other one. `family[table]`
    numbers the families from 1, 0 is of a table without edges. `parents` and `children` count the
    tables at the other end of edges of all rows and columns, `not_drawn` tells how many edges were
    too many.
    """

    groups: Sequence[Sequence[int]]
    node: Sequence[int]
    edges: Sequence[DrawnEdge]
    equal: Sequence[DrawnEdge]
    family: Sequence[int]
    parents: Sequence[int]
    children: Sequence[int]
    not_drawn: int


def families_of(graph: PageGraph) -> Families:
    """The families of a graph, and the edges that all others follow from."""
    number = {table.location: n for n, table in enumerate(graph.tables)}
    groups = [sorted(number[name] for name in group) for group in graph.equal]
    node = list(range(len(graph.tables)))
    for group in groups:
        for table in group:
            node[table] = group[0]
    parents, children = [0] * len(node), [0] * len(node)
    between: dict[tuple[int, int], DrawnEdge] = {}
    others: dict[tuple[int, int], DrawnEdge] = {}
    equal: dict[int, DrawnEdge] = {}
    for edge in graph.edges:
        child, parent = number[edge.child], number[edge.parent]
        drawn, pair = DrawnEdge(child, parent, edge), (node[child], node[parent])
        parents[child] += edge.plain
        children[parent] += edge.plain
        if pair[0] == pair[1]:
            if child not in equal or parent == node[child]:
                equal[child] = drawn
        else:
            (between if edge.plain else others).setdefault(pair, drawn)
    left = [others[pair] for pair in sorted(others.keys() - between.keys())]
    family = _family(node, [*between, *(pair for pair in others if pair not in between)])
    kept = reduced(between.keys(), family)
    return Families(
        groups,
        node,
        [*(between[pair] for pair in sorted(kept)), *left[:MOST_OTHER]],
        [equal[table] for table in sorted(equal) if table != node[table]],
        family,
        parents,
        children,
        max(len(left) - MOST_OTHER, 0),
    )


def _family(node: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """The number of each table's family, in order of its first table; 0 where it is alone."""
    ends = [*pairs, *((table, first) for table, first in enumerate(node) if table != first)]
    one, other = (np.array([pair[end] for pair in ends], np.int64) for end in (0, 1))
    related = {table for pair in ends for table in pair}
    numbers: dict[int, int] = {}
    labels = connected_components(len(node), one, other).tolist() if ends else [0] * len(node)
    return [
        numbers.setdefault(label, len(numbers) + 1) if table in related else 0
        for table, label in enumerate(labels)
    ]


def reduced(pairs: Collection[tuple[int, int]], family: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Those pairs, child and parent, that do not follow from others of them.

    A family in which some contain each other in a circle keeps all of its own.
    """
    above: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for child, parent in pairs:
        above[family[child]][child].add(parent)
    for parents_of in above.values():
        try:
            order = list(TopologicalSorter(parents_of).static_order())
        except CycleError:
            order = []
        if not order:
            yield from ((child, p) for child, parents in parents_of.items() for p in parents)
        yield from _reduced(parents_of, order)


def _reduced(
    parents_of: Mapping[int, Collection[int]], order: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """`order` has parents before their children; sets of nodes are the bits of integers."""
    place = {node: n for n, node in enumerate(order)}
    reached: dict[int, int] = {}
    for node in order:
        seen = 0
        # The nearest parents come late in the order: what they reach need not be drawn again.
        for parent in sorted(parents_of.get(node, ()), key=place.__getitem__, reverse=True):
            if not seen >> place[parent] & 1:
                yield node, parent
            seen |= reached[parent] | 1 << place[parent]
        reached[node] = seen


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
