"""Tables by their column names: those that share all names are taken to mean the same by them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from r2d2.model import Column, Table
from r2d2.stages.schema import Schema, Signature, fold, is_degenerate, with_supersets


@dataclass(frozen=True, slots=True)
class Group:
    """All tables with one set of columns, in which groups' columns these are, and an order."""

    tables: tuple[int, ...]
    names: tuple[str, ...]
    larger: tuple[int, ...]


def groups_of(tables: Sequence[Table], schema: Schema) -> list[Group]:
    """The groups of all tables that may be child or parent; the largest tables come first."""
    members: dict[Signature, list[int]] = defaultdict(list)
    for index, table in enumerate(tables):
        if table.eligible and not is_degenerate(table):
            members[schema.signature(table)].append(index)
    places = {signature: place for place, signature in enumerate(members)}
    larger = dict(with_supersets(list(members)))
    groups = []
    for signature, owners in members.items():
        by_size = sorted(owners, key=lambda index: (-tables[index].size_bytes, index))
        names = tuple(fold(c.name, schema.case_sensitive) for c in tables[by_size[0]].columns)
        groups.append(Group(tuple(by_size), names, tuple(places[s] for s in larger[signature])))
    return groups
