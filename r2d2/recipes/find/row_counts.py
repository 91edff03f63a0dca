"""The rows of tables counted by their hashes; each table is read once for all requests.

A lake's tables are mostly small, and then calls cost more than rows: those of one schema are hashed
together, and their rows stay in memory for when they are parents.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from threading import Lock
from typing import Generic, TypeVar

import pyarrow as pa

from r2d2.formats.errors import table_problem
from r2d2.hashing.multiset import Counted
from r2d2.hashing.rows import row_hashes
from r2d2.model import Table, Types
from r2d2.recipes.find.reading import TableReader, hashed, read_batches
from r2d2.recipes.find.request import Columns
from r2d2.recipes.predicate.row_labels import Groups
from r2d2.storage.local import Storage

REMOTE_THREADS = 32
CACHE_BYTES, COUNTS_CACHE_FACTOR = 128 << 20, 4
MEMORY_BYTES, CACHE_SHARE = 1 << 30, 8
SMALL_BYTES, SMALL_ROWS = 1 << 18, 1 << 12
TOGETHER_ROWS = 1 << 16
Batches = list[pa.RecordBatch]
TableColumns = tuple[Table, tuple[Columns, ...]]
"""A table and the sets of its columns over which it is hashed."""
CacheKey = tuple[str, tuple[tuple[str, tuple[str, ...], str], ...]]
"""A table's location, and the names, paths and renderings of columns."""


