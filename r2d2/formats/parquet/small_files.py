"""Small Parquet files: opened once at the inventory, decoded by column as somebody asks.

The bounds of thousands of small tables are taken together, column by column, from the rows: that
costs a fifth of asking each footer for its statistics, and trusts no writer. What was decoded for
them is there for the scan, while there is room.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING

import pyarrow as pa

from r2d2.errors import UnreadableTableError
from r2d2.formats.bounds import bounds_of_arrays, has_order, leaf_values
from r2d2.formats.errors import table_problem
from r2d2.formats.parquet.tail import SMALL_FILE_BYTES, KnownFooters
from r2d2.formats.schema import PRIMITIVES
from r2d2.model import Bounds, Column, FileInfo, Format, Split, Table

if TYPE_CHECKING:
    from pyarrow._parquet import ParquetReader

CACHE_BYTES = 256 << 20
# Files of more rows keep dictionaries, which are looked for in chunks that were found sound.
SMALL_FILE_ROWS = (1 << 12) - 1
TOGETHER_ROWS = 1 << 16
TOGETHER_BYTES = 32 << 20
_FLAT = {
    *(type_.id for type_ in PRIMITIVES if not pa.types.is_string_view(type_)),
    *(pa.lib.Type_TIMESTAMP, pa.lib.Type_TIME32, pa.lib.Type_TIME64, pa.lib.Type_DECIMAL128),
} - {pa.lib.Type_BINARY_VIEW}

# What pyarrow keeps of an opened file: about 35 KiB.
MOST_READERS = 2048

Decode = Callable[[frozenset[str], "ParquetReader | None"], list[pa.RecordBatch]]
Rows = Callable[[Split, frozenset[str]], list[pa.RecordBatch]]
Asked = Iterable[tuple[int, Table, tuple[Column, ...]]]
"""Tables by number, and the columns whose bounds are asked for."""


@dataclass(slots=True)
class SmallFile:
    """An opened file: `decode` gives the rows of some columns; `names` are all, in their order.

    `reader` is there until somebody takes the file, or where there were too many.
    """

    names: tuple[str, ...]
    decode: Decode
    size_bytes: int
    reader: "ParquetReader | None" = None
    decoded: list[pa.RecordBatch] = field(default_factory=list)

    def rows(self, names: Collection[str]) -> list[pa.RecordBatch]:
        """The rows of these columns; none of them is decoded twice."""
        if not self.decoded and names:
            batches = self.decode(frozenset(names), self.reader)
            if len(batches) == 1:
                self._keep(batches[0])
            return batches
        wanted = [name for name in self.names if name in names]
        if len(self.decoded) == 1 and self.decoded[0].schema.names == wanted:
            return self.decoded
        arrays = self.arrays()
        missing = frozenset(wanted).difference(arrays)
        if missing or not wanted:
            batches = self.decode(missing, self.reader)
            if len(batches) != 1 or not wanted:
                is_all = len(missing) == len(wanted)
                return batches if is_all else self.decode(frozenset(wanted), self.reader)
            self._keep(batches[0])
            if len(missing) == len(wanted):
                return batches
            arrays = self.arrays()
        return [pa.RecordBatch.from_arrays([arrays[name] for name in wanted], names=wanted)]

    def arrays(self) -> dict[str, pa.Array]:
        """The columns that were decoded, by name."""
        return {
            name: array
            for batch in self.decoded
            for name, array in zip(batch.schema.names, batch.columns, strict=True)
        }

    def _keep(self, batch: pa.RecordBatch) -> None:
        self.decoded.append(batch)
        # What they take decoded: a dictionary of one long text is small and much memory.
        self.size_bytes += batch.get_total_buffer_size()


class SmallFileCache:
    """Holds opened small files, and what was decoded of them, until the scan takes them.

    Nothing is held but for those who say that they will ask again (`held`).
    """

    def __init__(self) -> None:
        self.footers = KnownFooters()
        self._files: dict[tuple[str, FileInfo], SmallFile] = {}
        self._size_bytes = 0
        self._readers = 0
        self._holders = 0
        self._lock = Lock()

    @property
    def is_held(self) -> bool:
        """Whether opened files are to stay open."""
        return self._holders > 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Files opened meanwhile stay open, as far as there is room."""
        with self._lock:
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if not self._holders:
                    self.footers = KnownFooters()
                    self._files.clear()
                    self._size_bytes = self._readers = 0

    def add(self, url: str, file: FileInfo, opened: SmallFile) -> bool:
        """Whether the opened file of the lake at `url` is kept: there is room, and a holder."""
        self.take(url, file)
        with self._lock:
            if not self._holders or self._size_bytes + opened.size_bytes > CACHE_BYTES:
                return False
            if opened.reader is not None and self._readers >= MOST_READERS:
                opened.reader = None
            self._readers += opened.reader is not None
            self._files[url, file] = opened
            self._size_bytes += opened.size_bytes
            return True

    def take(self, url: str, file: FileInfo) -> SmallFile | None:
        """Removes and returns the opened file; None where it is not held."""
        with self._lock:
            opened = self._files.pop((url, file), None)
            if opened is not None:
                self._size_bytes -= opened.size_bytes
                self._readers -= opened.reader is not None
            return opened

    def rows(self, url: str, file: FileInfo, names: Collection[str]) -> list[pa.RecordBatch] | None:
        """The rows of the file's columns, which stay for the scan; None where it is not held."""
        opened = self._files.get((url, file))
        if opened is None:
            return None
        before = opened.size_bytes
        try:
            return opened.rows(names)
        finally:
            with self._lock:
                self._size_bytes += opened.size_bytes - before
                is_full = self._size_bytes > CACHE_BYTES
            if is_full:
                self.take(url, file)


