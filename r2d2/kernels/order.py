"""Runs: 128-bit hashes sorted by (first, second) and unique; how they are made and merged."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from r2d2.kernels.mix import Lanes, UInt64s

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
    bits = len(lanes).bit_length()
    return _distinct(_mended(_gather(lanes, _order_of_high_bits(lanes.first, bits)), bits))


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
    # NumPy's stable sort of words is Timsort, which finds the runs and only merges them.
    order = together.first.argsort(kind="stable")
    return _distinct(_mended(_gather(together, order), 0))


def smallest(run: Lanes, k: int) -> Lanes:
    """The run of its k smallest hashes, or of all where it has fewer."""
    return run.part(0, k)


def cut(run: Lanes, ranges: int) -> list[Lanes]:
    """The run cut into as many runs, at the same hashes for every run."""
    limits = np.array([(i << 64) // ranges for i in range(1, ranges)], np.uint64)
    ends = np.searchsorted(run.first, limits).tolist()
    return [run.part(start, stop) for start, stop in zip([0, *ends], [*ends, len(run)])]


def _gather(lanes: Lanes, rows: NDArray[np.intp]) -> Lanes:
    return Lanes(lanes.first.take(rows), lanes.second.take(rows))


def _order_of_high_bits(first: UInt64s, bits: int) -> NDArray[np.intp]:
    """The rows in the order of the first lane, but for its lowest `bits`.

    A word holds the high bits and the row. A radix sort by its highest 16 bits leaves Timsort short
    stretches: 25 ns a row on every machine, where the plain sort takes 11 with AVX2 and 50 with
    the AVX-512 of some processors.
    """
    low = np.uint64((1 << bits) - 1)
    packed = first & ~low
    packed |= np.arange(len(first), dtype=np.uint64)
    buckets = (packed >> np.uint64(48)).astype(np.uint16)
    packed = packed.take(buckets.argsort(kind="stable"))
    packed.sort(kind="stable")
    packed &= low
    return packed.view(np.int64)


def _mended(lanes: Lanes, bits: int) -> Lanes:
    """The lanes, which are sorted but for the lowest bits of the first, sorted in place."""
    first, second = lanes.first, lanes.second
    wrong = first[1:] < first[:-1]
    wrong |= (first[1:] == first[:-1]) & (second[1:] < second[:-1])
    if wrong.any():
        sorted_by = first >> np.uint64(bits)
        for prefix in set(sorted_by[:-1][wrong].tolist()):
            start, stop = (int(sorted_by.searchsorted(np.uint64(prefix), s)) for s in _SIDES)
            group = lanes.part(start, stop)
            mended = _gather(group, np.lexsort((group.second, group.first)))
            first[start:stop], second[start:stop] = mended.first, mended.second
    return lanes


def _distinct(lanes: Lanes) -> Lanes:
    """The sorted hashes, each once."""
    new = lanes.first[1:] != lanes.first[:-1]
    if new.all():
        return lanes
    new |= lanes.second[1:] != lanes.second[:-1]
    keep = np.flatnonzero(np.concatenate((np.ones(min(1, len(lanes)), np.bool_), new)))
    return _gather(lanes, keep)
