"""Conditions of rarer kinds, tried where no conjunction of the usual atoms is found.

| kind | how it is found |
|---|---|
| a month, a weekday, a remainder | a column derived of another, with the atoms of any column |
| two columns compared | a derived column of their signs: -1, 0 or 1 |
| a struct or list that is NULL or not | a column of which only that is known |
| NOT IN, `<>` | of the values that no required row has, those of the rows that all else leaves |

A forbidden row that the usual atoms leave must be excluded by one of these. So they are tried on a
sample of such rows first; few children have no predicate of the usual atoms and pass it.

All residues are equal by the greatest common divisor of the differences of a column's values, and
by its divisors alone (Euclid): it is tried besides the divisors that people like.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import Int64s, array_of, numbers
from r2d2.recipes.grammar import Part, Remainder, TimePart
from r2d2.recipes.predicate.atoms import CandidateAtom, Form, all_tightest, most_values, part_of
from r2d2.recipes.predicate.columns import EncodedTable
from r2d2.recipes.predicate.encode import (
    NULL,
    Codes,
    ComparedWith,
    Derivation,
    EncodedColumn,
    Worth,
    is_of_one_calendar,
    ranks,
)
from r2d2.recipes.predicate.set_cover import covered, row_left_near, selected, spread

SAMPLES = ((1 << 8, 3 << 4), (1 << 10, 1 << 8))
"""Of required rows and of forbidden ones: most searches end with the first."""
EXPECTED = 0.5
MOST_LISTED, FREE_LISTED, ROWS_PER_LISTED, ROWS_PER_ACCIDENT = 10, 3, 2, 20
DIVISORS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 24, 32, 50, 60, 64, 100, 1000)
MOST_DIVISOR, LEAST_ROWS_OF_DIVISOR = 10_000, 8
WORD, MOST_COMPARED = 64, 40
Derived = tuple[int, Derivation]
Numbers = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class RowSample:
    """Some rows of a parent, first required ones and then forbidden ones."""

    columns: tuple[EncodedColumn, ...]
    required: Int64s
    forbidden: Int64s
    child_rows: int

    @cached_property
    def usual(self) -> list[CandidateAtom]:
        """The tightest atoms of all columns."""
        return all_tightest(self.columns, self.required, self.child_rows)

    @cached_property
    def left(self) -> Int64s:
        """The forbidden rows for which all of these hold."""
        return self.forbidden[selected(self.usual, self.forbidden)]

    @cached_property
    def derived(self) -> list[CandidateAtom]:
        """The atoms of derived columns that exclude some of these; of all where none is left."""
        probed = self.left if len(self.left) else self.forbidden
        return derived_atoms(self.columns, self.required, probed, self.child_rows)

    @cached_property
    def may_have_rarer(self) -> bool:
        """Whether atoms of rarer kinds may exclude all rows left."""
        rows = self.columns, self.required, self.left, self.child_rows
        return not self.columns or with_lists(*rows, self.derived, is_sample=True) is not None


def sample_of(
    parent: EncodedTable,
    required: Int64s,
    forbidden: Int64s,
    sizes: tuple[int, int] = SAMPLES[0],
    is_encoded: bool = False,
) -> RowSample:
    """At most so many rows of each kind: of one part of a large parent that is not encoded yet."""
    part, child_rows = None, len(required)
    if not (parent.is_small or is_encoded):
        part = parent.seen_part(required, forbidden)
        part = parent.part_of(row_left_near(required, forbidden)) if part is None else part
        required, forbidden = parent.within(part, required), parent.within(part, forbidden)
    shown = [spread(required, sizes[0]), spread(forbidden, sizes[1])]
    places = np.arange(sum(map(len, shown)))
    columns = parent.sample(part, np.concatenate(shown)) if all(map(len, shown)) else ()
    return RowSample(columns, places[: len(shown[0])], places[len(shown[0]) :], child_rows)


def find_rarer(
    parent: EncodedTable, required: Int64s, forbidden: Int64s, first: RowSample
) -> tuple[CandidateAtom, ...] | None:
    """The fewest atoms of any kind that select the required rows and none of the forbidden ones.

    `first` is a sample of them, no row of which is partial.
    """
    rows = parent, required, forbidden
    if not first.may_have_rarer or not sample_of(*rows, SAMPLES[1]).may_have_rarer:
        return None
    usual = all_tightest((*parent.columns, *parent.others), required, len(required))
    left = forbidden[selected(usual, forbidden)]
    probed = left if len(left) else forbidden
    sample = sample_of(parent, required, probed, SAMPLES[1], is_encoded=True)
    if not sample.may_have_rarer:
        return None
    wanted = derivations(sample.derived)
    derived = derived_atoms(parent.columns, required, left, len(required), wanted)
    for some in (derived, [])[: 1 + bool(derived)]:
        rarer = with_lists(parent.columns, required, left, len(required), some, is_sample=False)
        found = None if rarer is None else covered((), [*usual, *rarer], forbidden)
        if found is not None:
            return shortened(found, forbidden)
    return None


def with_lists(
    columns: Sequence[EncodedColumn],
    required: Int64s,
    left: Int64s,
    child_rows: int,
    derived: Sequence[CandidateAtom],
    is_sample: bool,
) -> list[CandidateAtom] | None:
    """These atoms and NOT INs, which exclude all rows left between them; None where none do."""
    left = left[selected(derived, left)]
    every = (*columns, *dict.fromkeys(atom.column for atom in derived))
    usable = [column for column in every if _may_be_unlisted(column, required)]
    expected = [_expected(column, required, child_rows, is_sample) for column in usable]
    listed = _not_in(usable, expected, left, child_rows)
    if listed is None:
        return None
    whole = (_all_absent(*pair, child_rows) for pair in zip(usable, expected, strict=True))
    return [*derived, *listed, *filter(None, whole)]


def derived_atoms(
    columns: Sequence[EncodedColumn],
    required: Int64s,
    probed: Int64s,
    child_rows: int,
    wanted: Collection[Derived] | None = None,
) -> list[CandidateAtom]:
    """The tightest atoms of derived columns, but those that hold for all rows probed."""
    derived = _derived_columns(columns, required, probed, child_rows, wanted)
    return [
        atom
        for atom in all_tightest(derived, required, child_rows)
        if atom.is_sound and not (len(probed) and atom.selects(atom.column.codes[probed]).all())
    ]


def derivations(atoms: Collection[CandidateAtom]) -> set[Derived]:
    """The derived columns of the atoms."""
    return {(c.column.position, c.column.derivation) for c in atoms if c.column.derivation}


def _not_in(
    usable: Sequence[EncodedColumn], expected: Sequence[Numbers], left: Int64s, child_rows: int
) -> list[CandidateAtom] | None:
    """NOT INs that exclude all rows left: the value that most of them have is taken first.

    `expected` is of each column by code, as `_expected` gives it. A value of one row left, which
    the child would hardly have anyway, may be missing by accident: few are taken, beside others.
    """
    chosen: dict[int, list[int]] = {}
    count, accidents, longest = 0, 0, _longest_list(len(left), child_rows)
    while len(left):
        best = (0, False, 0, False, 0.0, 0, 0)
        for place, column in enumerate(usable):
            codes = column.codes[left]
            counts = np.bincount(codes[expected[place][codes] > 0], minlength=1)
            code, chance = int(counts.argmax()), expected[place][counts.argmax()]
            more = chance >= EXPECTED, int(counts.sum()), place in chosen, chance
            best = max(best, (int(counts[code]), *more, -place, code))
        excluded, is_expected, *_, place, code = best
        place, count = -place, count + 1
        accidents += excluded < ROWS_PER_LISTED and not is_expected
        most = min(FREE_LISTED, child_rows // ROWS_PER_ACCIDENT, count - 1)
        # No value to come excludes more rows than this one.
        if accidents > most or len(left) > excluded * (1 + longest - count):
            return None
        chosen.setdefault(place, []).append(code)
        left = left[usable[place].codes[left] != code]
    return [
        CandidateAtom(usable[place], Form.NOT_IN, tuple(sorted(codes)))
        for place, codes in chosen.items()
    ]


def _longest_list(rows: int, child_rows: int) -> int:
    """The most values of NOT INs: few, and not one for nearly every row excluded or left."""
    most = max(FREE_LISTED, rows // ROWS_PER_LISTED)
    return min(MOST_LISTED, most, child_rows // ROWS_PER_LISTED)


def _may_be_unlisted(column: EncodedColumn, required: Int64s) -> bool:
    is_comparison = isinstance(column.derivation, ComparedWith)
    return not is_comparison and bool((column.codes[required] != NULL).all())


def _expected(column: EncodedColumn, required: Int64s, child_rows: int, is_sample: bool) -> Numbers:
    """By code, how many rows a child of so many rows would have of the value, were it by chance.

    0 for a value that a required row has or that may not be named, and for one of a single row of
    the parent: it names the row, and says nothing of others. Of a sample no such numbers are known.
    """
    absent = np.append(column.nameable, (False, False))
    absent[column.codes[required]] = False
    expected = np.where(absent, 1.0, 0.0)
    if not is_sample and absent.any():
        counts = np.bincount(column.codes[column.codes != NULL], minlength=len(absent))
        expected *= np.where(counts > 1, counts * child_rows / len(column.codes), 0)
    return expected


def _all_absent(column: EncodedColumn, expected: Numbers, child_rows: int) -> CandidateAtom | None:
    """The NOT IN of all values that the child would be expected to have; None where many."""
    codes = np.flatnonzero(expected >= EXPECTED)
    if not 0 < len(codes) <= MOST_LISTED or len(codes) * ROWS_PER_LISTED > child_rows:
        return None
    return CandidateAtom(column, Form.NOT_IN, tuple(codes.tolist()))


def shortened(found: Sequence[CandidateAtom], forbidden: Int64s) -> tuple[CandidateAtom, ...]:
    """The atoms, each NOT IN without the values that the others exclude."""
    atoms = list(found)
    for place, atom in enumerate(atoms):
        if atom.form is Form.NOT_IN:
            left = forbidden[selected([*atoms[:place], *atoms[place + 1 :]], forbidden)]
            codes = np.intersect1d(atom.column.codes[left], atom.ranks)
            atoms[place] = replace(atom, ranks=tuple(codes.tolist()))
    return tuple(atom for atom in atoms if atom.form is not Form.NOT_IN or atom.ranks)


def _derived_columns(
    columns: Sequence[EncodedColumn],
    required: Int64s,
    left: Int64s,
    child_rows: int,
    wanted: Collection[Derived] | None,
) -> Iterator[EncodedColumn]:
    if wanted is None:
        for column in columns:
            for part in _parts(column, required, left, child_rows):
                yield _by_part(column, part)
        yield from islice(_compared_columns(columns, required, left), MOST_COMPARED)
        return
    by_path = {column.path: column for column in columns}
    for column in columns:
        for position, derivation in sorted(wanted, key=str):
            if position != column.position:
                continue
            if isinstance(derivation, ComparedWith):
                yield _compared(column, by_path[derivation.other])
            else:
                yield _by_part(column, derivation)


def _by_part(column: EncodedColumn, part: Part) -> EncodedColumn:
    values, places = ranks(pa.chunked_array([part_of(column.values, part)]))
    codes: Codes = np.append(places, NULL)[column.codes]
    return _column(column, values, codes, part)


def _column(
    column: EncodedColumn, values: pa.Array, codes: Codes, derivation: Derivation
) -> EncodedColumn:
    return replace(
        column,
        codes=codes,
        values=values,
        nameable=np.ones(len(values), np.bool_),
        worth=Worth.MANY,
        has_nulls=False,
        derivation=derivation,
    )


def _parts(
    column: EncodedColumn, required: Int64s, left: Int64s, child_rows: int
) -> Iterator[Part]:
    """The parts of the column that may be of use."""
    type_ = column.values.type
    if pt.is_date(type_) or (pt.is_timestamp(type_) and type_.tz is None):
        if is_of_one_calendar(column.values):
            yield from TimePart
    elif pt.is_integer(type_) and type_ != pa.uint64() and len(column.values) > 1:
        known = numbers(column.values).astype(np.int64)
        codes = column.codes[required]
        if (codes == NULL).any():
            return
        ours, theirs = known[codes], known[column.codes[left]]
        longest = most_values(child_rows)
        divisors = [d for d in DIVISORS if d * ROWS_PER_LISTED <= child_rows]
        common = int(np.gcd.reduce(ours - ours[0]))
        if child_rows >= LEAST_ROWS_OF_DIVISOR and 1 < common <= MOST_DIVISOR:
            divisors.append(common)
        yield from map(Remainder, _useful_divisors(ours, theirs, divisors, longest))


def _useful_divisors(
    ours: Int64s, theirs: Int64s, divisors: Sequence[int], longest: int
) -> Iterator[int]:
    """The divisors by which remainders of the others are told from those of the required rows."""
    small = np.array([divisor for divisor in divisors if divisor <= WORD], np.int64)
    bits = [
        np.uint64(1) << np.abs(np.fmod(n[:, None], small)).astype(np.uint64) for n in (ours, theirs)
    ]
    occur = np.bitwise_or.reduce(bits[0], axis=0)
    of_use = set(small[(bits[1] & ~occur).any(axis=0)].tolist())
    for divisor in (d for d in dict.fromkeys(divisors) if d in of_use or d > WORD):
        rest, other = np.fmod(ours, divisor), np.fmod(theirs, divisor)
        occurs = np.zeros(2 * divisor, np.bool_)  # -1 is the last
        occurs[rest] = True
        if occurs[other].all():
            continue
        low, high, distinct = int(rest.min()), int(rest.max()), np.count_nonzero(occurs)
        absent = high - low + 1 - distinct
        is_listed = distinct <= min(longest, divisor // 2) or absent <= FREE_LISTED
        if is_listed or (other < low).any() or (other > high).any():
            yield divisor


def _compared_columns(
    columns: Sequence[EncodedColumn], required: Int64s, left: Int64s
) -> Iterator[EncodedColumn]:
    """For each two columns of one type, their signs, if those of the rows left are others."""
    by_type: dict[pa.DataType, list[EncodedColumn]] = defaultdict(list)
    for column in columns:
        if _is_comparable(column, required):
            by_type[column.values.type].append(column)
    for alike in (columns for columns in by_type.values() if len(columns) > 1 and len(left)):
        rows = np.concatenate([required, left])
        shown = np.array(_together([column.codes[rows] for column in alike], alike))
        for place, one in enumerate(alike[:-1]):
            signs = _signs(shown[place], shown[place + 1 :])
            ours, others = signs[:, : len(required)], signs[:, len(required) :]
            differ = (others.min(axis=1) < ours.min(axis=1)) | (
                others.max(axis=1) > ours.max(axis=1)
            )
            differ |= (others == 0).any(axis=1) & (ours != 0).all(axis=1)
            for other in np.flatnonzero(differ):
                yield _compared(one, alike[place + 1 + other])


def _is_comparable(column: EncodedColumn, required: Int64s) -> bool:
    """Whether the column's values have an order, and those of the required rows are all known."""
    type_ = column.values.type
    if pt.is_boolean(type_) or pt.is_large_binary(type_) or not len(column.values):
        return False
    # NaN compares in other ways by engine.
    has_nan = pt.is_floating(type_) and bool((column.codes == len(column.values)).any())
    return not has_nan and bool((column.codes[required] != NULL).all())


