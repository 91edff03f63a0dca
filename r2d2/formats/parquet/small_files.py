"""A cache of small Parquet files' rows: decoded at the inventory, used once more by the scan.

The bounds of thousands of small tables are taken together, column by column, from the rows: that
costs a fifth of asking each footer for its statistics, and trusts no writer.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, groupby

import pyarrow as pa

from r2d2.formats.bounds import bounds_of_parts
from r2d2.model import Column, FileInfo, Table
from r2d2.storage.local import Storage

CACHE_BYTES = 128 << 20
TOGETHER_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class _Rows:
    columns: tuple[Column, ...]
    batches: list[pa.RecordBatch]
    size_bytes: int


class SmallFileCache:
    """Holds the rows of small files until the scan takes them."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, FileInfo], _Rows] = {}
        self._size_bytes = 0

    def add(
        self,
        storage: Storage,
        file: FileInfo,
        columns: tuple[Column, ...],
        batches: list[pa.RecordBatch],
    ) -> bool:
        """Keeps the rows of the file's columns where there is room; returns whether there was."""
        self.take(storage, file)
        # What they take decoded: a dictionary of one long text is a small file and much memory.
        rows = _Rows(columns, batches, sum(b.get_total_buffer_size() for b in batches))
        if self._size_bytes + rows.size_bytes > CACHE_BYTES:
            return False
        self._rows[storage.url, file] = rows
        self._size_bytes += rows.size_bytes
        return True

    def take(self, storage: Storage, file: FileInfo) -> list[pa.RecordBatch] | None:
        """Removes and returns the file's rows; None where they are not held."""
        rows = self._rows.pop((storage.url, file), None)
        if rows is None:
            return None
        self._size_bytes -= rows.size_bytes
        return rows.batches

    def bounded(self, storage: Storage, tables: Sequence[Table]) -> list[Table]:
        """The tables; one of a single file that is held has the bounds of that file's rows."""
        alike: dict[int, list[list[int]]] = defaultdict(list)
        parts: dict[int, list[pa.RecordBatch]] = {}
        for place, table in enumerate(tables):
            rows = self._rows.get((storage.url, table.files[0])) if table.files else None
            if rows is not None and rows.columns is table.columns and not table.bounds:
                parts[place] = rows.batches
                # Tables of one schema share one tuple of columns.
                _put_with_alike(alike[id(rows.columns)], place, parts)
        bounded = list(tables)
        for places in chain.from_iterable(alike.values()):
            for some in _groups(places, parts):
                sizes = [_row_count(parts[place]) for place in some]
                try:
                    batches = [batch for place in some for batch in parts[place]]
                    together = pa.concat_batches(batches)
                    found = bounds_of_parts(together, tables[some[0]].columns, sizes)
                except (pa.ArrowException, MemoryError):
                    # Without bounds a table is refuted by none; its rows are read one by one.
                    continue
                for place, bounds in zip(some, found, strict=True):
                    bounded[place] = replace(tables[place], bounds=bounds)
        return bounded


def _put_with_alike(
    groups: list[list[int]], place: int, parts: Mapping[int, list[pa.RecordBatch]]
) -> None:
    """Adds the place to the group of its batches' schema."""
    schema = parts[place][0].schema
    for group in groups:
        if parts[group[0]][0].schema.equals(schema):
            group.append(place)
            return
    groups.append([place])


def _groups(
    places: Sequence[int], parts: Mapping[int, list[pa.RecordBatch]]
) -> Iterator[list[int]]:
    """The places in groups of bounded rows."""
    totals = accumulate(_row_count(parts[place]) for place in places)
    numbered = zip(places, totals, strict=True)
    for _, group in groupby(numbered, key=lambda pair: pair[1] // TOGETHER_ROWS):
        yield [place for place, _ in group]


def _row_count(batches: Sequence[pa.RecordBatch]) -> int:
    return sum(batch.num_rows for batch in batches)


CACHE = SmallFileCache()
