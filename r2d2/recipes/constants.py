"""Constants and row numbers: columns that need no parent, proved from all rows.

A constant's text is a literal's, but NULL, NaN, infinities and -0.0 are constants, too, and no
atom compares with them: they come back bit by bit. A column of a type that literals do not know is
constant only where all of it is NULL.

Row numbers are what pandas writes as an index that nobody chose: 0, 1, 2, … in the rows' order. Of
rows that were filtered, pandas writes the numbers that they had: an index, ascending, with gaps. No
recipe gives it: nothing tells whether a parent's rows still stand where the filter met them.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import array_of, dtype_of, fixed_values
from r2d2.formats.bounds import nested
from r2d2.formats.uniform import identical, plain_array
from r2d2.model import Column, Table, UnmatchedColumn, Why
from r2d2.recipes.literals import Literal, RecipeError, type_named

UNTYPED = "null"
_INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+|", re.ASCII)
_MOST_DIGITS = 18
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@dataclass(frozen=True, slots=True)
class Constant:
    """One value: `type` is Arrow's name of its type, `text` its only text, None for NULL.

    The type of a NULL is `null` where literals have no name for it.
    """

    type: str
    text: str | None

    @classmethod
    def of(cls, one: pa.Array) -> "Constant":
        """The constant of an array of one plain value.

        Raises:
            RecipeError: literals do not know its type, or NaN has bits of its own.
        """
        if one.null_count:
            return cls(_type_of_null(one.type), None)
        if not pt.is_floating(one.type):
            literal = Literal.of(one[0])
            return cls(literal.type, literal.text)
        found = cls(str(one.type), repr(one[0].as_py()))
        if not identical(found.array(1), one):
            raise RecipeError(f"{found.text} of type {one.type} has bits that no text has")
        return found

    @property
    def not_finite(self) -> str | None:
        """NaN or an infinity by its name in SQL; None for others."""
        is_float = self.type in ("float", "double")
        return _NOT_FINITE.get(self.text or "") if is_float else None

    def array(self, rows: int) -> pa.Array:
        """An array that holds the value so often.

        Raises:
            RecipeError: the type is unknown, or the text is not the one text of a value of it.
        """
        if self.text is None:
            type_ = pa.null() if self.type == UNTYPED else type_named(self.type)
            return pa.nulls(rows, type_)
        return pa.repeat(self._one(self.text)[0], rows)

    def _one(self, text: str) -> pa.Array:
        type_ = type_named(self.type)
        if not pt.is_floating(type_):
            return Literal(self.type, text).array()
        try:
            value = float(text)
        except ValueError as error:
            raise RecipeError(f"{text[:80]!r} is no {self.type}") from error
        with np.errstate(over="ignore"):
            one = array_of(np.array([value], dtype_of(type_)), type_)
        if repr(one[0].as_py()) != text or (math.isnan(value) and text != "nan"):
            raise RecipeError(f"{text[:80]!r} is not how a {self.type} is written")
        return one


@dataclass(frozen=True, slots=True)
class RowNumber:
    """The number of each row, from 0 on, in the type of that name: an integer's, or `string`."""

    type: str

    def array(self, first: int, rows: int) -> pa.Array:
        """The numbers of so many rows from a first one on.

        Raises:
            RecipeError: a number is beyond the type, or the type has none.
        """
        type_ = type_named(self.type)
        numbers = array_of(np.arange(first, first + rows, dtype=np.int64), pa.int64())
        if not (pt.is_integer(type_) or pt.is_string(type_)):
            raise RecipeError(f"no row number is a {self.type}")
        try:
            return numbers.cast(type_)
        except pa.ArrowInvalid as error:
            raise RecipeError(f"row {first + rows - 1} is beyond {self.type}") from error


@dataclass(frozen=True, slots=True)
class IndexedRows:
    """So many rows of ascending whole numbers, each once, with the first and the last."""

    type: str
    first: int
    last: int
    rows: int

    @classmethod
    def of(cls, values: pa.Array) -> "IndexedRows | None":
        """The values, of which there is one at least, if they are such numbers; None otherwise."""
        values = plain_array(values)
        is_text = pt.is_string(values.type) or pt.is_large_string(values.type)
        if values.null_count or not (is_text or pt.is_integer(values.type)):
            return None
        type_ = "string" if is_text else str(values.type)
        ends = [str(values[place].as_py()) for place in (0, len(values) - 1)]
        if not all(e.isascii() and e.isdecimal() and len(e) < _MOST_DIGITS for e in ends):
            return None
        try:
            numbers = values.cast(pa.int64())
        except pa.ArrowInvalid:
            return None
        found = fixed_values(numbers, "i8")
        if not bool((found[1:] > found[:-1]).all()):
            return None
        if is_text and not identical(values, numbers.cast(values.type)):
            return None  # 007 is no number as an index is written
        return cls(type_, int(ends[0]), int(ends[1]), len(values))

    @property
    def numbers_rows(self) -> bool:
        """Whether they are 0, 1, 2, …: ascending numbers from 0 on without a gap."""
        return self.first == 0 and self.last == self.rows - 1

    def followed_by(self, more: "IndexedRows") -> "IndexedRows | None":
        """The rows of both, where these come next."""
        if self.type != more.type or more.first <= self.last:
            return None
        return IndexedRows(self.type, self.first, more.last, self.rows + more.rows)


