"""The search for a predicate: a conjunction of atoms that selects exactly the child's rows.

| word | meaning |
|---|---|
| row | a row of the parent |
| group | rows that are equal in the child's columns |
| required row | the child has all rows of its group: every predicate selects it |
| forbidden row | the child has no row of its group: no predicate selects it |
| partial row | the child has some rows of its group, not all |
| usual atom | one condition on one column: `=`, IN, a range, IS NULL or IS NOT NULL |
| rarer atom | NOT IN, or an atom of a part of a column or of two columns (`rarer`) |
| conjunction | atoms joined by AND |
| code, rank | a value's number in the ascending order of its column's values (`encode`) |
| tightest atom | of a form and column: holds for the given rows, and for as few others as it can |
| cover | atoms that together exclude every forbidden row: a set cover (`set_cover`) |
| complexity | 0 for an atom as people write it, more for a long list or an odd range |
| preference | the order of conjunctions: simple, short, and on columns people filter by first |
| row list | an IN that names nearly one value for each row, so that it explains nothing |
| worth | how likely people are to filter by a column: partition, time, few values, many values |

Where no row is partial, this is Mitchell's search for the most specific hypothesis (Find-S,
*Machine Learning*, 1997, chapter 2): an atom of a valid conjunction holds wherever the tightest
atom of its form and column for the required rows does. So if all tightest atoms together still
select a forbidden row there is no conjunction; else the fewest that select none are taken.

Partial rows need a search of their own (`partial_groups`). Where no row is partial and no
conjunction of usual atoms is found, rarer atoms are tried, and then two conjunctions of which one
holds. There an exact predicate may hold by accident: values that are named must be few beside rows.

No predicate is wrong: the one found is evaluated by Arrow on the parent's values, and its rows are
counted. The bounds of a range are the child's own values, which is exact for this snapshot;
`Predicate.gaps` says how far the parent's next values lie.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa

from r2d2.arrays import Bools, Int64s
from r2d2.recipes.grammar import AnyOf, Atom, Path, columns_of
from r2d2.recipes.literals import Literal
from r2d2.recipes.predicate.atoms import (
    CandidateAtom,
    Form,
    all_tightest,
    most_values,
    satisfied,
)
from r2d2.recipes.predicate.columns import CodeMatrix, EncodedTable
from r2d2.recipes.predicate.encode import NULL, Codes, EncodedColumn, Worth
from r2d2.recipes.predicate.partial_groups import PartialGroups, find_within_groups
from r2d2.recipes.predicate.rarer import (
    RowSample,
    derivations,
    derived_atoms,
    find_rarer,
    sample_of,
)
from r2d2.recipes.predicate.row_labels import RowLabels
from r2d2.recipes.predicate.set_cover import (
    covered,
    no_predicate_exists,
    selected,
    sufficient_columns,
)

FORBIDDEN_SAMPLE_ROWS = 250
LEAST_HALF, LEAST_OF_VALUES, MOST_UNEVEN = 16, 3, 40
"""Rows of a half of a child by two conjunctions: one told by ranges, one told by single values
alone, which fit few rows by accident; and how many times the smaller half the child may be."""
OF_ONE_VALUE = (Form.EQUALS, Form.IS_NULL, Form.NOT_NULL, Form.IS_NAN)
MOST_OF_EITHER = 2
MOST_NAMED, ROWS_PER_NAMED = 12, 5
MOST_SPLIT_BY = 12


@dataclass(frozen=True, slots=True)
class Gap:
    """The parent's next values outside a BETWEEN: None where there is none that can be named."""

    path: Path
    below: Literal | None
    above: Literal | None


@dataclass(frozen=True, slots=True)
class Predicate:
    """A conjunction that selects the child's rows; no atoms where these are all of the parent's."""

    atoms: tuple[Atom, ...]
    gaps: tuple[Gap, ...] = ()


def find_predicate(
    parent: EncodedTable, labels: RowLabels, shared: Collection[Path] = ()
) -> Predicate | None:
    """The simplest conjunction found that selects exactly the child's multiset, or None.

    One atom is preferred to two, partition columns to dates, dates to columns of few values; `=` to
    a range, and a range to an IN: see `atoms.CandidateAtom.preference`. `shared` are the columns
    that the child has too: these are equal in all rows of a group.
    """
    if not labels.is_contained or not labels.child_rows:
        return None
    kinds = labels.kinds()
    if not len(kinds.partial):
        required, forbidden = np.flatnonzero(kinds.required), np.flatnonzero(kinds.forbidden)
        chosen = _between_groups(parent, required, forbidden, labels.child_rows)
        if chosen is None and len(required):
            sample = sample_of(parent, required, forbidden)
            chosen = find_rarer(parent, required, forbidden, sample)
            if chosen is None and len(required) >= LEAST_HALF:
                return _either(parent, labels, required, forbidden, sample)
    elif parent.has_others(shared):
        chosen = find_within_groups(parent, PartialGroups.of(labels, kinds), shared)
    else:
        chosen = None
    if chosen is None:
        return None
    ordered = sorted(chosen, key=lambda atom: (atom.column.worth, atom.column.position))
    atoms = tuple(candidate.shorter().atom() for candidate in ordered)
    if not labels.are_selected_by(satisfying(atoms, parent)):
        return None
    return Predicate(atoms, _gaps(ordered))