def _together(codes: Sequence[Codes], columns: Sequence[EncodedColumn]) -> list[Numbers]:
    """What has the order of the columns' values, which are of one type, for these codes of each.

    What stands for NULL means nothing.
    """
    type_ = columns[0].values.type
    if pt.is_integer(type_) or pt.is_floating(type_) or pt.is_temporal(type_):
        ordered = [numbers(column.values) for column in columns]
    else:
        every = pa.concat_arrays([column.values for column in columns])
        places = numbers(pc.rank(every, "ascending", tiebreaker="dense")).astype(np.int64)
        ordered = np.split(places, np.cumsum([len(column.values) for column in columns])[:-1])
    return [part[one] for part, one in zip(ordered, codes, strict=True)]


def _signs(one: Numbers, other: Numbers) -> npt.NDArray[np.int8]:
    return np.greater(one, other).astype(np.int8) - np.less(one, other).astype(np.int8)


def _compared(one: EncodedColumn, other: EncodedColumn) -> EncodedColumn:
    signs = _signs(*_together((one.codes, other.codes), (one, other)))
    known = (one.codes != NULL) & (other.codes != NULL)
    values = np.unique(signs[known])
    codes = np.where(known, np.searchsorted(values, signs), NULL).astype(np.int32)
    return _column(
        one, array_of(values.astype(np.int64), pa.int64()), codes, ComparedWith(other.path)
    )
