"""Tables as multisets of row hashes, each read once however many families it is in.

A lake's tables are mostly small, and then calls cost more than rows: those of one shape are hashed
together, and their rows are kept for when they are parents.

What was made or read last, for whoever asks for it again.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from threading import Lock
from typing import Generic, TypeVar

import pyarrow as pa

from r2d2.errors import TableError
from r2d2.hashing.multiset import Counted
from r2d2.hashing.rows import row_hashes
from r2d2.model import Table, Types
from r2d2.recipes.find.reading import TableReader, hashed, read_batches
from r2d2.recipes.find.request import Columns
from r2d2.recipes.predicate.row_labels import Groups
from r2d2.storage.local import Storage

REMOTE_THREADS = 32
KEPT_BYTES, KEPT_COUNTS = 128 << 20, 4
SMALL_BYTES, SMALL_ROWS = 1 << 18, 1 << 12
TOGETHER_ROWS = 1 << 16
Batches = list[pa.RecordBatch]
TableColumns = tuple[Table, tuple[Columns, ...]]
Named = tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]


class RowCounts:
    """The rows of tables, and these as hashes with how often each occurs.

    What was asked for last is kept, 128 MiB of rows and of groups, four times as much of counts: a
    large table is child of several. Threads may share it.
    """

    def __init__(
        self,
        storage: Storage,
        types: Types,
        kept_bytes: int = KEPT_BYTES,
        small_bytes: int = SMALL_BYTES,
    ) -> None:
        self.storage, self.types, self.small_bytes = storage, types, small_bytes
        self._counted: Recent[Named, Counted] = Recent(KEPT_COUNTS * kept_bytes)
        self._groups: Recent[Named, Groups] = Recent(kept_bytes)
        self._batches: Recent[str, Batches] = Recent(kept_bytes)

    def reading(self, table: Table) -> TableReader:
        """The table's rows, kept where they are few.

        Raises:
            TableError: it cannot be read.
        """
        few = self.batches(table) if table.size_bytes <= self.small_bytes else None
        return TableReader(self.storage, table, few)

    def batches(self, table: Table) -> Batches:
        """All rows of a small table, which are kept.

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
        """The table's rows over these columns.

        Raises:
            TableError: it cannot be read.
        """
        key = _named(table, columns)
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
        self, table: Table, reading: TableReader, sets: Sequence[Columns]
    ) -> dict[Columns, Groups]:
        """The table's rows by what they hold in each set of columns.

        Raises:
            TableError: it cannot be read.
        """
        kept = {columns: self._groups.get(_named(table, columns)) for columns in sets}
        found = {columns: groups for columns, groups in kept.items() if groups is not None}
        left = [columns for columns in sets if columns not in found]
        if left:
            every = list(dict.fromkeys(column for columns in left for column in columns))
            hashes = hashed(reading.batches(every), left, self.types)
            for columns, lanes in zip(left, hashes, strict=True):
                found[columns] = Groups.of(lanes)
                distinct = found[columns].distinct
                self._counted.put(_named(table, columns), distinct, distinct.size_bytes)
        return found

    def prepare(self, wanted: Iterable[TableColumns]) -> None:
        """Reads small tables and hashes them together; one that cannot be read is left out."""
        alike: dict[object, list[TableColumns]] = defaultdict(list)
        for table, own_sets in wanted:
            if table.size_bytes <= self.small_bytes:
                sets = tuple(own for own in own_sets if not self._groups.get(_named(table, own)))
                if sets:
                    alike[table.format, table.columns].append((table, sets))
        if "://" in self.storage.url:
            with ThreadPoolExecutor(REMOTE_THREADS) as pool:
                every = chain.from_iterable(alike.values())
                list(pool.map(self._readable, (table for table, _ in every)))
        for some in alike.values():
            for together in self._together(some):
                self._hash(together)

    def _together(
        self, wanted: Sequence[TableColumns]
    ) -> Iterator[list[tuple[TableColumns, pa.RecordBatch]]]:
        """The tables and their rows, as many as are to be hashed at once, of one schema."""
        found: list[tuple[TableColumns, pa.RecordBatch]] = []
        rows = 0
        for table, sets in wanted:
            batches = self._readable(table)
            if len(batches) != 1 or batches[0].num_rows > SMALL_ROWS:
                continue
            same = found and batches[0].schema.equals(found[0][1].schema)
            if found and not (same and rows < TOGETHER_ROWS):
                yield found
                found, rows = [], 0
            found.append(((table, sets), batches[0]))
            rows += batches[0].num_rows
        if found:
            yield found

    def _readable(self, table: Table) -> Batches:
        try:
            return self.batches(table)
        except TableError:
            return []

    def _hash(self, together: Sequence[tuple[TableColumns, pa.RecordBatch]]) -> None:
        sets = list(dict.fromkeys(columns for (_, own), _ in together for columns in own))
        try:
            batch = pa.concat_batches([own for _, own in together])
            hashes = dict(zip(sets, row_hashes(batch, sets, self.types), strict=True))
        except TableError:
            return
        start = 0
        for (table, own_sets), own in together:
            for columns in own_sets:
                part = hashes[columns].part(start, start + own.num_rows)
                groups = Groups.of(part)
                self._groups.put(_named(table, columns), groups, groups.size_bytes)
            start += own.num_rows


def _named(table: Table, columns: Columns) -> Named:
    return table.location, tuple((column.name, column.path) for column in columns)


Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Values by key, within so many bytes. Threads may share it."""

    def __init__(self, kept_bytes: int) -> None:
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._bytes_left = kept_bytes
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """The value, None where it is not kept."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Key, value: Value, size_bytes: int) -> None:
        """Keeps the value, and drops those that were asked for longest ago."""
        with self._lock:
            if key in self._values:
                return
            self._values[key] = value, size_bytes
            self._bytes_left -= size_bytes
            while self._bytes_left < 0:
                _, (_, freed_bytes) = self._values.popitem(last=False)
                self._bytes_left += freed_bytes
