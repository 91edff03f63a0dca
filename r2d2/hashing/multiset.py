"""A table as a multiset: its distinct rows as hashes, and how often each occurs."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from r2d2.arrays import Int64s, Positions, UInt64s
from r2d2.hashing.finaliser import Lanes, finish_all
from r2d2.hashing.runs import (
    HashFilter,
    HashOrder,
    hash_order,
    merge,
    positions_in,
    present_mask,
    taken,
)

_MASK = (1 << 64) - 1
_STEPS = 8
"""From a bucket's start, after which what is left is searched."""


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """A table's distinct rows as hashes, ascending, and how many there are of each."""

    first: UInt64s
    second: UInt64s
    counts: Int64s

    @classmethod
    def of(cls, rows: Lanes) -> "Counted":
        """The rows with these hashes, in any order."""
        return cls.in_order(hash_order(rows))

    @classmethod
    def in_order(cls, rows: HashOrder) -> "Counted":
        """The rows whose hashes have been put in order."""
        counts = ones(len(rows.order)) if rows.all_differ else rows.counts()
        distinct = rows.distinct()
        return cls(distinct.first, distinct.second, counts)

    @property
    def rows(self) -> int:
        """How many rows there are, equal ones as often as they occur."""
        return int(self.counts.sum())

    @property
    def size_bytes(self) -> int:
        """The memory that they take."""
        return self.first.nbytes + self.second.nbytes + memory_bytes(self.counts)

    def held(self, other: "Counted") -> tuple[Int64s, Int64s, int]:
        """The positions of rows that the other has, too, its counts of these, and of the rest."""
        if len(self.first) == len(other.first) and self._same(other):
            return np.arange(len(self.first)), other.counts, 0
        run, rows = Lanes(self.first, self.second), Lanes(other.first, other.second)
        positions = positions_in(run, rows)
        found = positions >= 0
        if found.all():
            return positions, other.counts, 0
        return positions[found], other.counts[found], int(other.counts[~found].sum())

    def _same(self, other: "Counted") -> bool:
        """Whether it has the same rows, not how often; both have as many."""
        same = np.array_equal(self.first, other.first)
        return same and np.array_equal(self.second, other.second)


@dataclass(slots=True)
class RowTally:
    """How many rows there are, and the sums of their finalised hashes, which no order changes.

    Two tables with equal tallies have the same rows as often, but for a chance of 2⁻¹²⁸. A row's
    hash is itself a sum over its columns, in which a value that moves to another row would cancel:
    so each row's is finalised first.
    """

    rows: int = 0
    first: int = 0
    second: int = 0

    def add(self, lanes: Lanes, copies: Int64s | None = None) -> None:
        """Counts the rows with these hashes, each once or so many copies of it."""
        mixed = finish_all(Lanes(lanes.first.copy(), lanes.second.copy()))
        self.rows += len(lanes) if copies is None else int(copies.sum())
        if copies is not None:
            times = copies.astype(np.uint64)
            mixed = Lanes(mixed.first * times, mixed.second * times)
        self.first = (self.first + int(np.add.reduce(mixed.first))) & _MASK
        self.second = (self.second + int(np.add.reduce(mixed.second))) & _MASK

    def add_tally(self, other: "RowTally") -> None:
        """Counts the other's rows."""
        self.rows += other.rows
        self.first = (self.first + other.first) & _MASK
        self.second = (self.second + other.second) & _MASK


def ones(count: int) -> Int64s:
    """So many ones, which take no memory."""
    return np.broadcast_to(np.int64(1), count)


def memory_bytes(numbers: Int64s) -> int:
    """The memory that they take."""
    return numbers.nbytes if all(numbers.strides) else 0


class HashIndex:
    """A run by buckets of its first words, in which hashes in any order are found.

    A binary search misses the cache at each of its steps, and takes five to ten times as long.
    """

    def __init__(self, run: Lanes) -> None:
        bits = max(1, len(run).bit_length())
        self.run, self._shift = run, np.uint64(64 - bits)
        rows = np.bincount((run.first >> self._shift).view(np.int64), minlength=1 << bits)
        self._starts = (np.cumsum(rows) - rows).astype(np.int32 if bits < 32 else np.int64)

    def places(self, words: UInt64s) -> Int64s:
        """The first position in the run of each first word; any where it has none."""
        first = self.run.first
        at = self._starts.take((words >> self._shift).view(np.int64)).astype(np.int64)
        rows = np.flatnonzero(first.take(at, mode="clip") < words)
        for _ in range(_STEPS):
            at[rows] += 1
            rows = rows[first.take(at[rows], mode="clip") < words[rows]]
        at[rows] = np.searchsorted(first, words[rows])
        return np.minimum(at, len(first) - 1, out=at)

    def positions(self, lanes: Lanes) -> Int64s:
        """The position in the run of each of the hashes; -1 where it has none."""
        if not len(self.run):
            return np.full(len(lanes), -1)
        at = self.places(lanes.first)
        found = self.run.second.take(at) == lanes.second
        alike = self.run.first.take(at) == lanes.first
        others = np.flatnonzero(alike & ~found)
        at[~(alike & found)] = -1
        at[others] = positions_in(self.run, taken(lanes, others))
        return at


