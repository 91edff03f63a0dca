"""Masks that split the required rows in two halves by a column, for `either`.

A mask is of use only where ranges of the columns may tell each half from the rows left. There are
many masks and few rows, so a few calls look at all of them.
"""

from collections.abc import Sequence

import numpy as np

from r2d2.arrays import Bools, Int64s
from r2d2.recipes.predicate.encode import NULL, Codes, EncodedColumn

MOST_UNEVEN, ROWS_PER_EXCEPTION, LEFT_PER_EXCEPTION = 40, 8, 16
MOST_SPLIT_BY = 12
FIRST_ROWS = 1 << 5
MOST_CELLS = 1 << 18
"""Masks × columns × rows of one call: 1 MB."""


def may_split(columns: Sequence[EncodedColumn], required: Int64s, left: Int64s) -> bool:
    """Whether a column may split the required rows, so that ranges tell either half."""
    if not len(left):
        return True
    ours, theirs = (np.array([c.codes[rows] for c in columns]) for rows in (required, left))
    return any(
        may_tell(masks(columns, required, left, are_excepted), ours, theirs).any()
        for are_excepted in (False, True)[: len(left) // LEFT_PER_EXCEPTION + 1]
    )


def masks(
    columns: Sequence[EncodedColumn], required: Int64s, left: Int64s, are_excepted: bool
) -> Bools:
    """Masks × required rows: each splits them by one of the columns, no half being tiny.

    No row left is among those of a mask or, where some are excepted, few.
    """
    sizes = np.array([len(column.values) + 2 for column in columns])
    shift = (sizes.max() - sizes)[:, None]  # the last codes of all columns have one place
    ours, theirs = (np.array([c.codes[rows] + 1 for c in columns]) for rows in (required, left))
    weight = ROWS_PER_EXCEPTION if are_excepted else len(required) + 1
    gain = _counts(ours + shift, sizes.max()) - weight * _counts(theirs + shift, sizes.max())
    is_gain = np.take_along_axis(gain, ours + shift, axis=1) > 0
    np.put_along_axis(gain, shift, 0, axis=1)  # NULL is neither first nor last
    first = np.cumsum(gain, axis=1).argmax(axis=1)[:, None] - shift
    last = sizes[:, None] - 1 - np.cumsum(gain[:, ::-1], axis=1).argmax(axis=1)[:, None]
    found = [is_gain, (ours > NULL + 1) & (ours <= first), ours >= last]
    if not are_excepted:
        few = np.flatnonzero(sizes - 2 <= MOST_SPLIT_BY)
        found += [np.equal(ours[c], np.arange(sizes[c] - 1)[:, None]) for c in few]
    every = np.concatenate(found)
    rows = np.count_nonzero(every, axis=1)
    return every[len(required) < MOST_UNEVEN * np.minimum(rows, len(required) - rows)]


def _counts(codes: Codes, size: int) -> Int64s:
    """Columns × codes: how many rows of the column have the code."""
    starts = size * np.arange(len(codes))[:, None]
    return np.bincount((codes + starts).ravel(), minlength=size * len(codes)).reshape(-1, size)


def may_tell(masks: Bools, ours: Codes, theirs: Codes) -> Bools:
    """By mask, whether ranges of codes, column by column, may tell each half from the rows left.

    `ours` and `theirs` are columns × rows. Ranges of fewer rows exclude no less, so a mask that
    fails for some of the rows is not tried for all.
    """
    told = np.ones(len(masks), np.bool_)
    for step in dict.fromkeys((max(1, ours.shape[1] // FIRST_ROWS), 1)):
        some = ours[:, ::step]
        block = max(1, MOST_CELLS // max(1, some.size))
        for is_first in (True, False):
            tried = np.flatnonzero(told)
            for start in range(0, len(tried), block):
                rows = tried[start : start + block]
                told[rows] = _may_exclude(masks[rows, ::step] == is_first, some, theirs)
    return told


def _may_exclude(halves: Bools, ours: Codes, left: Codes) -> Bools:
    """By half (halves × rows), whether ranges exclude every row left but exceptions."""
    among, every = halves[:, None, :], np.iinfo(np.int32)
    low = np.where(among, ours, every.max).min(axis=2)[:, :, None]
    high = np.where(among, ours, every.min).max(axis=2)[:, :, None]
    excluded = (left < low) | (left > high)
    excluded &= ~((low == NULL) & (high > NULL))
    kept = np.count_nonzero(~excluded.any(axis=1), axis=1)
    return kept * LEFT_PER_EXCEPTION <= left.shape[1]
