"""Tables by their column names: those that share all names are taken to mean the same by them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from r2d2.model import Table
from r2d2.stages.schema import Schema, Signature, fold, is_degenerate, with_supersets


@dataclass(frozen=True, slots=True)
class Group:
    """All tables with the columns `names`, largest first, and the groups that have these, too.

    Names are counted through all groups; `first` is the number of this one's first. `types` are
    the columns' types in order.
    """

    tables: tuple[int, ...]
    names: tuple[str, ...]
    types: tuple[str, ...]
    first: int
    larger: frozenset[int]


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
        types = tuple(sorted(tag for _, tag in signature))
        others = frozenset(places[other] for other in larger[signature])
        groups.append(Group(tuple(owners), names, types, first, others))
        first += len(names)
    return groups


def comparable(groups: Sequence[Group]) -> list[int]:
    """The groups whose types are all in another one's that lacks a name, and such others."""
    profiles: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        profiles[group.types].append(number)
    members = list(profiles.values())
    places = {tag: place for place, tag in enumerate(sorted({t for p in profiles for t in p}))}
    counts = np.zeros((len(profiles), len(places)), np.int64)
    for row, profile in zip(counts, profiles, strict=True):
        for tag, columns in Counter(profile).items():
            row[places[tag]] = columns
    found: set[int] = set()
    for row, own in zip(counts, members, strict=True):
        wider = [members[place] for place in np.flatnonzero((counts >= row).all(axis=1))]
        if any(other not in groups[one].larger for one in own for part in wider for other in part):
            found.update(own, *wider)
    return sorted(found)
