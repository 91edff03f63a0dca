"""Which edges are worth a recipe, by parent: not all of thousands, and never a needed one less.

A child's parents are all that contain it, and containment is transitive. Tables that nothing but
their equals contains stay in any plan (or one of the equals does), so recipes from these decide
what can be deleted at all. Recipes from the smallest parents besides are the cheap ones.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from r2d2.model import Table
from r2d2.plan.graph_file import ProvedEdge
from r2d2.rebuild.propose import Child, Family

SMALLEST_PARENTS = 2


def families(
    edges: Sequence[ProvedEdge], tables: Mapping[str, Table], fit: Collection[str]
) -> list[Family]:
    """The parents with the children that are to be proposed from them, in order of location.

    `fit` are the tables that may take part at all.
    """
    usable = [edge for edge in edges if not edge.cast and edge.child in fit and edge.parent in fit]
    below = {edge.child for edge in usable if not edge.equal}
    children: dict[str, list[Child]] = defaultdict(list)
    for edge in _worthwhile(usable, below, tables):
        children[edge.parent].append(Child(tables[edge.child], dict(edge.columns)))
    return [Family(tables[parent], tuple(children[parent])) for parent in sorted(children)]


def _worthwhile(
    edges: Iterable[ProvedEdge], below: set[str], tables: Mapping[str, Table]
) -> list[ProvedEdge]:
    by_child: dict[str, list[ProvedEdge]] = defaultdict(list)
    for edge in edges:
        by_child[edge.child].append(edge)
    found = []
    for own in by_child.values():
        own.sort(key=lambda edge: (tables[edge.parent].size_bytes, edge.parent))
        found += own[:SMALLEST_PARENTS]
        found += [edge for edge in own[SMALLEST_PARENTS:] if edge.parent not in below]
    return found
