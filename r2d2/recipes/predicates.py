"""The search for a predicate: a conjunction of atoms that selects exactly the child's rows.

Rows of the parent are of three kinds: `must` (the child has all rows of their group), `never` (it
has none), and `torn` (some). Where none is torn, every atom of a valid conjunction holds wherever
the tightest of its form and column for the must rows does; so if all tightest atoms together still
select a never row there is no conjunction, and else the fewest that do not are taken (`cover`).

Torn rows are equal in all of the child's columns, so only others can tell them apart. One atom, or
the hull of one column and an atom of another, must get every count right (`split`); the tightest
atoms for must and torn rows together take no row away that may be needed, and exclude the rest.

Never wrong: what is found is evaluated once more by Arrow on the parent's values, and counted.
Bounds are the child's own values, which is exact now; `Found.gaps` says how far the parent's next
values lie.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from r2d2.recipes.choices import Choice, Form, most_values, taste, tightest
from r2d2.recipes.counted import Indices, Mask
from r2d2.recipes.cover import COMPLETE_ATOMS, cover, selected
from r2d2.recipes.encoded import Encoded
from r2d2.recipes.encoding import EncodedColumn, Worth
from r2d2.recipes.grammar import Atom, Path
from r2d2.recipes.holds import holds
from r2d2.recipes.hopeless import hopeless, lone_excluders
from r2d2.recipes.labels import Labels
from r2d2.recipes.listed import exact_list
from r2d2.recipes.literals import Literal
from r2d2.recipes.matrix import Matrix
from r2d2.recipes.split import Torn

MOST_SPLITTERS = 8
MOST_PAIR_CELLS = 20_000_000
FEW_ROWS = 250


@dataclass(frozen=True, slots=True)
class Gap:
    """The parent's next values outside a BETWEEN: None where there is none that can be named."""

    path: Path
    below: Literal | None
    above: Literal | None


@dataclass(frozen=True, slots=True)
class Found:
    """A conjunction that selects the child's rows; no atoms where these are all of the parent's."""

    atoms: tuple[Atom, ...]
    gaps: tuple[Gap, ...] = ()


def find_predicate(parent: Encoded, labels: Labels, shared: Collection[Path] = ()) -> Found | None:
    """The simplest conjunction found that selects exactly the child's multiset, or None.

    One atom is liked better than two, partition columns than dates, these than columns of few
    values; `=` than a range, and a range than IN: see `choices.Choice.taste`. `shared` are columns
    that the child has, too: these are equal in all rows of a group.
    """
    if not labels.possible or not labels.child_rows:
        return None
    torn = Torn.of(labels)
    if len(torn.torn):
        chosen = _torn_apart(parent, torn, shared) if parent.has_others(shared) else None
    else:
        chosen = _groups_told_apart(parent, torn)
    if chosen is None:
        return None
    ordered = sorted(chosen, key=lambda choice: (choice.column.worth, choice.column.position))
    atoms = tuple(choice.atom() for choice in ordered)
    tested = zip(atoms, (choice.column for choice in ordered), strict=True)
    if not labels.exact(_satisfying(tested, parent.rows)):
        return None
    return Found(atoms, _gaps(ordered))


def _groups_told_apart(parent: Encoded, torn: Torn) -> tuple[Choice, ...] | None:
    """The choices where none is torn; ends with the columns that no later one can better."""
    kept, never = np.flatnonzero(torn.must), np.flatnonzero(torn.never)
    if not len(never):
        return ()
    if parent.is_small:
        return _all_at_once(parent.matrix, torn, kept, never)
    choices: list[Choice] = []
    child_rows = torn.labels.child_rows
    for least, columns in parent.stages(lone_excluders(parent, kept, never, child_rows)):
        choices += _tightest(columns, kept, torn)
        if least < Worth.MANY:
            best = _plain(choices, least, never)
            if best is not None:
                return (best,)
        if least is Worth.TIME and hopeless(parent, kept, never, child_rows):
            return None
    return _covered((), choices, never)