class HashList:
    """A list of hashes among the rows of a table: of each its first word, where that is enough.

    It is not where a row that is not listed has the same first word, which one in 2⁶⁴ pairs does.
    """

    def __init__(self, listed: Counted) -> None:
        run = Lanes(listed.first, listed.second)
        self._listed, self._filter, self._index = listed, HashFilter.of([run]), HashIndex(run)
        same = listed.first[1:] == listed.first[:-1]
        self._needs_second = np.zeros(len(listed.first), np.bool_)
        self._needs_second[1:] |= same
        self._needs_second[:-1] |= same

    def add(self, rows: Lanes) -> None:
        """Takes rows of the table, listed or not."""
        first = self._listed.first
        if not len(first):
            return
        rows = taken(rows, self._filter.passing(rows))
        at = self._index.places(rows.first)
        differ = self._listed.second.take(at) != rows.second
        alike = np.flatnonzero((first.take(at) == rows.first) & differ)
        others = alike[~present_mask(taken(rows, alike), self._index.run)]
        if len(others):
            self._needs_second |= np.isin(first, rows.first[others])

    def table(self) -> pa.Table:
        """The list as `Copies` takes it: a column that tells nothing is left out."""
        listed, needed = self._listed, self._needs_second
        columns = {"first": pa.array(listed.first)}
        if needed.any():
            columns["second"] = pa.array(listed.second, mask=~needed)
        if (listed.counts != 1).any():
            columns["copies"] = pa.array(listed.counts)
        return pa.table(columns)


class Copies:
    """The copies of each listed hash that are still to be found, no matter which of equal rows.

    `residual` has a column `first`, of the hashes' first words; `second`, which is NULL where the
    first word is enough, as all are without the column; and `copies`, without which each is 1.
    """

    def __init__(self, residual: pa.Table) -> None:
        first, count = residual.column("first").to_numpy(), len(residual)
        second, self._alone = np.zeros(count, np.uint64), np.sort(first)
        if "second" in residual.column_names:
            words = residual.column("second")
            second = words.fill_null(0).to_numpy()
            self._alone = np.sort(first[words.is_null().to_numpy()])
        copies = residual.column("copies").to_numpy() if "copies" in residual.column_names else None
        kept = hash_order(Lanes(first, second))
        self._run = kept.hashes
        left = ones(count) if copies is None else copies
        self._left = left[kept.order].astype(np.int64)
        self._filter, self._index = HashFilter.of([self._run]), HashIndex(self._run)

    def pick(self, lanes: Lanes) -> Positions:
        """The rows that are still wanted, ascending; they are not wanted again."""
        passing = self._filter.passing(lanes)
        lanes = taken(lanes, passing)
        if len(self._alone):
            at = np.minimum(np.searchsorted(self._alone, lanes.first), len(self._alone) - 1)
            is_alone = self._alone[at] == lanes.first
            lanes = Lanes(lanes.first, np.where(is_alone, np.uint64(0), lanes.second))
        positions = self._index.positions(lanes)
        rows = np.flatnonzero(positions >= 0)
        positions = positions[rows]
        order = np.argsort(positions, kind="stable")
        ordered = positions[order]
        nth = np.arange(len(ordered)) - np.searchsorted(ordered, ordered, "left")
        wanted = nth < self._left[ordered]
        np.subtract.at(self._left, ordered[wanted], 1)
        return passing[np.sort(rows[order[wanted]])]

    def missing(self) -> int:
        """How many copies were not found."""
        return int(self._left.sum())


class Seen:
    """The hashes met so far, in runs of which each is more than twice as long as the next.

    So a hash is merged about log n times, and looked up in as many runs.
    """

    def __init__(self) -> None:
        self._runs: list[Lanes] = []

    def new(self, lanes: Lanes) -> Positions:
        """The rows whose hash is met for the first time, ascending; from now on it is known."""
        rows = hash_order(lanes).first_rows()
        for run in self._runs:
            rows = rows[~present_mask(taken(lanes, rows), run)]
        if len(rows):
            self._add(taken(lanes, rows))
        return np.sort(rows)

    def _add(self, run: Lanes) -> None:
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = merge([self._runs.pop(), run])
        self._runs.append(run)
