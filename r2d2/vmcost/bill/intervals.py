"""Half-open intervals of milliseconds: their union, and what of it lies within bounds."""

from collections.abc import Iterable
from typing import TypeAlias

Interval: TypeAlias = tuple[int, int]


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same moments as disjoint intervals in order; empty and reversed ones are dropped.

    >>> union([(5, 9), (1, 3), (3, 6), (7, 7)])
    ((1, 9),)
    """
    merged: list[Interval] = []
    for start, end in sorted(pair for pair in intervals if pair[0] < pair[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def clipped(interval: Interval, bounds: Interval) -> Interval:
    """The part within the bounds; empty where there is none, never reversed."""
    start = min(max(interval[0], bounds[0]), bounds[1])
    return start, max(start, min(interval[1], bounds[1]))
