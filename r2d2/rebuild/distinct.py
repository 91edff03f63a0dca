"""The first row of each hash, over batches, in the batches' order."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import runs
from r2d2.kernels.runs import merge, present_mask, sorted_unique

Rows = npt.NDArray[np.intp]


class Seen:
    """The hashes met so far, in runs of which each is more than twice as long as the next.

    So a hash is merged about log n times, and looked up in as many runs.
    """

    def __init__(self) -> None:
        self._runs: list[Lanes] = []

    def new(self, lanes: Lanes) -> Rows:
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


def first_rows(lanes: Lanes) -> Rows:
    """The first row of each hash, in order of hash."""
    found = runs(lanes.first, lanes.second)
    # Stable: of equal hashes the first row comes first.
    return found.order[found.starts]


def taken(lanes: Lanes, rows: Rows | Sequence[int]) -> Lanes:
    """The hashes of these rows."""
    return Lanes(lanes.first[rows], lanes.second[rows])
