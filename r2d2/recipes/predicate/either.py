"""Two simple conjunctions of which one holds, and the atoms that hold for both.

The required rows are split in halves by a column: rows of one value, or of values or of an end of
the column that the other rows hardly have. Each half has its tightest atoms.

Few rows fit many atoms by chance, so each atom must be telling. Of n rows k name it: the ends of a
range, the values of an IN. If it held for the n - k others by chance, these k could be any: it is
as probable as C(n, k) · s ** (n - k) at most, where s is the share of rows for which it holds
(sample compression: Littlestone & Warmuth, 1986). Telling is an atom for which this is less than
one by the number of atoms that are tried.

A few rows may satisfy either conjunction and yet be forbidden, if the atoms besides or a NOT IN
exclude them.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from math import comb, log2

import numpy as np

from r2d2.arrays import Bools, Int64s
from r2d2.recipes.predicate.atoms import CandidateAtom, Form, all_tightest
from r2d2.recipes.predicate.columns import EncodedTable
from r2d2.recipes.predicate.encode import NULL, Codes, ComparedWith, EncodedColumn
from r2d2.recipes.predicate.rarer import (
    RowSample,
    derivations,
    derived_atoms,
    sample_of,
    shortened,
    with_lists,
)
from r2d2.recipes.predicate.set_cover import MOST_ATOMS, cover, covered, selected, spread

LEAST_ROWS = 12
"""Of a child: fewer tell no two conjunctions."""
SOME_ROWS = 1 << 8, 3 << 4
MOST_OF_EITHER, MOST_NAMED = 2, 16
MOST_UNEVEN, ROWS_PER_EXCEPTION, LEFT_PER_EXCEPTION = 40, 8, 16
MOST_SPLIT_BY = 12
FIRST_ROWS, MOST_CELLS = 1 << 5, 1 << 18
"""Of the required rows those looked at first; masks × columns × rows of one call, 1 MB."""
Conjunction = tuple[CandidateAtom, ...]


def find_either(
    parent: EncodedTable, required: Int64s, forbidden: Int64s, first: RowSample
) -> Iterator[tuple[Conjunction, list[Conjunction]]]:
    """The atoms that hold besides, and two conjunctions of which one holds, preferred ones first.

    `first` is a sample of the rows, most of which end the search.
    """
    if len(required) < LEAST_ROWS or (first.columns and not _may_split(first)):
        return
    columns = (*parent.columns, *parent.others)
    usual = all_tightest(columns, required, len(required))
    left = _left_by_telling(usual, len(required), forbidden)
    sample = sample_of(parent, required, left, is_encoded=True)
    wanted = derivations(sample.derived)
    derived = derived_atoms(parent.columns, required, left, len(required), wanted)
    left = _left_by_telling(derived, len(required), left)
    for split, mask in _masks(columns, required, left) if len(left) else ():
        found = _conjunctions(columns, split, (required[mask], required[~mask]), left)
        besides = _besides(parent, required, forbidden, found, [*usual, *derived])
        if besides is not None and len(besides) < MOST_ATOMS:
            yield besides, found


def _masks(
    columns: Sequence[EncodedColumn], required: Int64s, left: Int64s
) -> Iterator[tuple[EncodedColumn, Bools]]:
    """Columns and masks that split the required rows, first those that no row left is among."""
    seen: set[bytes] = set()
    some = spread(np.arange(len(required)), SOME_ROWS[0])
    ours = np.array([column.codes[required[some]] for column in columns])
    theirs = np.array([column.codes[spread(left, SOME_ROWS[1])] for column in columns])
    lot = max(1, MOST_CELLS // max(len(required), len(left), *(len(c.values) for c in columns)))
    for are_excepted in (False, True):
        for start in range(0, len(columns), lot):
            halves, owners = _halves(columns[start : start + lot], required, left, are_excepted)
            told = np.flatnonzero(_may_tell(halves[:, some], ours, theirs))
            for place in told[np.argsort(owners[told], kind="stable")]:
                mask = halves[place]
                key = (mask ^ mask[0]).tobytes()
                if key not in seen:
                    yield columns[start + owners[place]], mask
                seen.add(key)


def _left_by_telling(atoms: Sequence[CandidateAtom], rows: int, others: Int64s) -> Int64s:
    """The others for which all telling atoms hold, and all that name no value."""
    told = telling(atoms, rows, others)
    free = [atom for atom in atoms if not atom.ranks]
    return others[selected([*told, *free], others)]


def telling(atoms: Sequence[CandidateAtom], rows: int, others: Int64s) -> list[CandidateAtom]:
    """The atoms that would hardly hold for so many rows and not for the others by chance."""
    found = []
    for atom in atoms:
        codes = atom.column.codes[others]
        kept = int(np.count_nonzero(atom.selects(codes)))
        named = _ends(atom, codes) if atom.form is Form.BETWEEN else _named(atom)
        bits = (named - rows) * log2((rows + kept) / (rows + len(others)))
        if named < rows and bits > log2(comb(rows, named)) + log2(len(atoms)):
            found.append(atom)
    return found


def _ends(range_: CandidateAtom, codes: Codes) -> int:
    """How many of its ends have some of the codes beyond them."""
    low, high = range_.ranks
    return int(((codes > NULL) & (codes < low)).any()) + int((codes > high).any())


def _conjunctions(
    columns: Sequence[EncodedColumn],
    split: EncodedColumn,
    halves: tuple[Int64s, Int64s],
    left: Int64s,
) -> list[Conjunction]:
    """A simple conjunction for each half, of telling atoms and those of the column that splits.

    None where a half has none. Rows left that no such atoms exclude are exceptions: few.
    """
    atoms = [_atoms_of_half(columns, split, half, left) for half in halves]
    held = np.any([selected(some, left) for some in atoms], axis=0)
    if np.count_nonzero(held) * ROWS_PER_EXCEPTION > sum(map(len, halves)):
        return []
    found = [cover(some, left[~held], MOST_OF_EITHER) for some in atoms]
    told = [conjunction for conjunction in found if conjunction]
    if len(told) < len(halves) or not _are_simple(list(chain(*told))):
        return []
    pairs = zip(told, reversed(told), halves, strict=True)
    return told if all(_tells_alone(*pair, left) for pair in pairs) else []


def _tells_alone(own: Conjunction, other: Conjunction, half: Int64s, left: Int64s) -> bool:
    """Whether an atom is telling by those rows of its half that the other conjunction lacks.

    The ends of a split lie where they leave the others out, whatever rows of the other conjunction
    are between them.
    """
    return bool(telling(own, int(np.count_nonzero(~selected(other, half))), left))


def _atoms_of_half(
    columns: Sequence[EncodedColumn], split: EncodedColumn, half: Int64s, left: Int64s
) -> list[CandidateAtom]:
    """The half's telling atoms and those of the column that splits; none where none is telling."""
    atoms = all_tightest(columns, half, len(half))
    told = telling(atoms, len(half), left)
    own = [atom for atom in atoms if atom.column is split and atom not in told]
    return told + own if told else []


