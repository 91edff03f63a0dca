"""All rows of a table, and their hashes over chosen columns in the rows' order."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.rows import row_hashes
from r2d2.lake.inventory import read_split
from r2d2.model import Column, Table, Types
from r2d2.storage.local import Storage


def read_batches(
    storage: Storage, table: Table, columns: Sequence[Column]
) -> Iterator[pa.RecordBatch]:
    """The table's rows with the top-level fields that the columns lie in, in the columns' order.

    Raises:
        UnreadableTableError: a split cannot be read, or changed since the inventory.
    """
    names = list(dict.fromkeys(column.path[0] for column in columns))
    for split in table.splits:
        for batch in read_split(storage, split, frozenset(names)):
            yield batch if batch.schema.names == names else batch.select(names)


def hashed(
    batches: Iterable[pa.RecordBatch], column_sets: Sequence[Sequence[Column]], types: Types
) -> list[Lanes]:
    """The hashes of all rows over each column set, batch after batch."""
    parts = [row_hashes(batch, column_sets, types) for batch in batches]
    return [joined([part[number] for part in parts]) for number in range(len(column_sets))]


def joined(parts: Sequence[Lanes]) -> Lanes:
    """The hashes one after the other."""
    if not parts:
        return Lanes(np.empty(0, np.uint64), np.empty(0, np.uint64))
    return Lanes(
        np.concatenate([part.first for part in parts]),
        np.concatenate([part.second for part in parts]),
    )
