"""What columns hold: sketches of hashes that know no column names, compared in bulk."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.hashing.finaliser import UInt64s
from r2d2.hashing.sketch import Sketch
from r2d2.lake.questions import Projection

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ALL_VALUES = 1 << 62
CHUNK_VALUES = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """The distinct contents of some projections, each numbered once however many share it.

    `first` and `second` are the contents' sketched hashes, one content after the other from
    `starts`; `ranks` places each `first` among all, `held` also tells its content (both ascend
    within a content); `limits` is the rank up to which a content's values are all known; `sizes`
    is about how many distinct values each has.
    """

    numbers: Mapping[Projection, int]
    first: UInt64s
    second: UInt64s
    starts: Integers
    ranks: Integers
    held: Integers
    limits: Integers
    sizes: Floats

    @classmethod
    def of(cls, sketches: Mapping[Projection, Sketch]) -> "Contents":
        """The contents of the projections that hold any values."""
        places: dict[tuple[bool, bytes], int] = {}
        distinct: list[Sketch] = []
        numbers = {}
        for key, sketch in sketches.items():
            if len(sketch.run):
                content = (sketch.complete, sketch.run.first.tobytes())
                if content not in places:
                    places[content] = len(distinct)
                    distinct.append(sketch)
                numbers[key] = places[content]
        first = _joined([sketch.run.first for sketch in distinct])
        lengths = np.array([len(sketch.run) for sketch in distinct], np.int64)
        starts = np.concatenate(([0], np.cumsum(lengths)))
        ranks = _ranks(first)
        owners = np.repeat(np.arange(len(distinct)), lengths)
        complete = np.array([sketch.complete for sketch in distinct], np.bool_)
        return cls(
            numbers,
            first,
            _joined([sketch.run.second for sketch in distinct]),
            starts,
            ranks,
            owners * (len(first) + 1) + ranks,
            np.where(complete, len(first), ranks[starts[1:] - 1]),
            np.array([_size(sketch) for sketch in distinct], np.float64),
        )

    def missing_shares(self, children: Integers, parents: Integers, most: int) -> Floats:
        """About which share of each child content's values the parent content lacks.

        At most the `most` smallest hashes of each child are looked up.
        """
        lengths = np.minimum(self.starts[children + 1] - self.starts[children], most)
        ends = np.cumsum(lengths)
        shares = np.empty(len(children))
        start = 0
        while start < len(children):
            before = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + CHUNK_VALUES, "right")))
            part = slice(start, stop)
            shares[part] = self._looked_up(children[part], parents[part], lengths[part])
            start = stop
        return shares

    def _looked_up(self, children: Integers, parents: Integers, lengths: Integers) -> Floats:
        pair = np.repeat(np.arange(len(children)), lengths)
        first = self.starts[children] - (np.cumsum(lengths) - lengths)
        ranks = self.ranks[first[pair] + np.arange(len(pair))]
        parent = parents[pair]
        asked = parent * (len(self.ranks) + 1) + ranks
        places = np.minimum(np.searchsorted(self.held, asked), len(self.held) - 1)
        judged = ranks <= self.limits[parent]
        known = np.bincount(pair, judged, len(children))
        missing = np.bincount(pair, judged & (self.held[places] != asked), len(children))
        shares: Floats = missing / np.maximum(known, 1)
        return shares


def _joined(lanes: list[UInt64s]) -> UInt64s:
    return np.concatenate(lanes) if lanes else np.empty(0, np.uint64)


def _ranks(hashes: UInt64s) -> Integers:
    """The place of each hash among the distinct ones."""
    order = np.argsort(hashes, kind="stable")
    in_order = hashes[order]
    ranks = np.zeros(len(hashes), np.int64)
    ranks[order[1:]] = np.cumsum(in_order[1:] != in_order[:-1])
    return ranks


def _size(sketch: Sketch) -> float:
    """The number of distinct values; estimated from the greatest kept hash where more were seen."""
    if sketch.complete:
        return len(sketch.run)
    return len(sketch.run) / ((float(sketch.run.first[-1]) + 1) / 2**64)
