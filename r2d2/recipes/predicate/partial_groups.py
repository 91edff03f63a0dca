"""The search for a predicate where some rows of a group are the child's, and others are not.

Torn rows are equal in all of the child's columns, so only others can tell them apart. One atom, or
the hull of one column and an atom of another, must get every count right (`split`); the tightest
atoms for must and torn rows together take no row away that may be needed, and exclude the rest.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

import numpy as np

from r2d2.hashing.multiset import Indices, Mask
from r2d2.recipes.grammar import Path
from r2d2.recipes.listed import exact_list
from r2d2.recipes.predicate.atoms import Choice, all_tightest, taste, tightest
from r2d2.recipes.predicate.columns import Encoded
from r2d2.recipes.predicate.early_exit import hopeless
from r2d2.recipes.predicate.encode import EncodedColumn, Worth
from r2d2.recipes.predicate.set_cover import covered, selected
from r2d2.recipes.split import Torn

MOST_SPLITTERS = 8
MOST_PAIR_CELLS = 20_000_000


def torn_apart(parent: Encoded, torn: Torn, shared: Collection[Path]) -> tuple[Choice, ...] | None:
    """The choices where some rows of a group are selected, and others not."""
    kept, never = np.flatnonzero(~torn.never), np.flatnonzero(torn.never)
    must, child_rows = np.flatnonzero(torn.must), torn.labels.child_rows
    choices: list[Choice] = []
    columns: list[EncodedColumn] = []
    splits: list[Mask] = []
    for least, some in parent.stages():
        choices += all_tightest(some, kept, child_rows)
        columns += some
        splits += [torn.splits(column, column.path in shared) for column in some]
        if least < Worth.MANY and some:
            best = _plainly_torn(columns, torn, splits, choices, never)
            if best is not None and best.column.worth <= least:
                return (best,)
        # What holds for the torn rows, too, is looser; so this is said of what is tighter.
        if least is Worth.TIME and len(must) and hopeless(parent, must, never, child_rows):
            return None
    in_order = sorted(zip(columns, splits, strict=True), key=lambda pair: pair[0].position)
    return _torn_by(torn, [c for c, _ in in_order], [s for _, s in in_order], choices, never)


def _plainly_torn(
    columns: Sequence[EncodedColumn],
    torn: Torn,
    splits: Sequence[Mask],
    choices: Sequence[Choice],
    never: Indices,
) -> Choice | None:
    """The best liked plain choice that is exact alone."""
    rows = np.flatnonzero(selected(choices, np.arange(len(torn.never))))
    exact = (
        choice
        for column, split in zip(columns, splits, strict=True)
        if split.all()
        for choice in torn.exact(column, rows)
        if choice.plainness == 0 and not choice.selects(column.codes[never]).any()
    )
    return min(exact, key=Choice.taste, default=None)


def _torn_by(
    torn: Torn,
    every: Sequence[EncodedColumn],
    splits: Sequence[Mask],
    choices: Sequence[Choice],
    never: Indices,
) -> tuple[Choice, ...] | None:
    if not splits or not np.any(splits, axis=0).all():
        return None
    rows = np.flatnonzero(selected(choices, np.arange(len(torn.never))))
    columns = [column for column, split in zip(every, splits, strict=True) if split.all()]
    for firsts in (
        ((choice,) for column in columns for choice in torn.exact(column, rows)),
        _lists(columns, torn, rows),
        _pairs(every, torn, splits, rows),
    ):
        best = islice(sorted(firsts, key=taste), MOST_SPLITTERS)
        found = [one for first in best if (one := covered(first, choices, never))]
        if found:
            return min(found, key=taste)
    return None


def _lists(
    columns: Sequence[EncodedColumn], torn: Torn, rows: Indices
) -> Iterator[tuple[Choice, ...]]:
    """The columns' INs that are exact alone or, where there is none, within the rows."""
    every = np.arange(len(torn.never))
    for column in columns:
        choice = exact_list(column, torn, every)
        if choice is None and len(rows) < len(every):
            choice = exact_list(column, torn, rows)
        if choice:
            yield (choice,)


def _pairs(
    columns: Sequence[EncodedColumn], torn: Torn, splits: Sequence[Mask], rows: Indices
) -> Iterator[tuple[Choice, ...]]:
    """The tightest atoms of a column, each with an atom of another that is exact within it.

    Of the torn groups, those that the column does not split keep all of their rows. `splits` tells
    for each torn row whether the column splits its group.
    """
    if len(rows) * len(columns) ** 2 > MOST_PAIR_CELLS:
        return
    for column, split in zip(columns, splits, strict=True):
        needed = np.append(np.flatnonzero(torn.must), torn.torn[~split])
        if not len(needed):
            continue
        others = [
            other
            for other, also in zip(columns, splits, strict=True)
            if other is not column and (split | also).all()
        ]
        for first in tightest(column, column.codes[needed], torn.labels.child_rows):
            within = rows[selected([first], rows)]
            for other in others if len(within) < len(rows) else ():
                yield from ((first, second) for second in torn.exact(other, within))
