"""A table's rows, read whole, ahead or by column as its format allows; their hashes and bytes."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from queue import Full, Queue
from threading import Event
from time import perf_counter, thread_time
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from r2d2.formats import format_named, hive
from r2d2.formats.bounds import bounds_of_arrays
from r2d2.formats.delta.read import LiveFile
from r2d2.formats.parquet.footer import RowGroups
from r2d2.formats.parquet.read import row_groups_of
from r2d2.formats.schema import logical_type
from r2d2.formats.uniform import of_one_type
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import joined
from r2d2.lake.inventory import read_split
from r2d2.model import Column, FileInfo, Format, Split, Table, Types
from r2d2.recipes.grammar import Atom, Between, Equals, In
from r2d2.recipes.literals import Literal, type_named
from r2d2.storage.local import Storage

EMPTY = pa.struct([])
BATCHES_AHEAD, LOOK_S = 2, 0.1
MOST_RUNS = 32
"""Of row groups of a split that are read one by one: each opens the file anew."""
NUMBERS = ("int", "uint", "float", "decimal")
"""Beginnings of the numeric types' names; ranks of all of them are on one scale."""
Clock = Callable[[], float]
Timed = tuple[pa.RecordBatch, float, int]
"""A batch, the seconds that it took to read, and the number of its split."""
Waiting: TypeAlias = Timed | BaseException | None
"""None is the end."""


