"""What turns one sheet into a related one: contained, nearly contained, or only seemingly so."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pyarrow as pa
import pyarrow.types as pt

from tests.support.oracle.cells import (
    look_alike,
    look_alikes,
    one_cell,
    swapped_cells,
    swapped_columns,
)
from tests.support.oracle.conversions import change_type
from tests.support.oracle.random_types import random_type
from tests.support.oracle.random_values import nullable
from tests.support.oracle.sheets import Sheet, SheetColumn

MAX_ROWS = 40
NAMES = (
    *("id", "Name", "value", "x", "geo", "geo.lat", "a b", "t[12]", "`tick`", "\u03c0", "\u0130d"),
    *("straße", "%2F", "key=value", '"q"', "it's", "_hidden", ".dot", "NULL", "0", "a.b.c", "#"),
)


def derive(chance: Random, sheet: Sheet) -> Sheet:
    """The sheet after one to three random steps; none at all is a copy."""
    for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3))):
        sheet = chance.choice(STEPS)(chance, sheet)
    return sheet


def subset(chance: Random, sheet: Sheet) -> Sheet:
    """Some of the rows in their order; none, one and all of them too."""
    share = chance.choice((0.0, 0.2, 0.5, 0.5, 0.9))
    rows = [row for row in range(sheet.rows) if chance.random() < share]
    return sheet.take(rows, "subset")


def shuffled(chance: Random, sheet: Sheet) -> Sheet:
    """The rows in another order."""
    return sheet.take(chance.sample(range(sheet.rows), sheet.rows), "shuffled")


def repeated(chance: Random, sheet: Sheet) -> Sheet:
    """Rows more than once, so that a child may have more rows than its parent."""
    rows = [row for row in range(sheet.rows) for _ in range(chance.randint(1, 2))]
    return sheet.take(rows[:MAX_ROWS], "repeated")


def projected(chance: Random, sheet: Sheet) -> Sheet:
    """Some of the columns."""
    count = chance.randint(1, max(1, len(sheet.columns) - 1))
    kept = sorted(chance.sample(range(len(sheet.columns)), min(count, len(sheet.columns))))
    return sheet.with_columns([sheet.columns[position] for position in kept], "projected")


def reordered(chance: Random, sheet: Sheet) -> Sheet:
    """The columns in another order."""
    return sheet.with_columns(chance.sample(sheet.columns, len(sheet.columns)), "reordered")


def recased(chance: Random, sheet: Sheet) -> Sheet:
    """Column names in another case."""
    case = chance.choice((str.upper, str.lower, str.title))
    columns = [
        replace(c, name=case(c.name)) if case(c.name).lower() == c.name.lower() else c
        for c in sheet.columns
    ]
    return sheet.with_columns(columns, "recased")


def extended(chance: Random, sheet: Sheet) -> Sheet:
    """One column more."""
    taken = {column.name.lower() for column in sheet.columns}
    name = chance.choice([name for name in NAMES if name.lower() not in taken])
    type_ = random_type(chance)
    values = tuple(nullable(chance, type_) for _ in range(sheet.rows))
    column = SheetColumn(name, type_, values)
    return sheet.with_columns((*sheet.columns, column), f"with {name!r}")


def grown(chance: Random, sheet: Sheet) -> Sheet:
    """A few rows more."""
    more = chance.randint(1, 3)
    columns = [
        replace(c, values=(*c.values, *(nullable(chance, c.type) for _ in range(more))))
        for c in sheet.columns
    ]
    return Sheet(tuple(columns), sheet.rows + more, f"{sheet.story} | {more} rows more")


def retyped(chance: Random, sheet: Sheet) -> Sheet:
    """One column of another type."""
    if not sheet.columns:
        return sheet
    position = chance.randrange(len(sheet.columns))
    column = change_type(chance, sheet.columns[position])
    return sheet if column is None else sheet.with_column(position, column, f"{column.type}")


def emptied(chance: Random, sheet: Sheet) -> Sheet:
    """One column all NULL, perhaps of the null type."""
    if not sheet.columns:
        return sheet
    position = chance.randrange(len(sheet.columns))
    column = sheet.columns[position]
    type_ = chance.choice((column.type, pa.null()))
    return sheet.with_column(
        position, replace(column, type=type_, values=(None,) * sheet.rows), "NULLs in"
    )


def pulled_up(chance: Random, sheet: Sheet) -> Sheet:
    """A struct's fields as columns of dotted names, which are not the struct's fields."""
    for position, column in enumerate(sheet.columns):
        if pt.is_struct(column.type):
            fields = [
                SheetColumn(
                    f"{column.name}.{field.name}",
                    field.type,
                    tuple(v and v[field.name] for v in column.values),
                )
                for field in column.type
            ]
            others = [c for c in sheet.columns if c is not sheet.columns[position]]
            return sheet.with_columns([*others, *fields], "struct pulled up")
    return sheet


STEPS: tuple[Callable[[Random, Sheet], Sheet], ...] = (
    *(subset, subset, projected, projected, shuffled, repeated, reordered, recased),
    *(
        extended,
        grown,
        one_cell,
        look_alike,
        look_alikes,
        look_alikes,
        swapped_cells,
        swapped_columns,
    ),
    *(retyped, retyped, retyped, emptied, pulled_up),
)
