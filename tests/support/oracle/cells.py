"""Steps that change single cells, most of them so that a careless reader sees nothing."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pyarrow.types as pt

from tests.support.oracle.random_values import nullable
from tests.support.oracle.sheets import Sheet, SheetColumn
from tests.support.oracle.twins import twin


def one_cell(chance: Random, sheet: Sheet) -> Sheet:
    """One cell with another value, perhaps NULL, perhaps the same."""
    return _in_a_cell(chance, sheet, "a cell changed", lambda c, _: nullable(chance, c.type))


def look_alike(chance: Random, sheet: Sheet) -> Sheet:
    """One cell with a value that a careless reader takes for the same."""
    return _in_a_cell(chance, sheet, "look-alike", lambda c, v: twin(chance, c.type, v))


def look_alikes(chance: Random, sheet: Sheet) -> Sheet:
    """A whole column of such values, most of its neighbours as they were."""
    if not sheet.columns:
        return sheet
    nested = [p for p, column in enumerate(sheet.columns) if pt.is_nested(column.type)]
    position = chance.choice(nested or range(len(sheet.columns)))
    column = sheet.columns[position]
    values = tuple(twin(chance, column.type, value) for value in column.values)
    return sheet.with_column(position, replace(column, values=values), "look-alikes in")


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
