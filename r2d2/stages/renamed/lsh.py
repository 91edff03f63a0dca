"""Columns that may hold another's values, by LSH Ensemble (Zhu et al., PVLDB 2016, datasketch).

The MinHashes cost no hashing: the hashes at hand are put into bins by one lane, and the smallest
of each bin by the other is what a permutation would give (one permutation hashing; empty bins
borrow by the optimal densification of Shrivastava, ICML 2017). A bottom-k sketch fills its bins
as its whole set would.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from r2d2.arrays import Float64s, UInt64s
from r2d2.stages.renamed.column_sketches import ColumnContents

BINS = 64
ROUNDS = 16
PARTITIONS = 4
# A proposal is checked against the sketches, so a false one is cheap, but a lost one is lost.
THRESHOLD, FALSE_POSITIVE_WEIGHT, LONGEST_BAND = 0.8, 0.05, 2
_NOTHING = np.uint64(2**64 - 1)


def likely_holders(
    contents: ColumnContents, children: Sequence[int]
) -> Mapping[int, tuple[int, ...]]:
    """For each child content, the contents that may hold all its values, itself among them."""
    if not children:
        return {}
    from datasketch import LeanMinHash, MinHashLSHEnsemble

    ensemble = MinHashLSHEnsemble(
        threshold=THRESHOLD,
        num_perm=BINS,
        num_part=PARTITIONS,
        m=LONGEST_BAND,
        weights=(FALSE_POSITIVE_WEIGHT, 1 - FALSE_POSITIVE_WEIGHT),
    )
    sizes = _rounded(contents.sizes)
    minhashes = [
        LeanMinHash(seed=1, hashvalues=values, scheme="affine64") for values in minima(contents)
    ]
    ensemble.index(list(zip(range(len(sizes)), minhashes, sizes, strict=True)))
    return {
        content: tuple(sorted({content, *ensemble.query(minhashes[content], sizes[content])}))
        for content in children
    }


def minima(contents: ColumnContents) -> UInt64s:
    """The MinHash of each content: its smallest hash in each bin, contents × bins."""
    count = len(contents.starts) - 1
    owners = np.repeat(np.arange(count), np.diff(contents.starts))
    cells = owners * BINS + (contents.second % np.uint64(BINS)).astype(np.int64)
    smallest = np.full((count, BINS), _NOTHING)
    np.minimum.at(smallest.reshape(-1), cells, contents.first)
    return _densified(smallest, contents.first[contents.starts[:-1]])


def _densified(minima: UInt64s, smallest: UInt64s) -> UInt64s:
    """The minima, empty bins filled from others, the same others for every content."""
    random = np.random.default_rng(0)
    dense, empty = minima.copy(), minima == _NOTHING
    for _ in range(ROUNDS):
        lenders = random.integers(0, BINS, BINS)
        lent = empty & (minima != _NOTHING)[:, lenders]
        np.copyto(dense, minima[:, lenders], where=lent)
        empty &= ~lent
    np.copyto(dense, smallest[:, None], where=empty)
    return dense


def _rounded(sizes: Float64s) -> list[int]:
    """The sizes up to half powers of two: partitioning takes the square of their number."""
    rounded: list[int] = np.ceil(2 ** (np.ceil(2 * np.log2(sizes)) / 2)).astype(np.int64).tolist()
    return rounded
