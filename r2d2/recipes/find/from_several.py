"""Recipes for a table that none contains: rows of several tables together, told by predicates.

Every row of the table must be in one of the tables that have its columns; a row that is there
several times may be in several. Of large tables a few sampled rows, and of any the smallest hashes,
mostly show where it is not so. Then rows are given to parents in turn: to the one that has most of
those still without a parent, and so on; all copies of a row where it has no more than are needed. A
part is all rows of its parent, their distinct ones, or those of a predicate, found as for one
parent. No part lists its rows: that would be a copy of the table. So the parts' rows are the
table's, counted by their hashes.

Where a parent's share has no predicate, and no row occurs twice, the parts may overlap: each has
every row of the table that its parent has, and equal rows count once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from r2d2.arrays import Int64s
from r2d2.errors import R2D2Error
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import Counted
from r2d2.hashing.runs import present_mask
from r2d2.model import Table
from r2d2.recipes.find.from_one_parent import SearchedParent, unlisted
from r2d2.recipes.find.from_union import SAMPLED_BYTES, lacks_a_sampled_row
from r2d2.recipes.find.request import (
    ColumnHolder,
    ContainedTable,
    Proposal,
    Request,
    SeveralRequest,
    by_name,
)
from r2d2.recipes.find.row_counts import RowCounts
from r2d2.recipes.grammar import Leaf, Union, parents

SMALLEST_HASHES = 256
"""Of a table, looked up in each parent first."""


def propose_from_several(request: SeveralRequest, counts: RowCounts) -> list[Proposal]:
    """The table as rows of several parents: none or one proposal.

    A parent that cannot be read is left out.
    """
    table = request.table
    try:
        if max(t.size_bytes for t in request.tables) > SAMPLED_BYTES:
            read = [(other.table, other.columns) for other in request.others]
            if lacks_a_sampled_row(table, read, counts):
                return []
        whole = counts.counted(table, by_name(table.columns))
    except R2D2Error:
        return []
    shares = _shares(request.others, whole, counts)
    if not _are_all([places for _, places, _ in shares], whole):
        return []
    held = [_held_of(table, *share, counts) for share in shares]
    union = _all(held, whole) or _each_once(held, whole)
    return [Proposal(table.location, parents(union), union, whole.rows)] if union else []


@dataclass(frozen=True, slots=True, eq=False)
class _Holder:
    """A parent, the places of the table's distinct rows that it has, and how often it has each."""

    parent: SearchedParent
    places: Int64s
    counts: Int64s

    def part(self, whole: Counted, places: Int64s, counts: Int64s) -> Leaf | None:
        """The recipe that gives these of the table's rows, each so often; None where none does."""
        labels = self.parent.labels_of(Counted(whole.first[places], whole.second[places], counts))
        (child,) = self.parent.children
        return unlisted(self.parent, 0, child.outputs_of(self.parent.table), labels)


_Share = tuple[ColumnHolder, Int64s, Int64s]
"""A table, and a child's rows that it has: their places, and how often it has each."""


def _shares(others: Sequence[ColumnHolder], whole: Counted, counts: RowCounts) -> list[_Share]:
    """The share that each table has; none where one of the smallest hashes is in none of them."""
    few = Lanes(whole.first[:SMALLEST_HASHES], whole.second[:SMALLEST_HASHES])
    found, some = np.zeros(len(few), np.bool_), list[tuple[ColumnHolder, Counted]]()
    for other in others:
        try:
            rows = counts.counted(other.table, other.columns)
        except R2D2Error:
            continue
        is_held = present_mask(few, Lanes(rows.first, rows.second))
        if is_held.any():
            found |= is_held
            some.append((other, rows))
    if not found.all():
        return []
    return [(other, *whole.held(rows)[:2]) for other, rows in some]


def _are_all(places: Sequence[Int64s], whole: Counted) -> bool:
    """Whether these are the places of all rows."""
    found = np.zeros(len(whole.counts), np.bool_)
    for some in places:
        found[some] = True
    return bool(found.all())


def _held_of(
    table: Table, other: ColumnHolder, places: Int64s, held: Int64s, counts: RowCounts
) -> _Holder:
    request = Request(other.table, (ContainedTable(table, other.names),))
    return _Holder(SearchedParent(request, counts), places, held)


def _all(holders: Sequence[_Holder], whole: Counted) -> Union | None:
    """The union that adds up to the table: its parts' rows are given out, none twice."""
    parts = list[Leaf]()
    for holder, places, counts in _given_out(holders, whole):
        part = holder.part(whole, places, counts)
        if part is None:
            return None
        parts.append(part)
    return _union(parts, distinct=False)


def _given_out(
    holders: Sequence[_Holder], whole: Counted
) -> Iterator[tuple[_Holder, Int64s, Int64s]]:
    """Parents with the rows that are given to them; nothing where rows are left over."""
    left, waiting = whole.counts.copy(), list(holders)
    given = list[tuple[_Holder, Int64s, Int64s]]()
    while waiting and left.any():
        takes = [np.where(h.counts <= left[h.places], h.counts, 0) for h in waiting]
        rows = [int(take.sum()) for take in takes]
        if not any(rows):  # a row that each has more often than needed: only some of its copies
            takes = [np.minimum(h.counts, left[h.places]) for h in waiting]
            rows = [int(take.sum()) for take in takes]
        best = int(np.argmax(rows))
        holder, take = waiting.pop(best), takes[best]
        taken = np.flatnonzero(take)
        left[holder.places[taken]] -= take[taken]
        given.append((holder, holder.places[taken], take[taken]))
    if not left.any():
        yield from given


def _each_once(holders: Sequence[_Holder], whole: Counted) -> Union | None:
    """The union whose rows count once: each parent's part is all that it has of the table."""
    if (whole.counts != 1).any():
        return None
    parts, left = list[Leaf](), np.ones(len(whole.counts), np.bool_)
    for holder in sorted(holders, key=lambda holder: -len(holder.places)):
        if left[holder.places].any():
            part = holder.part(whole, holder.places, holder.counts)
            if part is not None:
                left[holder.places] = False
                parts.append(part)
    return None if left.any() else _union(parts, distinct=True)


def _union(parts: Sequence[Leaf], distinct: bool) -> Union | None:
    several = len({part.parent for part in parts}) > 1
    return Union(tuple(sorted(parts, key=lambda part: part.parent)), distinct) if several else None
