"""The local engine: threads over splits in this process. Nothing to start, nothing to install."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from threading import Event
from types import TracebackType
from typing import Self

import numpy as np

from r2d2.engines.local.run_store import RunStore
from r2d2.engines.scan import (
    REMOTE_TASK_SPLITS,
    REMOTE_THREADS,
    TASK_SPLITS,
    Hashed,
    Piece,
    pieces_of,
    scan,
    tasks_of,
)
from r2d2.hashing.runs import count_missing_each, smallest
from r2d2.hashing.sketch import sketch
from r2d2.lake.inventory import Inventory, take_inventory
from r2d2.lake.questions import Overlaps, Projection, Sketches, Wanted
from r2d2.model import Cost, Table
from r2d2.progress import Progress
from r2d2.settings.find import Settings
from r2d2.storage.local import Storage

RANGE_ROWS = 1 << 23

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
        self._failed: dict[int, str] = {}
        self._counted: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._runs.close()

    def inventory(self) -> Inventory:
        """All tables at their snapshots, from metadata alone."""
        inventory = take_inventory(self._storage, self._settings)
        self._tables = inventory.tables
        return inventory

    def sketches(self, wanted: Wanted, size: int) -> Sketches:
        """The `size` smallest distinct row hashes of each projection."""
        cost = self._scan(wanted)
        found = {}
        for key in wanted:
            if key[0] not in self._failed:
                found[key] = sketch(self._runs.smallest(key, size + 1), size)
        return Sketches(found, dict(self._failed), dict(self._counted), cost)

    def overlaps(
        self,
        wanted: Wanted,
        pairs: Sequence[tuple[Projection, Projection]],
        sample: int | None,
    ) -> Overlaps:
        """For each (child, parent): how many distinct child rows the parent lacks."""
        cost = self._scan(wanted)
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
            for job, (some_rows, some_missing) in zip(jobs, counts, strict=True):
                rows[job.places] += some_rows
                missing[job.places] += some_missing
        return Overlaps(rows, missing, dict(self._failed), dict(self._counted), cost)

    def _scan(self, wanted: Wanted) -> Cost:
        """Brings in the runs that are asked for and not yet there."""
        known = self._scanned
        new = {key: value for key, value in wanted.items() if key not in known}
        pieces = [
            piece for piece in pieces_of(new, self._tables) if piece.table not in self._failed
        ]
        self._scanned |= new.keys()
        self._progress.begin("hashing", sum(piece.split.size_bytes for piece in pieces))
        rows = size = 0
        counted = {table: 0 for table, _ in new}
        # A remote read mostly waits, so many small tasks read at once.
        remote = "://" in self._storage.url
        threads = max(REMOTE_THREADS, self._settings.threads) if remote else self._settings.threads
        tasks = tasks_of(pieces, REMOTE_TASK_SPLITS if remote else TASK_SPLITS, threads)
        for hashed in self._run(tasks, threads):
            rows += hashed.rows
            counted[hashed.table] += hashed.rows
            size += hashed.size_bytes
            self._progress.advance(hashed.size_bytes, hashed.rows)
            if hashed.problem is not None:
                self._failed[hashed.table] = hashed.problem
            for number, run in hashed.runs:
                self._runs.put((hashed.table, number), run)
        self._progress.end()
        self._counted |= {t: count for t, count in counted.items() if t not in self._failed}
        return Cost(size, rows)

    def _run(self, tasks: Iterable[list[Piece]], threads: int) -> Iterator[Hashed]:
        """The tasks' results as they come; few tasks wait, so that results do not pile up."""
        types = self._settings.types

        def work(task: list[Piece]) -> list[Hashed]:
            return list(scan(self._storage, task, types, self._stop.is_set))

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
        """In how many ranges of hashes to count, so that one range's rows of all tables are few."""
        keys = {key for place in places for key in pairs[place]}
        return 1 + sum(map(self._runs.rows, keys)) // RANGE_ROWS

    def _count(self, job: "_Job", sample: int | None) -> tuple[list[int], list[int]]:
        """Child rows and missing rows of each pair in one range of hashes."""
        if self._stop.is_set():
            return [], []
        slices = {
            key: self._runs.slice(key, job.part, job.parts)
            for key in dict.fromkeys(key for pair in job.pairs for key in pair)
        }
        # Hashes are in no order of the data, so the smallest are a sample of the rows.
        lookups = [
            (slices[child] if sample is None else smallest(slices[child], sample), slices[parent])
            for child, parent in job.pairs
        ]
        return [len(child) for child, _ in lookups], count_missing_each(lookups)


@dataclass(frozen=True, slots=True)
class _Job:
    """Pairs to count in one of equal ranges of hashes; `places` are theirs in the answer."""

    pairs: Pairs
    places: list[int]
    part: int
    parts: int
