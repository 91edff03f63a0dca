"""The code that Spark's Python workers run: record batches in, record batches out.

Nothing here knows of Spark; each public function is the whole of one `mapInArrow`.
"""

import gc
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from time import process_time_ns, time_ns

import numpy as np
import pyarrow as pa

from r2d2.engines.pickling import dumps, loads
from r2d2.engines.scan import PieceFilter, ScanPiece, TaskMeter, scan
from r2d2.engines.spark.partitioning import ReducerTask
from r2d2.engines.spark.rows import (
    NO_TABLE,
    RowBuffer,
    RunSums,
    SketchCollector,
    Sums,
    buffers,
    cost_row,
    part_row,
    sketch_row,
    summary_row,
    unpacked,
)
from r2d2.errors import R2D2Error
from r2d2.formats.errors import table_problem
from r2d2.formats.parquet import small_files
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.rows import row_hashes
from r2d2.hashing.runs import (
    count_missing_each,
    cut,
    merge,
    run_sums,
    sketch,
    sorted_unique,
)
from r2d2.lake.inventory import bounds_of, described
from r2d2.lake.questions import Projection
from r2d2.model import Column, FileGroup, Types, Work
from r2d2.settings.find import Settings
from r2d2.storage.local import Storage

TASK_ROW = -1
COUNT_DDL = (
    "`group` int, received binary, rows binary, places binary, missing binary,"
    " nanoseconds bigint, bytes bigint"
)
COUNT_COLUMNS = ("group", "received", "rows", "places", "missing")
COST_COLUMNS = ("nanoseconds", "bytes")
INSPECT_DDL = "tables binary"
BOUND_DDL = "hashed binary, nanoseconds bigint"
REMOTE_THREADS = 16

Batches = Iterable[pa.RecordBatch]
Payloads = Iterable[bytes]


@dataclass(frozen=True, slots=True)
class ScanTask:
    """Splits to read, and in how many parts to cut each projection's hashes."""

    pieces: tuple[ScanPiece, ...]
    parts: Mapping[Projection, int]

    @staticmethod
    def of(pieces: Sequence[ScanPiece], parts: Mapping[Projection, int]) -> "ScanTask":
        """The task of these pieces; `parts` may tell of more."""
        keys = {(piece.table, number) for piece in pieces for number in piece.sets}
        return ScanTask(tuple(pieces), {key: parts[key] for key in keys})


@dataclass(frozen=True, slots=True)
class ForeignTask:
    """A table that Spark reads: the column sets (numbered) to hash it over, and their parts."""

    table: int
    sets: tuple[int, ...]
    columns: tuple[tuple[Column, ...], ...]
    parts: Mapping[Projection, int]


def inspect_tasks(
    storage: Storage, settings: Settings, payloads: Payloads
) -> Iterator[pa.RecordBatch]:
    """The tables of each payload's groups, those of small files with the bounds of their rows."""
    for payload in payloads:
        groups: Sequence[FileGroup] = loads(payload)
        with small_files.CACHE.held():
            tables = described(storage, settings, groups, remote_threads=REMOTE_THREADS)
            asked = [(place, table, table.columns) for place, table in enumerate(tables)]
            for place, bounds in bounds_of(storage, asked):
                tables[place] = (
                    replace(tables[place], problem=bounds, unreadable=True)
                    if isinstance(bounds, str)
                    else replace(tables[place], bounds=bounds)
                )
        yield pa.record_batch({"tables": pa.array([dumps(tables)], pa.binary())})


def scan_tasks(
    storage: Storage, types: Types, size: int, payloads: Payloads
) -> Iterator[pa.RecordBatch]:
    """The rows (see `rows`) of each task; sketches keep `size` hashes."""
    start, buffer, meter = process_time_ns(), RowBuffer(), TaskMeter()
    for payload in payloads:
        try:
            yield from _scanned(storage, types, size, loads(payload), buffer, meter)
        except R2D2Error as error:
            yield from buffer.add(summary_row(NO_TABLE, 0, 0, str(error)))
    yield from buffer.add(cost_row(process_time_ns() - start, 0, time_ns(), meter.work()))
    yield from buffer.flush()
    _freeze_once()


