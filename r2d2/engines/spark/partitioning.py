"""The driver's plan for Spark, from row counts: ranges of hashes, and the task that counts each.

A table's hashes are cut into 2ⁿ ranges when they are scanned. Tables that pairs join, directly or
through others, make a component; each range of a component is counted by one reducer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from r2d2.arrays import Bools, Int64s
from r2d2.engines.scan import TASK_BYTES, ScanPiece
from r2d2.graph import connected_components
from r2d2.hashing.finaliser import Lanes
from r2d2.lake.questions import Projection, Wanted
from r2d2.model import Table

REDUCER_ROWS = 1 << 19
LEAST_CUT_ROWS = 1 << 11
BYTES_PER_UNKNOWN_ROW = 32
# To open a file takes as long as to read some more of it.
FILE_BYTES = 64 << 10
# Spark's own work for a task is that for some megabytes: only up to so many may be that small.
MANY_TASKS = 16
SMALL_TASK_BYTES = 12 << 20


@dataclass(frozen=True, slots=True, eq=False)
class ReducerTask:
    """A reducer's work in one range of hashes: for each pair, count child rows the parent lacks.

    `children` and `parents` index `projections`; with `samples`, `children` index those instead.
    """

    group: int
    part: int
    parts: int
    projections: Int64s
    places: Int64s
    children: Int64s
    parents: Int64s
    samples: tuple[Lanes, ...] | None = None

    def is_first(self, ranges: int) -> bool:
        """Whether its range is the first of at least so many."""
        return self.part == 0 and self.parts >= ranges

    def without(self, refuted: Bools) -> "ReducerTask":
        """The same task without some of the pairs."""
        kept = ~refuted[self.places]
        places, children, parents = self.places[kept], self.children[kept], self.parents[kept]
        return replace(self, places=places, children=children, parents=parents)


@dataclass(frozen=True, slots=True, eq=False)
class Routes:
    """The group that each part of each projection goes to, row by row, and the groups' reducers."""

    projection: Int64s
    part: Int64s
    group: Int64s
    reducer_of_group: Int64s

    def only(self, projections: Int64s) -> "Routes":
        """The routes of the given projections."""
        return self._some(np.isin(self.projection, projections))

    def to(self, groups: Int64s) -> "Routes":
        """The routes to the given groups."""
        return self._some(np.isin(self.group, groups))

    def divided(self, ends: Sequence[tuple[int, Int64s]]) -> "tuple[Routes, Routes]":
        """The routes to the given groups of projections named with each, and all others."""
        width = int(self.projection.max(initial=0)) + 1
        keys = [group * width + projections for group, projections in ends]
        chosen = np.isin(self.group * width + self.projection, np.concatenate(keys))
        return self._some(chosen), self._some(~chosen)

    def _some(self, kept: Bools) -> "Routes":
        return Routes(
            self.projection[kept], self.part[kept], self.group[kept], self.reducer_of_group
        )


def parts_of(wanted: Wanted, tables: Sequence[Table]) -> dict[Projection, int]:
    """The number of ranges of each projection's hashes: the fewer, the fewer its set's rows."""
    rows = {key: _estimated_rows(tables[key[0]]) for key in wanted}
    of_set: dict[int, int] = {}
    for (_, number), count in rows.items():
        of_set[number] = of_set.get(number, 0) + count
    return {
        key: min(_power(of_set[key[1]], REDUCER_ROWS), _power(count, LEAST_CUT_ROWS))
        for key, count in rows.items()
    }


def _estimated_rows(table: Table) -> int:
    return table.size_bytes // BYTES_PER_UNKNOWN_ROW if table.rows is None else table.rows


