"""Whether no conjunction can exist, seen before the columns are encoded, or most of them.

A row that must not be selected but that the tightest atoms of every column hold for, together, is
selected by every conjunction that holds for the rows wanted. What some of these show is enough:
within the hull of some lies within the hull of all, and what is listed of some is listed of all.
"""

from collections.abc import Collection, Sequence

import numpy as np

from r2d2.arrays import Bools, Int64s
from r2d2.recipes.predicate.atoms import most_values, tightest
from r2d2.recipes.predicate.columns import Encoded
from r2d2.recipes.predicate.encode import NULL, Codes
from r2d2.recipes.predicate.set_cover import selected

KEPT_ROWS, ASKED_ROWS = (1 << 10, 1 << 14), 256


def hopeless(parent: Encoded, kept: Int64s, never: Int64s, child_rows: int) -> bool:
    """True where surely no conjunction selects the kept rows and none of the never rows.

    A column is encoded only where some rows, and then more of them, do not settle it.
    """
    most, left, tried = most_values(child_rows), never, set[int]()
    while len(left):
        excluding = _excluding(parent, kept, left, most, tried, KEPT_ROWS)
        if not excluding or not np.any(list(excluding.values()), axis=0).all():
            return True
        best = max(excluding, key=lambda place: (np.count_nonzero(excluding[place]), -place))
        tried.add(best)
        column = parent.column(best)
        if column is not None:
            choices = list(tightest(column, column.codes[kept], child_rows))
            left = left[selected(choices, left)]
    return False


def lone_excluders(parent: Encoded, kept: Int64s, never: Int64s, child_rows: int) -> set[int]:
    """The places of the columns of which one atom may exclude all of the never rows."""
    excluding = _excluding(parent, kept, never, most_values(child_rows), (), KEPT_ROWS[:1])
    return {place for place, excluded in excluding.items() if excluded.all()}


def _excluding(
    parent: Encoded,
    kept: Int64s,
    left: Int64s,
    most: int,
    tried: Collection[int],
    looks: Sequence[int],
) -> dict[int, Bools]:
    """By place of a column, which of some rows that are left it may exclude.

    Looks at so many kept rows, and at more where these do not settle that it excludes none.
    """
    part = parent.seen_part(kept, left)
    if part is None:
        part = parent.part_of(_meeting(kept, left))
    asked = _spread(parent.within(part, left), ASKED_ROWS)
    there = parent.within(part, kept)
    found = dict[int, Bools]()
    for kept_rows in looks:
        some = _spread(there, kept_rows)
        found = {
            place: _excludes(codes[: len(some)], codes[len(some) :], values, most)
            for place, codes, values in parent.peek(part, np.concatenate([some, asked]), tried)
        }
        if len(some) == len(there) or not found or not np.any(list(found.values()), axis=0).all():
            break
    return found


def _meeting(kept: Int64s, left: Int64s) -> int:
    """The row that is left next to the middle one of those kept."""
    place = int(np.searchsorted(left, kept[len(kept) // 2]))
    return int(left[min(place, len(left) - 1)])


def _spread(rows: Int64s, most: int) -> Int64s:
    """At most about so many of the rows, from all over them."""
    return rows[:: max(1, -(-len(rows) // most))]


def _excludes(kept: Codes, asked: Codes, values: int, most: int) -> Bools:
    """Which of the asked rows an atom of the column that holds for all kept rows may exclude."""
    if not len(kept):
        return np.ones(len(asked), np.bool_)
    low, high = kept.min(), kept.max()
    if low == NULL:
        excluded: Bools = (asked != NULL) & (high == NULL)
        return excluded
    if high == values:
        return np.equal(asked, NULL)
    excluded = (asked < low) | (asked > high)
    occurs = np.zeros(values + 2, np.bool_)
    occurs[kept] = True
    if np.count_nonzero(occurs) <= most:
        excluded |= ~occurs[asked]
    return excluded
