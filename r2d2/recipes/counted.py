"""A table as a multiset: its distinct rows as hashes, and how often each occurs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
Hashes = tuple[Words, Words]


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """A table's distinct rows as hashes, ascending, and how many there are of each."""

    first: Words
    second: Words
    counts: Indices

    @classmethod
    def of(cls, rows: Hashes) -> "Counted":
        """The rows with these hashes, in any order."""
        order, starts = runs(*rows)
        counts = np.diff(np.flatnonzero(starts), append=len(order))
        firsts = order[starts]
        return cls(rows[0][firsts], rows[1][firsts], counts)

    @property
    def rows(self) -> int:
        """How many rows there are, equal ones as often as they occur."""
        return int(self.counts.sum())

    @property
    def size_bytes(self) -> int:
        """What they take of memory."""
        return 3 * self.counts.nbytes

    def held(self, other: "Counted") -> tuple[Indices, Indices, int]:
        """Which of these rows the other has too, how many of each, and how many rows besides."""
        places = self._places(other.first, other.second)
        found = places >= 0
        if found.all():
            return places, other.counts, 0
        return places[found], other.counts[found], int(other.counts[~found].sum())

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


def runs(first: Words, second: Words) -> tuple[Indices, Mask]:
    """An order by (first, second) and, in that order, where runs of equal hashes start."""
    order = np.argsort(first, kind="stable")
    if len(order) and _collide(first[order], second[order]):
        order = np.lexsort((second, first))
    starts = np.ones(len(order), np.bool_)
    ordered_first, ordered_second = first[order], second[order]
    starts[1:] = (ordered_first[1:] != ordered_first[:-1]) | (
        ordered_second[1:] != ordered_second[:-1]
    )
    return order, starts


def _collide(first: Words, second: Words) -> bool:
    return bool(((first[1:] == first[:-1]) & (second[1:] != second[:-1])).any())
