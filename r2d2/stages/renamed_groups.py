"""Tables by their column names: those that share all names are taken to mean the same by them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from r2d2.model import Table
from r2d2.stages.schema import Schema, Signature, fold, is_degenerate, with_supersets


@dataclass(frozen=True, slots=True)
class Group:
    """All tables with the columns `names`, largest first, and the groups that have these, too.

    Names are counted through all groups; `first` is the number of this one's first.
    """

    tables: tuple[int, ...]
    names: tuple[str, ...]
    first: int
    larger: tuple[int, ...]


def groups_of(tables: Sequence[Table], schema: Schema) -> list[Group]:
    """The groups of all tables that may be child or parent."""
    members: dict[Signature, list[int]] = defaultdict(list)
    for index, table in enumerate(tables):
        if table.eligible and not is_degenerate(table):
            members[schema.signature(table)].append(index)
    places = {signature: place for place, signature in enumerate(members)}
    larger = dict(with_supersets(list(members)))
    groups: list[Group] = []
    first = 0
    for signature, owners in members.items():
        owners.sort(key=lambda index: (-tables[index].size_bytes, index))
        names = tuple(fold(c.name, schema.case_sensitive) for c in tables[owners[0]].columns)
        others = tuple(places[other] for other in larger[signature])
        groups.append(Group(tuple(owners), names, first, others))
        first += len(names)
    return groups
