"""Runs: 128-bit hashes sorted by (first, second) and unique; how they are made and merged."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from r2d2.hashing.finaliser import Lanes, UInt64s

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
