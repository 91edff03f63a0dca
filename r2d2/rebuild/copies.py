"""Rows kept by their hashes: each as many times as the residual says, no matter which of equals."""

import numpy as np
import pyarrow as pa

from r2d2.hashing.finaliser import Lanes
from r2d2.kernels.runs import present_mask
from r2d2.rebuild.distinct import Rows, taken


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

    def pick(self, lanes: Lanes) -> Rows:
        """The rows that are still wanted, ascending; they are not wanted again."""
        rows = np.flatnonzero(present_mask(lanes, self._run))
        places = self._places(taken(lanes, rows))
        order = np.argsort(places, kind="stable")
        ordered = places[order]
        nth = np.arange(len(ordered)) - np.searchsorted(ordered, ordered, "left")
        wanted = nth < self._left[ordered]
        np.subtract.at(self._left, ordered[wanted], 1)
        return np.sort(rows[order[wanted]])

    def _places(self, lanes: Lanes) -> Rows:
        """Where the kept hashes are; each of the lanes is one of them."""
        places = np.searchsorted(self._run.first, lanes.first)
        while (wrong := self._run.second[places] != lanes.second).any():
            places[wrong] += 1
        return places

    def missing(self) -> int:
        """How many copies were not found."""
        return int(self._left.sum())