def _are_simple(atoms: Sequence[CandidateAtom]) -> bool:
    """Whether they name few values, and are not an IN and another atom of one column alone."""
    is_one_column = len({atom.column.path for atom in atoms}) == 1
    is_list = is_one_column and any(atom.form is Form.IN for atom in atoms)
    return not is_list and sum(map(_named, atoms)) <= MOST_NAMED


def _besides(
    parent: EncodedTable,
    required: Int64s,
    forbidden: Int64s,
    either: Sequence[Conjunction],
    atoms: Sequence[CandidateAtom],
) -> Conjunction | None:
    """The fewest of the atoms, and NOT INs, that exclude what either conjunction selects."""
    if not either:
        return None
    taken = forbidden[np.any([selected(one, forbidden) for one in either], axis=0)]
    rest = taken[selected(atoms, taken)]
    listed = with_lists(parent.columns, required, rest, len(required), (), is_sample=False)
    found = None if listed is None else covered((), [*atoms, *listed], taken)
    return None if found is None else shortened(found, taken)


def _may_split(sample: RowSample) -> bool:
    """Whether a column may split the required rows, so that ranges tell either half."""
    if _may_split_beside(sample.columns, sample.required, sample.left):
        return True
    left = sample.left[selected(sample.derived, sample.left)] if sample.derived else sample.left
    return len(left) < len(sample.left) and _may_split_beside(sample.columns, sample.required, left)


