"""Cheap proofs, on samples, that no predicate exists or that a column does not do alone.

A forbidden row for which the tightest atoms of all columns hold is selected by every conjunction
that selects the required rows. A sample of the required rows is enough to see it: its range lies
within that of all of them, and its list of values is part of theirs. So most columns need not be
encoded, or even read.
"""

from collections.abc import Collection, Sequence

import numpy as np

from r2d2.arrays import Bools, Int64s
from r2d2.recipes.predicate.atoms import most_values, tightest
from r2d2.recipes.predicate.columns import EncodedTable
from r2d2.recipes.predicate.encode import NULL, Codes
from r2d2.recipes.predicate.set_cover import selected

REQUIRED_SAMPLES, FORBIDDEN_SAMPLE = (1 << 10, 1 << 14), 256


def no_predicate_exists(
    parent: EncodedTable, required: Int64s, forbidden: Int64s, child_rows: int
) -> bool:
    """True where surely no conjunction selects the required rows and none of the forbidden ones.

    A column is encoded only where the first sample, and then the larger one, do not settle it.
    """
    longest, left, tried = most_values(child_rows), forbidden, set[int]()
    while len(left):
        excludable = _excludable_by_column(parent, required, left, longest, tried, REQUIRED_SAMPLES)
        if not excludable or not np.any(list(excludable.values()), axis=0).all():
            return True
        best = max(excludable, key=lambda place: (np.count_nonzero(excludable[place]), -place))
        tried.add(best)
        column = parent.column(best)
        if column is not None:
            candidates = list(tightest(column, column.codes[required], child_rows))
            left = left[selected(candidates, left)]
    return False


def sufficient_columns(
    parent: EncodedTable, required: Int64s, forbidden: Int64s, child_rows: int
) -> set[int]:
    """The positions of the columns of which one atom may exclude all forbidden rows."""
    longest = most_values(child_rows)
    excludable = _excludable_by_column(
        parent, required, forbidden, longest, (), REQUIRED_SAMPLES[:1]
    )
    return {place for place, mask in excludable.items() if mask.all()}


def _excludable_by_column(
    parent: EncodedTable,
    required: Int64s,
    left: Int64s,
    longest: int,
    tried: Collection[int],
    sample_sizes: Sequence[int],
) -> dict[int, Bools]:
    """By column position, the mask of those of a sample of the rows left that it may exclude.

    A larger sample of the required rows is taken where every row left may still be excluded.
    """
    part = parent.seen_part(required, left)
    if part is None:
        part = parent.part_of(_row_left_near(required, left))
    probed = _spread(parent.within(part, left), FORBIDDEN_SAMPLE)
    required_there = parent.within(part, required)
    excludable = dict[int, Bools]()
    for size in sample_sizes:
        sample = _spread(required_there, size)
        rows = np.concatenate([sample, probed])
        excludable = {
            place: _excludable(codes[: len(sample)], codes[len(sample) :], values, longest)
            for place, codes, values in parent.peek(part, rows, tried)
        }
        if len(sample) == len(required_there) or not excludable:
            break
        if not np.any(list(excludable.values()), axis=0).all():
            break
    return excludable


def _row_left_near(required: Int64s, left: Int64s) -> int:
    """The row left that is next to the middle one of those required."""
    place = int(np.searchsorted(left, required[len(required) // 2]))
    return int(left[min(place, len(left) - 1)])


def _spread(rows: Int64s, most: int) -> Int64s:
    """At most so many of the rows, evenly spread over them."""
    return rows[:: max(1, -(-len(rows) // most))]


def _excludable(required: Codes, probed: Codes, values: int, longest: int) -> Bools:
    """The mask of the probed codes that a tightest atom for the required ones may exclude."""
    if not len(required):
        return np.ones(len(probed), np.bool_)
    low, high = required.min(), required.max()
    if low == NULL:
        excluded: Bools = (probed != NULL) & (high == NULL)
        return excluded
    if high == values:
        return np.equal(probed, NULL)
    excluded = (probed < low) | (probed > high)
    occurs = np.zeros(values + 2, np.bool_)
    occurs[required] = True
    if np.count_nonzero(occurs) <= longest:
        excluded |= ~occurs[probed]
    return excluded