def _all_at_once(
    matrix: Matrix, torn: Torn, kept: Indices, never: Indices
) -> tuple[Choice, ...] | None:
    """The choices from all columns; only of those that may do are choices made."""
    most = most_values(torn.labels.child_rows)
    some = matrix.excluding(kept, never[:: 1 + len(never) // FEW_ROWS], most)
    if not some.any(axis=0).all():
        return None
    alone = [matrix.columns[place] for place in np.flatnonzero(some.all(axis=1))]
    for choice in sorted(_tightest(alone, kept, torn), key=Choice.taste):
        if not choice.disguised and not choice.selects(choice.column.codes[never]).any():
            return (choice,)
    excluding = matrix.excluding(kept, never, most)
    useful = [matrix.columns[place] for place in np.flatnonzero(excluding.any(axis=1))]
    return _covered((), _tightest(useful, kept, torn), never)


def _tightest(columns: Iterable[EncodedColumn], rows: Indices, torn: Torn) -> list[Choice]:
    child_rows = torn.labels.child_rows
    return [one for c in columns for one in tightest(c, c.codes[rows], child_rows)]


def _plain(choices: Sequence[Choice], least: Worth, never: Indices) -> Choice | None:
    """The choice that excludes all the rows, if no column of this worth or more has a better."""
    plain = (choice for choice in choices if choice.plainness == 0)
    good = (choice for choice in plain if choice.column.worth <= least)
    for choice in sorted(good, key=Choice.taste):
        few = never[:: max(1, len(never) // FEW_ROWS)]
        if all(not choice.selects(choice.column.codes[rows]).any() for rows in (few, never)):
            return choice
    return None


def satisfying(atoms: Sequence[Atom], parent: Encoded) -> Mask:
    """Which of the parent's rows satisfy all atoms, by their values."""
    columns = {column.path: column for column in parent.columns}
    return _satisfying([(atom, columns[atom.path]) for atom in atoms], parent.rows)


def _satisfying(atoms: Iterable[tuple[Atom, EncodedColumn]], rows: int) -> Mask:
    mask = np.ones(rows, np.bool_)
    for atom, column in atoms:
        mask &= np.concatenate([holds(atom, chunk) for chunk in column.plain().chunks])
    return mask


def _covered(
    first: tuple[Choice, ...], choices: Sequence[Choice], never: Indices
) -> tuple[Choice, ...] | None:
    """`first` and the fewest choices that exclude the never rows, one or two honest ones first."""
    left = never[selected(first, never)]
    honest = [choice for choice in choices if not choice.disguised]
    rest = cover(honest, left, COMPLETE_ATOMS)
    if rest is None:
        rest = cover(choices, left)
    return None if rest is None else (*first, *rest)


def _torn_apart(parent: Encoded, torn: Torn, shared: Collection[Path]) -> tuple[Choice, ...] | None:
    """The choices where some rows of a group are selected, and others not."""
    kept, never = np.flatnonzero(~torn.never), np.flatnonzero(torn.never)
    must, child_rows = np.flatnonzero(torn.must), torn.labels.child_rows
    choices: list[Choice] = []
    columns: list[EncodedColumn] = []
    splits: list[Mask] = []
    for least, some in parent.stages():
        choices += _tightest(some, kept, torn)
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
        found = [one for first in best if (one := _covered(first, choices, never))]
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


def _gaps(chosen: Iterable[Choice]) -> tuple[Gap, ...]:
    ranges = [choice for choice in chosen if choice.form is Form.BETWEEN]
    ends = [(choice.column, choice.ranks[0] - 1, choice.ranks[1] + 1) for choice in ranges]
    return tuple(
        Gap(column.path, column.neighbour(below), column.neighbour(above))
        for column, below, above in ends
    )
