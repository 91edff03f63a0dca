"""A table as a multiset: its distinct rows as hashes, and how often each occurs.

Rows kept by their hashes: each as many times as the residual says, no matter which of equals.

The first row of each hash, over batches, in the batches' order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from r2d2.arrays import Bools, Int64s, Positions, UInt64s
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.sketch import merge, present_mask, sorted_unique

Hashes = tuple[UInt64s, UInt64s]
FEW_ROWS = 512


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """A table's distinct rows as hashes, ascending, and how many there are of each."""

    first: UInt64s
    second: UInt64s
    counts: Int64s

    @classmethod
    def of(cls, rows: Hashes) -> "Counted":
        """The rows with these hashes, in any order."""
        return cls.in_runs(rows, runs(*rows))

    @classmethod
    def in_runs(cls, rows: Hashes, runs: "Runs") -> "Counted":
        """The rows with these hashes, whose runs are known."""
        if runs.starts.all():
            return cls(runs.first, rows[1].take(runs.order), ones(len(runs.order)))
        counts = np.diff(np.flatnonzero(runs.starts), append=len(runs.order))
        return cls(runs.first[runs.starts], rows[1].take(runs.order[runs.starts]), counts)

    @property
    def rows(self) -> int:
        """How many rows there are, equal ones as often as they occur."""
        return int(self.counts.sum())

    @property
    def size_bytes(self) -> int:
        """What they take of memory."""
        return self.first.nbytes + self.second.nbytes + memory_bytes(self.counts)

    def held(self, other: "Counted") -> tuple[Int64s, Int64s, int]:
        """Which of these rows the other has too, how many of each, and how many rows besides."""
        if len(self.first) == len(other.first) and self._same(other):
            return np.arange(len(self.first)), other.counts, 0
        places = self._places(other.first, other.second)
        found = places >= 0
        if found.all():
            return places, other.counts, 0
        return places[found], other.counts[found], int(other.counts[~found].sum())

    def _same(self, other: "Counted") -> bool:
        """Whether it has the same rows, not how often; both have as many."""
        same = np.array_equal(self.first, other.first)
        return same and np.array_equal(self.second, other.second)

    def _places(self, first: UInt64s, second: UInt64s) -> Int64s:
        """The place of each hash, -1 where there is none."""
        if not len(self.first):
            return np.full(len(first), -1, np.int64)
        at = np.minimum(np.searchsorted(self.first, first), len(self.first) - 1)
        tied = self.first[at] == first
        hit = tied & (self.second[at] == second)
        places = np.where(hit, at, -1)
        # Hashes that share the first word lie side by side: as many steps as the longest such run.
        rows = np.flatnonzero(tied & ~hit)
        while len(rows):
            at[rows] += 1
            rows = rows[at[rows] < len(self.first)]
            rows = rows[self.first[at[rows]] == first[rows]]
            same = self.second[at[rows]] == second[rows]
            places[rows[same]] = at[rows[same]]
            rows = rows[~same]
        return places


def ones(count: int) -> Int64s:
    """So many ones, which take no memory."""
    return np.broadcast_to(np.int64(1), count)


def memory_bytes(numbers: Int64s) -> int:
    """What they take of memory."""
    return numbers.nbytes if all(numbers.strides) else 0


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """A stable order by (first, second); the first words in it, and where new hashes start."""

    order: Int64s
    first: UInt64s
    starts: Bools


def runs(first: UInt64s, second: UInt64s) -> Runs:
    """The runs of equal hashes."""
    order = _order(first)
    ordered = first.take(order)
    starts = np.ones(len(order), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=starts[1:])
    ties = np.flatnonzero(~starts)
    if not len(ties):
        return Runs(order, ordered, starts)
    starts[ties] = second[order[ties]] != second[order[ties - 1]]
    if starts[ties].any():
        order = np.lexsort((second, first))
        starts[1:] = np.diff(first.take(order)) != 0
        starts[1:] |= np.diff(second.take(order)) != 0
    return Runs(order, ordered, starts)


def _order(first: UInt64s) -> Int64s:
    """A stable order: by the 16 highest bits first, which leaves short stretches to sort."""
    if len(first) < FEW_ROWS:
        return first.argsort(kind="stable")
    by_bucket = (first >> np.uint64(48)).astype(np.uint16).argsort(kind="stable")
    return by_bucket.take(first.take(by_bucket).argsort(kind="stable"))


class Copies:
    """How many copies of each kept hash are still to be found.

    `residual` has the columns `first`, `second` and `copies`; its hashes are distinct.
    """

    def __init__(self, residual: pa.Table) -> None:
        first, second, copies = (
            residual.column(name).to_numpy() for name in ("first", "second", "copies")
        )
        order = np.lexsort((second, first))
        self._run = Lanes(first[order], second[order])
        self._left = copies[order].astype(np.int64)

    def pick(self, lanes: Lanes) -> Positions:
        """The rows that are still wanted, ascending; they are not wanted again."""
        rows = np.flatnonzero(present_mask(lanes, self._run))
        places = self._places(taken(lanes, rows))
        order = np.argsort(places, kind="stable")
        ordered = places[order]
        nth = np.arange(len(ordered)) - np.searchsorted(ordered, ordered, "left")
        wanted = nth < self._left[ordered]
        np.subtract.at(self._left, ordered[wanted], 1)
        return np.sort(rows[order[wanted]])

    def _places(self, lanes: Lanes) -> Positions:
        """Where the kept hashes are; each of the lanes is one of them."""
        places = np.searchsorted(self._run.first, lanes.first)
        while (wrong := self._run.second[places] != lanes.second).any():
            places[wrong] += 1
        return places

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
        rows = first_rows(lanes)
        for run in self._runs:
            rows = rows[~present_mask(taken(lanes, rows), run)]
        if len(rows):
            self._add(sorted_unique(taken(lanes, rows)))
        return np.sort(rows)

    def _add(self, run: Lanes) -> None:
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = merge([self._runs.pop(), run])
        self._runs.append(run)


def first_rows(lanes: Lanes) -> Positions:
    """The first row of each hash, in order of hash."""
    found = runs(lanes.first, lanes.second)
    # Stable: of equal hashes the first row comes first.
    return found.order[found.starts]


def taken(lanes: Lanes, rows: Positions | Sequence[int]) -> Lanes:
    """The hashes of these rows."""
    return Lanes(lanes.first[rows], lanes.second[rows])
