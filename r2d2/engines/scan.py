"""One task of a scan: splits in, sorted row hashes by projection out. Both engines run this."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from threading import Lock
from time import thread_time

import numpy as np
import pyarrow as pa

from r2d2.formats.bounds import bounds_of_rows, union
from r2d2.formats.errors import table_problem
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import HashFilter, sorted_unique, sorted_unique_each, without_repeats
from r2d2.lake.inventory import bounds_of, read_split
from r2d2.lake.questions import Constants, Projection, RowBounds, Wanted, Watched
from r2d2.model import Bounds, Column, Cost, Split, Table, Types, Work
from r2d2.recipes.constants import Found, in_all_parts, single_values
from r2d2.storage.local import Storage

BATCH_ROWS = 1 << 16
SMALL_ROWS = 1 << 12
TASK_BYTES = 32 << 20
TASK_SPLITS = 512
TASKS_A_WORKER = 8
BOUNDED_TABLES = 256
# Below, a parent's hashes are soon sorted; and where most are a child's, few are dropped.
FILTERED_ROWS = 1 << 14
MOST_OF_PARENT = 0.75
REMOTE_TASK_SPLITS = 8
REMOTE_THREADS = 32


@dataclass(frozen=True, slots=True)
class ScanPiece:
    """A split of a table, and the column sets (numbered) to hash its rows over.

    Pieces of one shape share one `columns`, which makes them quick to compare. `bounded` are
    columns whose bounds are taken beside. Of a piece with `single` columns only these are read, as
    long as they hold one value.
    """

    table: int
    split: Split
    sets: tuple[int, ...]
    columns: tuple[tuple[Column, ...], ...]
    bounded: tuple[Column, ...] = ()
    single: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Hashed:
    """The outcome of one piece: the runs of each set and the bounds, or the reason why not.

    `constants` has each `single` column's one value, or rows of an index, None where it is neither;
    nothing where the piece has no rows.
    """

    table: int
    runs: tuple[tuple[int, tuple[Lanes, ...]], ...] = ()
    rows: int = 0
    size_bytes: int = 0
    problem: str | None = None
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    constants: Mapping[str, Found] = field(default_factory=dict)


class PieceFilter:
    """Drops hashes of a piece that no child has, but for its `least` smallest, by batches."""

    def __init__(self, hashes: HashFilter, least: int) -> None:
        self._hashes = hashes
        self._least = least
        self._limit: np.uint64 | None = None

    def run_of(self, lanes: Lanes) -> Lanes:
        """The run of what is kept of the hashes."""
        if self._limit is not None:
            return sorted_unique(self._hashes.among(lanes, self._limit))
        # So many hashes are below it here, so that the piece's least are.
        run = sorted_unique(lanes)
        has_all = len(run) >= self._least
        self._limit = run.first[self._least - 1] if has_all else np.uint64(2**64 - 1)
        return self._hashes.among(run, self._limit)


FilterOf = Callable[[int, int], PieceFilter | None]
"""A filter for a piece of a table's hashes over a column set; None where all are kept."""


class ChildFilters:
    """Filters of hashes by column set: a table that is only a parent keeps what a child may have.

    The filter of a set is there once the rows of all its children are put away (`done`), so a
    table should be read after those that may be contained in it (`in_order`). Whether it is there
    changes no answer: the `least` smallest hashes are kept, too, so sketches of fewer stay as they
    are. `used` tells for which children a projection was filtered.
    """

    def __init__(
        self,
        least: int,
        children: Mapping[int, frozenset[int]],
        pieces: Sequence[ScanPiece],
        tables: Sequence[Table],
        runs: Callable[[Projection], Sequence[Lanes]],
    ) -> None:
        self._least = least
        self._children = children
        self._left = Counter(piece.table for piece in pieces)
        self._tables = tables
        self._runs = runs
        self._filters: dict[int, HashFilter] = {}
        self._lock = Lock()
        self.used: dict[Projection, frozenset[int]] = {}

    def in_order(self, pieces: Iterable[ScanPiece]) -> list[ScanPiece]:
        """The pieces, children before the tables that are only their parents."""
        every = frozenset[int]().union(*self._children.values())
        return sorted(
            pieces, key=lambda p: (len(self._tables[p.table].columns), p.table not in every)
        )

    def done(self, table: int) -> None:
        """Counts a piece of the table whose rows are put away."""
        with self._lock:
            self._left[table] -= 1

    def of(self, table: int, number: int) -> PieceFilter | None:
        """A filter of the projection's hashes, where it drops enough to be worth it."""
        children = self._children.get(number, frozenset())
        rows = self._tables[table].rows
        if not children or table in children or (rows is not None and rows < FILTERED_ROWS):
            return None
        with self._lock:
            if number not in self._filters:
                if any(self._left[child] for child in children):
                    return None
                runs = [run for child in sorted(children) for run in self._runs((child, number))]
                self._filters[number] = HashFilter.of(runs)
            found = self._filters[number]
            if rows is not None and found.rows > MOST_OF_PARENT * rows:
                return None
            self.used[table, number] = children
            return PieceFilter(found, self._least)


