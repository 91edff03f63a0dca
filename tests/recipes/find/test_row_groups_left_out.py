"""Row groups that are left out by their statistics hold no row that the predicate selects."""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from r2d2.lake.inventory import read_split, take_inventory
from r2d2.model import Table
from r2d2.recipes.find.reading import ReadMeter
from r2d2.recipes.grammar import Atom, Between, Equals, Field, In, Output, Remainder
from r2d2.recipes.literals import Literal
from r2d2.recipes.run import output_rows
from r2d2.settings.find import Settings
from r2d2.storage import storage_of

ROWS, GROUP = 4000, 2048
DAY = datetime.date(2020, 1, 1)
VALUES: dict[str, tuple[pa.DataType, Any]] = {
    "whole": (pa.int32(), lambda n: n - 50),
    "wide": (pa.uint64(), lambda n: 2**63 + n),
    "real": (pa.float64(), lambda n: float("nan") if n % 7 == 0 else -0.0 if n == 50 else n / 8),
    "text": (pa.string(), lambda n: f"the same long beginning {n:03}" if n % 2 else f"{n:03}ä"),
    "day": (pa.date32(), lambda n: DAY + datetime.timedelta(n)),
    "at": (pa.timestamp("us"), lambda n: datetime.datetime(1960, 1, 1 + n % 28, n % 24)),
    "zoned": (pa.timestamp("ms", "UTC"), lambda n: datetime.datetime(2020, 1, 1, n % 24, n // 24)),
    "money": (pa.decimal128(9, 2), lambda n: Decimal(n) / 4 - 10),
    "yes": (pa.bool_(), lambda n: n > 50),
}


def rows(seed: int, is_sorted: bool) -> pa.Table:
    """Columns of a hundred values and NULL each; of all types in one order, or in any."""
    chance = Random(seed)
    numbers = [chance.randrange(100) for _ in range(ROWS)]
    if is_sorted:
        numbers.sort()
    return pa.table(
        {
            name: pa.array([None if chance.random() < 0.05 else make(n) for n in numbers], type_)
            for name, (type_, make) in VALUES.items()
        }
    )


def atoms(table: pa.Table, chance: Random) -> list[tuple[Atom, ...]]:
    """Conjunctions of one and two conditions with values of the table."""
    single: list[Atom] = []
    for name in table.column_names:
        known = table[name].unique().drop_null()
        some = [known[chance.randrange(len(known))] for _ in range(6)]
        some = [value for value in some if value.as_py() == value.as_py()]
        told = sorted({Literal.of(value) for value in some}, key=Literal.order)
        single += [Equals((name,), told[0]), In((name,), tuple(told[:3]))]
        if name != "yes":
            single += [Between((name,), told[0], told[-1]), Between((name,), told[0], told[0])]
    part = Equals(("whole",), Literal("int64", "3"), Remainder(10))
    pairs = [tuple(chance.sample(single, 2)) for _ in range(10)]
    return [*((atom,) for atom in single), *pairs, (part,)]


def by_pyarrow(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path / "t.parquet", row_group_size=GROUP)


def by_old_pages(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path / "t.parquet", row_group_size=GROUP, version="1.0")


def without_statistics(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path / "t.parquet", row_group_size=GROUP, write_statistics=False)


def by_polars(table: pa.Table, path: Path) -> None:
    polars.from_arrow(table).write_parquet(path / "t.parquet", row_group_size=GROUP)


def by_duckdb(table: pa.Table, path: Path) -> None:
    with duckdb.connect() as connection:
        connection.register("rows", table)
        file = path / "t.parquet"
        connection.execute(f"COPY (FROM rows) TO '{file}' (ROW_GROUP_SIZE {GROUP})")


def by_delta(table: pa.Table, path: Path) -> None:
    """Three files, of which one row is deleted."""
    for start in (0, 1500, 3000):
        part = table.slice(start, 1500)
        part = part.append_column("number", pa.array(range(start, start + len(part))))
        write_deltalake(path / "t", part.drop_columns(["wide", "zoned"]), mode="append")
    DeltaTable(path / "t").delete("number = 1700")


BELIEVED = (by_pyarrow, by_old_pages, by_duckdb)
"""Writers whose statistics are believed and are there."""
WRITERS = (by_pyarrow, by_old_pages, without_statistics, by_polars, by_duckdb, by_delta)


def read(meter: ReadMeter, storage: Any, table: Table, where: Sequence[Atom]) -> tuple[int, ...]:
    """The rows that the conjunction selects of all rows, of the parts; and the parts' rows."""
    columns = (Output("whole", Field(("whole",))),)
    names = frozenset(column.name for column in table.columns)
    every = selected = looked_at = 0
    for split in table.splits:
        for batch in read_split(storage, split, names):
            made = output_rows(batch, columns, tuple(where))
            every += 0 if made is None else made.num_rows
        for part in meter.parts_with(split, [where]):
            for batch in read_split(storage, part, names):
                made = output_rows(batch, columns, tuple(where))
                selected += 0 if made is None else made.num_rows
                looked_at += batch.num_rows
    return every, selected, looked_at


@pytest.mark.parametrize("is_sorted", [True, False])
@pytest.mark.parametrize("write", WRITERS)
def test_no_selected_row_is_in_a_row_group_that_is_left_out(
    tmp_path: Path, write: Any, is_sorted: bool
) -> None:
    table = rows(1, is_sorted)
    write(table, tmp_path)
    storage = storage_of(str(tmp_path))
    (found,) = take_inventory(storage, Settings()).tables
    meter, left_out = ReadMeter(storage), 0
    known = table.select([c.name for c in found.columns if c.name in table.column_names])
    for where in atoms(known, Random(2)):
        every, selected, looked_at = read(meter, storage, found, where)
        assert selected == every, where
        left_out += looked_at < ROWS - 1  # of Delta one row is deleted
    assert (left_out > 10) == (is_sorted and write in BELIEVED)
