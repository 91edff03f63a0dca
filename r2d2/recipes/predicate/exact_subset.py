"""Rows of a matrix of counts that sum exactly to a needed row: a vector subset sum, searched.

The rows are values of a column or parts of a union, and the columns are groups of a table's rows.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from r2d2.arrays import Int64s

MOST_CELLS = 1 << 20
"""Of a caller's matrix: 8 MB."""
MOST_STEPS, MOST_CELLS_READ = 500, 1 << 24
MOST_BITS = 1 << 31


def may_sum_to(numbers: Collection[int], total: int) -> bool:
    """Whether some of the numbers may have this sum; False is always right.

    The bits of one integer are the sums up to the total that can be reached, where these are not
    too many.

    >>> may_sum_to([4, 6, 9], 13), may_sum_to([4, 6, 9], 11)
    (True, False)
    """
    if sum(numbers) < total:
        return False
    if len(numbers) * total > MOST_BITS:
        return True
    sums, every = 1, (1 << total + 1) - 1
    for number in numbers:
        sums |= (sums << number) & every
    return bool(sums >> total & 1)


def exact_subset(counts: Int64s, need: Int64s, most: int) -> Int64s | None:
    """The numbers of at most `most` rows of `counts` that sum to `need`, ascending, or None.

    All rows that fit are tried together first. Then the search branches on the column that the
    fewest rows can still fill, and gives up after 500 steps, fewer on large matrices.
    """
    places = np.flatnonzero((counts <= need).all(axis=1))
    if (counts[places].sum(axis=0) == need).all():
        return places if len(places) <= most else None
    steps = min(MOST_STEPS, MOST_CELLS_READ // (counts.size + 1))
    chosen = _Search(steps).rows(counts[places], need, most)
    return None if chosen is None else np.sort(places[chosen])


@dataclass(slots=True)
class _Search:
    steps_left: int

    def rows(self, counts: Int64s, need: Int64s, most: int) -> Int64s | None:
        """The numbers of rows that sum to `need`."""
        self.steps_left -= 1
        if not need.any():
            return np.empty(0, np.int64)
        if most == 0 or (counts.sum(axis=0) < need).any():
            return None
        open_ = np.flatnonzero(need)
        hardest = open_[(counts[:, open_] > 0).sum(axis=0).argmin()]
        usable = np.ones(len(counts), np.bool_)
        # Each row with a count there is taken in turn; those tried before it are left out.
        for row in np.flatnonzero(counts[:, hardest]):
            if self.steps_left <= 0:
                return None
            usable[row] = False
            left = need - counts[row]
            rest = np.flatnonzero(usable & (counts <= left).all(axis=1))
            others = self.rows(counts[rest], left, most - 1)
            if others is not None:
                return np.append(rest[others], row)
        return None