class TaskMeter:
    """The work of one task, by the CPU time of the thread that made the meter."""

    def __init__(self) -> None:
        """The task begins."""
        self._start = thread_time()
        self._decode_s = 0.0
        self._bytes = self._rows = 0

    def decoded(self, batches: Iterator[pa.RecordBatch], sets: int) -> Iterator[pa.RecordBatch]:
        """The batches, to be hashed over so many sets of columns; decoding them is measured."""
        while True:
            start = thread_time()
            batch = next(batches, None)
            self._decode_s += thread_time() - start
            if batch is None:
                return
            self._rows += batch.num_rows * sets
            yield batch

    def hashes(self, batch: pa.RecordBatch) -> None:
        """Counts the bytes of a batch: of small ones joined, for that costs 20 µs each."""
        self._bytes += batch.nbytes

    def work(self) -> Work:
        """The work since the task began; what was not decoding is hashing."""
        hash_s = thread_time() - self._start - self._decode_s
        return Work(self._bytes, self._rows, self._decode_s, hash_s)


def pieces_of(
    wanted: Wanted, tables: Sequence[Table], watched: Watched | None = None
) -> Iterator[ScanPiece]:
    """The work that the projections ask for: each split of a table once, for all its sets.

    Tables of one shape follow each other, so that small ones are hashed together. Of the tables
    that are read, `watched` columns are bounded.
    """
    watched = watched or {}
    sets: dict[int, list[int]] = defaultdict(list)
    columns: dict[int, list[tuple[Column, ...]]] = defaultdict(list)
    for (table, number), chosen in wanted.items():
        sets[table].append(number)
        columns[table].append(chosen)
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for table, asked in columns.items():
        alike[tuple(map(id, asked))].append(table)
    for same in alike.values():
        shape = tuple(columns[same[0]])
        for table in same:
            numbers = tuple(sets[table])
            bounded = watched.get(table, ())
            for split in tables[table].splits:
                yield ScanPiece(table, split, numbers, shape, bounded)


def bounding_pieces(watched: Watched, tables: Sequence[Table]) -> Iterator[ScanPiece]:
    """The work of bounding columns of tables, and nothing else."""
    for table, columns in watched.items():
        for split in tables[table].splits:
            yield ScanPiece(table, split, (), (), columns)


def constant_pieces(columns: Watched, tables: Sequence[Table]) -> Iterator[ScanPiece]:
    """The work of finding which of these columns hold one value."""
    for piece in bounding_pieces(columns, tables):
        yield replace(piece, bounded=(), single=piece.bounded)


def constants_of(answers: Iterable[Hashed]) -> Constants:
    """The columns that hold one value in all pieces of a table, all of whose were answered."""
    parts: dict[int, list[Mapping[str, Found]]] = defaultdict(list)
    failed: dict[int, str] = {}
    cost = Cost()
    for hashed in answers:
        cost = cost.plus(Cost(hashed.size_bytes, hashed.rows))
        if hashed.problem is not None:
            failed[hashed.table] = hashed.problem
        elif hashed.rows:
            parts[hashed.table].append(hashed.constants)
    left = sorted(parts.keys() - failed.keys())
    return Constants({table: in_all_parts(parts[table]) for table in left}, failed, {}, cost)


def bounds_asked(storage: Storage, tables: Sequence[Table], columns: Watched) -> RowBounds:
    """The bounds of columns of tables that the inventory left without.

    A table that already has bounds has no others.
    """
    # On a disk the rows of one small file take less than threads take to give way to each other.
    threads = REMOTE_THREADS if "://" in storage.url else 1
    order = [(table, tables[table], wanted) for table, wanted in columns.items()]
    found: dict[int, Mapping[str, Bounds]] = {}
    failed: dict[int, str] = {}
    with ThreadPoolExecutor(threads) as pool:
        tasks = (order[n : n + BOUNDED_TABLES] for n in range(0, len(order), BOUNDED_TABLES))
        for answers in pool.map(lambda task: list(bounds_of(storage, task)), tasks):
            for table, bounds in answers:
                if isinstance(bounds, str):
                    failed[table] = bounds
                else:
                    found[table] = bounds
    return RowBounds(found, failed, {}, Cost())


