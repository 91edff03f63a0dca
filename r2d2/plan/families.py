"""Which edges are worth a recipe, by parent: not all of thousands.

Besides, each table that could be several of those it contains together.

A child's parents are all that contain it, and containment is transitive. Tables that nothing but
their equals contains stay in any plan (or one of the equals does), so recipes from these decide
what can be deleted at all. Recipes from the smallest parents besides are the cheap ones. A parent
between them is not asked, so a saving is missed where it alone would serve: where the others
belong to another tenant, are slower than the child may wait, or give no recipe.

Near-containment is not transitive: of tables that drift apart any may be the one that stays. A
child is asked from those that lack the fewest of its rows, since these are what a recipe keeps
aside, and from those that nearly contain the most tables, since one of them may serve all.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from r2d2.model import Table
from r2d2.plan.graph_file import ProvedEdge
from r2d2.rebuild.family import Child, Family, UnionFamily

SMALLEST_PARENTS = 2
NEAREST_PARENTS = 2
COMMON_PARENTS = 2
MOST_PARTS = 1000
CAST = "it is equal to rows of the parent after a cast only, and no recipe casts"
Tables = Mapping[str, Table]


def families(edges: Sequence[ProvedEdge], tables: Tables, fit: Collection[str]) -> list[Family]:
    """The parents with the children that are to be proposed from them, in order of location.

    `fit` are the tables that may take part at all.
    """
    usable = [edge for edge in _between(edges, fit) if not edge.cast]
    below = {edge.child for edge in usable if edge.whole and not edge.equal}
    whole = [edge for edge in usable if edge.whole]
    near = [edge for edge in usable if not edge.whole]
    children: dict[str, list[Child]] = defaultdict(list)
    for edge in [*_worthwhile(whole, below, tables), *_nearest(near, below, tables)]:
        child = Child(tables[edge.child], dict(edge.columns), edge.whole)
        children[edge.parent].append(child)
    return [Family(tables[parent], tuple(children[parent])) for parent in sorted(children)]


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


def _worthwhile(
    edges: Iterable[ProvedEdge], below: Collection[str], tables: Tables
) -> list[ProvedEdge]:
    found = []
    for own in _by_child(edges):
        own.sort(key=lambda edge: (tables[edge.parent].size_bytes, edge.parent))
        found += own[:SMALLEST_PARENTS]
        found += [edge for edge in own[SMALLEST_PARENTS:] if edge.parent not in below]
    return found


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


def union_families(
    edges: Sequence[ProvedEdge], tables: Tables, fit: Collection[str]
) -> list[UnionFamily]:
    """The tables with those of all their columns that they contain, in order of location.

    Only where these have rows enough together, two of them or more; of many, the largest.
    """
    parts: dict[str, list[Child]] = defaultdict(list)
    for edge in _between(edges, fit):
        if edge.whole and not edge.cast:
            child, table = tables[edge.child], tables[edge.parent]
            if len(edge.columns) == len(table.columns) and _is_smaller(child, table, edge.equal):
                parts[edge.parent].append(Child(child, dict(edge.columns), edge.whole))
    found = []
    for parent in sorted(parts):
        table, own = tables[parent], parts[parent]
        own.sort(key=lambda child: (-child.table.size_bytes, child.table.location))
        rows = [child.table.rows for child in own[:MOST_PARTS]]
        known = sum(row for row in rows if row is not None)
        enough = table.rows is None or None in rows or known >= table.rows
        if len(own) > 1 and enough:
            found.append(UnionFamily(table, tuple(own[:MOST_PARTS])))
    return found


def _is_smaller(child: Table, table: Table, equal: bool) -> bool:
    """Whether the child may have fewer rows; equal tables may, if one has rows more often."""
    if child.rows is None or table.rows is None:
        return not equal
    return child.rows < table.rows
