"""Which hashes of one run are in another."""

import numpy as np
from numpy.typing import NDArray

from r2d2.kernels.mix import Lanes


def count_missing(child: Lanes, parent: Lanes) -> int:
    """How many of child's hashes are not in parent; both are runs."""
    return len(child) - int(np.count_nonzero(present_mask(child, parent)))


def present_mask(child: Lanes, parent: Lanes) -> NDArray[np.bool_]:
    """Which of child's hashes are in parent; both are runs."""
    if not len(parent):
        return np.zeros(len(child), np.bool_)
    places = np.searchsorted(parent.first, child.first)
    candidates = np.minimum(places, len(parent) - 1)
    tied = parent.first[candidates] == child.first
    found: NDArray[np.bool_] = tied & (parent.second[candidates] == child.second)
    # Several of parent's hashes may share a first lane: walk on through them.
    rows = np.flatnonzero(tied & ~found)
    while len(rows):
        places[rows] += 1
        rows = rows[places[rows] < len(parent)]
        rows = rows[parent.first[places[rows]] == child.first[rows]]
        same = parent.second[places[rows]] == child.second[rows]
        found[rows[same]] = True
        rows = rows[~same]
    return found
