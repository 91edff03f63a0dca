"""Candidate atoms: the tightest ones for given rows, in order of preference, and Arrow's truth.

Of each form, the tightest atom of a column holds for the given rows and for as few others as that
form can: any other atom of the form that holds for these rows holds for all of its rows, too.

An IN that names nearly every row is a list of rows. It is offered with up to 10 values, or up to
100 where the child has four rows or more for each. It counts as a row list where the child has less
than two rows for each value, and then one or two other atoms are preferred.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import Bools, Int64s, array_of, null_mask, numbers
from r2d2.recipes.grammar import (
    AnyOf,
    AtLeast,
    Atom,
    Between,
    Compare,
    Comparison,
    Equals,
    In,
    IsNan,
    IsNull,
    NotIn,
    NotNull,
    OnColumn,
    Part,
    Path,
    Remainder,
    TimePart,
)
from r2d2.recipes.literals import Literal
from r2d2.recipes.predicate.encode import NULL, Codes, ComparedWith, EncodedColumn, Worth

FREE_VALUES, MOST_VALUES = 10, 100
MOST_CELLS = 1 << 16
"""Columns × rows that are looked at in one call."""
FEW_LEFT_OUT = 3
ROWS_PER_VALUE_OF_LONG_IN, ROWS_PER_VALUE_OF_IN = 4, 2
Preference = tuple[int, ...]


class Form(IntEnum):
    """The forms of atoms, simplest first."""

    EQUALS = 0
    IS_NULL = 1
    NOT_NULL = 2
    IS_NAN = 3
    BETWEEN = 4
    AT_LEAST = 5
    IN = 6
    NOT_IN = 7


COMPARISONS = {
    frozenset({0}): Comparison.EQUAL,
    frozenset({-1, 1}): Comparison.UNEQUAL,
    frozenset({-1}): Comparison.LESS,
    frozenset({-1, 0}): Comparison.AT_MOST,
    frozenset({1}): Comparison.GREATER,
    frozenset({0, 1}): Comparison.AT_LEAST,
}


@dataclass(frozen=True, slots=True, eq=False)
class CandidateAtom:
    """An atom over ranks: the value of EQUALS, the ends of a range, all values of IN and NOT IN."""

    column: EncodedColumn
    form: Form
    ranks: tuple[int, ...] = ()
    is_row_list: bool = False

    def selects(self, codes: Codes) -> Bools:
        """The mask of these codes of the column for which the atom holds."""
        match self.form:
            case Form.EQUALS:
                return np.equal(codes, self.ranks[0])
            case Form.IS_NULL:
                return np.equal(codes, NULL)
            case Form.NOT_NULL:
                return np.not_equal(codes, NULL)
            case Form.IS_NAN:
                return np.equal(codes, len(self.column.values))
            case Form.BETWEEN:
                return np.greater_equal(codes, self.ranks[0]) & np.less_equal(codes, self.ranks[1])
            case Form.AT_LEAST:
                return np.greater_equal(codes, self.ranks[0])
            case Form.IN | Form.NOT_IN:
                listed = np.zeros(len(self.column.values) + 2, np.bool_)
                listed[list(self.ranks)] = True
                if self.form is Form.NOT_IN:
                    listed = ~listed
                    listed[NULL] = False
                return listed[codes]

    def selects_any(self, rows: Int64s) -> bool:
        """Whether the atom holds for one of the rows."""
        return bool(self.selects(self.column.codes[rows]).any())

    def atom(self) -> Atom:
        """The atom with literals instead of ranks."""
        path, of = self.column.path, self.column.derivation
        if isinstance(of, ComparedWith):
            return Compare(path, COMPARISONS[self._signs()], of.other)
        literals = tuple(map(self.column.literal, self.ranks))
        match self.form:
            case Form.EQUALS:
                return Equals(path, literals[0], of)
            case Form.IS_NULL:
                return IsNull(path)
            case Form.NOT_NULL:
                return NotNull(path)
            case Form.IS_NAN:
                return IsNan(path)
            case Form.BETWEEN:
                return Between(path, literals[0], literals[1], of)
            case Form.AT_LEAST:
                return AtLeast(path, *literals)
            case Form.IN:
                return In(path, literals, of)
            case Form.NOT_IN:
                return NotIn(path, literals, of)

    def shorter(self) -> "CandidateAtom":
        """A long IN as the NOT IN that leaves out the few other values, else the atom itself."""
        values = self.column.values
        if (
            self.form is not Form.IN
            or len(self.ranks) <= FREE_VALUES
            or pt.is_floating(values.type)
        ):
            return self
        return _few_left_out(self.column, self.ranks) or self

    def _signs(self) -> frozenset[int]:
        """The values for which the atom holds, of a column of comparisons."""
        signs = numbers(self.column.values)
        return frozenset(signs[self.selects(np.arange(len(signs), dtype=np.int32))].tolist())

    @property
    def is_sound(self) -> bool:
        """Whether it says something: not so that two columns compare in any way at all."""
        if not isinstance(self.column.derivation, ComparedWith):
            return self.column.derivation is None or bool(self.ranks)
        return bool(self.ranks) and self._signs() in COMPARISONS

    @property
    def complexity(self) -> int:
        """0 for what people write; more for an IN, and for a range of a column of many values."""
        odd = self.form >= Form.BETWEEN and self.column.worth is Worth.MANY
        return int(odd) + (self.form >= Form.IN)

    def preference(self) -> Preference:
        """Smaller is better: complexity, the column's worth, form, number of values, position."""
        column, values = self.column, len(self.ranks)
        return (self.complexity, column.worth, self.form, values, column.position)


