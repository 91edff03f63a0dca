"""Requests for recipes: of thousands of edges, those for which a search is worth its cost.

A child's parents are all tables that contain it, and containment is transitive. A table that
nothing but its equals contains stays in any plan (or one of its equals does), so recipes from such
tables decide what can be deleted at all. Once one of them gives a child back from its rows alone,
larger ones would only do it for more, unless a union or a patch may give the smaller one back
itself. Recipes from the smallest parents besides are the cheap ones. A parent that is not searched
is a saving missed where it alone would serve: where the others are slower than the child may wait
or give no recipe.

Near-containment is not transitive: of tables that drift apart any may be the one that stays. A
child is searched in those that lack the fewest of its rows, since these are what a recipe keeps
aside, and in those that nearly contain the most tables, since one of them may serve all.

A table may also be several of those that it contains together: a union.

A table that no other contains may be rows of several that have its columns, by name and type. No
edge tells which, so these are read besides, at most 1,000 for the tables of one schema: the largest
that fit into 64 MiB, or into a tenth of what the other searches read. Of a large columnar table an
eighth of its bytes counts, as a few columns mostly tell that it is none; of a tiny one 16 KiB.
Where these do not tell, the smallest are read whole, up to as many bytes.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from r2d2.formats import format_named
from r2d2.formats.schema import matched_name
from r2d2.formats.united import typed_nulls
from r2d2.hashing.rows import type_tag
from r2d2.model import Edge, Table, Types, Why
from r2d2.recipes.constants import source_of
from r2d2.recipes.find import SMALLER_PARENT_SERVES
from r2d2.recipes.find.from_union import SAMPLED_BYTES, has_rows_enough
from r2d2.recipes.find.request import (
    AnyRequest,
    ColumnHolder,
    Columns,
    ContainedTable,
    Request,
    SeveralRequest,
    UnionRequest,
    by_name,
)
from r2d2.recipes.find.row_counts import SMALL_BYTES

SMALLEST_PARENTS = 2
NEAREST_PARENTS = 2
COMMON_PARENTS = 2
MOST_PARTS = 1000
MOST_OTHERS = 1000
MOST_BYTES_BESIDES, MOST_SHARE_BESIDES, SAMPLED_SHARE, LEAST_BYTES = 64 << 20, 0.1, 1 / 8, 16 << 10
"""Read besides, of tables that may hold another's rows together; the share of a large one that
counts, and the bytes that a small one counts, as it must be opened."""
IGNORES = "it is in the parent without columns that ignore_columns names: they would be lost"
INDEXED = "it is in the parent without the row numbers of a filtered table: they would be lost"
Tables = Mapping[str, Table]


@dataclass(frozen=True, slots=True)
class RecipeRequests:
    """The requests in order of location, and the edges that need no search.

    `copies` have all of the parent's rows, as `find` counted. `refused` counts by reason the edges
    that are not searched.
    """

    requests: tuple[Request, ...]
    unions: tuple[UnionRequest, ...]
    copies: tuple[Edge, ...]
    refused: Mapping[str, int]


def recipe_requests(
    edges: Sequence[Edge],
    tables: Tables,
    eligible: Collection[str],
    tenant_of: Callable[[str], str | None] = lambda _: None,
) -> RecipeRequests:
    """The requests for the edges between tables that are `eligible` for a plan.

    A table that must be kept is a parent, or a part of a union, and gets no recipe itself.

    No plan rebuilds a table from another tenant's, so these make no other parent skippable.
    """
    between = _between(edges, eligible)
    eligible_edges = [edge for edge in between if tables[edge.child].must_keep is None]
    usable = [edge for edge in eligible_edges if not edge.ignores]
    refused = Counter(_lost(edge) for edge in eligible_edges if edge.ignores)
    whole = [edge for edge in usable if edge.whole]
    near = [edge for edge in usable if not edge.whole]
    mutual = _mutual(whole)
    contained = {edge.child for edge in whole if (edge.child, edge.parent) not in mutual}
    unions = union_requests(edges, tables, eligible)
    class_of = _first_of_equals(mutual)
    may_go = contained | {edge.child for edge in near}
    # A table of loads that overlap is rare: it is searched, and no other search depends on it.
    may_go |= {union.table.location for union in unions if has_rows_enough(union, times=1)}
    children: dict[str, list[ContainedTable]] = defaultdict(list)
    copies = []
    for candidates in _edges_to_search(whole, contained, tables):
        served_by = None
        for edge, skippable in candidates:
            parent = edge.parent
            stays = parent not in may_go and tenant_of(parent) == tenant_of(edge.child)
            kept_class = class_of.get(parent, parent) if stays else None
            if skippable and served_by is not None and kept_class != served_by:
                refused[SMALLER_PARENT_SERVES] += 1
            elif edge.same_rows and _same_types(edge, tables):
                copies.append(edge)
                served_by = served_by or kept_class
            else:
                contained_child = replace(
                    _contained(edge, tables), kept_class=kept_class, skippable=skippable
                )
                children[parent].append(contained_child)
    for edge in _nearest(near, contained, tables):
        children[edge.parent].append(_contained(edge, tables))
    requests = (Request(tables[parent], tuple(children[parent])) for parent in sorted(children))
    seen = +refused  # only the reasons that occurred: the counter also holds zeros
    return RecipeRequests(tuple(requests), tuple(unions), tuple(copies), seen)


def _contained(edge: Edge, tables: Tables) -> ContainedTable:
    """The edge's child, with the types of columns that are NULL only in it or in the parent."""
    types = {column.name: column.type for column in tables[edge.child].columns}
    parent_types = {column.name: column.type for column in tables[edge.parent].columns}
    pairs = ((name, types[name], parent_types[theirs]) for name, theirs in edge.columns)
    typed = {name: typed_nulls(own, other) for name, own, other in pairs if own != other}
    known = {name: type_ for name, type_ in typed.items() if type_ is not None}
    return ContainedTable(
        tables[edge.child],
        dict(edge.columns),
        edge.whole,
        types=known,
        constants={column.column: source_of(column) for column in edge.unmatched},
        renderings=dict(edge.renderings),
    )


