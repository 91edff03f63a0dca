"""Values of one column whose rows are exactly so many of each group: a subset sum, searched."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
MOST_CELLS = 1 << 20  # of what a caller may ask for: 8 MB
MOST_STEPS, MOST_CELLS_SEEN = 500, 1 << 24


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
