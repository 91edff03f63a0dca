"""The two searches for sets: covers of few atoms, and rows of counts with a given sum.

Before the first there are cheap proofs, on samples, that no cover exists or that a column does not
do alone. A forbidden row for which the tightest atoms of all columns hold is selected by every
conjunction that selects the required rows. A sample of the required rows is enough to see it: its
range lies within that of all of them, and its list of values is part of theirs. So most columns
need not be encoded, or even read.

`covered` gives the fewest atoms that together exclude every forbidden row: minimum set cover
(Karp, 1972). `exact_subset` gives the rows of a matrix of counts that sum exactly to a needed row,
a vector subset sum: the rows are values of a column or parts of a union, and the columns are groups
of a table's rows.

Numbers of atoms are tried in turn up to four, and of the smallest covers the preferred one is
taken. Up to two atoms the search is complete: a cover holds, for each row, an atom that excludes
it, so it is enough to branch on the atoms of the row that the fewest exclude. From three on, only
the eight preferred of these are tried.

Most rows are excluded by many atoms and say little. So covers are searched for the hardest rows,
and rows that a cover leaves are added until none is left.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from r2d2.arrays import Bools, Int32s, Int64s
from r2d2.recipes.predicate.atoms import CandidateAtom, most_values, preference, tightest
from r2d2.recipes.predicate.columns import EncodedTable
from r2d2.recipes.predicate.encode import NULL, Codes

REQUIRED_SAMPLES, FORBIDDEN_SAMPLE = (1 << 10, 1 << 14), 256
MOST_ATOMS = 4
COMPLETE_ATOMS = 2
BRANCHES = 8
HARDEST_ROWS = 1024
ROUNDS = 32
MOST_CELLS = 1 << 20
"""Of a caller's matrix: 8 MB."""
MOST_STEPS, MOST_CELLS_READ = 500, 1 << 24
MOST_BITS = 1 << 31


def no_predicate_exists(
    parent: EncodedTable, required: Int64s, forbidden: Int64s, child_rows: int
) -> bool:
    """True where surely no conjunction selects the required rows and none of the forbidden ones.

    A column is encoded only where the first sample, and then the larger one, do not settle it.
    """
    longest, left, tried = most_values(child_rows), forbidden, set[int]()
    while len(left):
        excludable = _excludable_by_column(parent, required, left, longest, tried, REQUIRED_SAMPLES)
        if not excludable or not np.any(list(excludable.values()), axis=0).all():
            return True
        best = max(excludable, key=lambda place: (np.count_nonzero(excludable[place]), -place))
        tried.add(best)
        column = parent.column(best)
        if column is not None:
            candidates = list(tightest(column, column.codes[required], child_rows))
            left = left[selected(candidates, left)]
    return False


def sufficient_columns(
    parent: EncodedTable, required: Int64s, forbidden: Int64s, child_rows: int
) -> set[int]:
    """The positions of the columns of which one atom may exclude all forbidden rows."""
    longest = most_values(child_rows)
    excludable = _excludable_by_column(
        parent, required, forbidden, longest, (), REQUIRED_SAMPLES[:1]
    )
    return {place for place, mask in excludable.items() if mask.all()}


def _excludable_by_column(
    parent: EncodedTable,
    required: Int64s,
    left: Int64s,
    longest: int,
    tried: Collection[int],
    sample_sizes: Sequence[int],
) -> dict[int, Bools]:
    """By column position, the mask of those of a sample of the rows left that it may exclude.

    A larger sample of the required rows is taken where every row left may still be excluded.
    """
    part = parent.seen_part(required, left)
    if part is None:
        part = parent.part_of(row_left_near(required, left))
    probed = spread(parent.within(part, left), FORBIDDEN_SAMPLE)
    required_there = parent.within(part, required)
    excludable = dict[int, Bools]()
    for size in sample_sizes:
        sample = spread(required_there, size)
        rows = np.concatenate([sample, probed])
        excludable = {
            place: _excludable(codes[: len(sample)], codes[len(sample) :], values, longest)
            for place, codes, values in parent.peek(part, rows, tried)
        }
        if len(sample) == len(required_there) or not excludable:
            break
        if not np.any(list(excludable.values()), axis=0).all():
            break
    return excludable


