"""Values of one column whose rows are exactly so many of each group: a subset sum, searched."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
MOST_CELLS = 1 << 20  # of what a caller may ask for: 8 MB
MOST_STEPS, MOST_CELLS_SEEN = 500, 1 << 24
MOST_BITS = 1 << 31


def may_sum_to(numbers: Collection[int], total: int) -> bool:
    """Whether some of the numbers may have this sum: surely not where it says False.

    All sums up to the total are the bits of one integer, where these are not too many.

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


def exact_subset(counts: Counts, need: Counts, most: int) -> Counts | None:
    """At most that many rows of `counts` (values × groups) that sum to `need`, in order, or None.

    All rows that can take part are tried first; then the search branches on the group that the
    fewest rows can still serve, and gives up after 500 steps, less on large counts.
    """
    places = np.flatnonzero((counts <= need).all(axis=1))
    if (counts[places].sum(axis=0) == need).all():
        return places if len(places) <= most else None
    steps = min(MOST_STEPS, MOST_CELLS_SEEN // (counts.size + 1))
    found = _Search(steps).among(counts[places], need, most)
    return None if found is None else np.sort(places[found])


@dataclass(slots=True)
class _Search:
    steps_left: int

    def among(self, counts: Counts, need: Counts, most: int) -> Counts | None:
        """Places of rows that sum to `need`."""
        self.steps_left -= 1
        if not need.any():
            return np.empty(0, np.int64)
        if most == 0 or (counts.sum(axis=0) < need).any():
            return None
        open_ = np.flatnonzero(need)
        group = open_[(counts[:, open_] > 0).sum(axis=0).argmin()]
        usable = np.ones(len(counts), np.bool_)
        # Each row that serves the group is taken first in turn; then the rows before it are out.
        for row in np.flatnonzero(counts[:, group]):
            if self.steps_left <= 0:
                return None
            usable[row] = False
            left = need - counts[row]
            rest = np.flatnonzero(usable & (counts <= left).all(axis=1))
            found = self.among(counts[rest], left, most - 1)
            if found is not None:
                return np.append(rest[found], row)
        return None
