"""Constants: the one value of a column, proved from its rows and given back with its type.

A constant's text is a literal's, but NULL, NaN, infinities and -0.0 are constants, too, and no
atom compares with them: they come back bit by bit. A column of a type that literals do not know is
constant only where all of it is NULL.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from r2d2.arrays import array_of, dtype_of, fixed_values
from r2d2.formats.bounds import nested
from r2d2.formats.uniform import identical, plain_array
from r2d2.model import Column, UnmatchedColumn, Why
from r2d2.recipes.literals import Literal, RecipeError, type_named

UNTYPED = "null"


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


def _type_of_null(type_: pa.DataType) -> str:
    name = {pa.large_string(): "string", pa.large_binary(): "binary"}.get(type_, str(type_))
    try:
        return str(type_named(name))
    except RecipeError:
        return UNTYPED


def constant_of(values: pa.Array) -> Constant | None:
    """The one value that all of these are, of which there is one at least; None for several."""
    nulls = values.null_count
    if nulls not in (0, len(values)) and not _may_hide_nulls(values.type):
        return None
    values = plain_array(values)
    one = values.slice(0, 1)
    if not _all_are(values, one):
        return None
    try:
        return Constant.of(one)
    except RecipeError:
        return None


def _may_hide_nulls(type_: pa.DataType) -> bool:
    return bool(pt.is_dictionary(type_) or pt.is_run_end_encoded(type_))


def _all_are(values: pa.Array, one: pa.Array) -> bool:
    if values.null_count or pt.is_null(values.type):
        return bool(values.null_count == len(values))
    if pt.is_nested(values.type):
        return False
    last = values.slice(len(values) - 1)
    if not identical(one, last):
        return False
    if pt.is_floating(values.type):
        bits = fixed_values(values, f"u{values.type.bit_width // 8}")
        return bool((bits == bits[0]).all())
    return identical(values, pa.repeat(one[0], len(values)))


def single_values(
    batches: Iterable[pa.RecordBatch], columns: Sequence[Column]
) -> tuple[int, dict[str, Constant | None]]:
    """The rows read, and each column's one value, None where it has several.

    Reading ends where no column is left that has one.
    """
    found: dict[str, Constant | None] = {}
    left, rows = list(columns), 0
    for batch in batches:
        if not batch.num_rows:
            continue
        rows += batch.num_rows
        for column in left:
            one = constant_of(nested(batch, column.path))
            found[column.name] = one if found.get(column.name, one) == one else None
        left = [column for column in left if found[column.name] is not None]
        if not left:
            break
    return rows, found


def in_all_parts(parts: Sequence[Mapping[str, Constant | None]]) -> dict[str, UnmatchedColumn]:
    """The columns that hold the same one value in all parts of a table, which have rows."""
    found = {}
    for name, one in parts[0].items():
        if one is not None and all(part[name] == one for part in parts):
            found[name] = UnmatchedColumn(name, Why.CONSTANT, one.type, one.text)
    return found