def row_left_near(required: Int64s, left: Int64s) -> int:
    """The row left that is next to the middle one of those required."""
    place = int(np.searchsorted(left, required[len(required) // 2]))
    return int(left[min(place, len(left) - 1)])


def spread(rows: Int64s, most: int) -> Int64s:
    """At most so many of the rows, evenly spread over them."""
    return rows[:: max(1, -(-len(rows) // most))]


def _excludable(required: Codes, probed: Codes, values: int, longest: int) -> Bools:
    """The mask of the probed codes that a tightest atom for the required ones may exclude."""
    if not len(required):
        return np.ones(len(probed), np.bool_)
    low, high = required.min(), required.max()
    if low == NULL:
        excluded: Bools = (probed != NULL) & (high == NULL)
        return excluded
    if high == values:
        excluded = np.less(probed, low)
        return excluded
    excluded = (probed < low) | (probed > high)
    occurs = np.zeros(values + 2, np.bool_)
    occurs[required] = True
    if np.count_nonzero(occurs) <= longest:
        excluded |= ~occurs[probed]
    return excluded


def covered(
    first: tuple[CandidateAtom, ...], candidates: Sequence[CandidateAtom], forbidden: Int64s
) -> tuple[CandidateAtom, ...] | None:
    """`first` and the fewest candidates that exclude the rest of the forbidden rows.

    One or two that are no row lists are preferred to all others. None where no cover is found.
    """
    left = forbidden[selected(first, forbidden)]
    plain = [candidate for candidate in candidates if not candidate.is_row_list]
    rest = cover(plain, left, COMPLETE_ATOMS)
    if rest is None:
        rest = cover(candidates, left)
    return None if rest is None else (*first, *rest)


def selected(conjunction: Sequence[CandidateAtom], rows: Int64s) -> Bools:
    """The mask of the rows for which all atoms hold."""
    mask = np.ones(len(rows), np.bool_)
    for candidate in conjunction:
        mask &= candidate.selects(candidate.column.codes[rows])
    return mask


def cover(
    candidates: Sequence[CandidateAtom], forbidden: Int64s, most: int = MOST_ATOMS
) -> tuple[CandidateAtom, ...] | None:
    """At most `most` candidates that exclude all rows; none for no rows, None without a cover."""
    if not len(forbidden):
        return ()
    useful, excluders = [], np.zeros(len(forbidden), np.int32)
    for candidate in sorted(candidates, key=CandidateAtom.preference):
        excluded = ~candidate.selects(candidate.column.codes[forbidden])
        if excluded.all():
            return (candidate,)
        if excluded.any():
            useful.append(candidate)
            excluders += excluded
    return _hardest_first(useful, forbidden, excluders, most) if excluders.all() else None


def _hardest_first(
    candidates: Sequence[CandidateAtom],
    forbidden: Int64s,
    excluders: Int32s,
    most: int,
) -> tuple[CandidateAtom, ...] | None:
    hardest = min(HARDEST_ROWS, len(forbidden)) - 1
    patterns = _patterns(candidates, forbidden[np.argpartition(excluders, hardest)[: hardest + 1]])
    for _ in range(ROUNDS):
        chosen = _smallest_cover(candidates, patterns, most)
        if chosen is None:
            return None
        left = forbidden[selected(chosen, forbidden)]
        if not len(left):
            return chosen
        patterns = np.concatenate([patterns, _patterns(candidates, left[:HARDEST_ROWS])])
    return None


def _patterns(candidates: Sequence[CandidateAtom], rows: Int64s) -> Bools:
    """Patterns × candidates: the sets of candidates that exclude a row, each set once."""
    excluded = np.array([~atom.selects(atom.column.codes[rows]) for atom in candidates])
    packed = np.ascontiguousarray(np.packbits(excluded, axis=0).T)
    _, firsts = np.unique(packed.view(f"V{packed.shape[1]}").ravel(), return_index=True)
    return excluded.T[firsts]


def cover_of(
    candidates: Sequence[CandidateAtom], patterns: Bools
) -> tuple[CandidateAtom, ...] | None:
    """The fewest candidates of which each pattern (patterns × candidates) has one, as `covered`."""
    order = sorted(range(len(candidates)), key=lambda place: candidates[place].preference())
    plain = [place for place in order if not candidates[place].is_row_list]
    for places, most in ((plain, COMPLETE_ATOMS), (order, MOST_ATOMS)):
        some = patterns[:, places]
        if some.any(axis=1).all():
            chosen = _smallest_cover([candidates[place] for place in places], some, most)
            if chosen is not None:
                return chosen
    return None


def minimal(patterns: Bools) -> Bools:
    """The patterns that have no other within them: who covers these covers all.

    >>> minimal(np.array([[True, True], [False, True]]))
    array([[False,  True]])
    """
    left, kept = patterns[np.argsort(patterns.sum(axis=1), kind="stable")], []
    while len(left):
        kept.append(left[0])
        left = left[~left[:, left[0]].all(axis=1)]
    return np.array(kept, np.bool_).reshape(-1, patterns.shape[1])


def _smallest_cover(
    candidates: Sequence[CandidateAtom], patterns: Bools, most: int
) -> tuple[CandidateAtom, ...] | None:
    # One may do for the rows looked at so far, and the rest is added to these.
    for size in range(1, most + 1):
        covers = [tuple(candidates[i] for i in numbers) for numbers in _covers(patterns, size)]
        if covers:
            return min(covers, key=preference)
    return None


def _covers(patterns: Bools, size: int) -> Iterator[tuple[int, ...]]:
    """The covers of that size by candidates' numbers; candidates are in order of preference."""
    if size == 1:
        yield from ((int(i),) for i in np.flatnonzero(patterns.all(axis=0)))
        return
    hardest = patterns[patterns.sum(axis=1).argmin()]
    branches = np.flatnonzero(hardest)
    for i in branches if size <= COMPLETE_ATOMS else branches[:BRANCHES]:
        rest = patterns[~patterns[:, i]]
        if len(rest):
            yield from ((int(i), *others) for others in _covers(rest, size - 1))


def may_sum_to(numbers: Collection[int], total: int) -> bool:
    """Whether some of the numbers may have this sum; False is always right.

    The bits of one integer are the sums up to the total that can be reached, where these are not
    too many.

    >>> may_sum_to([4, 6, 9], 13), may_sum_to([4, 6, 9], 11)
    (True, False)
    """
    if sum(numbers) < total:
        return False
    if len(numbers) * total > MOST_BITS:
        return True
    sums, every = 1, (1 << total + 1) - 1
    for number in numbers:
        sums |= (sums << number) & every
    return bool(sums >> total & 1)


def exact_subset(counts: Int64s, need: Int64s, most: int) -> Int64s | None:
    """The numbers of at most `most` rows of `counts` that sum to `need`, ascending, or None.

    All rows that fit are tried together first. Then the search branches on the column that the
    fewest rows can still fill, and gives up after 500 steps, fewer on large matrices.
    """
    places = np.flatnonzero((counts <= need).all(axis=1))
    if (counts[places].sum(axis=0) == need).all():
        return places if len(places) <= most else None
    steps = min(MOST_STEPS, MOST_CELLS_READ // (counts.size + 1))
    chosen = _Search(steps).rows(counts[places], need, most)
    return None if chosen is None else np.sort(places[chosen])


@dataclass(slots=True)
class _Search:
    steps_left: int

    def rows(self, counts: Int64s, need: Int64s, most: int) -> Int64s | None:
        """The numbers of rows that sum to `need`."""
        self.steps_left -= 1
        if not need.any():
            return np.empty(0, np.int64)
        if most == 0 or (counts.sum(axis=0) < need).any():
            return None
        open_ = np.flatnonzero(need)
        hardest = open_[(counts[:, open_] > 0).sum(axis=0).argmin()]
        usable = np.ones(len(counts), np.bool_)
        # Each row with a count there is taken in turn; those tried before it are left out.
        for row in np.flatnonzero(counts[:, hardest]):
            if self.steps_left <= 0:
                return None
            usable[row] = False
            left = need - counts[row]
            rest = np.flatnonzero(usable & (counts <= left).all(axis=1))
            others = self.rows(counts[rest], left, most - 1)
            if others is not None:
                return np.append(rest[others], row)
        return None