class TableReader:
    """The rows of a table, read split by split; or `cached` rows, where these are all.

    Every method raises TableError where the table cannot be read.
    """

    def __init__(
        self, storage: Storage, table: Table, cached: Sequence[pa.RecordBatch] | None
    ) -> None:
        self._storage, self._table = storage, table
        if cached is None and not format_named(table.format).is_columnar:
            cached = list(read_batches(storage, table, table.columns))
        self._cached = cached
        self._sizes: list[int] | None = None

    def batches(self, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
        """All rows, with these columns at least."""
        if self._cached is not None:
            self._sizes = [sum(batch.num_rows for batch in self._cached)]
            yield from self._cached
            return
        sizes = []
        for split in self._table.splits:
            sizes.append(0)
            for batch in self._split(split, columns):
                sizes[-1] += batch.num_rows
                yield batch
        self._sizes = sizes

    def sizes(self) -> list[int]:
        """The number of rows of each part that can be read alone."""
        if self._sizes is None:
            for _ in self.batches(self._table.columns[:1]):
                pass
        return self._sizes or []

    def first(self) -> pa.RecordBatch | None:
        """The first rows with all columns, None where there are none."""
        return next(self.batches(self._table.columns), None)

    def column(self, column: Column, part: int | None = None) -> pa.ChunkedArray:
        """The column's values by row, of one part or of all; NULL where a struct around it is."""
        arrays = list(self._arrays(column, part))
        if len({array.type for array in arrays}) > 1:
            arrays = of_one_type(column.name, arrays)
        return pa.chunked_array(arrays)

    def nulls(self, column: Column, part: int | None = None) -> pa.ChunkedArray:
        """As `column`, of empty structs, NULL where the column is: its types may differ."""
        valid = (pc.is_valid(array) for array in self._arrays(column, part))
        shown = [
            pa.Array.from_buffers(EMPTY, len(v), [v.buffers()[1]], offset=v.offset) for v in valid
        ]
        return pa.chunked_array(shown, EMPTY)

    def _arrays(self, column: Column, part: int | None) -> Iterator[pa.Array]:
        if part is None or self._cached is not None:
            batches = self.batches([column])
        else:
            batches = self._split(self._table.splits[part], [column])
        return (inside(batch, column.path) for batch in batches)

    def _split(self, split: Split, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
        return read_batches(self._storage, replace(self._table, splits=(split,)), columns)


def type_inside(schema: pa.Schema, path: Sequence[str]) -> pa.DataType:
    """The type of the field at the end of the path."""
    type_ = schema.field(path[0]).type
    for name in path[1:]:
        type_ = type_.field(name).type
    return type_


def inside(batch: pa.RecordBatch, path: Sequence[str]) -> pa.Array:
    """The values of the field at the end of the path."""
    array = batch.column(path[0])
    for name in path[1:]:
        array = array.flatten()[array.type.get_field_index(name)]
    return array


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


class ReadMeter:
    """The parts of the parents' files that a run needs, by their footers, and the bytes it reads.

    The bytes are the part of a table's that its columns and row groups are of all of these, where
    they lie apart: so a table that is read whole counts as large as it is.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[FileInfo, RowGroups] = {}
        self._leaves: list[tuple[Table, list[int], list[int]]] = []

    @property
    def read_bytes(self) -> int:
        """The bytes of all that was read."""
        return sum(_part(table, read, whole) for table, read, whole in self._leaves)

    def begin(self, parent: Table) -> None:
        """Begins to count the splits of a parent, one that was read before too."""
        self._leaves.append((parent, [], []))

    def add(self, split: Split, read: Iterable[tuple[Split, frozenset[str]]]) -> None:
        """Counts the split; these parts of it are read, in these columns."""
        _, sizes, whole = self._leaves[-1]
        sizes.append(sum(self._sizes(*each)[0] for each in read))
        whole.append(self._sizes(split, frozenset())[1])

    def bytes_of(
        self, parent: Table, read: Iterable[Sequence[tuple[Split, frozenset[str]]]]
    ) -> int:
        """The bytes of a parent of whose splits, in order, these parts and columns are read."""
        sizes = [sum(self._sizes(*each)[0] for each in parts) for parts in read]
        whole = [self._sizes(split, frozenset())[1] for split in parent.splits]
        return _part(parent, sizes, whole)

    def parts_with(self, split: Split, wheres: Sequence[Sequence[Atom]]) -> list[Split]:
        """The parts of the split that may hold a row that one of the conjunctions selects.

        Row groups whose statistics tell that they hold none are left out, as far as the file's
        writer is believed. A part's row groups are adjacent.
        """
        if split.format not in (Format.PARQUET, Format.DELTA):
            return [split]
        open_ = [[a for a in where if isinstance(a, Equals | In | Between)] for where in wheres]
        if not all(open_):
            return [split]
        known = self._row_groups(split)
        groups = list(split.row_groups or range(len(known.rows)))
        elsewhere, stored = self._stored(split)
        there = [[atom for atom in where if atom.path[0] not in elsewhere] for where in open_]
        kept = [g for g in groups if any(_may_hold(known, g, where, stored) for where in there)]
        if len(kept) in (0, len(groups)):
            return [split] if kept else []
        starts = [n for n, group in enumerate(kept) if not n or group != kept[n - 1] + 1]
        runs = [kept[n:end] for n, end in zip(starts, [*starts[1:], len(kept)], strict=True)]
        if len(runs) > MOST_RUNS:
            runs = [list(range(kept[0], kept[-1] + 1))]
        return [
            replace(
                split,
                row_groups=tuple(run),
                rows=int(known.rows[run].sum()),
                size_bytes=split.size_bytes * len(run) // len(groups),
            )
            for run in runs
        ]

    def _row_groups(self, split: Split) -> RowGroups:
        if split.file not in self._known:
            self._known[split.file] = row_groups_of(self._storage, split.file)
        return self._known[split.file]

    def _stored(self, split: Split) -> tuple[set[str], dict[str, str]]:
        """The columns that are not in the split's file, and the names there of others."""
        match split.context:
            case hive.Partition() as partition:
                return {*partition.told, *partition.absent}, {}
            case LiveFile(columns=columns, constants=constants):
                return set(constants), {field.name: field.physical_name for field in columns}
        return set(), {}

    def _sizes(self, split: Split, names: frozenset[str]) -> tuple[int, int]:
        """The bytes of these columns, and those of all; the same where they cannot be told."""
        if split.format not in (Format.PARQUET, Format.DELTA):
            return (split.size_bytes or 1,) * 2
        groups = list(split.row_groups) or slice(None)
        known = self._row_groups(split).column_bytes
        sizes = {name: int(by_group[groups].sum()) for name, by_group in known.items()}
        whole, (elsewhere, stored) = sum(sizes.values()), self._stored(split)
        told = [sizes.get(stored.get(name, name)) for name in names if name not in elsewhere]
        return whole if None in told else sum(size or 0 for size in told), whole


def _may_hold(
    known: RowGroups,
    group: int,
    where: Sequence[Equals | In | Between],
    stored: Mapping[str, str],
) -> bool:
    """Whether the row group may hold a row for which all atoms hold, by its statistics."""
    for atom in where:
        if atom.part or len(atom.path) > 1:
            continue
        name = stored.get(atom.path[0], atom.path[0])
        if name not in known.bounds:
            continue
        match atom:
            case Equals(value=value):
                ranges = [(value, value)]
            case In(values=values):
                ranges = [(value, value) for value in values]
            case Between(low=low, high=high):
                ranges = [(low, high)]
        bounds, type_ = known.bounds[name][group], known.types[name]
        if bounds.has_values is False:
            return False
        if all(_are_ranked_alike(type_, low) for low, _ in ranges) and not any(
            _rank(low) <= bounds.max_high and bounds.min_low <= _rank(high) for low, high in ranges
        ):
            return False
    return True


def _are_ranked_alike(type_: str, value: Literal) -> bool:
    """Whether values of the column's type and the literal's have ranks of one scale."""
    own = logical_type(type_named(value.type))
    return own == type_ or all(each.startswith(NUMBERS) for each in (own, type_))


@lru_cache(maxsize=1 << 12)
def _rank(value: Literal) -> int:
    array = value.array()
    (bounds,) = bounds_of_arrays(logical_type(array.type), [array], [1])
    return bounds.min_low


def _part(table: Table, read: Iterable[int], whole: Iterable[int]) -> int:
    return table.size_bytes * sum(read) // max(1, sum(whole))


def clock_of(storage: Storage) -> Clock:
    """The clock by which a lake's rows are made: remote reads wait, local ones mostly compute."""
    return perf_counter if "://" in storage.url else thread_time


def read_ahead(
    splits: Sequence[Split],
    rows_of: Callable[[Split], Iterator[pa.RecordBatch]],
    threads: int,
    clock: Clock = perf_counter,
) -> Generator[Timed]:
    """The batches of all splits in order, each with the seconds that it took to read.

    So many splits are read at once, and one waits for its turn; a few batches of each are held.
    """
    left = Event()
    queues: list[Queue[Waiting]] = [Queue(BATCHES_AHEAD) for _ in splits]

    def put(queue: "Queue[Waiting]", item: Waiting) -> None:
        while not left.is_set():
            try:
                return queue.put(item, timeout=LOOK_S)
            except Full:
                continue

    def read(number: int) -> None:
        queue = queues[number]
        try:
            start = clock()
            for batch in rows_of(splits[number]):
                put(queue, (batch, clock() - start, number))
                if left.is_set():
                    return
                start = clock()
            put(queue, None)
        except BaseException as error:  # noqa: BLE001 - raised where the batches are awaited
            put(queue, error)

    with ThreadPoolExecutor(threads) as pool:
        try:
            ahead = threads + 1
            for number in range(min(ahead, len(splits))):
                pool.submit(read, number)
            for number, queue in enumerate(queues, ahead):
                while (item := queue.get()) is not None:
                    if isinstance(item, BaseException):
                        raise item
                    yield item
                # Else what was freed stays with the process, in pieces between what is held.
                pa.default_memory_pool().release_unused()
                # Not before: splits of few batches would all be held.
                if number < len(splits):
                    pool.submit(read, number)
        finally:
            left.set()
            pool.shutdown(cancel_futures=True)
