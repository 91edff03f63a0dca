"""The ranks of all columns of a small parent as one matrix, so that a question is a few calls.

Whoever looks for what excludes rows asks about every column and every child; on a thousand rows
the calls would cost more than the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.hashing.multiset import Indices, Mask
from r2d2.recipes.predicate.encode import EncodedColumn
from r2d2.recipes.ranks import NULL


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """`codes` are columns × rows; `nan` is each column's rank of NaN."""

    columns: tuple[EncodedColumn, ...]
    codes: npt.NDArray[np.int32]
    nan: npt.NDArray[np.int32]

    @classmethod
    def of(cls, columns: Sequence[EncodedColumn], rows: int) -> "Matrix":
        """The matrix of these columns."""
        codes = np.array([column.codes for column in columns], np.int32).reshape(-1, rows)
        nan = np.array([len(column.values) for column in columns], np.int32)
        return cls(tuple(columns), codes, nan)

    def excluding(self, kept: Indices, asked: Indices, most: int) -> Mask:
        """Columns × asked rows: what an atom that holds for all kept rows may exclude.

        `most` is the longest IN. No atom excludes more, and some may exclude less.
        """
        own, others = self.codes.take(kept, axis=1), self.codes.take(asked, axis=1)
        low, high = own.min(axis=1), own.max(axis=1)
        excluded: Mask = (others < low[:, None]) | (others > high[:, None])
        some_null, some_nan = (low == NULL) & (high > NULL), (low > NULL) & (high == self.nan)
        excluded[some_null] = False
        excluded[some_nan] = others[some_nan] == NULL
        listed = ~(some_null | some_nan) & self._few(own, most)
        for place in np.flatnonzero(listed):
            occurs = np.zeros(self.nan[place] + 2, np.bool_)
            occurs[own[place]] = True
            if np.count_nonzero(occurs) <= most:
                excluded[place] |= ~occurs[others[place]]
        return excluded

    def _few(self, own: npt.NDArray[np.int32], most: int) -> Mask:
        """False for columns of which some kept rows show that there are too many values."""
        if own.shape[1] <= most:
            return np.ones(len(own), np.bool_)
        some = np.sort(own[:, : 4 * most], axis=1)
        few: Mask = np.count_nonzero(np.diff(some, axis=1), axis=1) < most
        return few
