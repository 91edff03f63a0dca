"""Recipes for a table that none contains: rows of several tables together, told by predicates.

Every row of the table must be in one of the tables that have its columns; a row that is there
several times may be in several. Of large tables a few sampled rows, and of any the smallest hashes,
mostly show where it is not so: these are looked up in one index of all tables of the columns. Then
rows are given to parents in turn: to the one that has most of those still without a parent, and so
on; all copies of a row where it has no more than are needed. A part is all rows of its parent,
their distinct ones, or those of a predicate, found as for one parent. No part lists its rows: that
would be a copy of the table. So the parts' rows are the table's, counted by their hashes.

Where a parent's share has no predicate, and no row occurs twice, the parts may overlap: each has
every row of the table that its parent has, and equal rows count once. Else the rows are given out
anew, without one of the parents that took some: it may have left the others odd shares.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np
import pyarrow as pa

from r2d2.arrays import Bools, Int64s, UInt64s
from r2d2.errors import R2D2Error
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import Counted
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import HashFilter, merge, positions_in, sorted_unique, taken
from r2d2.model import Table
from r2d2.recipes.find.from_one_parent import MOST_LOADS, SearchedParent, are_strays, unlisted
from r2d2.recipes.find.from_union import (
    SAMPLED_BYTES,
    are_columnar,
    most_telling,
    quick_columns,
    sampled_rows,
)
from r2d2.recipes.find.reading import hashed, read_batches
from r2d2.recipes.find.request import (
    BYTES_PER_HELD_ROW,
    BYTES_PER_VALUE,
    VALUE_COPIES,
    ColumnHolder,
    Columns,
    ContainedTable,
    Proposal,
    Request,
    SeveralRequest,
    by_name,
    rows_of,
)
from r2d2.recipes.find.row_counts import RowCounts
from r2d2.recipes.grammar import Leaf, Union, parents

SMALLEST_HASHES, ROWS_OF_BATCH = 256, 128
"""Of a table, looked up first; and of a large one's batches, sampled before that."""
MOST_PARENTS, MOST_TRIES = 32, 8
"""Of one table: those with most of its smallest hashes; and how often the rows are given out."""


def propose_from_several(request: SeveralRequest, counts: RowCounts) -> list[Proposal]:
    """The tables that are rows of several parents, each with one recipe.

    Tables that cannot be read, or whose rows exceed the memory, are left out.
    """
    others = [other for other in request.others if _fits(other.table, counts)]
    children = [child for child in request.children if _fits(child, counts)]
    sizes = [other.table.size_bytes for other in others]
    if max(sizes, default=0) > SAMPLED_BYTES and are_columnar(other.table for other in others):
        children, others = _sampled_elsewhere(children, others, counts)
        others = _smallest_within(others, request.whole_bytes)
        read = {other.table.location for other in others}
        children = [child for child in children if child.location in read]
    children = [child for child in children if _smallest(child, counts) is not None]
    if not children:
        return []
    index = _Index.of(children, others, counts)
    proposals = []
    for child in children:
        union = _union_of(child, index.holders(child), counts)
        if union is not None:
            rows = counts.counted(child, by_name(child.columns)).rows
            proposals.append(Proposal(child.location, parents(union), union, rows))
    return proposals


def _fits(table: Table, counts: RowCounts) -> bool:
    """Whether the table's rows fit the memory, as parent or as child."""
    bytes_per_row = max(VALUE_COPIES * BYTES_PER_VALUE * len(table.columns), 16 * MOST_PARENTS)
    return rows_of(table) * (BYTES_PER_HELD_ROW + bytes_per_row) <= counts.memory_bytes


def _smallest_within(others: Iterable[ColumnHolder], most_bytes: float) -> list[ColumnHolder]:
    """The smallest of the tables that have so many bytes together."""
    by_size = sorted(others, key=lambda other: (other.table.size_bytes, other.table.location))
    ends = accumulate(other.table.size_bytes for other in by_size)
    return [other for other, end in zip(by_size, ends, strict=True) if end <= most_bytes]