def _lost(edge: Edge) -> str:
    """Why nothing is deleted for an edge without columns that no recipe gives."""
    return IGNORES if any(c.why is Why.IGNORED for c in edge.unmatched) else INDEXED


def _same_types(edge: Edge, tables: Tables) -> bool:
    types = {column.name: column.type for column in tables[edge.child].columns}
    parent_types = {column.name: column.type for column in tables[edge.parent].columns}
    return all(types[name] == parent_types[other] for name, other in edge.columns)


def _between(edges: Iterable[Edge], eligible: Collection[str]) -> list[Edge]:
    return [edge for edge in edges if edge.child in eligible and edge.parent in eligible]


def _by_child(edges: Iterable[Edge]) -> list[list[Edge]]:
    groups: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        groups[edge.child].append(edge)
    return list(groups.values())


def _mutual(edges: Iterable[Edge]) -> set[tuple[str, str]]:
    """The pairs of tables that contain each other: equal ones, or equal but for constants."""
    pairs = {(edge.child, edge.parent) for edge in edges}
    return {(child, parent) for child, parent in pairs if (parent, child) in pairs}


def _first_of_equals(mutual: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The name of a table's class: the first of its equals, for those that have any."""
    first: dict[str, str] = {}
    for child, parent in mutual:
        first[child] = min(first.get(child, child), parent)
    return first


class _EdgeToSearch(NamedTuple):
    """An edge, and whether its search may be skipped (see `ContainedTable.skippable`)."""

    edge: Edge
    skippable: bool


def _edges_to_search(
    edges: Iterable[Edge], contained: Collection[str], tables: Tables
) -> Iterator[list[_EdgeToSearch]]:
    """The edges to search of each child: its smallest parents first, then uncontained ones."""
    for candidates in _by_child(edges):
        candidates.sort(key=lambda edge: (tables[edge.parent].size_bytes, edge.parent))
        smallest, others = candidates[:SMALLEST_PARENTS], candidates[SMALLEST_PARENTS:]
        uncontained_parents = [edge for edge in others if edge.parent not in contained]
        yield [
            *(_EdgeToSearch(edge, skippable=False) for edge in smallest),
            *(_EdgeToSearch(edge, skippable=True) for edge in uncontained_parents),
        ]


def _nearest(edges: Sequence[Edge], contained: Collection[str], tables: Tables) -> list[Edge]:
    serves = Counter(edge.parent for edge in edges)
    nearest = []
    for candidates in _by_child(edges):
        candidates.sort(key=lambda e: (e.missing_rows, tables[e.parent].size_bytes, e.parent))
        others = [edge for edge in candidates[NEAREST_PARENTS:] if edge.parent not in contained]
        others.sort(key=lambda edge: -serves[edge.parent])
        nearest += candidates[:NEAREST_PARENTS] + others[:COMMON_PARENTS]
    return nearest


def union_requests(
    edges: Iterable[Edge], tables: Tables, eligible: Collection[str]
) -> list[UnionRequest]:
    """The tables with those of all their columns that they contain, in order of location.

    Only where these may have rows enough together, two of them or more; of many, the largest.
    """
    parts: dict[str, list[ContainedTable]] = defaultdict(list)
    for edge in _between(edges, eligible):
        if edge.whole and not (edge.ignores or edge.renderings):
            child, table = tables[edge.child], tables[edge.parent]
            if len(edge.columns) == len(table.columns) and _is_smaller(child, table, edge.equal):
                parts[edge.parent].append(_contained(edge, tables))
    requests = []
    for parent in sorted(parts):
        table, largest = tables[parent], parts[parent]
        largest.sort(key=lambda child: (-child.table.size_bytes, child.table.location))
        del largest[MOST_PARTS:]
        union = UnionRequest(table, tuple(largest))
        if len(largest) > 1 and has_rows_enough(union) and table.must_keep is None:
            requests.append(union)
    return requests


def several_requests(
    edges: Iterable[Edge],
    tables: Tables,
    eligible: Collection[str],
    searched: Sequence[AnyRequest],
    columns: "ColumnNames",
    tenant_of: Callable[[str], str | None] = lambda _: None,
) -> list[SeveralRequest]:
    """The tables that may go and that no other contains, with those that have their columns.

    One request for all of the same columns; only where others may have rows enough together.
    `searched` are the requests for edges.
    """
    contained = {edge.child for edge in _between(edges, eligible) if not edge.ignores}
    tenants: dict[str | None, list[Table]] = defaultdict(list)
    alike: dict[tuple[str | None, Columns], list[Table]] = defaultdict(list)
    for table in sorted((tables[location] for location in eligible), key=_largest_first):
        tenant = tenant_of(table.location)
        tenants[tenant].append(table)
        if table.location not in contained and table.must_keep is None:
            alike[tenant, by_name(table.columns)].append(table)
    holders = {tenant: columns.holders(own) for tenant, own in tenants.items()}
    besides = _Besides.of(searched)
    requests = []
    for (tenant, own), children in alike.items():
        others, size = besides.fitting(holders[tenant](children[0]), own)
        request = SeveralRequest(_which_may_be_held(children, others), others, besides.left)
        if request.children:
            besides.take(request, own, size)
            requests.append(request)
    return requests


@dataclass(slots=True)
class _Besides:
    """The bytes that may still be read besides, and what is read anyway.

    A small table's rows stay in memory for all sets of columns, a large one is read for each.
    """

    left: float
    read: set[tuple[str, Columns]]

    @classmethod
    def of(cls, searched: Iterable[AnyRequest]) -> "_Besides":
        sizes = {t.location: t.size_bytes for request in searched for t in request.tables}
        left = max(MOST_BYTES_BESIDES, MOST_SHARE_BESIDES * sum(sizes.values()))
        return cls(left, {(name, ()) for name, size in sizes.items() if size <= SMALL_BYTES})

    def fitting(
        self, others: Iterable[ColumnHolder], own: Columns
    ) -> tuple[tuple[ColumnHolder, ...], float]:
        """Those of them that may be read for these columns, and the bytes that they count."""
        found, size = list[ColumnHolder](), 0.0
        for other in others:
            more = self._bytes(other.table, own)
            if size + more <= self.left:
                found.append(other)
                size += more
        return tuple(found), size

    def take(self, request: SeveralRequest, own: Columns, size: float) -> None:
        """Counts these bytes, of the request's tables."""
        self.left -= size
        self.read |= {self._reading(table, own) for table in request.tables}

    def _bytes(self, table: Table, own: Columns) -> float:
        if self._reading(table, own) in self.read:
            return 0
        is_sampled = table.size_bytes > SAMPLED_BYTES and format_named(table.format).is_columnar
        return max(LEAST_BYTES, table.size_bytes * (SAMPLED_SHARE if is_sampled else 1))

    @staticmethod
    def _reading(table: Table, own: Columns) -> tuple[str, Columns]:
        return table.location, () if table.size_bytes <= SMALL_BYTES else own


def _which_may_be_held(
    children: Iterable[Table], others: Sequence[ColumnHolder]
) -> tuple[Table, ...]:
    """Those of the tables whose rows two others or more may have together, by their numbers."""
    rows = {other.table.location: other.table.rows for other in others}
    is_open, total = None in rows.values(), sum(filter(None, rows.values()))
    return tuple(
        child
        for child in children
        if child.location in rows
        and len(rows) > 2
        and (is_open or child.rows is None or total - child.rows >= child.rows)
    )


def _largest_first(table: Table) -> tuple[int, str]:
    return -table.size_bytes, table.location


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """The rules by which columns match, as those of `find`: of types, and whether case counts."""

    types: Types = Types.STRICT
    case_sensitive: bool = False

    def by_name(self, table: Table) -> dict[str, str]:
        """The table's columns by their names as these are matched."""
        return {matched_name(c.name, self.case_sensitive): c.name for c in table.columns}

    def holders(self, tables: Iterable[Table]) -> Callable[[Table], list[ColumnHolder]]:
        """For a table, the largest of these that have its columns, of the same types."""
        alike: dict[_Matched, list[Table]] = defaultdict(list)
        for table in sorted(tables, key=_largest_first):
            alike[self._matched(table)].append(table)
        with_column: dict[tuple[str, str], list[_Matched]] = defaultdict(list)
        for matched in alike:
            for column in matched:
                with_column[column].append(matched)

        def above(table: Table) -> list[ColumnHolder]:
            own = self._matched(table)
            rarest = min((with_column[column] for column in own), key=len, default=[])
            every = (alike[larger][:MOST_OTHERS] for larger in rarest if own <= larger)
            largest = sorted((other for some in every for other in some), key=_largest_first)
            mapped: dict[int, ColumnHolder] = {}  # tables of one schema mostly share the columns
            for other in largest[:MOST_OTHERS]:
                if id(other.columns) not in mapped:
                    mapped[id(other.columns)] = self._holder(table, other)
            return [replace(mapped[id(o.columns)], table=o) for o in largest[:MOST_OTHERS]]

        return above

    def _holder(self, table: Table, other: Table) -> ColumnHolder:
        theirs = self.by_name(other)
        names = {name: theirs[matched] for matched, name in self.by_name(table).items()}
        return ColumnHolder(other, names, ContainedTable(table, names).columns_of(other))

    def _matched(self, table: Table) -> "_Matched":
        types = (type_tag(column.type, self.types) for column in table.columns)
        return frozenset(zip(self.by_name(table), types, strict=True))


_Matched = frozenset[tuple[str, str]]
"""Columns by their names and types as these are matched."""


def _is_smaller(child: Table, table: Table, equal: bool) -> bool:
    """Whether the child may have fewer rows; equal tables may, if one has rows more often."""
    if child.rows is None or table.rows is None:
        return not equal
    return child.rows < table.rows