Found = Constant | IndexedRows | None
"""A column's one value, or its rows of an index; None for any other column."""


def candidates(table: Table) -> tuple[Column, ...]:
    """The columns that hold one value for all that their bounds say, and indices."""
    several = {
        name
        for name, known in table.bounds.items()
        if known.has_values and (known.has_nulls or known.min_high < known.max_low)
    }
    return tuple(c for c in table.columns if c.name not in several or is_index(c.name))


def is_index(name: str) -> bool:
    """Whether pandas, or who reads what it wrote, calls an index so that nobody named."""
    return _INDEX.fullmatch(name) is not None


def _type_of_null(type_: pa.DataType) -> str:
    name = {pa.large_string(): "string", pa.large_binary(): "binary"}.get(type_, str(type_))
    try:
        return str(type_named(name))
    except RecipeError:
        return UNTYPED


def constant_of(values: pa.Array) -> Constant | None:
    """The one value that all of these are, of which there is one at least; None for several.

    None, too, for what Arrow does not compare.
    """
    try:
        if pt.is_dictionary(values.type):  # a long word is not written out for each row
            values = values.dictionary.take(values.indices.unique())
        values = plain_array(values)
        one = values.slice(0, 1)
        return Constant.of(one) if _all_are(values, one) else None
    except (RecipeError, pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return None


def _all_are(values: pa.Array, one: pa.Array) -> bool:
    if values.null_count or pt.is_null(values.type):
        return bool(values.null_count == len(values))
    if pt.is_nested(values.type) or not identical(one, values.slice(len(values) - 1)):
        return False
    if pt.is_floating(values.type):
        bits = fixed_values(values, f"u{values.type.bit_width // 8}")
        return bool((bits == bits[0]).all())
    return bool(pc.all(pc.equal(values, one[0])).as_py())


def single_values(
    batches: Iterable[pa.RecordBatch], columns: Sequence[Column]
) -> tuple[int, dict[str, Found]]:
    """The rows read, and what they say of each column.

    Reading ends where no column is left that has one value, or is an index.
    """
    found: dict[str, Found] = {}
    left, rows = list(columns), 0
    for batch in batches:
        if not batch.num_rows:
            continue
        for column in left:
            more = _found_in(nested(batch, column.path), column.name)
            found[column.name] = _together(found[column.name], more) if rows else more
        rows += batch.num_rows
        left = [column for column in left if found[column.name] is not None]
        if not left:
            break
    return rows, found


def _found_in(values: pa.Array, name: str) -> Found:
    indexed = IndexedRows.of(values) if is_index(name) else None
    return constant_of(values) if indexed is None else indexed


def _together(one: Found, more: Found) -> Found:
    if isinstance(one, IndexedRows) and isinstance(more, IndexedRows):
        return one.followed_by(more)
    return one if one == more else None


def in_all_parts(parts: Sequence[Mapping[str, Found]]) -> dict[str, UnmatchedColumn]:
    """The columns that the parts of a table, which all have rows, prove to need no parent.

    Parts come in any order; the numbers of each begin after another's end.
    """
    found = {}
    for name in parts[0]:
        every = [part[name] for part in parts]
        indexed = [part for part in every if isinstance(part, IndexedRows)]
        if len(indexed) == len(every):
            indexed.sort(key=lambda part: part.first)
            whole: Found = indexed[0]
            for part in indexed[1:]:
                whole = _together(whole, part)
            if isinstance(whole, IndexedRows):
                why = Why.ROW_NUMBER if whole.numbers_rows else Why.INDEX
                found[name] = UnmatchedColumn(name, why, whole.type)
        elif isinstance(every[0], Constant) and all(part == every[0] for part in every):
            one = every[0]
            found[name] = UnmatchedColumn(name, Why.CONSTANT, one.type, one.text)
    return found


def source_of(column: UnmatchedColumn) -> Constant | RowNumber:
    """What gives the column's values back, of one that a recipe can give."""
    if column.why is Why.ROW_NUMBER:
        return RowNumber(column.type)
    return Constant(column.type, column.text)
