"""The search for a predicate where the child has some rows of a group, and not all.

Partial rows are equal in all of the child's columns, so only the parent's other columns can tell
them apart. One atom, or the tightest atom of one column and an atom of another, must select the
child's count of every group; the tightest atoms for required and partial rows together exclude no
row that may be needed, and exclude the rest.

Each group gets a random 64-bit weight, so that rows are compared with the child by a fingerprint
(Karp and Rabin, 1987): rows are, of every group, as many as the child's where their weights sum to
Σ child's count · weight (mod 2⁶⁴), but for a chance of 2⁻⁶⁴ that the last check on all rows
would catch. So the sum over a value's rows tells at once whether they are the child, and the
difference of two prefix sums in a column's order whether the range between them is: that is
complete for `=`, IS NULL, IS NOT NULL and BETWEEN.

An IN takes every value of a required row, none of a forbidden row, and of the values that only
partial rows have such as make every group's count right: a subset sum, searched within limits
(`exact_subset`).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from r2d2.arrays import Bools, Int64s, UInt64s
from r2d2.recipes.grammar import Path
from r2d2.recipes.predicate.atoms import (
    CandidateAtom,
    Form,
    all_tightest,
    between,
    in_list,
    most_values,
    preference,
    tightest,
)
from r2d2.recipes.predicate.columns import EncodedTable
from r2d2.recipes.predicate.encode import NULL, Codes, EncodedColumn, Worth
from r2d2.recipes.predicate.row_labels import RowKinds, RowLabels
from r2d2.recipes.predicate.set_cover import (
    MOST_CELLS,
    covered,
    exact_subset,
    no_predicate_exists,
    selected,
)

MOST_FIRST_ATOMS = 8
MOST_PAIR_CELLS = 20_000_000
MOST_RANGES = 4
ROWS_PER_SLOT = 8
SEED = 20260401


@dataclass(frozen=True, slots=True, eq=False)
class PartialGroups:
    """The parent's rows by kind, with what tells the groups of the partial ones apart.

    `weights` are by row; `target` is the child's weight.
    """

    labels: RowLabels
    kinds: RowKinds
    weights: UInt64s
    target: np.uint64

    @classmethod
    def of(cls, labels: RowLabels, kinds: RowKinds) -> "PartialGroups":
        """The groups of the rows that have these labels, and so are of these kinds."""
        random = np.random.default_rng(SEED)
        weights = random.integers(0, 2**64, len(labels.child), np.uint64)
        target = np.sum(weights * labels.child.astype(np.uint64), dtype=np.uint64)
        return cls(labels, kinds, weights[labels.groups], target)

    def split_by(self, column: EncodedColumn, is_shared: bool = False) -> Bools:
        """For each partial row, whether the rows of its group differ in the column.

        In a column that the child shares they never do.
        """
        if is_shared:
            return np.zeros(len(self.kinds.partial), np.bool_)
        groups, codes = self.labels.groups[self.kinds.partial], column.codes[self.kinds.partial]
        some = np.zeros(len(self.labels.child), np.int32)
        some[groups] = codes
        split = np.zeros(len(self.labels.child), np.bool_)
        split[groups[codes != some[groups]]] = True
        return split[groups]

    def exact_atoms(self, column: EncodedColumn, rows: Int64s) -> Iterator[CandidateAtom]:
        """The column's atoms, but for IN, that select exactly the child's rows among these."""
        present, counts, sums = self._weighed(column, rows)
        if len(present) and present[0] == NULL:
            if sums[0] == self.target:
                yield CandidateAtom(column, Form.IS_NULL)
            if np.sum(sums[1:], dtype=np.uint64) == self.target:
                yield CandidateAtom(column, Form.NOT_NULL)
        values = (present >= 0) & (present < len(column.values))
        yield from self._over_values(column, present[values], sums[values], counts[values])

    def _weighed(self, column: EncodedColumn, rows: Int64s) -> tuple[Int64s, Int64s, UInt64s]:
        """The codes of these rows in order, each with its number of rows and their weights' sum."""
        codes = column.codes[rows]
        if len(rows) * ROWS_PER_SLOT < len(column.values):
            present, places = np.unique(codes.astype(np.int64), return_inverse=True)
        else:
            present, places = np.arange(-1, len(column.values) + 1), codes.astype(np.int64) + 1
        counts = np.bincount(places, minlength=len(present))
        sums = np.zeros(len(present), np.uint64)
        np.add.at(sums, places, self.weights[rows])
        occurs = counts > 0
        return present[occurs], counts[occurs], sums[occurs]

    def _over_values(
        self, column: EncodedColumn, present: Int64s, sums: UInt64s, counts: Int64s
    ) -> Iterator[CandidateAtom]:
        for rank in present[sums == self.target]:
            if column.nameable[rank]:
                yield CandidateAtom(column, Form.EQUALS, (int(rank),))
        ranges = 0
        for start, end in self._ranges(sums, counts):
            range_ = between(column, int(present[start]), int(present[end]))
            if range_ and ranges < MOST_RANGES:
                ranges += 1
                yield range_

    def _ranges(self, sums: UInt64s, counts: Int64s) -> Iterator[tuple[int, int]]:
        """First and last place of all ranges that weigh what the child does, shortest first.

        Such a range holds as many rows as the child, so for each start there is one end.
        """
        rows = np.concatenate([[0], np.cumsum(counts)])
        prefix = np.concatenate([np.zeros(1, np.uint64), np.cumsum(sums, dtype=np.uint64)])
        place_of = np.full(rows[-1] + 1, -1, np.int64)
        place_of[rows] = np.arange(len(rows))
        end_rows = rows + self.labels.child_rows
        starts = np.flatnonzero(end_rows <= rows[-1])
        ends = place_of[end_rows[starts]]
        right = (ends > starts + 1) & (prefix[ends] - prefix[starts] == self.target)
        starts, ends = starts[right], ends[right]
        for i in np.argsort(ends - starts, kind="stable"):
            yield int(starts[i]), int(ends[i] - 1)


