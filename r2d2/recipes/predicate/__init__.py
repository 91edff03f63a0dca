"""The search for a predicate: a conjunction of atoms that selects exactly the child's rows.

Rows of the parent are of three kinds: `must` (the child has all rows of their group), `never` (it
has none), and `torn` (some). Where none is torn, every atom of a valid conjunction holds wherever
the tightest of its form and column for the must rows does; so if all tightest atoms together still
select a never row there is no conjunction, and else the fewest that do not are taken (`cover`).

What is torn is a search of its own (`torn_apart`).

Never wrong: what is found is evaluated once more by Arrow on the parent's values, and counted.
Bounds are the child's own values, which is exact now; `Found.gaps` says how far the parent's next
values lie.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from r2d2.arrays import Bools, Int64s
from r2d2.recipes.grammar import Atom, Path
from r2d2.recipes.literals import Literal
from r2d2.recipes.predicate.atoms import Choice, Form, all_tightest, holds, most_values
from r2d2.recipes.predicate.columns import Encoded, Matrix
from r2d2.recipes.predicate.early_exit import hopeless, lone_excluders
from r2d2.recipes.predicate.encode import EncodedColumn, Worth
from r2d2.recipes.predicate.partial_groups import Torn, torn_apart
from r2d2.recipes.predicate.row_labels import Labels
from r2d2.recipes.predicate.set_cover import covered

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
        chosen = torn_apart(parent, torn, shared) if parent.has_others(shared) else None
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
        choices += all_tightest(columns, kept, child_rows)
        if least < Worth.MANY:
            best = _plain(choices, least, never)
            if best is not None:
                return (best,)
        if least is Worth.TIME and hopeless(parent, kept, never, child_rows):
            return None
    return covered((), choices, never)


def _all_at_once(
    matrix: Matrix, torn: Torn, kept: Int64s, never: Int64s
) -> tuple[Choice, ...] | None:
    """The choices from all columns; only of those that may do are choices made."""
    most = most_values(torn.labels.child_rows)
    some = matrix.excluding(kept, never[:: 1 + len(never) // FEW_ROWS], most)
    if not some.any(axis=0).all():
        return None
    alone = [matrix.columns[place] for place in np.flatnonzero(some.all(axis=1))]
    for choice in sorted(all_tightest(alone, kept, torn.labels.child_rows), key=Choice.taste):
        if not choice.disguised and not choice.selects(choice.column.codes[never]).any():
            return (choice,)
    excluding = matrix.excluding(kept, never, most)
    useful = [matrix.columns[place] for place in np.flatnonzero(excluding.any(axis=1))]
    return covered((), all_tightest(useful, kept, torn.labels.child_rows), never)


def _plain(choices: Sequence[Choice], least: Worth, never: Int64s) -> Choice | None:
    """The choice that excludes all the rows, if no column of this worth or more has a better."""
    plain = (choice for choice in choices if choice.plainness == 0)
    good = (choice for choice in plain if choice.column.worth <= least)
    for choice in sorted(good, key=Choice.taste):
        few = never[:: max(1, len(never) // FEW_ROWS)]
        if all(not choice.selects(choice.column.codes[rows]).any() for rows in (few, never)):
            return choice
    return None


def satisfying(atoms: Sequence[Atom], parent: Encoded) -> Bools:
    """Which of the parent's rows satisfy all atoms, by their values."""
    columns = {column.path: column for column in parent.columns}
    return _satisfying([(atom, columns[atom.path]) for atom in atoms], parent.rows)


def _satisfying(atoms: Iterable[tuple[Atom, EncodedColumn]], rows: int) -> Bools:
    mask = np.ones(rows, np.bool_)
    for atom, column in atoms:
        mask &= np.concatenate([holds(atom, chunk) for chunk in column.plain().chunks])
    return mask


def _gaps(chosen: Iterable[Choice]) -> tuple[Gap, ...]:
    ranges = [choice for choice in chosen if choice.form is Form.BETWEEN]
    ends = [(choice.column, choice.ranks[0] - 1, choice.ranks[1] + 1) for choice in ranges]
    return tuple(
        Gap(column.path, column.neighbour(below), column.neighbour(above))
        for column, below, above in ends
    )