def _sampled_elsewhere(
    children: list[Table], others: list[ColumnHolder], counts: RowCounts
) -> tuple[list[Table], list[ColumnHolder]]:
    """The children each of whose sampled rows another has, by their numbers and times alone, and
    the others that have some of these.

    The few columns of each table are read once for all children, of which each is among the others.
    """
    columns = quick_columns(counts.storage, children[0]) if children else ()
    if not columns:
        return children, others
    heads = (sampled_rows(counts.storage, child, columns) for child in children)
    telling = most_telling(list(chain.from_iterable(heads)), columns)
    for some in (telling, columns):
        hashes = [_spread_rows(child, some, counts) for child in children]
        every = merge(hashes)
        held = [_is_among(every, other, some, counts) for other in others]
        holders = np.sum(held, axis=0)
        places = [positions_in(every, each) for each in hashes]
        left = [n for n, at in enumerate(places) if (holders[at] > 1).all()]
        children = [children[n] for n in left]
        wanted = np.zeros(len(every), np.bool_)
        for n in left:
            wanted[places[n]] = True
        others = [other for other, found in zip(others, held, strict=True) if found[wanted].any()]
        if not children:
            break
    return children, others


def _spread_rows(child: Table, columns: Columns, counts: RowCounts) -> Lanes:
    """The hashes of some rows of each batch of the child in these columns."""
    batches = read_batches(counts.storage, child, columns)
    some = (batch.take(_spread(batch.num_rows)) for batch in batches)
    return sorted_unique(*hashed(some, [columns], counts.types))