def preference(conjunction: Sequence[CandidateAtom]) -> Preference:
    """Smaller is better: no row list, few atoms, then the sums of the atoms' preferences."""
    has_row_list = any(candidate.is_row_list for candidate in conjunction)
    columns = zip(*(candidate.preference() for candidate in conjunction), strict=True)
    return (has_row_list, len(conjunction), *map(sum, columns))


def all_tightest(
    columns: Iterable[EncodedColumn], rows: Int64s, child_rows: int
) -> list[CandidateAtom]:
    """The columns' tightest atoms that hold for these rows, at least one row."""
    every = list(columns)
    if len(every) * len(rows) > MOST_CELLS or not every:
        return [atom for c in every for atom in tightest(c, c.codes[rows], child_rows)]
    codes = np.array([column.codes[rows] for column in every])
    low, high = codes.min(axis=1).tolist(), codes.max(axis=1).tolist()
    changes = np.count_nonzero(np.diff(np.sort(codes, axis=1), axis=1), axis=1).tolist()
    return [
        atom
        for column, own, first, last, more in zip(every, codes, low, high, changes, strict=True)
        for atom in _tightest(column, own, _Extent(first, last, more + 1), child_rows)
    ]


@dataclass(frozen=True, slots=True)
class _Extent:
    """The least and the greatest of some codes, and how many differ; None if not counted yet."""

    low: int
    high: int
    distinct: int | None = None


def tightest(column: EncodedColumn, codes: Codes, child_rows: int) -> Iterator[CandidateAtom]:
    """The column's tightest atoms that hold for rows with these codes, at least one."""
    return _tightest(column, codes, _Extent(int(codes.min()), int(codes.max())), child_rows)


def _tightest(
    column: EncodedColumn, codes: Codes, extent: _Extent, child_rows: int
) -> Iterator[CandidateAtom]:
    low, high = extent.low, extent.high
    if high == NULL:
        yield CandidateAtom(column, Form.IS_NULL)
    if low == NULL:
        return
    if column.has_nulls:
        yield CandidateAtom(column, Form.NOT_NULL)
    if high < len(column.values):
        yield from _tightest_over_values(column, codes, extent, child_rows)
    elif low == high:
        yield CandidateAtom(column, Form.IS_NAN)
    else:
        yield from _at_least(column, low)


def _at_least(column: EncodedColumn, low: int) -> Iterator[CandidateAtom]:
    for rank in np.flatnonzero(column.nameable[: low + 1])[-1:].tolist():
        yield CandidateAtom(column, Form.AT_LEAST, (rank,))


def _tightest_over_values(
    column: EncodedColumn, codes: Codes, extent: _Extent, child_rows: int
) -> Iterator[CandidateAtom]:
    low, high, distinct = extent.low, extent.high, extent.distinct
    if low == high and column.nameable[low]:
        yield CandidateAtom(column, Form.EQUALS, (low,))
        return
    range_ = _tightest_range(column, low, high)
    if range_:
        yield range_
    elif pt.is_floating(column.values.type) and not column.nameable[high:].any():
        yield from _at_least(column, low)  # up to infinity
    is_listed = column.derivation is not None or (distinct or 0) <= most_values(child_rows)
    if not is_listed or (range_ and distinct == high - low + 1):
        return
    occurs = np.zeros(high - low + 1, np.bool_)
    occurs[codes - low] = True
    if not (range_ and occurs.all()):
        ranks = np.flatnonzero(occurs) + low
        listed = in_list(column, ranks, child_rows)
        if listed is None and column.derivation is not None:
            listed = _few_left_out(column, ranks)
        if listed:
            yield listed


def _tightest_range(column: EncodedColumn, low: int, high: int) -> CandidateAtom | None:
    """The tightest range that holds both ranks and whose ends can be named, None without one."""
    if column.nameable[low] and column.nameable[high]:
        return between(column, low, high)
    below = np.flatnonzero(column.nameable[: low + 1])
    above = np.flatnonzero(column.nameable[high:])
    if not len(below) or not len(above):
        return None
    return between(column, int(below[-1]), high + int(above[0]))


def between(column: EncodedColumn, low: int, high: int) -> CandidateAtom | None:
    """The range, None where its ends cannot be named or have no order."""
    nameable = column.nameable[low] and column.nameable[high]
    if not nameable or pt.is_boolean(column.values.type):
        return None
    return CandidateAtom(column, Form.BETWEEN, (low, high))