def _may_split_beside(columns: Sequence[EncodedColumn], required: Int64s, left: Int64s) -> bool:
    """Whether a column may split the required rows, so that ranges tell either half."""
    if not len(left):
        return True
    ours, theirs = (np.array([c.codes[rows] for c in columns]) for rows in (required, left))
    return any(
        _may_tell(_halves(columns, required, left, are_excepted)[0], ours, theirs).any()
        for are_excepted in (False, True)[: len(left) // LEFT_PER_EXCEPTION + 1]
    )


def _halves(
    columns: Sequence[EncodedColumn], required: Int64s, left: Int64s, are_excepted: bool
) -> tuple[Bools, Int64s]:
    """Masks × required rows, and the number of the column by which each splits them.

    No half is tiny. No row left is among those of a mask or, where some are excepted, few.
    """
    sizes = np.array([len(column.values) + 2 for column in columns])
    shift = (sizes.max() - sizes)[:, None]  # the last codes of all columns have one place
    ours, theirs = (np.array([c.codes[rows] + 1 for c in columns]) for rows in (required, left))
    weight = ROWS_PER_EXCEPTION if are_excepted else len(required) + 1
    gain = _counts(ours + shift, sizes.max()) - weight * _counts(theirs + shift, sizes.max())
    is_gain = np.take_along_axis(gain, ours + shift, axis=1) > 0
    np.put_along_axis(gain, shift, 0, axis=1)  # NULL is neither first nor last
    first = np.cumsum(gain, axis=1).argmax(axis=1)[:, None] - shift
    last = sizes[:, None] - 1 - np.cumsum(gain[:, ::-1], axis=1).argmax(axis=1)[:, None]
    every = np.arange(len(columns))
    found = [is_gain, (ours > NULL + 1) & (ours <= first), ours >= last]
    owners = [every] * len(found)
    for column in every[(sizes - 2 <= MOST_SPLIT_BY) & (not are_excepted)]:
        found.append(np.equal(ours[column], np.arange(sizes[column] - 1)[:, None]))
        owners.append(np.repeat(column, sizes[column] - 1))
    masks = np.concatenate(found)
    rows = np.count_nonzero(masks, axis=1)
    is_even = len(required) < MOST_UNEVEN * np.minimum(rows, len(required) - rows)
    return masks[is_even], np.concatenate(owners)[is_even]


def _counts(codes: Codes, size: int) -> Int64s:
    """Columns × codes: how many rows of the column have the code."""
    starts = size * np.arange(len(codes))[:, None]
    return np.bincount((codes + starts).ravel(), minlength=size * len(codes)).reshape(-1, size)


def _may_tell(masks: Bools, ours: Codes, theirs: Codes) -> Bools:
    """By mask, whether ranges of codes, column by column, may tell each half from the rows left.

    `ours` and `theirs` are columns × rows. Ranges of fewer rows exclude no less, so a mask that
    fails for some of the rows is not tried for all.
    """
    told = np.ones(len(masks), np.bool_)
    for step in dict.fromkeys((max(1, ours.shape[1] // FIRST_ROWS), 1)):
        some = ours[:, ::step]
        block = max(1, MOST_CELLS // max(1, some.size))
        for is_first in (True, False):
            tried = np.flatnonzero(told)
            for start in range(0, len(tried), block):
                rows = tried[start : start + block]
                told[rows] = _may_exclude(masks[rows, ::step] == is_first, some, theirs)
    return told


def _may_exclude(halves: Bools, ours: Codes, left: Codes) -> Bools:
    """By half (halves × rows), whether ranges exclude every row left but exceptions."""
    among, every = halves[:, None, :], np.iinfo(np.int32)
    low = np.where(among, ours, every.max).min(axis=2)[:, :, None]
    high = np.where(among, ours, every.min).max(axis=2)[:, :, None]
    excluded = (left < low) | (left > high)
    excluded &= ~((low == NULL) & (high > NULL))
    kept = np.count_nonzero(~excluded.any(axis=1), axis=1)
    told: Bools = kept * LEFT_PER_EXCEPTION <= left.shape[1]
    return told


def _named(atom: CandidateAtom) -> int:
    """How many values it names: of an IN, those that it leaves out where these are fewer."""
    if isinstance(atom.column.derivation, ComparedWith):
        return 0
    named = len(atom.shorter().ranks)
    if atom.form is not Form.IN:
        return named
    return max(1, min(named, len(atom.column.values) - len(atom.ranks)))
