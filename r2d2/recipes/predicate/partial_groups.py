"""The search for a predicate where some rows of a group are the child's, and others are not.

Torn rows are equal in all of the child's columns, so only others can tell them apart. One atom, or
the hull of one column and an atom of another, must get every count right (`split`); the tightest
atoms for must and torn rows together take no row away that may be needed, and exclude the rest.

Atoms that select exactly the child's count of every group: some rows of a group, not others.

Each group gets a random 64-bit weight. Rows are, of every group, as many as the child's where
their weights sum to Σ child's count · weight (mod 2⁶⁴), but for a chance of 2⁻⁶⁴ that the last
check on all rows would catch. So a value's sum tells at once whether the value is the child, and
the difference of two prefix sums over a column's order whether the range between them is: that is
complete for `=`, IS NULL, IS NOT NULL and BETWEEN. For an IN see `listed`.

An IN that selects exactly the child's rows where these are torn from their groups.

It takes every value of a row that must be selected, none of a row that never may, and of the values
that only torn rows have such as make every group's count right: a subset sum, searched within
limits (`subset`).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from r2d2.arrays import Bools, Int64s
from r2d2.recipes.grammar import Path
from r2d2.recipes.predicate.atoms import (
    Choice,
    Form,
    all_tightest,
    between,
    most_values,
    one_of,
    taste,
    tightest,
)
from r2d2.recipes.predicate.columns import Encoded
from r2d2.recipes.predicate.early_exit import hopeless
from r2d2.recipes.predicate.encode import NULL, Codes, EncodedColumn, Worth
from r2d2.recipes.predicate.exact_subset import MOST_CELLS, exact_subset
from r2d2.recipes.predicate.row_labels import Labels
from r2d2.recipes.predicate.set_cover import covered, selected

MOST_SPLITTERS = 8
MOST_PAIR_CELLS = 20_000_000
Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Torn:
    """The parent's rows by kind; `torn` are those of which the child has some of a group, not all.

    `must`, `never` and `weights` are by row; `target` is the child's weight. Where no row is torn,
    there are no weights.
    """

    labels: Labels
    must: Bools
    never: Bools
    torn: Int64s
    weights: Words
    target: np.uint64

    @classmethod
    def of(cls, labels: Labels) -> "Torn":
        """The state for these labels."""
        must, never = labels.must(), labels.never()
        torn = np.empty(0, np.int64) if labels.is_key else np.flatnonzero(~(must | never))
        if not len(torn):
            return cls(labels, must, never, torn, np.empty(0, np.uint64), np.uint64(0))
        random = np.random.default_rng(SEED)
        weights = random.integers(0, 2**64, len(labels.child), np.uint64)
        target = np.sum(weights * labels.child.astype(np.uint64), dtype=np.uint64)
        return cls(labels, must, never, torn, weights[labels.groups], target)

    def splits(self, column: EncodedColumn, is_shared: bool = False) -> Bools:
        """For each torn row, whether the rows of its group differ in the column.

        In a column that the child shares they never do.
        """
        if is_shared:
            return np.zeros(len(self.torn), np.bool_)
        groups, codes = self.labels.groups[self.torn], column.codes[self.torn]
        some = np.zeros(len(self.labels.child), np.int32)
        some[groups] = codes
        split = np.zeros(len(self.labels.child), np.bool_)
        split[groups[codes != some[groups]]] = True
        return split[groups]

    def exact(self, column: EncodedColumn, rows: Int64s) -> Iterator[Choice]:
        """The column's atoms but IN that select, among these rows, exactly the child's."""
        present, counts, sums = self._weighed(column, rows)
        if len(present) and present[0] == NULL:
            if sums[0] == self.target:
                yield Choice(column, Form.IS_NULL)
            if np.sum(sums[1:], dtype=np.uint64) == self.target:
                yield Choice(column, Form.NOT_NULL)
        values = (present >= 0) & (present < len(column.values))
        yield from self._named(column, present[values], sums[values], counts[values])

    def _weighed(self, column: EncodedColumn, rows: Int64s) -> tuple[Int64s, Int64s, Words]:
        """The codes of these rows in order, how many rows each has, and what they weigh."""
        codes = column.codes[rows]
        if len(rows) * ROWS_A_SLOT < len(column.values):
            present, places = np.unique(codes.astype(np.int64), return_inverse=True)
        else:
            present, places = np.arange(-1, len(column.values) + 1), codes.astype(np.int64) + 1
        counts = np.bincount(places, minlength=len(present))
        sums = np.zeros(len(present), np.uint64)
        np.add.at(sums, places, self.weights[rows])
        occurs = counts > 0
        return present[occurs], counts[occurs], sums[occurs]

    def _named(
        self, column: EncodedColumn, present: Int64s, sums: Words, counts: Int64s
    ) -> Iterator[Choice]:
        for rank in present[sums == self.target]:
            if column.nameable[rank]:
                yield Choice(column, Form.EQUALS, (int(rank),))
        found = 0
        for start, end in self._ranges(sums, counts):
            range_ = between(column, int(present[start]), int(present[end]))
            if range_ and found < MOST_RANGES:
                found += 1
                yield range_

    def _ranges(self, sums: Words, counts: Int64s) -> Iterator[tuple[int, int]]:
        """First and last place of all ranges that weigh what the child does, shortest first.

        A range that does holds as many rows as the child, so for each start there is one end.
        """
        rows = np.concatenate([[0], np.cumsum(counts)])
        prefix = np.concatenate([np.zeros(1, np.uint64), np.cumsum(sums, dtype=np.uint64)])
        place_of = np.full(rows[-1] + 1, -1, np.int64)
        place_of[rows] = np.arange(len(rows))
        wanted = rows + self.labels.child_rows
        starts = np.flatnonzero(wanted <= rows[-1])
        ends = place_of[wanted[starts]]
        right = (ends > starts + 1) & (prefix[ends] - prefix[starts] == self.target)
        starts, ends = starts[right], ends[right]
        for i in np.argsort(ends - starts, kind="stable"):
            yield int(starts[i]), int(ends[i] - 1)


def torn_apart(parent: Encoded, torn: Torn, shared: Collection[Path]) -> tuple[Choice, ...] | None:
    """The choices where some rows of a group are selected, and others not."""
    kept, never = np.flatnonzero(~torn.never), np.flatnonzero(torn.never)
    must, child_rows = np.flatnonzero(torn.must), torn.labels.child_rows
    choices: list[Choice] = []
    columns: list[EncodedColumn] = []
    splits: list[Bools] = []
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
    splits: Sequence[Bools],
    choices: Sequence[Choice],
    never: Int64s,
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
    splits: Sequence[Bools],
    choices: Sequence[Choice],
    never: Int64s,
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
    columns: Sequence[EncodedColumn], torn: Torn, rows: Int64s
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
    columns: Sequence[EncodedColumn], torn: Torn, splits: Sequence[Bools], rows: Int64s
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


SEED = 20260401
MOST_RANGES = 4
ROWS_A_SLOT = 8


def exact_list(column: EncodedColumn, torn: Torn, rows: Int64s) -> Choice | None:
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


def _at(column: EncodedColumn, rows: Int64s) -> Bools:
    """By code, with NaN and NULL at the end, whether one of the rows has it."""
    codes = np.zeros(len(column.values) + 2, np.bool_)
    codes[column.codes[rows]] = True
    return codes


def _free_values(
    column: EncodedColumn, torn: Torn, needed: Bools, free: Bools, most: int
) -> Int64s | None:
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