def find_within_groups(
    parent: EncodedTable, groups: PartialGroups, shared: Collection[Path]
) -> tuple[CandidateAtom, ...] | None:
    """The atoms that select some rows of a group and not others; None where none are found."""
    kinds, child_rows = groups.kinds, groups.labels.child_rows
    allowed, forbidden = np.flatnonzero(~kinds.forbidden), np.flatnonzero(kinds.forbidden)
    required = np.flatnonzero(kinds.required)
    candidates: list[CandidateAtom] = []
    columns: list[EncodedColumn] = []
    splits: list[Bools] = []
    for worth, lot in parent.stages():
        candidates += all_tightest(lot, allowed, child_rows)
        columns += lot
        splits += [groups.split_by(column, column.path in shared) for column in lot]
        if worth < Worth.MANY and lot:
            best = _sufficient_alone(columns, groups, splits, candidates, forbidden)
            if best is not None and best.column.worth <= worth:
                return (best,)
        # Atoms that hold for the partial rows too are looser, so the proof covers these.
        may_prove = worth is Worth.TIME and len(required) > 0
        if may_prove and no_predicate_exists(parent, required, forbidden, child_rows):
            return None
    in_order = sorted(zip(columns, splits, strict=True), key=lambda pair: pair[0].position)
    columns, splits = [column for column, _ in in_order], [split for _, split in in_order]
    return _first_that_can_be_covered(columns, groups, splits, candidates, forbidden)


def _sufficient_alone(
    columns: Sequence[EncodedColumn],
    groups: PartialGroups,
    splits: Sequence[Bools],
    candidates: Sequence[CandidateAtom],
    forbidden: Int64s,
) -> CandidateAtom | None:
    """The preferred simple atom that selects exactly the child, None without one."""
    rows = np.flatnonzero(selected(candidates, np.arange(len(groups.kinds.forbidden))))
    exact = (
        atom
        for column, split in zip(columns, splits, strict=True)
        if split.all()
        for atom in groups.exact_atoms(column, rows)
        if atom.complexity == 0 and not atom.selects_any(forbidden)
    )
    return min(exact, key=CandidateAtom.preference, default=None)


