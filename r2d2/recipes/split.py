"""Atoms that select exactly the child's count of every group: some rows of a group, not others.

Each group gets a random 64-bit weight. Rows are, of every group, as many as the child's where
their weights sum to Σ child's count · weight (mod 2⁶⁴), but for a chance of 2⁻⁶⁴ that the last
check on all rows would catch. So a value's sum tells at once whether the value is the child, and
the difference of two prefix sums over a column's order whether the range between them is: that is
complete for `=`, IS NULL, IS NOT NULL and BETWEEN. For an IN see `listed`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.hashing.multiset import Indices
from r2d2.recipes.predicate.atoms import Choice, Form, Mask, between
from r2d2.recipes.predicate.encode import EncodedColumn
from r2d2.recipes.predicate.row_labels import Labels
from r2d2.recipes.ranks import NULL

SEED = 20260401
MOST_RANGES = 4
ROWS_A_SLOT = 8
Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Torn:
    """The parent's rows by kind; `torn` are those of which the child has some of a group, not all.

    `must`, `never` and `weights` are by row; `target` is the child's weight. Where no row is torn,
    there are no weights.
    """

    labels: Labels
    must: Mask
    never: Mask
    torn: Indices
    weights: Words
    target: np.uint64

    @classmethod
    def of(cls, labels: Labels) -> "Torn":
        """The state for these labels."""
        must, never = labels.must(), labels.never()
        torn = np.empty(0, np.int64) if labels.is_key else np.flatnonzero(~(must | never))
        if not len(torn):
            return cls(labels, must, never, torn, np.empty(0, np.uint64), np.uint64(0))
        random = np.random.default_rng(SEED)
        weights = random.integers(0, 2**64, len(labels.child), np.uint64)
        target = np.sum(weights * labels.child.astype(np.uint64), dtype=np.uint64)
        return cls(labels, must, never, torn, weights[labels.groups], target)

    def splits(self, column: EncodedColumn, is_shared: bool = False) -> Mask:
        """For each torn row, whether the rows of its group differ in the column.

        In a column that the child shares they never do.
        """
        if is_shared:
            return np.zeros(len(self.torn), np.bool_)
        groups, codes = self.labels.groups[self.torn], column.codes[self.torn]
        some = np.zeros(len(self.labels.child), np.int32)
        some[groups] = codes
        split = np.zeros(len(self.labels.child), np.bool_)
        split[groups[codes != some[groups]]] = True
        return split[groups]

    def exact(self, column: EncodedColumn, rows: Indices) -> Iterator[Choice]:
        """The column's atoms but IN that select, among these rows, exactly the child's."""
        present, counts, sums = self._weighed(column, rows)
        if len(present) and present[0] == NULL:
            if sums[0] == self.target:
                yield Choice(column, Form.IS_NULL)
            if np.sum(sums[1:], dtype=np.uint64) == self.target:
                yield Choice(column, Form.NOT_NULL)
        values = (present >= 0) & (present < len(column.values))
        yield from self._named(column, present[values], sums[values], counts[values])

    def _weighed(self, column: EncodedColumn, rows: Indices) -> tuple[Indices, Indices, Words]:
        """The codes of these rows in order, how many rows each has, and what they weigh."""
        codes = column.codes[rows]
        if len(rows) * ROWS_A_SLOT < len(column.values):
            present, places = np.unique(codes.astype(np.int64), return_inverse=True)
        else:
            present, places = np.arange(-1, len(column.values) + 1), codes.astype(np.int64) + 1
        counts = np.bincount(places, minlength=len(present))
        sums = np.zeros(len(present), np.uint64)
        np.add.at(sums, places, self.weights[rows])
        occurs = counts > 0
        return present[occurs], counts[occurs], sums[occurs]

    def _named(
        self, column: EncodedColumn, present: Indices, sums: Words, counts: Indices
    ) -> Iterator[Choice]:
        for rank in present[sums == self.target]:
            if column.nameable[rank]:
                yield Choice(column, Form.EQUALS, (int(rank),))
        found = 0
        for start, end in self._ranges(sums, counts):
            range_ = between(column, int(present[start]), int(present[end]))
            if range_ and found < MOST_RANGES:
                found += 1
                yield range_

    def _ranges(self, sums: Words, counts: Indices) -> Iterator[tuple[int, int]]:
        """First and last place of all ranges that weigh what the child does, shortest first.

        A range that does holds as many rows as the child, so for each start there is one end.
        """
        rows = np.concatenate([[0], np.cumsum(counts)])
        prefix = np.concatenate([np.zeros(1, np.uint64), np.cumsum(sums, dtype=np.uint64)])
        place_of = np.full(rows[-1] + 1, -1, np.int64)
        place_of[rows] = np.arange(len(rows))
        wanted = rows + self.labels.child_rows
        starts = np.flatnonzero(wanted <= rows[-1])
        ends = place_of[wanted[starts]]
        right = (ends > starts + 1) & (prefix[ends] - prefix[starts] == self.target)
        starts, ends = starts[right], ends[right]
        for i in np.argsort(ends - starts, kind="stable"):
            yield int(starts[i]), int(ends[i] - 1)
