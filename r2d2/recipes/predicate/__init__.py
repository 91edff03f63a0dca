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
holds (`either`). There an exact predicate may hold by accident: few values may be named.

No predicate is wrong: the one found is evaluated by Arrow on the parent's values, and its rows are
counted. The bounds of a range are the child's own values, which is exact for this snapshot;
`Predicate.gaps` says how far the parent's next values lie.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

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
from r2d2.recipes.predicate.either import find_either
from r2d2.recipes.predicate.encode import Worth
from r2d2.recipes.predicate.partial_groups import PartialGroups, find_within_groups
from r2d2.recipes.predicate.rarer import (
    RowSample,
    find_rarer,
    sample_of,
)
from r2d2.recipes.predicate.row_labels import RowLabels
from r2d2.recipes.predicate.set_cover import (
    covered,
    no_predicate_exists,
    sufficient_columns,
)

FORBIDDEN_SAMPLE_ROWS = 250


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
            if chosen is None:
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
    """Two conjunctions of which one holds, and the atoms besides, if their rows are the child's."""
    for besides, conjunctions in find_either(parent, required, forbidden, first):
        either = AnyOf(tuple(tuple(a.shorter().atom() for a in c) for c in conjunctions))
        atoms = (*(atom.shorter().atom() for atom in besides), either)
        if labels.are_selected_by(satisfying(atoms, parent)):
            return Predicate(atoms, _gaps(besides))
    return None


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
