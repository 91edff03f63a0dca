"""The fewest atoms that together exclude every row which must not be selected: a set cover.

Sizes are tried in turn up to four atoms, and of the smallest covers the best liked is taken. Up to
two atoms the search is complete: a cover holds, for each row, an atom that excludes it, so it is
enough to branch on those of the row that the fewest exclude. From three on, only the eight best
liked of these are tried.

Most rows are excluded by many atoms and teach nothing. So covers are sought for the hardest rows,
and rows that slip through one are added until none does.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from r2d2.arrays import Bools
from r2d2.recipes.predicate.atoms import Choice, taste

MOST_ATOMS = 4
COMPLETE_ATOMS = 2
BRANCHES = 8
HARDEST_ROWS = 1024
ROUNDS = 32
Rows = npt.NDArray[np.int64]
Patterns = npt.NDArray[np.bool_]


def cover(
    choices: Sequence[Choice], never: Rows, most: int = MOST_ATOMS
) -> tuple[Choice, ...] | None:
    """The choices to take, none for no rows; None where no `most` of them exclude all rows."""
    if not len(never):
        return ()
    useful, excluders = [], np.zeros(len(never), np.int32)
    for choice in sorted(choices, key=Choice.taste):
        excluded = ~choice.selects(choice.column.codes[never])
        if excluded.all():
            return (choice,)
        if excluded.any():
            useful.append(choice)
            excluders += excluded
    return _lazily(useful, never, excluders, most) if excluders.all() else None


def covered(
    first: tuple[Choice, ...], choices: Sequence[Choice], never: Rows
) -> tuple[Choice, ...] | None:
    """`first` and the fewest choices that exclude the never rows, one or two honest ones first."""
    left = never[selected(first, never)]
    honest = [choice for choice in choices if not choice.disguised]
    rest = cover(honest, left, COMPLETE_ATOMS)
    if rest is None:
        rest = cover(choices, left)
    return None if rest is None else (*first, *rest)


def _lazily(
    choices: Sequence[Choice], never: Rows, excluders: npt.NDArray[np.int32], most: int
) -> tuple[Choice, ...] | None:
    hardest = min(HARDEST_ROWS, len(never)) - 1
    patterns = _patterns(choices, never[np.argpartition(excluders, hardest)[: hardest + 1]])
    for _ in range(ROUNDS):
        chosen = _smallest(choices, patterns, most)
        if chosen is None:
            return None
        left = never[selected(chosen, never)]
        if not len(left):
            return chosen
        patterns = np.concatenate([patterns, _patterns(choices, left[:HARDEST_ROWS])])
    return None


def selected(choices: Sequence[Choice], rows: Rows) -> Bools:
    """Which of the rows all of the choices select."""
    mask = np.ones(len(rows), np.bool_)
    for choice in choices:
        mask &= choice.selects(choice.column.codes[rows])
    return mask


def _patterns(choices: Sequence[Choice], rows: Rows) -> Patterns:
    """Which choices exclude a row: each pattern that occurs, once."""
    excluded = np.array([~choice.selects(choice.column.codes[rows]) for choice in choices])
    packed = np.ascontiguousarray(np.packbits(excluded, axis=0).T)
    _, firsts = np.unique(packed.view(f"V{packed.shape[1]}").ravel(), return_index=True)
    return excluded.T[firsts]


def _smallest(
    choices: Sequence[Choice], patterns: Patterns, most: int
) -> tuple[Choice, ...] | None:
    for size in range(2, most + 1):
        covers = [tuple(choices[i] for i in found) for found in _covers(patterns, size)]
        if covers:
            return min(covers, key=taste)
    return None


def _covers(patterns: Patterns, size: int) -> Iterator[tuple[int, ...]]:
    """The covers of that size; choices come best liked first."""
    if size == 1:
        yield from ((int(i),) for i in np.flatnonzero(patterns.all(axis=0)))
        return
    hardest = patterns[patterns.sum(axis=1).argmin()]
    branches = np.flatnonzero(hardest)
    for i in branches if size <= COMPLETE_ATOMS else branches[:BRANCHES]:
        rest = patterns[~patterns[:, i]]
        if len(rest):
            yield from ((int(i), *found) for found in _covers(rest, size - 1))