def _between_groups(
    parent: EncodedTable, required: Int64s, forbidden: Int64s, child_rows: int
) -> tuple[CandidateAtom, ...] | None:
    """The atoms where no row is partial; stops at columns that no later one can better."""
    if not len(forbidden):
        return ()
    if parent.is_small:
        return _all_columns_at_once(parent.matrix, required, forbidden, child_rows)
    candidates: list[CandidateAtom] = []
    for worth, columns in parent.stages(
        sufficient_columns(parent, required, forbidden, child_rows)
    ):
        candidates += all_tightest(columns, required, child_rows)
        if worth < Worth.MANY:
            best = _sufficient_alone(candidates, worth, forbidden)
            if best is not None:
                return (best,)
        if worth is Worth.TIME and no_predicate_exists(parent, required, forbidden, child_rows):
            return None
    return covered((), candidates, forbidden)


def _all_columns_at_once(
    matrix: CodeMatrix, required: Int64s, forbidden: Int64s, child_rows: int
) -> tuple[CandidateAtom, ...] | None:
    """The atoms of a small parent; candidates are made only of columns that can exclude a row."""
    longest = most_values(child_rows)
    sample = forbidden[:: 1 + len(forbidden) // FORBIDDEN_SAMPLE_ROWS]
    excludable = matrix.excludable(required, sample, longest)
    if not excludable.any(axis=0).all():
        return None
    sufficient = [matrix.columns[place] for place in np.flatnonzero(excludable.all(axis=1))]
    candidates = all_tightest(sufficient, required, child_rows)
    for candidate in sorted(candidates, key=CandidateAtom.preference):
        if not candidate.is_row_list and not candidate.selects_any(forbidden):
            return (candidate,)
    if len(sample) < len(forbidden):
        excludable = matrix.excludable(required, forbidden, longest)
    useful = [matrix.columns[place] for place in np.flatnonzero(excludable.any(axis=1))]
    return covered((), all_tightest(useful, required, child_rows), forbidden)


def _either(
    parent: EncodedTable, labels: RowLabels, required: Int64s, forbidden: Int64s, first: RowSample
) -> Predicate | None:
    """Two simple conjunctions of which one holds, and the atoms that hold besides.

    The required rows are split by a column: those of one value or of values that no row left has,
    and the others; each half has its tightest atoms.
    """
    if first.columns and not _splitting(first):
        return None
    columns = (*parent.columns, *parent.others)
    usual = all_tightest(columns, required, len(required))
    left = forbidden[selected(usual, forbidden)]
    if len(left) < LEAST_HALF:  # which any two ranges beside these rows would leave out
        return None
    sample = sample_of(parent, required, left, is_encoded=True)
    wanted = derivations(sample.derived)
    usual += derived_atoms(parent.columns, required, left, len(required), wanted)
    left = left[selected(usual, left)]
    if len(left) < LEAST_HALF:
        return None
    splitting = _splitting(sample)
    for column in columns:
        for mask in _splits(column, required, left) if column.path in splitting else ():
            found = _halves(columns, (required[mask], required[~mask]), left)
            taken = np.any([selected(c, forbidden) for c in found], axis=0) if found else None
            besides = None if taken is None else covered((), usual, forbidden[taken])
            if besides is not None and _is_short((*besides, *chain(*found)), len(required)):
                either = AnyOf(tuple(tuple(a.shorter().atom() for a in c) for c in found))
                atoms = (*(atom.shorter().atom() for atom in besides), either)
                if labels.are_selected_by(satisfying(atoms, parent)):
                    return Predicate(atoms, _gaps(besides))
    return None


def _splitting(sample: RowSample) -> set[Path]:
    """The columns that may split the required rows, so that ranges tell either half."""
    found = _splitting_with(sample.columns, sample.required, sample.left)
    if not found and sample.derived:
        left = sample.left[selected(sample.derived, sample.left)]
        found = _splitting_with(sample.columns, sample.required, left)
    return found


def _splitting_with(columns: Sequence[EncodedColumn], required: Int64s, left: Int64s) -> set[Path]:
    """As `_splitting`, for these rows left; every column for none."""
    if not len(left):
        return {column.path for column in columns}
    ours = np.array([column.codes[required] for column in columns])
    theirs = np.array([column.codes[left] for column in columns])
    return {
        column.path
        for column in columns
        if any(
            _may_exclude(ours[:, mask], theirs) and _may_exclude(ours[:, ~mask], theirs)
            for mask in _splits(column, required, left)
        )
    }


def _splits(column: EncodedColumn, required: Int64s, left: Int64s) -> Iterator[Bools]:
    """Masks of the required rows that split them by the column, no half being tiny."""
    ours, theirs = column.codes[required], column.codes[left]
    present = np.zeros(len(column.values) + 2, np.bool_)
    present[theirs] = True
    masks = [~present[ours], ours < theirs.min(), ours > theirs.max()]
    if len(column.values) <= MOST_SPLIT_BY:
        masks += [np.equal(ours, value) for value in range(NULL, len(column.values))]
    for mask in masks:
        rows = np.count_nonzero(mask)
        if len(ours) < MOST_UNEVEN * min(rows, len(ours) - rows):
            yield mask


def _may_exclude(half: Codes, left: Codes) -> bool:
    """Whether ranges of codes, column by column, exclude every row left."""
    low, high = half.min(axis=1), half.max(axis=1)
    excluded = (left < low[:, None]) | (left > high[:, None])
    excluded[(low == NULL) & (high > NULL)] = False
    return bool(excluded.any(axis=0).all())


def _halves(
    columns: Sequence[EncodedColumn], halves: tuple[Int64s, Int64s], left: Int64s
) -> list[tuple[CandidateAtom, ...]]:
    """A simple conjunction for each half; none where one has none."""
    if min(map(len, halves)) < LEAST_OF_VALUES:
        return []
    found = []
    for half in sorted(halves, key=len):
        conjunction = covered((), _atoms_of_half(columns, half), left)
        if not conjunction or len(conjunction) > MOST_OF_EITHER:
            return []
        found.append(conjunction)
    return found


def _atoms_of_half(columns: Sequence[EncodedColumn], half: Int64s) -> list[CandidateAtom]:
    """The tightest atoms for its rows; where these are few, those of one value."""
    atoms = all_tightest(columns, half, len(half))
    return atoms if len(half) >= LEAST_HALF else [a for a in atoms if a.form in OF_ONE_VALUE]


def _is_short(atoms: Sequence[CandidateAtom], child_rows: int) -> bool:
    """Whether they name so few values that the rows do not fit them by accident."""
    return sum(map(_named, atoms)) <= min(MOST_NAMED, child_rows // ROWS_PER_NAMED)


def _named(atom: CandidateAtom) -> int:
    """How many values it names: of an IN, those that it leaves out where these are fewer."""
    named = len(atom.shorter().ranks)
    if atom.form is not Form.IN:
        return named
    return max(1, min(named, len(atom.column.values) - len(atom.ranks)))


def _sufficient_alone(
    candidates: Sequence[CandidateAtom], worth: Worth, forbidden: Int64s
) -> CandidateAtom | None:
    """The simple atom that excludes all forbidden rows, if no column to come has a better one."""
    simple = (candidate for candidate in candidates if candidate.complexity == 0)
    final = (candidate for candidate in simple if candidate.column.worth <= worth)
    sample = forbidden[:: max(1, len(forbidden) // FORBIDDEN_SAMPLE_ROWS)]
    for candidate in sorted(final, key=CandidateAtom.preference):
        if not candidate.selects_any(sample) and not candidate.selects_any(forbidden):
            return candidate
    return None


def satisfying(atoms: Sequence[Atom], parent: EncodedTable) -> Bools:
    """The mask of the parent's rows that satisfy all atoms, by their values."""
    if not atoms:
        return np.ones(parent.rows, np.bool_)
    paths = list(dict.fromkeys(columns_of(atoms)))
    columns = [parent.plain(path) for path in paths]
    masks = []
    for batch in pa.table(columns, names=list(map(str, range(len(paths))))).to_batches():
        values = dict(zip(paths, batch.columns, strict=True))
        masks.append(satisfied(atoms, values.__getitem__, batch.num_rows))
    return np.concatenate(masks)


def _gaps(chosen: Iterable[CandidateAtom]) -> tuple[Gap, ...]:
    ranges = [
        candidate
        for candidate in chosen
        if candidate.form is Form.BETWEEN and candidate.column.derivation is None
    ]
    ends = [(range_.column, range_.ranks[0] - 1, range_.ranks[1] + 1) for range_ in ranges]
    return tuple(
        Gap(column.path, column.neighbour(below), column.neighbour(above))
        for column, below, above in ends
    )
