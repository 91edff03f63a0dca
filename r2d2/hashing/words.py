"""A column as one 64-bit word a row, still to be finalised: what all fixed-width types come to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from r2d2.hashing.finaliser import ColumnKey, Lanes, chain, cover

Exceptions = tuple[NDArray[np.intp], Lanes]  # ascending row numbers, and their hashes
Mask = tuple[NDArray[np.bool_], tuple[int, int]]  # some rows, and the hash they all have


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column's values as integers with their key, and the rows whose hash is known otherwise.

    `values` has any integer type and stride; it is sign- or zero-extended to 64 bits.
    `exceptions` are written first, then `masks` in their order.
    """

    values: NDArray[np.integer]
    key: ColumnKey
    exceptions: tuple[Exceptions, ...] = ()
    masks: tuple[Mask, ...] = ()

    def amend(self, lanes: Lanes, start: int) -> None:
        """Write in place what finalising the words from row `start` on did not yield."""
        stop = start + len(lanes)
        whole = len(lanes) == len(self.values)
        for rows, hashes in self.exceptions:
            if whole:
                lanes.first[rows], lanes.second[rows] = hashes.first, hashes.second
                continue
            low, high = np.searchsorted(rows, (start, stop))
            lanes.first[rows[low:high] - start] = hashes.first[low:high]
            lanes.second[rows[low:high] - start] = hashes.second[low:high]
        for mask, marker in self.masks:
            cover(lanes, mask[start:stop], marker)


def word_lanes(words: Words) -> Lanes:
    """The hashes of a column's words."""
    lanes = chain((words.values,), words.key)
    words.amend(lanes, 0)
    return lanes


def exceptions_at(
    rows: NDArray[np.intp], values: NDArray[np.integer], key: ColumnKey
) -> tuple[Exceptions, ...]:
    """Rows of these values as exceptions under another key; () where there are none."""
    return ((rows, chain((values,), key)),) if len(rows) else ()
