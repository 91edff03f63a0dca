"""The local engine: threads over splits in this process. Nothing to start, nothing to install."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import reduce
from threading import Event
from time import thread_time
from types import TracebackType
from typing import Self

import numpy as np

from r2d2.engines.local.run_store import RunStore
from r2d2.engines.scan import (
    REMOTE_TASK_SPLITS,
    REMOTE_THREADS,
    TASK_SPLITS,
    ChildFilters,
    Hashed,
    ScanPiece,
    TaskMeter,
    bounding_pieces,
    bounds_asked,
    constant_pieces,
    constants_of,
    pieces_of,
    scan,
    tasks_of,
    united,
)
from r2d2.formats.parquet import small_files
from r2d2.hashing.runs import count_missing_each, sketch, smallest
from r2d2.lake.inventory import Inventory, take_inventory
from r2d2.lake.questions import (
    Constants,
    Heads,
    Overlaps,
    Projection,
    RowBounds,
    Sketches,
    Wanted,
    Watched,
    heads_of,
)
from r2d2.model import Bounds, Column, Cost, Table, Work
from r2d2.progress import Progress
from r2d2.settings.find import Settings
from r2d2.storage.local import Storage

# Hashes of all tables that are looked up at once, and of the largest: its are sorted in the cache.
RANGE_ROWS = 1 << 23
LARGEST_ROWS, MOST_RANGES = 1 << 16, 256

Pairs = Sequence[tuple[Projection, Projection]]


class LocalLake:
    """A lake whose questions this process answers. Use it as a context manager."""

    def __init__(self, storage: Storage, settings: Settings, progress: Progress) -> None:
        self._storage = storage
        self._settings = settings
        self._progress = progress
        self._stop = Event()
        self._tables: Sequence[Table] = ()
        self._runs = RunStore(settings.memory_bytes)
        self._scanned: set[Projection] = set()
        self._filtered: dict[Projection, frozenset[int]] = {}
        self._failed: dict[int, str] = {}
        self._counted: dict[int, int] = {}
        self._watched: dict[int, tuple[Column, ...]] = {}
        self._bounds: dict[int, Mapping[str, Bounds]] = {}
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._held.enter_context(small_files.CACHE.held())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._runs.close()
        self._held.close()

    def inventory(self) -> Inventory:
        """All tables at their snapshots, from metadata alone."""
        inventory = take_inventory(self._storage, self._settings)
        self._tables = inventory.tables
        return inventory

    def bounds(self, columns: Watched) -> RowBounds:
        """The bounds of the columns of tables that the inventory left without."""
        answer = bounds_asked(self._storage, self._tables, columns)
        self._failed |= answer.failed
        return answer

    def heads(self, tables: Sequence[int]) -> Heads:
        """The first rows of each of these tables, read by this process."""
        answer = heads_of(self._storage, self._tables, tables)
        self._failed |= answer.failed
        return answer

    def watch(self, columns: Watched) -> None:
        """Asks that the columns be bounded when rows of their tables are read anyway."""
        self._watched |= columns
        self._bounds = {t: known for t, known in self._bounds.items() if t not in columns}

    def watched(self) -> RowBounds:
        """The bounds of all watched columns; those of tables not read since are read for it."""
        left = self._not_bounded()
        cost = self._read(list(bounding_pieces(left, self._tables)), left, {})
        found = {t: self._bounds[t] for t in self._watched if t not in self._failed}
        return RowBounds(found, dict(self._failed), dict(self._counted), cost)

    def _not_bounded(self) -> Watched:
        return {
            table: columns
            for table, columns in self._watched.items()
            if table not in self._bounds and table not in self._failed
        }

    def constants(self, columns: Watched) -> Constants:
        """Those of the columns that hold one value, or an index, as all their rows prove."""
        pieces = list(constant_pieces(columns, self._tables))
        filters = ChildFilters(0, {}, pieces, self._tables, self._runs.each)
        threads, work = self._settings.threads, list[Work]()
        answer = constants_of(self._run(tasks_of(pieces), threads, work, filters))
        self._failed |= answer.failed
        return answer

    def sketches(
        self, wanted: Wanted, size: int, children: Collection[Projection] | None = None
    ) -> Sketches:
        """The `size` smallest distinct row hashes of each projection."""
        # A filtered table keeps the hashes of a sketch of that size; a larger one needs more.
        filtering = children if children and size <= self._settings.sketch_size else wanted
        cost = self._scan(wanted, filtering)
        found = {}
        for key in wanted:
            if key[0] not in self._failed:
                found[key] = sketch(self._runs.smallest(key, size + 1), size)
        return Sketches(found, dict(self._failed), dict(self._counted), cost)

    def overlaps(
        self,
        wanted: Wanted,
        pairs: Pairs,
        sample: int | None,
        least: float = 0.0,
    ) -> Overlaps:
        """For each (child, parent): how many distinct child rows the parent lacks."""
        cost = self._scan(wanted, {child for child, _ in pairs})
        rows = np.zeros(len(pairs), np.int64)
        missing = np.zeros(len(pairs), np.int64)
        by_set: dict[int, list[int]] = defaultdict(list)
        for place, (child, parent) in enumerate(pairs):
            if child[0] in self._failed or parent[0] in self._failed:
                rows[place] = missing[place] = -1
            else:
                by_set[child[1]].append(place)
        jobs = [
            _Job([pairs[place] for place in places], places, part, parts)
            for places in by_set.values()
            for parts in [self._ranges(pairs, places) if sample is None else 1]
            for part in range(parts)
        ]
        with ThreadPoolExecutor(self._settings.threads) as pool:
            counts = pool.map(lambda job: self._count(job, sample), jobs)
            for job, (some_rows, some_missing, took_s) in zip(jobs, counts, strict=True):
                rows[job.places] += some_rows
                missing[job.places] += some_missing
                cost = cost.plus(Cost(work=Work(exchange_s=took_s)))
        return Overlaps(rows, missing, dict(self._failed), dict(self._counted), cost)

    def _scan(self, wanted: Wanted, children: Collection[Projection]) -> Cost:
        """Scans what is wanted and has not been scanned yet, as children and parents alike."""
        by_set: dict[int, set[int]] = defaultdict(set)
        for table, number in children:
            by_set[number].add(table)
        for key in self._filtered.keys() & wanted.keys():
            # Hashes of children that are asked about only now were left out.
            if key in children or not by_set[key[1]] <= self._filtered[key]:
                self._runs.forget(key)
                self._scanned.discard(key)
                del self._filtered[key]
        new = {key: value for key, value in wanted.items() if key not in self._scanned}
        pieces = [
            piece
            for piece in pieces_of(new, self._tables, self._not_bounded())
            if piece.table not in self._failed
        ]
        self._scanned |= new.keys()
        of_set = {number: frozenset(tables) for number, tables in by_set.items()}
        return self._read(pieces, dict.fromkeys(table for table, _ in new), of_set)

    def _read(
        self,
        pieces: Sequence[ScanPiece],
        tables: Iterable[int],
        children: Mapping[int, frozenset[int]],
    ) -> Cost:
        """Reads the pieces, which are all of these tables; `children` are those of each set."""
        self._progress.begin("hashing", sum(piece.split.size_bytes for piece in pieces))
        rows = size = 0
        work: list[Work] = []
        spilled = self._runs.spilled_bytes
        counted = dict.fromkeys(tables, 0)
        bounded = {piece.table for piece in pieces if piece.bounded}
        bounds: dict[int, list[Mapping[str, Bounds]]] = {table: [] for table in bounded}
        # A remote read mostly waits, so many small tasks read at once.
        remote = "://" in self._storage.url
        threads = max(REMOTE_THREADS, self._settings.threads) if remote else self._settings.threads
        least = self._settings.sketch_size + 1
        filters = ChildFilters(least, children, pieces, self._tables, self._runs.each)
        ordered = filters.in_order(pieces)
        tasks = tasks_of(ordered, REMOTE_TASK_SPLITS if remote else TASK_SPLITS, threads)
        for hashed in self._run(tasks, threads, work, filters):
            rows += hashed.rows
            counted[hashed.table] += hashed.rows
            size += hashed.size_bytes
            self._progress.advance(hashed.size_bytes, hashed.rows)
            if hashed.problem is not None:
                self._failed[hashed.table] = hashed.problem
            elif hashed.table in bounds:
                bounds[hashed.table].append(hashed.bounds)
        self._progress.end()
        self._filtered |= filters.used
        self._counted |= {t: count for t, count in counted.items() if t not in self._failed}
        self._bounds |= {t: united(parts) for t, parts in bounds.items() if t not in self._failed}
        spilled = self._runs.spilled_bytes - spilled
        return Cost(size, rows, spilled, work=reduce(Work.plus, work, Work()))

    def _run(
        self,
        tasks: Iterable[list[ScanPiece]],
        threads: int,
        done_work: list[Work],
        filters: ChildFilters,
    ) -> Iterator[Hashed]:
        """The tasks' results as they come, their runs put away; few tasks wait."""
        types = self._settings.types

        def work(task: list[ScanPiece]) -> list[Hashed]:
            meter = TaskMeter()
            told = []
            for hashed in scan(self._storage, task, types, self._stop.is_set, meter, filters.of):
                for number, some in hashed.runs:
                    self._runs.put((hashed.table, number), *some)
                filters.done(hashed.table)
                told.append(replace(hashed, runs=()))
            done_work.append(meter.work())
            return told

        with ThreadPoolExecutor(threads) as pool:
            waiting: set[Future[list[Hashed]]] = set()
            try:
                for task in tasks:
                    waiting.add(pool.submit(work, task))
                    if len(waiting) > 2 * threads:
                        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                        for future in done:
                            yield from future.result()
                for future in as_completed(waiting):
                    yield from future.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _ranges(self, pairs: Pairs, places: Sequence[int]) -> int:
        """The number of ranges of hashes to count in, so that the rows of one range are few."""
        keys = {key for place in places for key in pairs[place]}
        rows = [self._runs.rows(key) for key in keys]
        return 1 + max(sum(rows) // RANGE_ROWS, min(max(rows) // LARGEST_ROWS, MOST_RANGES))

    def _count(self, job: "_Job", sample: int | None) -> tuple[list[int], list[int], float]:
        """Child rows and missing rows of each pair in one range of hashes; CPU seconds."""
        start = thread_time()
        if self._stop.is_set():
            return [], [], 0.0
        slices = {
            key: self._runs.slice(key, job.part, job.parts)
            for key in dict.fromkeys(key for pair in job.pairs for key in pair)
        }
        # Hashes are in no order of the data, so the smallest are a sample of the rows.
        lookups = [
            (slices[child] if sample is None else smallest(slices[child], sample), slices[parent])
            for child, parent in job.pairs
        ]
        rows, missing = [len(child) for child, _ in lookups], count_missing_each(lookups)
        return rows, missing, thread_time() - start


@dataclass(frozen=True, slots=True)
class _Job:
    """Pairs to count in one of equal ranges of hashes; `places` are theirs in the answer."""

    pairs: Pairs
    places: list[int]
    part: int
    parts: int