def _scanned(
    storage: Storage,
    types: Types,
    size: int,
    task: ScanTask,
    buffer: RowBuffer,
    meter: TaskMeter,
) -> Iterator[pa.RecordBatch]:
    runs: dict[Projection, list[Lanes]] = defaultdict(list)
    rows: Counter[int] = Counter()
    summed = RowSums()
    for hashed in scan(storage, task.pieces, types, _never, meter, summed.of):
        rows[hashed.table] += hashed.rows
        yield from buffer.add(
            summary_row(hashed.table, hashed.rows, hashed.size_bytes, hashed.problem, hashed.bounds)
        )
        for number, some in hashed.runs:
            runs[hashed.table, number] += some
    yield from _kept(runs, rows, summed, task.parts, size, buffer)


def bound_tasks(storage: Storage, types: Types, payloads: Payloads) -> Iterator[pa.RecordBatch]:
    """The outcome of each task's pieces, which ask for bounds alone."""
    for payload in payloads:
        start = process_time_ns()
        hashed = list(scan(storage, loads(payload), types, _never, TaskMeter()))
        told = pa.array([dumps(hashed)], pa.binary())
        yield pa.record_batch({"hashed": told, "nanoseconds": [process_time_ns() - start]})
    _freeze_once()


def foreign_tasks(
    task: ForeignTask, types: Types, size: int, batches: Batches
) -> Iterator[pa.RecordBatch]:
    """The rows (see `rows`) of batches that Spark itself read of one table."""
    runs: dict[Projection, list[Lanes]] = defaultdict(list)
    start, buffer, rows = process_time_ns(), RowBuffer(), 0
    problem: str | None = None
    for batch in batches:
        rows += batch.num_rows
        try:
            hashes = row_hashes(batch, task.columns, types)
        except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
            problem = table_problem(error)
            continue
        for number, lanes in zip(task.sets, hashes, strict=True):
            runs[task.table, number].append(sorted_unique(lanes))
    yield from buffer.add(summary_row(task.table, rows, 0, problem))
    yield from _kept(runs, {task.table: rows}, RowSums(), task.parts, size, buffer)
    yield from buffer.add(cost_row(process_time_ns() - start, 0, time_ns()))
    yield from buffer.flush()


class RowSums:
    """The sums of the hashes of all rows of large pieces, by projection, repeats too.

    Tables of the same rows in other splits have these sums in common, and no others.
    """

    def __init__(self) -> None:
        self._found: dict[Projection, _Summing] = {}

    def of(self, table: int, number: int) -> PieceFilter:
        """What a piece's hashes go through, so that they are summed."""
        return self._found.setdefault((table, number), _Summing())

    def all_of(self, key: Projection, rows: int) -> Sums | None:
        """The sums, where they are of so many rows."""
        found = self._found.get(key)
        return found.sums if found is not None and found.rows == rows else None


class _Summing(PieceFilter):
    """Drops nothing, and sums it up."""

    def __init__(self) -> None:
        self.rows = 0
        self.sums: Sums = (0, 0)

    def run_of(self, lanes: Lanes) -> Lanes:
        """The run of the hashes."""
        ((first, second),) = run_sums([lanes])
        self.rows += len(lanes)
        self.sums = self.sums[0] + first, self.sums[1] + second
        return sorted_unique(lanes)


def _kept(
    runs: dict[Projection, list[Lanes]],
    rows: Mapping[int, int],
    summed: RowSums,
    parts: Mapping[Projection, int],
    size: int,
    buffer: RowBuffer,
) -> Iterator[pa.RecordBatch]:
    """The rows of each projection's runs, taken together and cut; takes the runs out."""
    merged: dict[Projection, Lanes] = {}
    for key in list(runs):
        try:
            merged[key] = merge(runs.pop(key))
        except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
            yield from buffer.add(summary_row(key[0], 0, 0, table_problem(error)))
    every = _sums(merged, rows, summed)
    for ((table, number), run), sums in zip(merged.items(), every, strict=True):
        cuts = cut(run, parts[table, number])
        whole = len(cuts) == 1 and len(run) <= size
        if not whole:
            head = sketch(run, size)
            yield from buffer.add(sketch_row(table, number, head, len(run), sums))
        for place, own in enumerate(cuts):
            if len(own) or whole:
                yield from buffer.add(part_row(table, number, place, own, sums if whole else None))


