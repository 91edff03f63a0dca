"""Which hashes of one run are in another."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from r2d2.hashing.finaliser import Lanes

_TOGETHER = 1 << 14  # rows; small children of one parent are looked up by one call


def count_missing(child: Lanes, parent: Lanes) -> int:
    """How many of child's hashes are not in parent; both are runs."""
    return len(child) - int(np.count_nonzero(present_mask(child, parent)))


def count_missing_each(pairs: Sequence[tuple[Lanes, Lanes]]) -> list[int]:
    """How many of child's hashes are not in parent, for each (child, parent); all are runs."""
    counts = [0] * len(pairs)
    places: dict[int, list[int]] = defaultdict(list)
    for place, (_, parent) in enumerate(pairs):
        places[id(parent)].append(place)
    for of_parent in places.values():
        parent = pairs[of_parent[0]][1]
        for some in _small_groups(of_parent, [len(pairs[place][0]) for place in of_parent]):
            if len(some) == 1:
                counts[some[0]] = count_missing(pairs[some[0]][0], parent)
                continue
            children = [pairs[place][0] for place in some]
            together = Lanes(
                np.concatenate([child.first for child in children]),
                np.concatenate([child.second for child in children]),
            )
            present = np.concatenate(([0], np.cumsum(present_mask(together, parent))))
            ends = np.cumsum([len(child) for child in children])
            for place, child, found in zip(
                some, children, np.diff(present[ends], prepend=0).tolist(), strict=True
            ):
                counts[place] = len(child) - found
    return counts


def _small_groups(places: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    group: list[int] = []
    rows = 0
    for place, size in zip(places, sizes, strict=True):
        if group and rows + size > _TOGETHER:
            yield group
            group, rows = [], 0
        group.append(place)
        rows += size
    if group:
        yield group


def present_mask(child: Lanes, parent: Lanes) -> NDArray[np.bool_]:
    """Which of child's hashes, in any order, are in parent, a run."""
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
