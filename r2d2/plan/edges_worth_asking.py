"""Which edges are worth a recipe, by parent: not all of thousands.

Besides, each table that could be several of those it contains together.

A child's parents are all that contain it, and containment is transitive. Tables that nothing but
their equals contains stay in any plan (or one of the equals does), so recipes from these decide
what can be deleted at all. Once one of them gives a child back from its rows alone, larger ones
would only do it for more, unless a union or a patch may give the smaller one back itself. Recipes
from the smallest parents besides are the cheap ones. A parent that is not asked is a saving missed
where it alone would serve: where the others are slower than the child may wait or give no recipe.

Near-containment is not transitive: of tables that drift apart any may be the one that stays. A
child is asked from those that lack the fewest of its rows, since these are what a recipe keeps
aside, and from those that nearly contain the most tables, since one of them may serve all.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from r2d2.model import Table
from r2d2.plan.graph_file import ProvedEdge
from r2d2.recipes.find.request import ContainedTable, Request, UnionRequest

SMALLEST_PARENTS = 2
NEAREST_PARENTS = 2
COMMON_PARENTS = 2
MOST_PARTS = 1000
CAST = "it is equal to rows of the parent after a cast only, and no recipe casts"
Tables = Mapping[str, Table]


@dataclass(frozen=True, slots=True)
class RecipeRequests:
    """The families and unions to ask an engine for, in order of location; what need not be asked.

    `copies` have all of the parent's rows, as `find` counted. `spare` counts the edges that nothing
    is gained by.
    """

    families: tuple[Request, ...]
    unions: tuple[UnionRequest, ...]
    copies: tuple[ProvedEdge, ...]
    spare: int


def recipe_requests(
    edges: Sequence[ProvedEdge],
    tables: Tables,
    fit: Collection[str],
    tenant_of: Callable[[str], str | None] = lambda _: None,
) -> RecipeRequests:
    """What is to be learnt of the edges between tables that are `fit` to take part.

    No plan rebuilds a table from another tenant's, so these make no other parent spare.
    """
    usable = [edge for edge in _between(edges, fit) if not edge.cast]
    below = {edge.child for edge in usable if edge.whole and not edge.equal}
    whole = [edge for edge in usable if edge.whole]
    near = [edge for edge in usable if not edge.whole]
    unions = union_requests(edges, tables, fit)
    first = _first_of_equals(whole)
    may_go = below | {edge.child for edge in near} | {union.table.location for union in unions}
    children: dict[str, list[ContainedTable]] = defaultdict(list)
    copies, spare = [], 0
    for own in _worthwhile(whole, below, tables):
        given = None
        for edge, may_be_spare in own:
            parent, child = edge.parent, tables[edge.child]
            stays = parent not in may_go and tenant_of(parent) == tenant_of(edge.child)
            top = first.get(parent, parent) if stays else None
            if may_be_spare and given is not None and top != given:
                spare += 1
            elif edge.same_rows and _same_types(edge, tables):
                copies.append(edge)
                given = given or top
            else:
                asked = ContainedTable(child, dict(edge.columns), True, top, may_be_spare)
                children[parent].append(asked)
    for edge in _nearest(near, below, tables):
        children[edge.parent].append(ContainedTable(tables[edge.child], dict(edge.columns)))
    families = (Request(tables[parent], tuple(children[parent])) for parent in sorted(children))
    return RecipeRequests(tuple(families), tuple(unions), tuple(copies), spare)


def _same_types(edge: ProvedEdge, tables: Tables) -> bool:
    own = {column.name: column.type for column in tables[edge.child].columns}
    there = {column.name: column.type for column in tables[edge.parent].columns}
    return all(own[name] == there[other] for name, other in edge.columns)


def without_recipe(edges: Iterable[ProvedEdge], fit: Collection[str]) -> dict[str, int]:
    """How many edges no recipe is sought for, by reason."""
    count = sum(edge.cast for edge in _between(edges, fit))
    return {CAST: count} if count else {}


def _between(edges: Iterable[ProvedEdge], fit: Collection[str]) -> Iterator[ProvedEdge]:
    return (edge for edge in edges if edge.child in fit and edge.parent in fit)


def _by_child(edges: Iterable[ProvedEdge]) -> list[list[ProvedEdge]]:
    found: dict[str, list[ProvedEdge]] = defaultdict(list)
    for edge in edges:
        found[edge.child].append(edge)
    return list(found.values())


def _first_of_equals(edges: Iterable[ProvedEdge]) -> dict[str, str]:
    """The name of a table's class: the first of its equals, for those that have any."""
    found: dict[str, str] = {}
    for edge in edges:
        if edge.equal:
            found[edge.child] = min(found.get(edge.child, edge.child), edge.parent)
    return found


def _worthwhile(
    edges: Iterable[ProvedEdge], below: Collection[str], tables: Tables
) -> Iterator[list[tuple[ProvedEdge, bool]]]:
    """Child by child the edges to ask for, and whether each may be spare; small parents first."""
    for own in _by_child(edges):
        own.sort(key=lambda edge: (tables[edge.parent].size_bytes, edge.parent))
        smallest, others = own[:SMALLEST_PARENTS], own[SMALLEST_PARENTS:]
        tops = [edge for edge in others if edge.parent not in below]
        yield [*((edge, False) for edge in smallest), *((edge, True) for edge in tops)]


def _nearest(
    edges: Sequence[ProvedEdge], below: Collection[str], tables: Tables
) -> list[ProvedEdge]:
    serves = Counter(edge.parent for edge in edges)
    found = []
    for own in _by_child(edges):
        own.sort(key=lambda e: (e.missing_rows, tables[e.parent].size_bytes, e.parent))
        others = [edge for edge in own[NEAREST_PARENTS:] if edge.parent not in below]
        others.sort(key=lambda edge: -serves[edge.parent])
        found += own[:NEAREST_PARENTS] + others[:COMMON_PARENTS]
    return found


def union_requests(
    edges: Sequence[ProvedEdge], tables: Tables, fit: Collection[str]
) -> list[UnionRequest]:
    """The tables with those of all their columns that they contain, in order of location.

    Only where these have rows enough together, two of them or more; of many, the largest.
    """
    parts: dict[str, list[ContainedTable]] = defaultdict(list)
    for edge in _between(edges, fit):
        if edge.whole and not edge.cast:
            child, table = tables[edge.child], tables[edge.parent]
            if len(edge.columns) == len(table.columns) and _is_smaller(child, table, edge.equal):
                parts[edge.parent].append(ContainedTable(child, dict(edge.columns), edge.whole))
    found = []
    for parent in sorted(parts):
        table, own = tables[parent], parts[parent]
        own.sort(key=lambda child: (-child.table.size_bytes, child.table.location))
        rows = [child.table.rows for child in own[:MOST_PARTS]]
        known = sum(row for row in rows if row is not None)
        enough = table.rows is None or None in rows or known >= table.rows
        if len(own) > 1 and enough:
            found.append(UnionRequest(table, tuple(own[:MOST_PARTS])))
    return found


def _is_smaller(child: Table, table: Table, equal: bool) -> bool:
    """Whether the child may have fewer rows; equal tables may, if one has rows more often."""
    if child.rows is None or table.rows is None:
        return not equal
    return child.rows < table.rows
