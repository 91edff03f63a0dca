"""Semijoin filters: a parent's hashes that none of its children can have are not exchanged.

A filter holds the leading bits of all child hashes of one reducer's task (cf. Bloom, CACM 1970).
Of a table whose distinct rows alone are asked for, only hashes that may be in two of its tasks'
runs are exchanged. Filters pass through the driver, so they hold a bounded number of hashes; what
no filter is about is exchanged whole.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import process_time_ns

import numpy as np
import pyarrow as pa

from r2d2.arrays import Int64s
from r2d2.engines.spark.partitioning import ReducerTask
from r2d2.engines.spark.rows import blobs, buffers, unpacked
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.runs import cut, taken

# Of hashes that no child has, at most one in 2⁸ passes.
SPARE_BITS = 8
# All filters of a count hold at most so many hashes, about two bytes each.
FILTERED_HASHES = 1 << 25
# A filter is made where each of its hashes spares the exchange of as many, and all of them many.
LEAST_GAIN = 0.25
LEAST_SPARED = 1 << 19

FILTER_DDL = "`group` int, projection int, positions binary, nanoseconds bigint"
SIFTED_COLUMNS = ("reducer", "group", "projection", "blob")
SIFTED_DDL = "reducer int, `group` int, projection int, blob binary, hashes bigint"
CHILDREN = -1
_ESCAPE = (1 << 16) - 1


@dataclass(frozen=True, slots=True)
class FilterRange:
    """One range of hashes, of equal `parts`, cut into 2 to the power of `bits` positions."""

    part: int
    parts: int
    bits: int

    def within(self, run: Lanes) -> Lanes:
        """The hashes of the run that lie in the range."""
        return cut(run, self.parts)[self.part]

    def positions(self, run: Lanes) -> Int64s:
        """The position of each hash of a run within the range, in ascending order."""
        width = self.parts.bit_length() - 1 + self.bits
        places = run.first >> np.uint64(64 - width)
        return (places & np.uint64((1 << self.bits) - 1)).astype(np.int64)


Filters = Mapping[int, tuple[FilterRange, bytes]]
"""The filter of each group that has one: its range, and the encoded positions."""


@dataclass(frozen=True, slots=True, eq=False)
class FilterPlan:
    """A group's filter to be made: its range, the projections in it, and those that it sifts.

    Of `counted` ones, which it sifts, too, only hashes that may repeat are in it.
    """

    group: int
    range: FilterRange
    children: Int64s
    counted: Int64s
    sifted: Int64s

    @property
    def members(self) -> Int64s:
        """The projections whose hashes it is made from."""
        return np.concatenate([self.children, self.counted])


def filter_plans(
    tasks: Sequence[ReducerTask], hashes: Int64s, cuts: Int64s
) -> tuple[FilterPlan, ...]:
    """The filters that spare the most; `hashes` and `cuts` (into parts) are by projection."""
    found = []
    for task in tasks:
        own = task.children == task.parents
        children = np.unique(task.projections[task.children[~own]])
        only = np.setdiff1d(task.projections[task.parents], children)
        only = only[cuts[only] >= task.parts]
        counted = np.intersect1d(task.projections[task.children[own]], only)
        wanted = int(hashes[children].sum()) // task.parts
        held = wanted + int(hashes[counted].sum()) // task.parts
        spared = int(np.maximum(hashes[only] // task.parts - wanted, 0).sum())
        if spared > LEAST_GAIN * held:
            bits = SPARE_BITS + max(1, held).bit_length()
            range_ = FilterRange(task.part, task.parts, bits)
            found.append((spared, held, FilterPlan(task.group, range_, children, counted, only)))
    found.sort(key=lambda one: (-one[0] / max(1, one[1]), one[2].group))
    fits = np.cumsum([held for _, held, _ in found]) <= FILTERED_HASHES
    chosen = [one for one, fit in zip(found, fits.tolist(), strict=True) if fit]
    if sum(spared for spared, _, _ in chosen) < LEAST_SPARED:
        return ()
    return tuple(plan for _, _, plan in chosen)


def encoded(positions: Int64s) -> bytes:
    """Ascending positions, each once, as the gaps between them in two bytes."""
    gaps = np.diff(positions, prepend=-1)
    ends = np.cumsum(gaps // _ESCAPE + 1)
    words = np.full(int(ends[-1]) if len(ends) else 0, _ESCAPE, np.uint16)
    words[ends - 1] = gaps % _ESCAPE
    return words.tobytes()


def decoded(content: bytes | memoryview) -> Int64s:
    """The positions that were encoded."""
    words = np.frombuffer(content, np.uint16)
    ends: Int64s = np.cumsum(words, dtype=np.int64)[words < _ESCAPE] - 1
    return ends


def merged(answers: pa.Table, ranges: Mapping[int, FilterRange]) -> Filters:
    """The filter of each range, of what all tasks found for it."""
    every: dict[int, list[Int64s]] = {group: [] for group in ranges}
    runs: dict[tuple[int, int], list[Int64s]] = defaultdict(list)
    numbers = (answers.column(name).to_pylist() for name in ("group", "projection"))
    for group, projection, content in zip(*numbers, answers.column("positions"), strict=True):
        positions = decoded(content.as_buffer())
        if projection == CHILDREN:
            every[group].append(positions)
        else:
            runs[group, projection].append(positions)
    for (group, _), some in runs.items():
        every[group].append(_repeated(some))
    return {group: (ranges[group], _united(some)) for group, some in every.items()}


def _united(runs: Sequence[Int64s]) -> bytes:
    positions = _in_order(runs)
    return encoded(positions[np.diff(positions, prepend=-1) > 0])


def _repeated(runs: Sequence[Int64s]) -> Int64s:
    """The positions that are in two of the runs."""
    positions = _in_order(runs)
    repeated: Int64s = positions[1:][np.diff(positions) == 0]
    return repeated


def _in_order(runs: Sequence[Int64s]) -> Int64s:
    """The positions of all the runs in order, by Timsort: it merges what is in order in parts."""
    if len(runs) == 1:
        return runs[0]
    positions = np.concatenate([np.zeros(0, np.int64), *runs])
    positions.sort(kind="stable")
    return positions


def filter_tasks(
    plans: Mapping[int, FilterPlan], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """For each group among the rows, the positions of its children's hashes that came in.

    Those of each run of a projection that is counted are by themselves.
    """
    start = process_time_ns()
    children: dict[int, list[Int64s]] = defaultdict(list)
    found: list[tuple[int, int, bytes]] = []
    for batch in batches:
        numbers = (batch.column(name).to_pylist() for name in ("group", "projection"))
        for group, projection, blob in zip(*numbers, buffers(batch.column("blob")), strict=True):
            plan = plans[group]
            positions = plan.range.positions(plan.range.within(unpacked(blob)))
            if projection in plan.counted:
                found.append((group, projection, _united([positions])))
            else:
                children[group].append(positions)
    found += [(group, CHILDREN, _united(some)) for group, some in children.items()]
    took = [process_time_ns() - start, *[0] * len(found)][: len(found)]
    groups, projections, contents = zip(*found, strict=True) if found else ((), (), ())
    yield pa.record_batch(
        {
            "group": pa.array(groups, pa.int32()),
            "projection": pa.array(projections, pa.int32()),
            "positions": pa.array(contents, pa.binary()),
            "nanoseconds": pa.array(took, pa.int64()),
        }
    )


def sift_tasks(filters: Filters, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows with the hashes that pass their group's filter, and how many there were."""
    positions_of = lru_cache(maxsize=4)(lambda group: decoded(filters[group][1]))
    for batch in batches:
        kept, counts = [], []
        groups = batch.column("group").to_pylist()
        for group, blob in zip(groups, buffers(batch.column("blob")), strict=True):
            run = unpacked(blob)
            kept.append(sifted(run, filters[group][0], positions_of(group)))
            counts.append(len(run))
        columns = [batch.column(name) for name in SIFTED_COLUMNS[:-1]]
        arrays = [*columns, blobs(kept), pa.array(counts, pa.int64())]
        yield pa.RecordBatch.from_arrays(arrays, [*SIFTED_COLUMNS, "hashes"])


def sifted(run: Lanes, range_: FilterRange, positions: Int64s) -> Lanes:
    """The hashes of the run, which lies in the range, whose positions are among those given."""
    if not len(positions):
        return run.part(0, 0)
    asked = range_.positions(run)
    at = np.searchsorted(positions, asked)
    np.minimum(at, len(positions) - 1, out=at)
    return taken(run, np.flatnonzero(positions[at] == asked))
