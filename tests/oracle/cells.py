"""Steps that change single cells, most of them so that a careless reader sees nothing."""

import math
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from .random_values import nullable
from .sheets import Sheet, SheetColumn


def one_cell(chance: Random, sheet: Sheet) -> Sheet:
    """One cell with another value, perhaps NULL, perhaps the same."""
    return _in_a_cell(chance, sheet, "a cell changed", lambda c, _: nullable(chance, c.type))


def look_alike(chance: Random, sheet: Sheet) -> Sheet:
    """One cell with a value that a careless reader takes for the same."""
    return _in_a_cell(chance, sheet, "look-alike", lambda c, v: _twin(chance, c.type, v))


def swapped_cells(chance: Random, sheet: Sheet) -> Sheet:
    """Two cells of one column changed places: all statistics of the column stay."""
    if not sheet.columns or sheet.rows < 2:
        return sheet
    position = chance.randrange(len(sheet.columns))
    column = sheet.columns[position]
    values = list(column.values)
    one, other = chance.sample(range(sheet.rows), 2)
    values[one], values[other] = values[other], values[one]
    return sheet.with_column(position, replace(column, values=tuple(values)), "cells swapped in")


def swapped_columns(chance: Random, sheet: Sheet) -> Sheet:
    """In one row, or in all, two columns' values changed places where their types are one."""
    pairs = [
        (a, b)
        for a, one in enumerate(sheet.columns)
        for b, other in enumerate(sheet.columns[:a])
        if one.type == other.type
    ]
    if not pairs or not sheet.rows:
        return sheet
    a, b = chance.choice(pairs)
    rows = chance.choice((set(range(sheet.rows)), {chance.randrange(sheet.rows)}))
    one, other = sheet.columns[a], sheet.columns[b]
    ones = tuple(other.values[r] if r in rows else one.values[r] for r in range(sheet.rows))
    others = tuple(one.values[r] if r in rows else other.values[r] for r in range(sheet.rows))
    changed = sheet.with_column(a, replace(one, values=ones), "values swapped in")
    return changed.with_column(b, replace(other, values=others), "and")


def _in_a_cell(
    chance: Random, sheet: Sheet, story: str, change: Callable[[SheetColumn, Any], Any]
) -> Sheet:
    if not sheet.columns or not sheet.rows:
        return sheet
    position, row = chance.randrange(len(sheet.columns)), chance.randrange(sheet.rows)
    column = sheet.columns[position]
    values = list(column.values)
    values[row] = change(column, values[row])
    return sheet.with_column(position, replace(column, values=tuple(values)), story)


def _twin(chance: Random, type_: pa.DataType, value: Any) -> Any:
    """Another value that is often mistaken for this one, or that is the same one."""
    if pt.is_dictionary(type_):
        return _twin(chance, type_.value_type, value)
    if type_ in (pa.string(), pa.large_string(), pa.string_view()):
        text = "NULL" if value is None else value
        forms = (unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))
        return chance.choice((text + " ", text + "\0", *forms, "", None))
    if pt.is_floating(type_):
        return chance.choice((math.nan, None, -0.0, 0.0, value if value is None else -value))
    if pt.is_list(type_) or pt.is_large_list(type_):
        return chance.choice((None, [], [None], (value or [])[::-1], [*(value or []), None]))
    if pt.is_struct(type_):
        nothing = {field.name: None for field in type_}
        return chance.choice((None, nothing, {**(value or nothing), type_[0].name: None}))
    if pt.is_map(type_):
        return chance.choice((None, [], (value or [])[::-1], (value or [])[1:]))
    return None