def in_list(
    column: EncodedColumn, ranks: Sequence[int] | Int64s, child_rows: int
) -> CandidateAtom | None:
    """The IN of these values in ascending order, None where it would be a list of rows."""
    count = len(ranks)
    if count > most_values(child_rows) or not column.nameable[ranks].all():
        return None
    is_row_list = count * ROWS_PER_VALUE_OF_IN > child_rows
    return CandidateAtom(column, Form.IN, tuple(int(rank) for rank in ranks), is_row_list)


def _few_left_out(column: EncodedColumn, ranks: Sequence[int] | Int64s) -> CandidateAtom | None:
    """The NOT IN of all values but these, None where they are not few."""
    others = np.setdiff1d(np.arange(len(column.values)), ranks)
    if not 0 < len(others) <= FEW_LEFT_OUT or not column.nameable[others].all():
        return None
    return CandidateAtom(column, Form.NOT_IN, tuple(others.tolist()))


def most_values(child_rows: int) -> int:
    """The longest IN for a child of so many rows."""
    return max(FREE_VALUES, min(MOST_VALUES, child_rows // ROWS_PER_VALUE_OF_LONG_IN))


def satisfied(atoms: Iterable[Atom], read: Callable[[Path], pa.Array], rows: int) -> Bools:
    """The mask of so many rows for which all atoms hold; `read` gives the columns' values."""
    mask = np.ones(rows, np.bool_)
    for atom in atoms:
        match atom:
            case AnyOf(conjunctions):
                mask &= np.any([satisfied(one, read, rows) for one in conjunctions], axis=0)
            case Compare(path, comparison, other):
                mask &= _true(_compared(read(path), comparison, read(other)))
            case _:
                mask &= holds(atom, read(atom.path))
    return mask


def holds(atom: OnColumn, column: pa.Array) -> Bools:
    """The mask of the rows of the atom's column for which it holds, by Arrow and without codes.

    NULL satisfies IS NULL alone; NaN satisfies IS NOT NULL, NOT IN, AtLeast
    and IsNan; -0.0 is 0.0.
    """
    if pt.is_null(column.type):
        return np.full(len(column), isinstance(atom, IsNull))
    return _true(_truth(atom, column))


def _true(truth: pa.Array) -> Bools:
    nulls = null_mask(truth)
    return numbers(truth) if nulls is None else numbers(truth) & ~nulls


def _truth(atom: OnColumn, column: pa.Array) -> pa.Array:
    match atom:
        case IsNull():
            return pc.is_null(column)
        case NotNull():
            return pc.is_valid(column)
        case IsNan():
            return pc.is_nan(column)
        case AtLeast(low=low):
            above = pc.greater_equal(column, _scalar(low, column.type))
            return pc.or_(above, pc.is_nan(column))
    column = column if atom.part is None else part_of(column, atom.part)
    match atom:
        case Equals(value=value):
            return pc.equal(column, _scalar(value, column.type))
        case Between(low=low, high=high):
            above = pc.greater_equal(column, _scalar(low, column.type))
            return pc.and_(above, pc.less_equal(column, _scalar(high, column.type)))
        case In(values=values):
            return _is_listed(column, values)
        case NotIn(values=values):
            return pc.and_(pc.is_valid(column), pc.invert(_is_listed(column, values)))


def _is_listed(column: pa.Array, values: tuple[Literal, ...]) -> pa.Array:
    # is_in looks up bits, by which -0.0 is not 0.0.
    zero = array_of(np.zeros(1), pa.float64())[0]
    zeroed = pc.add(column, zero.cast(column.type)) if pt.is_floating(column.type) else column
    return pc.is_in(zeroed, _listed(values, column.type))


# An atom meets thousands of batches.
@lru_cache(maxsize=1 << 12)
def _scalar(value: Literal, type_: pa.DataType) -> pa.Scalar:
    return value.scalar().cast(type_)


@lru_cache(maxsize=1 << 10)
def _listed(values: tuple[Literal, ...], type_: pa.DataType) -> pa.Array:
    return pa.concat_arrays([value.array().cast(type_) for value in values])


def part_of(column: pa.Array, part: Part) -> pa.Array:
    """The part of each value, as a whole number of 64 bits; NULL of NULL."""
    match part:
        case TimePart.MONTH:
            return pc.month(column)
        case TimePart.WEEKDAY:
            return pc.day_of_week(column, count_from_zero=False, week_start=1)
        case Remainder(divisor):
            column = column.cast(pa.int64())
            rest = array_of(np.fmod(numbers(column), divisor), pa.int64())
            if not column.null_count:
                return rest
            return pc.if_else(pc.is_valid(column), rest, pa.nulls(1, pa.int64())[0])


_COMPARED = {
    Comparison.EQUAL: pc.equal,
    Comparison.UNEQUAL: pc.not_equal,
    Comparison.LESS: pc.less,
    Comparison.AT_MOST: pc.less_equal,
    Comparison.GREATER: pc.greater,
    Comparison.AT_LEAST: pc.greater_equal,
}


def _compared(column: pa.Array, comparison: Comparison, other: pa.Array) -> pa.Array:
    if pt.is_null(column.type) or pt.is_null(other.type):
        return array_of(np.zeros(len(column), np.bool_), pa.bool_())
    return _COMPARED[comparison](column, other)