def tasks_of(
    pieces: Sequence[ScanPiece], most: int = TASK_SPLITS, workers: int = 1
) -> Iterator[list[ScanPiece]]:
    """The pieces as tasks of bounded size and at most so many pieces; neighbours stay together.

    A little work is cut finer, so that each of the workers gets some tasks of it.
    """
    total = sum(piece.split.size_bytes for piece in pieces)
    largest = min(TASK_BYTES, total // (workers * TASKS_A_WORKER) + 1)
    task: list[ScanPiece] = []
    size = 0
    for piece in pieces:
        if task and (size + piece.split.size_bytes > largest or len(task) >= most):
            yield task
            task, size = [], 0
        task.append(piece)
        size += piece.split.size_bytes
    if task:
        yield task


def scan(
    storage: Storage,
    pieces: Sequence[ScanPiece],
    types: Types,
    stop: Callable[[], bool],
    meter: TaskMeter,
    filter_of: FilterOf = lambda table, number: None,
) -> Iterator[Hashed]:
    """The outcome of each piece, in any order; small ones of one shape are hashed together."""
    together: list[tuple[ScanPiece, pa.RecordBatch]] = []
    rows = 0
    asked: tuple[tuple[Column, ...], ...] = ()
    bounded: tuple[Column, ...] = ()
    names: frozenset[str] = frozenset()
    for piece in pieces:
        if stop():
            return
        if piece.columns is not asked or piece.bounded is not bounded:
            asked, bounded = piece.columns, piece.bounded
            names = _names((*asked, bounded))
        try:
            if piece.single:
                yield _single(storage, piece)
                continue
            batches = meter.decoded(read_split(storage, piece.split, names), len(piece.sets))
            first = list(islice(batches, 2))
            if piece.sets and len(first) == 1 and first[0].num_rows <= SMALL_ROWS:
                if together and not _alike(together[0], (piece, first[0])):
                    yield from _hash_together(together, types, meter)
                    together, rows = [], 0
                together.append((piece, first[0]))
                rows += first[0].num_rows
            else:
                yield _hash_alone(piece, chain(first, batches), types, stop, meter, filter_of)
        except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
            yield Hashed(piece.table, problem=table_problem(error))
        if rows >= BATCH_ROWS:
            yield from _hash_together(together, types, meter)
            together, rows = [], 0
    yield from _hash_together(together, types, meter)


def _single(storage: Storage, piece: ScanPiece) -> Hashed:
    batches = read_split(storage, piece.split, _names([piece.single]))
    rows, found = single_values(batches, piece.single)
    return Hashed(piece.table, (), rows, piece.split.size_bytes, constants=found)


def _names(column_sets: Sequence[Sequence[Column]]) -> frozenset[str]:
    return frozenset(column.path[0] for columns in column_sets for column in columns)


def _alike(one: tuple[ScanPiece, pa.RecordBatch], other: tuple[ScanPiece, pa.RecordBatch]) -> bool:
    return one[0].columns == other[0].columns and one[1].schema.equals(other[1].schema)


def _hash_alone(
    piece: ScanPiece,
    batches: Iterator[pa.RecordBatch],
    types: Types,
    stop: Callable[[], bool],
    meter: TaskMeter,
    filter_of: FilterOf,
) -> Hashed:
    parts: list[list[Lanes]] = [[] for _ in piece.sets]
    filters = [filter_of(piece.table, number) for number in piece.sets]
    rows = 0
    bounds: list[Mapping[str, Bounds]] = []
    for batch in batches:
        if stop():
            break
        rows += batch.num_rows
        meter.hashes(batch)
        if piece.bounded:
            bounds.append(bounds_of_rows(batch, piece.bounded))
        hashes = row_hashes(batch, piece.columns, types)
        for part, filter_, lanes in zip(parts, filters, hashes, strict=True):
            part.append(sorted_unique(lanes) if filter_ is None else filter_.run_of(lanes))
    runs = tuple(
        (number, tuple(without_repeats(part)))
        for number, part in zip(piece.sets, parts, strict=True)
    )
    return Hashed(piece.table, runs, rows, piece.split.size_bytes, bounds=united(bounds))


def united(parts: Sequence[Mapping[str, Bounds]]) -> Mapping[str, Bounds]:
    """The bounds of each column over parts that all tell of it."""
    return {name: union([part[name] for part in parts]) for name in parts[0]} if parts else {}


def _hash_together(
    together: Sequence[tuple[ScanPiece, pa.RecordBatch]], types: Types, meter: TaskMeter
) -> list[Hashed]:
    """The outcomes of small pieces of one shape; where that fails, of each by itself."""
    try:
        return _hashed(together, types, meter) if together else []
    except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
        problem = table_problem(error)
        if len(together) == 1:
            return [Hashed(together[0][0].table, problem=problem)]
        return [hashed for one in together for hashed in _hash_together([one], types, meter)]


def _hashed(
    together: Sequence[tuple[ScanPiece, pa.RecordBatch]], types: Types, meter: TaskMeter
) -> list[Hashed]:
    batch = pa.concat_batches([own for _, own in together])
    meter.hashes(batch)
    sizes = [own.num_rows for _, own in together]
    hashes = row_hashes(batch, together[0][0].columns, types)
    runs = zip(*(sorted_unique_each(lanes, sizes) for lanes in hashes), strict=True)
    return [
        Hashed(
            piece.table,
            tuple((number, (run,)) for number, run in zip(piece.sets, of_piece, strict=True)),
            own.num_rows,
            piece.split.size_bytes,
            bounds=bounds_of_rows(own, piece.bounded) if piece.bounded else {},
        )
        for (piece, own), of_piece in zip(together, runs, strict=True)
    ]
