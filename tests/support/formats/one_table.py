"""A lake of one table, and what is read of it."""

from pathlib import Path

import pyarrow as pa

import r2d2
from r2d2.lake.inventory import read_split
from r2d2.model import Table
from r2d2.storage import storage_of


def the_table(lake: Path) -> Table:
    (found,) = r2d2.tables(lake).tables
    return found


def batches(lake: Path, table: Table, *names: str) -> list[pa.RecordBatch]:
    storage = storage_of(str(lake))
    wanted = names or tuple(column.path[0] for column in table.columns)
    return [batch for split in table.splits for batch in read_split(storage, split, wanted)]
