"""Small lakes of files to rebuild, and the rows of their tables."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.formats.uniform import uniform
from r2d2.lake.inventory import layout_from, layout_of, take_inventory
from r2d2.model import Table
from r2d2.recipes.find.reading import read_batches
from r2d2.recipes.run.write_table import WrittenTable, write_table
from r2d2.settings.find import Settings
from r2d2.storage.local import LocalStorage
from tests.support.recipes.differences import difference


def put(lake: Path, name: str, table: pa.Table, **options: object) -> None:
    """A Parquet file of the table."""
    path = lake / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)


def tables(lake: Path, settings: Settings | None = None) -> dict[str, Table]:
    """The lake's tables by location, those too that cannot be read."""
    found = take_inventory(LocalStorage(str(lake)), settings or Settings())
    return {table.location: table for table in found.tables}


def rows(lake: Path, table: Table) -> list[pa.RecordBatch]:
    """All rows, under one schema."""
    return uniform(list(read_batches(LocalStorage(str(lake)), table, table.columns)))


def come_back(
    lake: Path, place: Path, location: str, settings: Settings | None = None
) -> tuple[Table, WrittenTable]:
    """The table as it is read where it was written anew; equal to what it was, value by value."""
    table = tables(lake, settings)[location]
    assert table.problem is None
    layout = layout_from(layout_of(LocalStorage(str(lake)), table))
    written = write_table(layout, shuffled(rows(lake, table)), place, location)
    again = tables(place, settings)[location]
    assert again.problem is None
    assert again.format is table.format
    assert [(c.name, c.type) for c in again.columns] == [(c.name, c.type) for c in table.columns]
    assert difference(rows(lake, table), rows(place, again)) is None
    assert sorted(file.path for file in again.files) == [
        name for name in written.files if "_delta_log" not in name
    ]
    return again, written


def shuffled(batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The rows the other way around, since a recipe promises no order, in two batches."""
    whole = pa.concat_batches(batches)
    turned = whole.take(pa.array(range(whole.num_rows - 1, -1, -1), pa.int64()))
    half = whole.num_rows // 2
    return [part for part in (turned.slice(0, half), turned.slice(half)) if part.num_rows]
