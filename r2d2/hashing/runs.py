"""Runs and sketches: 128-bit hashes in ascending order, each once; all of a table's, or the first.

A bottom-k sketch holds every hash of its table up to a threshold, so a child's hash at or below the
parent's threshold that the parent's sketch lacks is a row that the parent lacks (cf. Cohen &
Kaplan, PODC 2007).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from r2d2.arrays import Bools, Int64s, Positions, UInt64s
from r2d2.hashing.finaliser import HASH_VERSION, Lanes, finish_all

_PLAIN_SORT_ROWS = 512  # up to here a plain sort costs less than the calls of a radix sort
_MERGED_RUNS = 32  # beyond, merging costs more than sorting anew
_CACHED_ROWS = 1 << 17  # up to here, too: a core's second-level cache holds what is sorted
_LOOKUP_ROWS = 1 << 14  # small children of one parent are looked up by one call
_SUMMED_ROWS = 1 << 14  # runs up to so many hashes are summed together
_HEADER = bytes([HASH_VERSION]) + bytes(7)  # eight bytes keep the lanes aligned
_BYTES_PER_HASH = 16
_FEW_ROWS = 1 << 14  # up to here runs are merged at once
_HEAD, _MOSTLY_APART = np.uint64(1 << 58), 0.9  # a 64th of the hashes tells of all
_BITS_PER_HASH = 8  # of a filter, at least: an eighth of what it should drop passes, at most
_LEAST_BITS, _MOST_BITS = 16, 27  # of a filter's size; the largest takes 16 MiB
_FILTER_STEP = 22  # bits of the part of a filter that is made at once


def empty_run() -> Lanes:
    """The run of no hashes."""
    return Lanes(np.empty(0, np.uint64), np.empty(0, np.uint64))


def sorted_unique(lanes: Lanes) -> Lanes:
    """The run of these hashes."""
    return hash_order(lanes).distinct()


def sorted_unique_each(lanes: Lanes, sizes: Sequence[int]) -> list[Lanes]:
    """The run of each of the parts that lie one after the other; small parts are sorted at once."""
    ends = np.cumsum(sizes)
    starts = ends - sizes
    if len(lanes) > _PLAIN_SORT_ROWS * len(sizes) or len(sizes) > 1 << 16:
        return [sorted_unique(lanes.part(*limits)) for limits in zip(starts, ends, strict=True)]
    parts = np.repeat(np.arange(len(sizes), dtype=np.uint16), sizes)
    sorted_ = _by_part(lanes, parts, (lanes.first,))
    if (_tied(sorted_, parts) & (sorted_.second[1:] < sorted_.second[:-1])).any():
        sorted_ = _by_part(lanes, parts, (lanes.second, lanes.first))
    again = _tied(sorted_, parts) & (sorted_.second[1:] == sorted_.second[:-1])
    if again.any():
        keep = np.flatnonzero(np.concatenate(([True], ~again)))
        sorted_ = taken(sorted_, keep)
        ends = np.cumsum(np.bincount(parts.take(keep), minlength=len(sizes)))
        starts = np.concatenate(([0], ends[:-1]))
    return [sorted_.part(*limits) for limits in zip(starts.tolist(), ends.tolist(), strict=True)]


def _by_part(lanes: Lanes, parts: NDArray[np.uint16], keys: tuple[UInt64s, ...]) -> Lanes:
    """The lanes in the order of the keys, the last one first, within each part."""
    order = np.lexsort(keys)
    return taken(lanes, order.take(parts.take(order).argsort(kind="stable")))


def _tied(lanes: Lanes, parts: NDArray[np.uint16]) -> Bools:
    """Whether each hash but the first has the first lane of the one before it, in one part."""
    tied: Bools = (lanes.first[1:] == lanes.first[:-1]) & (parts[1:] == parts[:-1])
    return tied


def merge(runs: Sequence[Lanes]) -> Lanes:
    """The run of all hashes in any of the runs."""
    runs = [run for run in runs if len(run)]
    if len(runs) <= 1:
        return runs[0] if runs else empty_run()
    hashes = joined(runs)
    is_long = len(hashes) > _CACHED_ROWS
    return hash_order(hashes, in_stretches=is_long and len(runs) <= _MERGED_RUNS).distinct()


def without_repeats(runs: Sequence[Lanes]) -> list[Lanes]:
    """The same hashes in as many runs, or in one where the runs seem to share many.

    Whether they do is seen from their smallest hashes. Runs that share few are better merged when
    they are looked up, by ranges that the cache holds.
    """
    rows = sum(map(len, runs))
    if len(runs) <= 1 or rows <= _FEW_ROWS:
        return [merge(runs)]
    heads = [run.part(0, int(np.searchsorted(run.first, _HEAD))) for run in runs]
    shared = len(merge(heads)) < _MOSTLY_APART * sum(map(len, heads))
    return [merge(runs)] if shared else list(runs)


def run_sums(runs: Sequence[Lanes]) -> list[tuple[int, int]]:
    """The sums modulo 2⁶⁴ of each run's hashes in both lanes, each hash finalised once more.

    Runs, or several runs taken together, have the same sums only where they are the same multiset
    of hashes. As they are, the hashes would add up over columns, no matter which values share a
    row.
    """
    sums: list[tuple[int, int]] = []
    sizes = [len(run) for run in runs]
    for some in _small_groups(range(len(runs)), sizes, _SUMMED_ROWS):
        lanes = finish_all(joined([runs[place] for place in some]))
        ends = np.cumsum([0, *(sizes[place] for place in some)])
        each = (
            np.diff(np.concatenate((np.zeros(1, np.uint64), np.cumsum(lane)))[ends]).tolist()
            for lane in (lanes.first, lanes.second)
        )
        sums += zip(*each, strict=True)
    return sums


def smallest(run: Lanes, k: int) -> Lanes:
    """The run of its k smallest hashes, or of all where it has fewer."""
    return run.part(0, k)


def cut(run: Lanes, ranges: int) -> list[Lanes]:
    """The run cut into as many runs, at the same hashes for every run."""
    limits = np.array([(i << 64) // ranges for i in range(1, ranges)], np.uint64)
    ends = [0, *np.searchsorted(run.first, limits).tolist(), len(run)]
    return [run.part(start, stop) for start, stop in pairwise(ends)]


def rows_in(lanes: Lanes, number: int, ranges: int) -> Positions:
    """The rows whose hashes lie in the range of that number, of so many equal ones."""
    mask = lanes.first >= np.uint64((number << 64) // ranges)
    if number + 1 < ranges:
        mask &= lanes.first < np.uint64((number + 1 << 64) // ranges)
    return np.flatnonzero(mask)


@dataclass(frozen=True, slots=True, eq=False)
class HashOrder:
    """A stable order of hashes by (first, second), the hashes in it, and where new ones start."""

    order: Positions
    hashes: Lanes
    starts: Bools
    all_differ: bool

    def distinct(self) -> Lanes:
        """The run of the hashes."""
        if self.all_differ:
            return self.hashes
        return taken(self.hashes, np.flatnonzero(self.starts))

    def first_rows(self) -> Positions:
        """The first row of each hash, in order of hash."""
        return self.order[self.starts]

    def counts(self) -> Int64s:
        """How often each hash occurs, in order of hash."""
        return np.diff(np.flatnonzero(self.starts), append=len(self.order))


def hash_order(lanes: Lanes, in_stretches: bool = False) -> HashOrder:
    """The order of the hashes; `in_stretches`: long stretches of them are in order as they are."""
    plain = in_stretches or len(lanes) <= _PLAIN_SORT_ROWS
    order = lanes.first.argsort(kind="stable") if plain else _radix_order(lanes.first)
    hashes = taken(lanes, order)
    starts = _changes(hashes.first)
    if starts.all():
        return HashOrder(order, hashes, starts, True)
    if (~starts[1:] & (hashes.second[1:] < hashes.second[:-1])).any():
        order = np.lexsort((lanes.second, lanes.first))
        hashes = taken(lanes, order)
        starts = _changes(hashes.first)
    starts |= _changes(hashes.second)
    return HashOrder(order, hashes, starts, bool(starts.all()))


def _radix_order(first: UInt64s) -> Positions:
    """A stable order, by the 16 highest bits that differ first: Timsort is left short stretches.

    It takes 10 to 50 ns a row on every machine, least where the cache holds all; NumPy's plain sort
    11 with AVX2 and 50 with some AVX-512.
    """
    least = first.min()
    above = first - least
    shift = np.uint64(max(0, int(above.max()).bit_length() - 16))
    by_bucket: Positions = (above >> shift).astype(np.uint16).argsort(kind="stable")
    return by_bucket.take(first.take(by_bucket).argsort(kind="stable"))


def _changes(words: UInt64s) -> Bools:
    """Whether each word differs from the one before it, as the first does."""
    changes = np.ones(len(words), np.bool_)
    np.not_equal(words[1:], words[:-1], out=changes[1:])
    return changes


def taken(lanes: Lanes, rows: Positions) -> Lanes:
    """The hashes of these rows."""
    return Lanes(lanes.first.take(rows, mode="clip"), lanes.second.take(rows, mode="clip"))


def joined(runs: Sequence[Lanes]) -> Lanes:
    """The hashes of all the runs, one run after the other."""
    if not runs:
        return empty_run()
    return Lanes(
        np.concatenate([run.first for run in runs]), np.concatenate([run.second for run in runs])
    )


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
        sizes = [len(pairs[place][0]) for place in of_parent]
        for some in _small_groups(of_parent, sizes, _LOOKUP_ROWS):
            if len(some) == 1:
                counts[some[0]] = count_missing(pairs[some[0]][0], parent)
                continue
            children = [pairs[place][0] for place in some]
            present = np.concatenate(([0], np.cumsum(present_mask(joined(children), parent))))
            ends = np.cumsum([len(child) for child in children])
            for place, child, found in zip(
                some, children, np.diff(present[ends], prepend=0).tolist(), strict=True
            ):
                counts[place] = len(child) - found
    return counts


def _small_groups(places: Sequence[int], sizes: Sequence[int], most: int) -> Iterator[list[int]]:
    group: list[int] = []
    rows = 0
    for place, size in zip(places, sizes, strict=True):
        if group and rows + size > most:
            yield group
            group, rows = [], 0
        group.append(place)
        rows += size
    if group:
        yield group


def present_mask(lanes: Lanes, run: Lanes) -> Bools:
    """Whether each of the hashes, in any order, is in the run."""
    return _looked_up(run, lanes)[1]


def positions_in(run: Lanes, lanes: Lanes) -> Int64s:
    """The position in the run of each of the hashes, in any order; -1 where it has none."""
    at, found = _looked_up(run, lanes)
    return np.where(found, at, -1)


def _looked_up(run: Lanes, lanes: Lanes) -> tuple[Positions, Bools]:
    """The position in the run of each of the hashes, where it has one, and whether it has."""
    if not len(run):
        return np.zeros(len(lanes), np.intp), np.zeros(len(lanes), np.bool_)
    at = np.searchsorted(run.first, lanes.first)
    np.minimum(at, len(run) - 1, out=at)
    tied = run.first[at] == lanes.first
    found = tied & (run.second[at] == lanes.second)
    # Hashes of one first lane lie side by side: as many steps as the longest such stretch.
    rows = np.flatnonzero(tied & ~found)
    while len(rows):
        at[rows] += 1
        rows = rows[at[rows] < len(run)]
        rows = rows[run.first[at[rows]] == lanes.first[rows]]
        same = run.second[at[rows]] == lanes.second[rows]
        found[rows[same]] = True
        rows = rows[~same]
    return at, found


@dataclass(frozen=True, slots=True, eq=False)
class HashFilter:
    """A bitmap by the highest bits of some runs' hashes (cf. Bloom, CACM 1970).

    All hashes of the runs pass, and of others few. `rows` estimates the distinct hashes.
    """

    bits: NDArray[np.uint8]
    shift: np.uint64
    rows: float

    @classmethod
    def of(cls, runs: Sequence[Lanes]) -> "HashFilter":
        """The filter that all hashes of the runs pass."""
        size = (_BITS_PER_HASH * sum(map(len, runs))).bit_length()
        size = min(max(_LEAST_BITS, size), _MOST_BITS)
        shift, parts = np.uint64(64 - size), 1 << max(0, size - _FILTER_STEP)
        bits = np.empty((parts, (1 << size) // parts // 8), np.uint8)
        cuts = [cut(run, parts) for run in runs]
        for part, row in enumerate(bits):
            flags = np.zeros(8 * len(row), np.bool_)
            for run in cuts:
                flags[(run[part].first >> shift) & np.uint64(len(flags) - 1)] = True
            row[:] = np.packbits(flags, bitorder="little")
        free = 1 - int(np.bitwise_count(bits).sum()) / bits.size / 8
        rows = -np.log(max(free, 1e-9)) * bits.size * 8
        return cls(bits.reshape(-1), shift, float(rows))

    def among(self, lanes: Lanes, limit: np.uint64) -> Lanes:
        """The hashes that pass, in their order, and all whose first lane is at most the limit."""
        found = self._passes(lanes)
        found |= lanes.first <= limit
        return taken(lanes, np.flatnonzero(found))

    def passing(self, lanes: Lanes) -> Positions:
        """The rows whose hashes pass, ascending."""
        return np.flatnonzero(self._passes(lanes))

    def _passes(self, lanes: Lanes) -> NDArray[np.uint8]:
        """1 for each hash that passes, else 0."""
        places = lanes.first >> self.shift
        found = self.bits.take((places >> np.uint64(3)).view(np.int64), mode="clip")
        found >>= (places & np.uint64(7)).astype(np.uint8)
        found &= np.uint8(1)
        return found


def to_bytes(run: Lanes) -> bytes:
    """The run as bytes: version, seven zeros, first lane, second lane, all little-endian."""
    lanes = (lane.astype("<u8", copy=False).tobytes() for lane in (run.first, run.second))
    return b"".join((_HEADER, *lanes))


def from_bytes(blob: bytes | memoryview) -> Lanes:
    """The run that `to_bytes` wrote, read-only where it can be read in place.

    Raises:
        ValueError: these are hashes of another version, or no run.
    """
    if len(blob) < len(_HEADER) or (len(blob) - len(_HEADER)) % _BYTES_PER_HASH:
        raise ValueError(f"{len(blob)} bytes are no run of hashes")
    if bytes(blob[: len(_HEADER)]) != _HEADER:
        raise ValueError(f"hashes of version {blob[0]}, but this is version {HASH_VERSION}")
    lanes = np.frombuffer(blob, "<u8", offset=len(_HEADER))
    lanes = np.require(lanes, np.uint64, "A")
    half = len(lanes) // 2
    return Lanes(lanes[:half], lanes[half:])


@dataclass(frozen=True, slots=True, eq=False)
class BottomKSketch:
    """The smallest row hashes of a table as a run; `complete`: all of its hashes are in it."""

    run: Lanes
    complete: bool


def sketch(run: Lanes, k: int) -> BottomKSketch:
    """The sketch of the k smallest hashes of a table whose hashes are this run."""
    return BottomKSketch(smallest(run, k), len(run) <= k)


def merge_sketches(sketches: Sequence[BottomKSketch], k: int) -> BottomKSketch:
    """The sketch of all the tables' rows together; a sketch of no tables is complete."""
    merged = merge([part.run for part in sketches])
    for part in sketches:
        merged = merged.part(0, _known_up_to(merged, part))
    complete = len(merged) <= k and all(part.complete for part in sketches)
    return BottomKSketch(smallest(merged, k), complete)


def judged_by(child: BottomKSketch, parent: BottomKSketch) -> Lanes:
    """The child's hashes of which parent's sketch tells whether its table has them."""
    return child.run if parent.complete else child.run.part(0, _known_up_to(child.run, parent))


def _known_up_to(run: Lanes, judge: BottomKSketch) -> int:
    """How many of the run's hashes are at most the threshold of the judging sketch."""
    if judge.complete:
        return len(run)
    if not len(judge.run):
        return 0
    last_first, last_second = judge.run.first[-1], judge.run.second[-1]
    stop = int(run.first.searchsorted(last_first, "right"))
    if not stop or run.first[stop - 1] != last_first:
        return stop
    start = int(run.first.searchsorted(last_first, "left"))
    return start + int(run.second[start:stop].searchsorted(last_second, "right"))