def _power(rows: int, most: int) -> int:
    """The least power of two that divides the rows into parts of at most `most`."""
    return 1 << max(0, -(-rows // most) - 1).bit_length()


def tasks_of(pieces: Sequence[ScanPiece], cores: int = 1) -> list[list[ScanPiece]]:
    """The pieces as tasks of like size, neighbours together: some for many cores, none too big.

    A few tasks are as many for each of the cores, so that none waits for another's last.
    """
    ends = np.cumsum([piece.split.size_bytes + FILE_BYTES for piece in pieces])
    total = int(ends.max(initial=0))
    tasks = max(1, total // TASK_BYTES, min(MANY_TASKS, total // SMALL_TASK_BYTES))
    if cores <= tasks <= MANY_TASKS:
        tasks -= tasks % cores
    limits = np.searchsorted(ends, np.arange(1, tasks) * (total / tasks))
    return [list(pieces[a:b]) for a, b in pairwise([0, *limits, len(pieces)]) if a < b]


def reducer_plan(
    rows: Int64s, cuts: Int64s, children: Int64s, parents: Int64s
) -> tuple[list[ReducerTask], Routes]:
    """The tasks, a component's ranges each its own, and where the projections' parts go.

    `rows` (at most so many hashes) and `cuts` (parts they were cut into) are by projection,
    `children` and `parents` are the projections of each pair.
    """
    component = connected_components(len(rows), children, parents)
    weight = np.bincount(component, rows).astype(np.int64)
    parts = np.array([_power(int(total), REDUCER_ROWS) for total in weight], np.int64)
    first_group = np.cumsum(parts) - parts
    load = np.repeat(weight // parts, parts)
    reducers = (np.cumsum(load) - load) // REDUCER_ROWS
    tasks = [
        task
        for number, members, places in _by_component(component, children)
        for task in _tasks(
            int(first_group[number]), int(parts[number]), members, places, children, parents
        )
    ]
    return tasks, _routes(cuts, parts[component], first_group[component], _dense(reducers))


def _by_component(component: Int64s, children: Int64s) -> "list[tuple[int, Int64s, Int64s]]":
    """Each component's number, its projections and its pairs."""
    order, pair_order = (
        np.argsort(component, kind="stable"),
        np.argsort(component[children], kind="stable"),
    )
    numbers = np.arange(int(component.max(initial=-1)) + 1)
    ends = np.searchsorted(component[order], numbers, "right")
    pair_ends = np.searchsorted(component[children][pair_order], numbers, "right")
    return [
        (number, members, places)
        for number, members, places in zip(
            numbers.tolist(),
            np.split(order, ends[:-1]),
            np.split(pair_order, pair_ends[:-1]),
            strict=True,
        )
    ]


def _tasks(
    group: int,
    parts: int,
    members: Int64s,
    places: Int64s,
    children: Int64s,
    parents: Int64s,
) -> list[ReducerTask]:
    child, parent = (np.searchsorted(members, side[places]) for side in (children, parents))
    return [
        ReducerTask(group + part, part, parts, members, places, child, parent)
        for part in range(parts)
    ]


def _routes(cuts: Int64s, parts: Int64s, first_group: Int64s, reducers: Int64s) -> Routes:
    """A part finer than the component's goes to one group, a coarser one to several."""
    copies = np.maximum(cuts, parts)
    projection = np.repeat(np.arange(len(cuts)), copies)
    step = np.arange(len(projection)) - np.repeat(np.cumsum(copies) - copies, copies)
    total = copies[projection]
    return Routes(
        projection,
        step * cuts[projection] // total,
        first_group[projection] + step * parts[projection] // total,
        reducers,
    )


def _dense(numbers: Int64s) -> Int64s:
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def partition_keys(count: int) -> npt.NDArray[np.int32]:
    """Int64s of which Spark's hash partitioning puts the i-th into partition i of `count`.

    Should Spark's hash ever change, tasks would share partitions: slower, and still right.
    """
    tried = 16 * count + 64
    while True:
        found, first = np.unique(_murmur3(np.arange(tried)) % count, return_index=True)
        if len(found) == count:
            return first.astype(np.int32)
        tried *= 2


def _murmur3(numbers: Int64s) -> Int64s:
    """Spark's hash of 32-bit integers: MurmurHash3 (Appleby) with seed 42, as signed integers."""
    word = _rotated(numbers.astype(np.uint32) * np.uint32(0xCC9E2D51), 15) * np.uint32(0x1B873593)
    state = _rotated(word ^ np.uint32(42), 13) * np.uint32(5) + np.uint32(0xE6546B64)
    state ^= np.uint32(4)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        state = (state ^ (state >> np.uint32(shift))) * np.uint32(factor)
    return (state ^ (state >> np.uint32(16))).view(np.int32).astype(np.int64)


def _rotated(words: npt.NDArray[np.uint32], bits: int) -> npt.NDArray[np.uint32]:
    return (words << np.uint32(bits)) | (words >> np.uint32(32 - bits))
