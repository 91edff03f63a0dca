"""A table while it is being made up: columns of plain Python values and their Arrow types.

Instants, dates and times are integers in their type's unit, so that none is out of Python's range.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """One top-level column."""

    name: str
    type: pa.DataType
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table, and how it came about, for the report of a failure."""

    columns: tuple[SheetColumn, ...]
    rows: int
    story: str

    def take(self, rows: Sequence[int], story: str) -> "Sheet":
        """The sheet with these of its rows, in this order, some perhaps more than once."""
        columns = tuple(replace(c, values=tuple(c.values[r] for r in rows)) for c in self.columns)
        return Sheet(columns, len(rows), f"{self.story} | {story}")

    def with_columns(self, columns: Iterable[SheetColumn], story: str) -> "Sheet":
        """The sheet with other columns of as many rows."""
        return Sheet(tuple(columns), self.rows, f"{self.story} | {story}")

    def with_column(self, position: int, column: SheetColumn, story: str) -> "Sheet":
        """The sheet with one column replaced."""
        columns = (*self.columns[:position], column, *self.columns[position + 1 :])
        return self.with_columns(columns, f"{story} {column.name!r}")

    def arrow(self) -> pa.Table:
        """The sheet as an Arrow table."""
        arrays = [arrow_array(column.values, column.type) for column in self.columns]
        schema = pa.schema([pa.field(column.name, column.type) for column in self.columns])
        return pa.table(arrays, schema=schema)


def arrow_array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """The values as an Arrow array of the type, with integers for anything of time."""
    if pa.types.is_dictionary(type_):
        return pa.array(values, type_.value_type).dictionary_encode().cast(type_)
    return pa.array(values, type_)
