"""Runs: 128-bit hashes sorted by (first, second) and unique; how they are made and merged.

Which hashes of one run are in another.

Runs as bytes, for shuffling: a header with the hash's version, then one lane after the other.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from r2d2.arrays import UInt64s
from r2d2.hashing.finaliser import HASH_VERSION, Lanes

_FEW = 512  # rows; up to here a plain sort costs less than the many calls of packing
_MANY = 32  # runs; beyond, merging them in pairs costs more than sorting anew
_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


def empty_run() -> Lanes:
    """The run of no hashes."""
    return Lanes(np.empty(0, np.uint64), np.empty(0, np.uint64))


def sorted_unique(lanes: Lanes) -> Lanes:
    """The run of these hashes."""
    if len(lanes) <= _FEW:
        return _distinct(_gather(lanes, np.lexsort((lanes.second, lanes.first))))
    # A radix sort by the 16 highest bits leaves Timsort short stretches: 30 to 50 ns a row on every
    # machine, where NumPy's plain sort alone takes 11 with AVX2 and 50 with some AVX-512.
    buckets = (lanes.first >> np.uint64(48)).astype(np.uint16)
    return _sorted_stretches(_gather(lanes, buckets.argsort(kind="stable")))


def sorted_unique_each(lanes: Lanes, sizes: Sequence[int]) -> list[Lanes]:
    """The run of each of the parts that lie one after the other; small parts are sorted at once."""
    ends = np.cumsum(sizes)
    starts = ends - sizes
    if len(lanes) > _FEW * len(sizes) or len(sizes) > 1 << 16:
        return [sorted_unique(lanes.part(*limits)) for limits in zip(starts, ends, strict=True)]
    parts = np.repeat(np.arange(len(sizes), dtype=np.uint16), sizes)
    sorted_ = _by_part(lanes, parts, (lanes.first,))
    if (_tied(sorted_, parts) & (sorted_.second[1:] < sorted_.second[:-1])).any():
        sorted_ = _by_part(lanes, parts, (lanes.second, lanes.first))
    again = _tied(sorted_, parts) & (sorted_.second[1:] == sorted_.second[:-1])
    if again.any():
        keep = np.flatnonzero(np.concatenate(([True], ~again)))
        sorted_ = _gather(sorted_, keep)
        ends = np.cumsum(np.bincount(parts.take(keep), minlength=len(sizes)))
        starts = np.concatenate(([0], ends[:-1]))
    return [sorted_.part(*limits) for limits in zip(starts.tolist(), ends.tolist(), strict=True)]


def _by_part(lanes: Lanes, parts: NDArray[np.uint16], keys: tuple[UInt64s, ...]) -> Lanes:
    """The lanes in the order of the keys, the last one first, within each part."""
    order = np.lexsort(keys)
    return _gather(lanes, order.take(parts.take(order).argsort(kind="stable")))


def _tied(lanes: Lanes, parts: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Which hashes have the first lane of the one before them, in the same part."""
    tied: NDArray[np.bool_] = (lanes.first[1:] == lanes.first[:-1]) & (parts[1:] == parts[:-1])
    return tied


def merge(runs: Sequence[Lanes]) -> Lanes:
    """The run of all hashes in any of the runs."""
    runs = [run for run in runs if len(run)]
    if len(runs) <= 1:
        return runs[0] if runs else empty_run()
    together = Lanes(
        np.concatenate([run.first for run in runs]), np.concatenate([run.second for run in runs])
    )
    if len(runs) > _MANY or len(together) <= _FEW:
        return sorted_unique(together)
    return _sorted_stretches(together)


def smallest(run: Lanes, k: int) -> Lanes:
    """The run of its k smallest hashes, or of all where it has fewer."""
    return run.part(0, k)


def cut(run: Lanes, ranges: int) -> list[Lanes]:
    """The run cut into as many runs, at the same hashes for every run."""
    limits = np.array([(i << 64) // ranges for i in range(1, ranges)], np.uint64)
    ends = [0, *np.searchsorted(run.first, limits).tolist(), len(run)]
    return [run.part(start, stop) for start, stop in pairwise(ends)]


def _sorted_stretches(lanes: Lanes) -> Lanes:
    """The run of hashes that are in order here and there: NumPy's stable sort is a Timsort."""
    return _distinct(_mended(_gather(lanes, lanes.first.argsort(kind="stable"))))


def _gather(lanes: Lanes, rows: NDArray[np.intp]) -> Lanes:
    return Lanes(lanes.first.take(rows, mode="clip"), lanes.second.take(rows, mode="clip"))


def _mended(lanes: Lanes) -> Lanes:
    """The lanes, sorted by the first, sorted in place by the second where the first ties."""
    first, second = lanes.first, lanes.second
    wrong = (first[1:] == first[:-1]) & (second[1:] < second[:-1])
    for tie in set(first[1:][wrong].tolist()) if wrong.any() else ():
        start, stop = (int(first.searchsorted(np.uint64(tie), side)) for side in _SIDES)
        second[start:stop].sort()
    return lanes


def _distinct(lanes: Lanes) -> Lanes:
    """The sorted hashes, each once."""
    new = lanes.first[1:] != lanes.first[:-1]
    if new.all():
        return lanes
    new |= lanes.second[1:] != lanes.second[:-1]
    keep = np.flatnonzero(np.concatenate((np.ones(min(1, len(lanes)), np.bool_), new)))
    return _gather(lanes, keep)


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


_HEADER = bytes([HASH_VERSION]) + bytes(7)  # eight bytes keep the lanes aligned
_BYTES_PER_HASH = 16


def to_bytes(run: Lanes) -> bytes:
    """The run as bytes: version, seven zeros, first lane, second lane, all little-endian."""
    lanes = (lane.astype("<u8", copy=False).tobytes() for lane in (run.first, run.second))
    return b"".join((_HEADER, *lanes))


def from_bytes(blob: bytes | memoryview) -> Lanes:
    """The run that `to_bytes` wrote, read-only where it can be read in place.

    Raises ValueError for the hashes of another version.
    """
    if len(blob) < len(_HEADER) or (len(blob) - len(_HEADER)) % _BYTES_PER_HASH:
        raise ValueError(f"{len(blob)} bytes are no run of hashes")
    if bytes(blob[: len(_HEADER)]) != _HEADER:
        raise ValueError(f"hashes of version {blob[0]}, but this is version {HASH_VERSION}")
    lanes = np.frombuffer(blob, "<u8", offset=len(_HEADER))
    lanes = np.require(lanes, np.uint64, "A")
    half = len(lanes) // 2
    return Lanes(lanes[:half], lanes[half:])
