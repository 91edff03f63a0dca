"""Tables to make children of: their rows have no order, and no column follows from another."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from hashlib import sha256
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ROWS = 120
CITIES = ("Lima", "Oslo", "Rome", "Kyiv", "Bern")
FIRST_DAY = date(1900, 1, 1)
DAYS = 40
Holds = Callable[[Any], bool]


def base(salt: int, rows: int = ROWS) -> pa.Table:
    """A table whose values are in no table of another salt, but for NULL in `flag`.

    Five cities, thirty days, three flags and NULL; numbers, prices and notes occur once each.
    """
    chance = Random(salt)
    numbers = [100_000 * salt + number for number in range(rows)]
    cities = [f"{CITIES[number % 5]}{salt}" for number in range(rows)]
    days = [FIRST_DAY + timedelta(DAYS * salt + number % 30) for number in range(rows)]
    flags = [f"{'abc'[number % 3]}{salt}" if number % 4 else None for number in range(rows)]
    prices = [100_000.0 * salt + number / 8 for number in range(rows)]
    for column in (numbers, cities, days, flags, prices):
        chance.shuffle(column)
    return pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "city": cities,
            "day": pa.array(days, pa.date32()),
            "flag": pa.array(flags, pa.string()),
            "price": prices,
            "note": [sha256(f"{salt} {number}".encode()).hexdigest() * 3 for number in range(rows)],
        }
    )


def where(table: pa.Table, column: str, holds: Holds) -> pa.Table:
    """The rows for whose value of the column it holds."""
    return table.filter(pa.array([holds(value) for value in table[column].to_pylist()]))


def is_in(*names: str) -> Holds:
    """Whether a city or flag is one of these, whatever its salt."""
    return lambda value: value is not None and value.rstrip("0123456789") in names


def first_days(count: int) -> Holds:
    """Whether a day is one of the table's first so many."""
    return lambda day: (day - FIRST_DAY).days % DAYS < count


def others(table: pa.Table, rows: pa.Table) -> pa.Table:
    """The table's rows with none of the notes of these."""
    return table.filter(pc.invert(pc.is_in(table["note"], value_set=rows["note"].combine_chunks())))


def plus(*tables: pa.Table) -> pa.Table:
    """The rows of all."""
    return pa.concat_tables(tables)


def put(table: pa.Table, column: str, values: Sequence[object]) -> pa.Table:
    """The table with other values of the column."""
    place = table.column_names.index(column)
    return table.set_column(place, column, pa.array(values, table.schema.field(column).type))


def changed(table: pa.Table, rows: int = 1) -> pa.Table:
    """The table with so many notes that no other table has."""
    notes = table["note"].to_pylist()
    strange = [note[::-1] for note in notes[:rows]]
    return put(table, "note", strange + notes[rows:])


def shuffled(table: pa.Table) -> pa.Table:
    """The rows in another order."""
    order = list(range(table.num_rows))
    Random(0).shuffle(order)
    return table.take(order)


def with_numbers(table: pa.Table) -> pa.Table:
    """The table with another `id` in each row."""
    numbers = list(range(table.num_rows))
    Random(1).shuffle(numbers)
    first = min(table["id"].to_pylist())
    return put(table, "id", [first + number for number in numbers])


def less_one(table: pa.Table) -> pa.Table:
    """The table without a row that no range of a column can leave out alone."""
    depths = []
    for column in table.columns:
        values = [(value is not None, value) for value in column.to_pylist()]
        order = sorted(set(values))
        if len(order) > len(CITIES):
            depths.append([min(order.index(v), len(order) - 1 - order.index(v)) for v in values])
    depth = list(map(min, zip(*depths, strict=True)))
    row = depth.index(max(depth))
    return plus(table.slice(0, row), table.slice(row + 1))
