"""An IN that selects exactly the child's rows where these are torn from their groups.

It takes every value of a row that must be selected, none of a row that never may, and of the values
that only torn rows have such as make every group's count right: a subset sum, searched within
limits (`subset`).
"""

import numpy as np

from r2d2.hashing.multiset import Indices
from r2d2.recipes.predicate.atoms import Choice, Mask, most_values, one_of
from r2d2.recipes.predicate.encode import EncodedColumn
from r2d2.recipes.predicate.exact_subset import MOST_CELLS, exact_subset
from r2d2.recipes.ranks import Codes
from r2d2.recipes.split import Torn


def exact_list(column: EncodedColumn, torn: Torn, rows: Indices) -> Choice | None:
    """The column's IN that selects, among these rows, exactly the child's; None if none is found.

    Of the rows, all that the child might have must be among these.
    """
    needed, barred = _at(column, rows[torn.must[rows]]), _at(column, rows[torn.never[rows]])
    barred[:-2] |= ~column.nameable
    barred[-2:] = True
    child_rows = torn.labels.child_rows
    most = most_values(child_rows) - int(needed.sum())
    if most < 0 or (needed & barred).any():
        return None
    chosen = _free_values(column, torn, needed, ~(needed | barred), most)
    if chosen is None:
        return None
    ranks = np.union1d(np.flatnonzero(needed), chosen)
    return one_of(column, ranks, child_rows) if len(ranks) > 1 else None


def _at(column: EncodedColumn, rows: Indices) -> Mask:
    """By code, with NaN and NULL at the end, whether one of the rows has it."""
    codes = np.zeros(len(column.values) + 2, np.bool_)
    codes[column.codes[rows]] = True
    return codes


def _free_values(
    column: EncodedColumn, torn: Torn, needed: Mask, free: Mask, most: int
) -> Indices | None:
    """The values to take of those that only torn rows have."""
    codes: Codes = column.codes[torn.torn]
    groups = torn.labels.groups[torn.torn]
    need = np.where(torn.labels.child < torn.labels.parent, torn.labels.child, 0)
    need -= np.bincount(groups[needed[codes]], minlength=len(need))
    values = np.flatnonzero(free & _at(column, torn.torn))
    numbers = np.flatnonzero(np.bincount(groups, minlength=len(need)))
    if (need < 0).any() or len(values) * len(numbers) > MOST_CELLS:
        return None
    usable = free[codes]
    places = np.searchsorted(values, codes[usable]), np.searchsorted(numbers, groups[usable])
    counts = np.zeros((len(values), len(numbers)), np.int64)
    np.add.at(counts, places, 1)
    chosen = exact_subset(counts, need[numbers], most)
    return None if chosen is None else values[chosen]