def _spread(rows: int) -> pa.Array:
    return pa.array(range(0, rows, -(-rows // ROWS_OF_BATCH) or 1), pa.int64())


def _is_among(hashes: Lanes, other: ColumnHolder, columns: Columns, counts: RowCounts) -> Bools:
    """Whether each of the hashes is one of the table's rows in these columns."""
    names = {column.name for column in columns}
    read = tuple(column for column in other.columns if column.name in names)
    found, likely = np.zeros(len(hashes), np.bool_), HashFilter.of([hashes])
    with suppress(R2D2Error):  # a table that cannot be read is left out
        for batch in read_batches(counts.storage, other.table, read):
            (rows,) = row_hashes(batch, [read], counts.types)
            places = positions_in(hashes, taken(rows, likely.passing(rows)))
            found[places[places >= 0]] = True
    return found


def _smallest(child: Table, counts: RowCounts) -> UInt64s | None:
    """The child's smallest hashes; None where it has no rows that can be read."""
    with suppress(R2D2Error):
        rows = counts.counted(child, by_name(child.columns))
        return rows.first[:SMALLEST_HASHES] if len(rows.first) else None
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """The smallest hashes of tables over some columns, ascending, and the number of each's table.

    `smallest` are the children's by location.
    """

    others: Sequence[ColumnHolder]
    smallest: Mapping[str, UInt64s]
    first: UInt64s
    owners: Int64s

    @classmethod
    def of(
        cls, children: Sequence[Table], others: Sequence[ColumnHolder], counts: RowCounts
    ) -> "_Index":
        """The index of the tables that can be read, as far as a child's smallest hashes go."""
        found = ((child.location, _smallest(child, counts)) for child in children)
        smallest = {location: hashes for location, hashes in found if hashes is not None}
        most = max(hashes[-1] for hashes in smallest.values())
        held = []
        for other in others:
            first = _counted(other, counts).first
            held.append(first[: np.searchsorted(first, most, "right")])
        hashes = np.concatenate(held)
        owners = np.repeat(np.arange(len(held)), [len(each) for each in held])
        order = hashes.argsort(kind="stable")
        return cls(others, smallest, hashes[order], owners[order])

    def holders(self, child: Table) -> list[ColumnHolder]:
        """The others with most of the child's smallest hashes; none where one is in none."""
        hashes = self.smallest[child.location]
        starts = np.searchsorted(self.first, hashes)
        stops = np.searchsorted(self.first, hashes, "right")
        if (stops - starts < 2).any():  # one is the child's
            return []
        counts = Counter[int]()
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            counts.update(self.owners[start:stop].tolist())
        most = sorted(counts, key=lambda owner: (-counts[owner], owner))
        held = [self.others[owner] for owner in most]
        return [other for other in held if other.table.location != child.location][:MOST_PARENTS]


def _counted(other: ColumnHolder, counts: RowCounts) -> Counted:
    """The table's rows over the columns; none where it cannot be read."""
    try:
        return counts.counted(other.table, other.columns)
    except R2D2Error:
        none = np.empty(0, np.uint64)
        return Counted(none, none, np.empty(0, np.int64))


def _union_of(child: Table, others: Sequence[ColumnHolder], counts: RowCounts) -> Union | None:
    """The child as rows of some of these."""
    if len(others) < 2:
        return None
    whole = counts.counted(child, by_name(child.columns))
    holders = [_Holder(counts, child, o, *whole.held(_counted(o, counts))[:2]) for o in others]
    holders.sort(key=lambda holder: -len(holder.places))
    waiting, tried = [holders], 0
    while waiting and tried < MOST_TRIES:
        some = waiting.pop(0)
        if not _have_all(some, whole):
            continue
        given, tried = list(_given_out(some, whole)), tried + 1
        if union := _all(given, whole) or _each_once(some, whole):
            return union
        waiting += [[h for h in some if h is not taker] for taker, *_ in given]
    if not tried or (whole.counts == 1).all():
        return None
    return _all(_given_out(holders, whole, MOST_LOADS), whole)


def _have_all(holders: Sequence["_Holder"], whole: Counted) -> bool:
    """Whether each of the table's rows is in one of these."""
    is_there = np.zeros(len(whole.counts), np.bool_)
    for holder in holders:
        is_there[holder.places] = True
    return bool(is_there.all())


@dataclass(frozen=True, slots=True, eq=False)
class _Holder:
    """A table, the places of the child's distinct rows that it has, and how often it has each."""

    rows: RowCounts
    child: Table
    other: ColumnHolder
    places: Int64s
    counts: Int64s

    def part(self, whole: Counted, places: Int64s, counts: Int64s) -> Leaf | None:
        """The recipe that gives these of the child's rows, each so often; None where none does."""
        contained = ContainedTable(self.child, self.other.names)
        parent = SearchedParent(Request(self.other.table, (contained,)), self.rows)
        labels = parent.labels_of(Counted(whole.first[places], whole.second[places], counts))
        return unlisted(parent, 0, contained.outputs_of(self.other.table), labels)


def _all(given: Iterable[tuple[_Holder, Int64s, Int64s]], whole: Counted) -> Union | None:
    """The union that adds up to the table: its parts' rows are given out, none twice."""
    parts = list[Leaf]()
    for holder, places, counts in given:
        part = holder.part(whole, places, counts)
        if part is None:
            return None
        parts.append(part)
    return _union(parts, distinct=False)


def _given_out(
    holders: Sequence[_Holder], whole: Counted, most_loads: int = 1
) -> Iterator[tuple[_Holder, Int64s, Int64s]]:
    """Parents with the rows that are given to them; nothing where rows are left over.

    With more loads, parents give rows that are left once more, but no few strays.
    """
    left, waiting, load = whole.counts.copy(), list(holders), 1
    given = list[tuple[_Holder, Int64s, Int64s]]()
    while left.any() and (waiting or load < most_loads):
        if not waiting:
            waiting, load = list(holders), load + 1
        takes = [np.where(h.counts <= left[h.places], h.counts, 0) for h in waiting]
        rows = [int(take.sum()) for take in takes]
        if not any(rows):  # a row that each has more often than needed: only some of its copies
            takes = [np.minimum(h.counts, left[h.places]) for h in waiting]
            rows = [int(take.sum()) for take in takes]
        best = int(np.argmax(rows))
        if load > 1 and are_strays(rows[best], whole.rows):
            return
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
    for holder in holders:
        if left[holder.places].any():
            part = holder.part(whole, holder.places, holder.counts)
            if part is None:
                return None
            left[holder.places] = False
            parts.append(part)
    return _union(parts, distinct=True)


def _union(parts: Sequence[Leaf], distinct: bool) -> Union | None:
    several = len({part.parent for part in parts}) > 1
    return Union(tuple(sorted(parts, key=lambda part: part.parent)), distinct) if several else None