def _first_that_can_be_covered(
    columns: Sequence[EncodedColumn],
    groups: PartialGroups,
    splits: Sequence[Bools],
    candidates: Sequence[CandidateAtom],
    forbidden: Int64s,
) -> tuple[CandidateAtom, ...] | None:
    """One atom or two that get the groups' counts right, and the fewest that exclude the rest."""
    if not splits or not np.any(splits, axis=0).all():
        return None
    rows = np.flatnonzero(selected(candidates, np.arange(len(groups.kinds.forbidden))))
    splitting = [column for column, split in zip(columns, splits, strict=True) if split.all()]
    for firsts in (
        ((atom,) for column in splitting for atom in groups.exact_atoms(column, rows)),
        _lists(splitting, groups, rows),
        _pairs(columns, groups, splits, rows),
    ):
        best = islice(sorted(firsts, key=preference), MOST_FIRST_ATOMS)
        conjunctions = [found for first in best if (found := covered(first, candidates, forbidden))]
        if conjunctions:
            return min(conjunctions, key=preference)
    return None


def _lists(
    columns: Sequence[EncodedColumn], groups: PartialGroups, rows: Int64s
) -> Iterator[tuple[CandidateAtom, ...]]:
    """The columns' INs that are exact alone or, where there is none, among the rows."""
    every_row = np.arange(len(groups.kinds.forbidden))
    for column in columns:
        atom = _exact_list(column, groups, every_row)
        if atom is None and len(rows) < len(every_row):
            atom = _exact_list(column, groups, rows)
        if atom:
            yield (atom,)


def _pairs(
    columns: Sequence[EncodedColumn], groups: PartialGroups, splits: Sequence[Bools], rows: Int64s
) -> Iterator[tuple[CandidateAtom, ...]]:
    """The tightest atoms of a column, each with an atom of another that is exact within it.

    Of the partial groups, those that the column does not split keep all of their rows. `splits`
    tells for each partial row whether the column splits its group.
    """
    if len(rows) * len(columns) ** 2 > MOST_PAIR_CELLS:
        return
    for column, split in zip(columns, splits, strict=True):
        needed = np.append(np.flatnonzero(groups.kinds.required), groups.kinds.partial[~split])
        if not len(needed):
            continue
        others = [
            other
            for other, also in zip(columns, splits, strict=True)
            if other is not column and (split | also).all()
        ]
        for first in tightest(column, column.codes[needed], groups.labels.child_rows):
            within = rows[selected([first], rows)]
            for other in others if len(within) < len(rows) else ():
                yield from ((first, second) for second in groups.exact_atoms(other, within))


def _exact_list(column: EncodedColumn, groups: PartialGroups, rows: Int64s) -> CandidateAtom | None:
    """The column's IN that selects exactly the child's rows among these, None if none is found.

    All rows that the child may have must be among these.
    """
    needed = _has_code(column, rows[groups.kinds.required[rows]])
    barred = _has_code(column, rows[groups.kinds.forbidden[rows]])
    barred[:-2] |= ~column.nameable
    barred[-2:] = True
    child_rows = groups.labels.child_rows
    most = most_values(child_rows) - int(needed.sum())
    if most < 0 or (needed & barred).any():
        return None
    chosen = _optional_values(column, groups, needed, ~(needed | barred), most)
    if chosen is None:
        return None
    ranks = np.union1d(np.flatnonzero(needed), chosen)
    return in_list(column, ranks, child_rows) if len(ranks) > 1 else None


def _has_code(column: EncodedColumn, rows: Int64s) -> Bools:
    """By code, with NaN and NULL at the end, whether one of the rows has it."""
    codes = np.zeros(len(column.values) + 2, np.bool_)
    codes[column.codes[rows]] = True
    return codes


def _optional_values(
    column: EncodedColumn, groups: PartialGroups, needed: Bools, optional: Bools, most: int
) -> Int64s | None:
    """The values to take of those that only partial rows have; None where no choice is found."""
    labels = groups.labels
    codes: Codes = column.codes[groups.kinds.partial]
    group_of = labels.groups[groups.kinds.partial]
    need = np.where(labels.child < labels.parent, labels.child, 0)
    need -= np.bincount(group_of[needed[codes]], minlength=len(need))
    values = np.flatnonzero(optional & _has_code(column, groups.kinds.partial))
    numbers = np.flatnonzero(np.bincount(group_of, minlength=len(need)))
    if (need < 0).any() or len(values) * len(numbers) > MOST_CELLS:
        return None
    usable = optional[codes]
    places = np.searchsorted(values, codes[usable]), np.searchsorted(numbers, group_of[usable])
    counts = np.zeros((len(values), len(numbers)), np.int64)
    np.add.at(counts, places, 1)
    chosen = exact_subset(counts, need[numbers], most)
    return None if chosen is None else values[chosen]
