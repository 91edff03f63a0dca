"""A table as a multiset: its distinct rows as hashes, and how often each occurs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
Hashes = tuple[Words, Words]
FEW_ROWS = 512


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """A table's distinct rows as hashes, ascending, and how many there are of each."""

    first: Words
    second: Words
    counts: Indices

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

    def held(self, other: "Counted") -> tuple[Indices, Indices, int]:
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

    def _places(self, first: Words, second: Words) -> Indices:
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


def ones(count: int) -> Indices:
    """So many ones, which take no memory."""
    return np.broadcast_to(np.int64(1), count)


def memory_bytes(numbers: Indices) -> int:
    """What they take of memory."""
    return numbers.nbytes if all(numbers.strides) else 0


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """A stable order by (first, second); the first words in it, and where new hashes start."""

    order: Indices
    first: Words
    starts: Mask


def runs(first: Words, second: Words) -> Runs:
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


def _order(first: Words) -> Indices:
    """A stable order: by the 16 highest bits first, which leaves short stretches to sort."""
    if len(first) < FEW_ROWS:
        return first.argsort(kind="stable")
    by_bucket = (first >> np.uint64(48)).astype(np.uint16).argsort(kind="stable")
    return by_bucket.take(first.take(by_bucket).argsort(kind="stable"))