class RowCounts:
    """The rows of tables, and the counts of their hashes over sets of columns.

    The last used stay in memory, 128 MiB of rows and of groups, four times as much of counts: a
    large table is the child of several. Threads may share it.
    """

    def __init__(
        self,
        storage: Storage,
        types: Types,
        cache_bytes: int = CACHE_BYTES,
        small_bytes: int = SMALL_BYTES,
        memory_bytes: int = MEMORY_BYTES,
        threads: int = 1,
    ) -> None:
        self.threads = threads
        self.storage, self.types, self.small_bytes = storage, types, small_bytes
        self.memory_bytes = memory_bytes
        cache_bytes = min(cache_bytes, memory_bytes // CACHE_SHARE)
        counted_bytes = COUNTS_CACHE_FACTOR * cache_bytes
        self._counted: RecentlyUsed[CacheKey, Counted] = RecentlyUsed(counted_bytes)
        self._groups: RecentlyUsed[CacheKey, Groups] = RecentlyUsed(cache_bytes)
        self._batches: RecentlyUsed[str, Batches] = RecentlyUsed(cache_bytes)

    def prepare(self, tables: Iterable[TableColumns]) -> None:
        """Reads small tables and hashes them together; one that cannot be read is left out."""
        of_one_schema: dict[object, list[TableColumns]] = defaultdict(list)
        for table, sets in tables:
            if table.size_bytes <= self.small_bytes:
                unhashed = tuple(s for s in sets if not self._groups.get(_cache_key(table, s)))
                if unhashed:
                    of_one_schema[table.format, table.columns].append((table, unhashed))
        if "://" in self.storage.url:
            with ThreadPoolExecutor(REMOTE_THREADS) as pool:
                every = chain.from_iterable(of_one_schema.values())
                list(pool.map(self._batches_if_readable, (table for table, _ in every)))
        for alike in of_one_schema.values():
            for together in self._bundled(alike):
                self._hash(together)

    def _bundled(
        self, alike: Sequence[TableColumns]
    ) -> Iterator[list[tuple[TableColumns, pa.RecordBatch]]]:
        """The tables and their rows, as many as are to be hashed at once, of one schema."""
        bundle: list[tuple[TableColumns, pa.RecordBatch]] = []
        rows = 0
        for table, sets in alike:
            batches = self._batches_if_readable(table)
            if len(batches) != 1 or batches[0].num_rows > SMALL_ROWS:
                continue
            same = bundle and batches[0].schema.equals(bundle[0][1].schema)
            if bundle and not (same and rows < TOGETHER_ROWS):
                yield bundle
                bundle, rows = [], 0
            bundle.append(((table, sets), batches[0]))
            rows += batches[0].num_rows
        if bundle:
            yield bundle

    def _batches_if_readable(self, table: Table) -> Batches:
        try:
            return self.batches(table)
        except Exception as error:  # noqa: BLE001 - told where the table is searched
            table_problem(error)
            return []

    def _hash(self, bundle: Sequence[tuple[TableColumns, pa.RecordBatch]]) -> None:
        sets = list(
            dict.fromkeys(columns for (_, table_sets), _ in bundle for columns in table_sets)
        )
        try:
            together = pa.concat_batches([batch for _, batch in bundle])
            hashes = dict(zip(sets, row_hashes(together, sets, self.types), strict=True))
        except Exception as error:  # noqa: BLE001 - told where the table is searched
            table_problem(error)
            return
        start = 0
        for (table, table_sets), batch in bundle:
            for columns in table_sets:
                groups = Groups.of(hashes[columns].part(start, start + batch.num_rows))
                self._groups.put(_cache_key(table, columns), groups, groups.size_bytes)
            start += batch.num_rows

    def reader(self, table: Table) -> TableReader:
        """The reader of the table's rows, which stay in memory where they are few.

        Raises:
            TableError: it cannot be read.
        """
        few = self.batches(table) if table.size_bytes <= self.small_bytes else None
        return TableReader(self.storage, table, few)

    def batches(self, table: Table) -> Batches:
        """All rows of a small table, which stay in memory.

        Raises:
            TableError: it cannot be read.
        """
        batches = self._batches.get(table.location)
        if batches is None:
            batches = list(read_batches(self.storage, table, table.columns))
            size_bytes = sum(batch.nbytes for batch in batches)
            self._batches.put(table.location, batches, size_bytes)
        return batches

    def counted(self, table: Table, columns: Columns) -> Counted:
        """The table's distinct rows over these columns, with how often each occurs.

        Raises:
            TableError: it cannot be read.
        """
        key = _cache_key(table, columns)
        groups = self._groups.get(key)
        if groups is not None:
            return groups.distinct
        counted = self._counted.get(key)
        if counted is None:
            (lanes,) = hashed(self._rows(table, columns), [columns], self.types)
            counted = Counted.of(lanes)
            self._counted.put(key, counted, counted.size_bytes)
        return counted

    def _rows(self, table: Table, columns: Columns) -> Iterable[pa.RecordBatch]:
        if table.size_bytes <= self.small_bytes:
            return self.batches(table)
        return read_batches(self.storage, table, columns)

    def groups(
        self, table: Table, reader: TableReader, sets: Sequence[Columns]
    ) -> dict[Columns, Groups]:
        """For each set of columns the table's rows in groups of rows that are equal in it.

        Raises:
            TableError: it cannot be read.
        """
        cached = {columns: self._groups.get(_cache_key(table, columns)) for columns in sets}
        by_columns = {columns: groups for columns, groups in cached.items() if groups is not None}
        left = [columns for columns in sets if columns not in by_columns]
        if left:
            every = list(dict.fromkeys(column for columns in left for column in columns))
            hashes = hashed(reader.batches(every), left, self.types)
            for columns, lanes in zip(left, hashes, strict=True):
                by_columns[columns] = Groups.of(lanes)
                distinct = by_columns[columns].distinct
                self._counted.put(_cache_key(table, columns), distinct, distinct.size_bytes)
        return by_columns


def _cache_key(table: Table, columns: Columns) -> CacheKey:
    return table.location, tuple((c.name, c.path, c.rendering) for c in columns)


Key = TypeVar("Key")
Value = TypeVar("Value")


class RecentlyUsed(Generic[Key, Value]):
    """A cache of at most so many bytes that drops the least recently used. Threads may share it."""

    def __init__(self, size_bytes: int) -> None:
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._bytes_left = size_bytes
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """The value, None where there is none in the cache."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Key, value: Value, size_bytes: int) -> None:
        """Adds the value, and drops the least recently used ones."""
        with self._lock:
            if key in self._values:
                return
            self._values[key] = value, size_bytes
            self._bytes_left -= size_bytes
            while self._bytes_left < 0:
                _, (_, freed_bytes) = self._values.popitem(last=False)
                self._bytes_left += freed_bytes