def is_small(table: Table) -> bool:
    """Whether the table is one small Parquet file, so that its bounds are those of its rows."""
    return (
        table.format == Format.PARQUET
        and len(table.splits) == 1 == len(table.files)
        and table.splits[0].context is None
        and table.size_bytes <= SMALL_FILE_BYTES
        and 0 < (table.rows or 0) <= SMALL_FILE_ROWS
        and not table.bounds
    )


def bounds_of_small(asked: Asked, rows: Rows) -> Iterator[tuple[int, Mapping[str, Bounds] | str]]:
    """The bounds of columns of small tables, from their rows; or why a table cannot be read."""
    pending = _Pending()
    before: Sequence[Column] = ()
    names: frozenset[str] = frozenset()
    for number, table, wanted in asked:
        if wanted is not before:
            before, names = wanted, frozenset(column.path[0] for column in wanted)
        try:
            batches = rows(table.splits[0], names)
            batch = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
            pending.add(number, batch, wanted)
        except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
            yield number, table_problem(error)
        if pending.is_full:
            yield from pending.bounds()
    yield from pending.bounds()


class _Pending:
    """Columns of tables of any schema, to be bounded together with all of their type."""

    def __init__(self) -> None:
        # By identity: tables of one schema mostly share the columns that are asked for.
        self._alike: dict[int, list[tuple[int, pa.RecordBatch]]] = {}
        self._asked: dict[int, Sequence[Column]] = {}
        self._rows = self._size_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether there is enough to be bounded at once."""
        return self._rows >= TOGETHER_ROWS or self._size_bytes >= TOGETHER_BYTES

    def add(self, table: int, batch: pa.RecordBatch, columns: Sequence[Column]) -> None:
        """Adds the columns of the table that have bounds."""
        self._asked[id(columns)] = columns
        self._alike.setdefault(id(columns), []).append((table, batch))
        self._rows += batch.num_rows
        self._size_bytes += batch.get_total_buffer_size()

    def bounds(self) -> Iterator[tuple[int, Mapping[str, Bounds] | str]]:
        """The bounds of the tables, which are not pending any more; or why one has none."""
        found: dict[int, dict[str, Bounds]] = {}
        columns: dict[tuple[str, pa.DataType], list[_Values]] = {}
        for key, members in self._alike.items():
            for tables, batch in _joined(members):
                ordered = [column for column in self._asked[key] if has_order(column.type)]
                try:
                    arrays = [leaf_values(batch, column.path) for column in ordered]
                except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
                    yield from ((table, table_problem(error)) for table, _ in tables)
                    continue
                found |= {table: {} for table, _ in tables}
                for column, array in zip(ordered, arrays, strict=True):
                    alike = columns.setdefault((column.type, array.type), [])
                    alike.append((column.name, tables, array))
        self._alike, self._asked = {}, {}
        self._rows = self._size_bytes = 0
        for (type_, _), parts in columns.items():
            try:
                sizes = [rows for _, owners, _ in parts for _, rows in owners]
                bounds = iter(bounds_of_arrays(type_, [array for *_, array in parts], sizes))
            except (pa.ArrowException, MemoryError):
                # Without bounds a table is refuted by none; its rows are read one by one.
                continue
            for name, owners, _ in parts:
                for table, _ in owners:
                    found[table][name] = next(bounds)
        yield from found.items()


_Values = tuple[str, Sequence[tuple[int, int]], pa.Array]
"""A column's name, tables with the numbers of their rows, and the values of all of these."""


def _joined(
    members: Sequence[tuple[int, pa.RecordBatch]],
) -> Iterator[tuple[list[tuple[int, int]], pa.RecordBatch]]:
    """The batches, those of one schema as one, with the tables that they are of and their rows.

    A dictionary, or a type with others inside, may be joined in ways of its own, so it stays alone.
    """
    first = members[0][1].schema
    is_flat = len(members) > 1 and all(type_.id in _FLAT for type_ in first.types)
    alike = [each for each in members if is_flat and each[1].schema.equals(first)]
    alone: Sequence[tuple[int, pa.RecordBatch]] = members
    if alike:
        try:
            whole = pa.concat_batches([batch for _, batch in alike])
            yield [(table, batch.num_rows) for table, batch in alike], whole
            alone = [each for each in members if not each[1].schema.equals(first)]
        except (pa.ArrowException, MemoryError):
            pass
    for table, batch in alone:
        yield [(table, batch.num_rows)], batch


def with_bounds(tables: Sequence[Table], rows: Rows) -> list[Table]:
    """The tables, the small ones with the bounds of all columns.

    Raises:
        UnreadableTableError: one of them cannot be read.
    """
    asked = ((n, table, table.columns) for n, table in enumerate(tables) if is_small(table))
    bounded = list(tables)
    for number, bounds in bounds_of_small(asked, rows):
        if isinstance(bounds, str):
            raise UnreadableTableError(bounds)
        bounded[number] = replace(tables[number], bounds=bounds)
    return bounded


CACHE = SmallFileCache()