def _sums(
    runs: Mapping[Projection, Lanes], rows: Mapping[int, int], summed: RowSums
) -> list[RunSums]:
    """The sums of each run; where no row repeats another, those of its rows are the same."""
    sums_of_rows = [summed.all_of(key, rows[key[0]]) for key in runs]
    repeats = [len(run) < rows[table] for (table, _), run in runs.items()]
    known = zip(runs.values(), sums_of_rows, repeats, strict=True)
    left = iter(run_sums([run for run, sums, repeat in known if repeat or sums is None]))
    found = []
    for sums, repeat in zip(sums_of_rows, repeats, strict=True):
        own = next(left) if repeat or sums is None else sums
        found.append(RunSums(own, sums if repeat else own))
    return found


@lru_cache(maxsize=1)
def _freeze_once() -> None:
    """Keeps what was imported out of garbage collection: Spark's workers collect after each task,
    which takes some 50 ms where pandas is loaded.
    """
    gc.freeze()


def _never() -> bool:
    return False


def merge_sketch_rows(size: int, batches: Batches) -> Iterator[pa.RecordBatch]:
    """One sketch for each projection, and one summary for each table, of those that come in."""
    start, collector, buffer = process_time_ns(), SketchCollector(size), RowBuffer()
    for batch in batches:
        collector.take(batch)
        collector.shuffled += batch.nbytes
    took_ns = process_time_ns() - start
    collector.nanoseconds += took_ns
    collector.work = collector.work.plus(Work(exchange_s=took_ns / 1e9))
    for row in collector.merged():
        yield from buffer.add(row)
    yield from buffer.flush()


def count_tasks(batches: Batches) -> Iterator[pa.RecordBatch]:
    """For each task among the rows: rows looked up and missing, of the hashes that came in."""
    start, size = process_time_ns(), 0
    tasks: list[ReducerTask] = []
    blobs: dict[int, list[tuple[int, Lanes, int]]] = defaultdict(list)
    for batch in batches:
        size += batch.nbytes
        numbers = (batch.column(name).to_pylist() for name in ("group", "projection", "hashes"))
        blobs_of_batch = buffers(batch.column("blob"))
        for group, projection, hashes, blob in zip(*numbers, blobs_of_batch, strict=True):
            if projection == TASK_ROW:
                tasks.append(loads(blob))
            else:
                blobs[group].append((projection, unpacked(blob), hashes))
    for task in tasks:
        arrays = _answer(task, blobs.pop(task.group, []))
        now = process_time_ns()
        cost = (pa.array([now - start]), pa.array([size]))
        yield pa.RecordBatch.from_arrays([*arrays, *cost], [*COUNT_COLUMNS, *COST_COLUMNS])
        start, size = now, 0


def _answer(task: ReducerTask, blobs: Sequence[tuple[int, Lanes, int]]) -> list[pa.Array]:
    """The answers of one task to blobs by projection, with how many hashes they had before sifting.

    The latter is negative where nothing was sifted. Hashes that were sifted out are in one run only
    (see `semijoin`), so each of them is a distinct one.
    """
    places = {number: place for place, number in enumerate(task.projections.tolist())}
    slices: list[list[Lanes]] = [[] for _ in places]
    received = np.zeros(len(places), np.int64)
    for projection, run, hashes in blobs:
        place, within = places[projection], cut(run, task.parts)[task.part]
        slices[place].append(within)
        received[place] += len(within) if hashes < 0 else hashes
    runs = [merge(some) for some in slices]
    children = runs
    distinct = received - [sum(map(len, some)) for some in slices] + [len(run) for run in runs]
    if task.samples is not None:
        children = [cut(sample, task.parts)[task.part] for sample in task.samples]
        distinct = np.array([len(run) for run in children], np.int64)
    pairs = zip(task.children.tolist(), task.parents.tolist(), strict=True)
    missing = np.array(
        count_missing_each([(children[child], runs[parent]) for child, parent in pairs]), np.int64
    )
    lacking = np.flatnonzero(missing)
    answers = (
        received,
        distinct,
        task.places[lacking],
        missing[lacking],
    )
    arrays = [pa.array([task.group], pa.int32())]
    arrays += [pa.array([answer.tobytes()], pa.binary()) for answer in answers]
    return arrays
