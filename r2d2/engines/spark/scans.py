"""The scans that Spark keeps for one run, and the counts on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from r2d2.engines.scan import ScanPiece, pieces_of
from r2d2.engines.spark.count import Count, PairCounts
from r2d2.engines.spark.jobs import SparkJobs, reads_labelled
from r2d2.engines.spark.partitioning import parts_of, tasks_of
from r2d2.engines.spark.rows import SketchCollector
from r2d2.engines.spark.tasks import ForeignTask, ScanTask
from r2d2.errors import R2D2Error
from r2d2.hashing.runs import BottomKSketch
from r2d2.lake.questions import Projection, Wanted
from r2d2.model import Table, Types
from r2d2.storage.local import Storage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SKETCHES_BYTES = 64 << 20
HASH_BYTES = 16
# One reducer needs no shuffle where the scans have few partitions; a foreign scan may have many.
FEW_PARTITIONS = 4
MANY_PARTITIONS = FEW_PARTITIONS + 1
NOWHERE = -1

Pairs = Sequence[tuple[Projection, Projection]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """Of a projection: the scan that Spark keeps its hashes in, their parts, and their number."""

    scan: int
    parts: int
    rows: int


class Scans:
    """The scans that Spark keeps, and has to read anew where an executor is lost.

    `size`: how many hashes the sketches hold. `foreign`: rows of tables that Spark itself reads.
    """

    def __init__(self, jobs: SparkJobs, storage: Storage, types: Types, size: int) -> None:
        self.size = size
        self.foreign: Mapping[int, DataFrame] = {}
        self._jobs = jobs
        self._storage = storage
        self._types = types
        self._frames: list[DataFrame] = []
        self._partitions = 0
        self._kept: dict[Projection, _Kept] = {}

    def forget(self) -> None:
        """Lets Spark drop everything."""
        for frame in self._frames:
            frame.unpersist()
        self._frames.clear()
        self._kept.clear()
        self._partitions = 0

    def lacking(self, wanted: Wanted) -> Wanted:
        """The part of what is wanted that is not kept."""
        return {key: columns for key, columns in wanted.items() if key not in self._kept}

    def scan(self, wanted: Wanted, tables: Sequence[Table], sketches: bool) -> SketchCollector:
        """Reads and keeps what is wanted; the rows and bytes read of each table, and sketches."""
        parts = parts_of(wanted, tables)
        collector = SketchCollector(self.size if sketches else 0)
        pieces = list(pieces_of(wanted, tables))
        scan = NOWHERE
        if pieces:
            tasks = [ScanTask.of(task, parts) for task in tasks_of(pieces)]
            frame = self._jobs.scan(self._storage, self._types, self.size, tasks)
            scan = self._keep(frame, len(tasks))
            read_bytes = sum(tables[table].size_bytes for table in {p.table for p in pieces})
            with reads_labelled(self._jobs.session, read_bytes):
                self._take(scan, collector, self._mergers(pieces) if sketches else 1)
        foreign = {key[0] for key in wanted} & self.foreign.keys()
        self._note(wanted, scan, parts, collector)
        for table in sorted(foreign):
            own = {key: columns for key, columns in wanted.items() if key[0] == table}
            self._scan_foreign(table, own, parts, collector)
        return collector

    def _scan_foreign(
        self,
        table: int,
        wanted: Wanted,
        parts: Mapping[Projection, int],
        collector: SketchCollector,
    ) -> None:
        """A scan of its own, so that no other table fails where Spark cannot read this one."""
        numbers, columns = tuple(number for _, number in wanted), tuple(wanted.values())
        task = ForeignTask(table, numbers, columns, {key: parts[key] for key in wanted})
        try:
            frame = self._jobs.foreign_scan(self.foreign[table], task, self._types, self.size)
            scan = self._keep(frame, MANY_PARTITIONS)
            self._take(scan, collector, 1)
            self._note(wanted, scan, parts, collector)
        except R2D2Error as error:
            collector.problems[table] = str(error)

    def again(self, wanted: Wanted, collector: SketchCollector) -> list[Projection]:
        """Takes the sketches of what is kept; those that were lost and are not read as before."""
        kept = {key: self._kept[key] for key in wanted if key in self._kept}
        for scan in sorted({own.scan for own in kept.values()} - {NOWHERE}):
            self._take(scan, collector, 1)
        return [key for key, own in kept.items() if collector.received[key] != own.rows]

    def count(
        self, pairs: Pairs, samples: Mapping[Projection, BottomKSketch] | None
    ) -> tuple[PairCounts, list[Projection]]:
        """Rows looked up and missing by pair; projections that were not read as before."""
        kept = {key: self._kept[key] for pair in pairs for key in pair}
        rows = {key: own.rows for key, own in kept.items()}
        count = Count.of(pairs, rows, {key: own.parts for key, own in kept.items()}, samples)
        routed = []
        for number, frame in enumerate(self._frames):
            routes = count.route_rows({key for key, own in kept.items() if own.scan == number})
            if len(routes):
                routed.append((frame, routes))
        tasks, few = count.task_rows(), self._partitions <= FEW_PARTITIONS
        tally = count.tally(self._jobs.counts(routed, tasks, count.reducers, few))
        return tally, count.amiss(tally)

    def _keep(self, frame: "DataFrame", partitions: int) -> int:
        self._frames.append(frame)
        self._partitions += partitions
        return len(self._frames) - 1

    def _note(
        self, wanted: Wanted, scan: int, parts: Mapping[Projection, int], collector: SketchCollector
    ) -> None:
        for key in wanted:
            self._kept[key] = _Kept(scan, parts[key], collector.received[key])

    def _take(self, scan: int, collector: SketchCollector, mergers: int) -> None:
        for batch in self._jobs.sketch_rows(
            self._frames[scan], self.size, collector.size > 0, mergers
        ):
            collector.take(batch)

    def _mergers(self, pieces: Sequence[ScanPiece]) -> int:
        """The number of tasks that merge sketches before the driver takes them; 1 for a few."""
        rows = (min(p.split.rows or self.size, self.size) * len(p.sets) for p in pieces)
        return 1 + HASH_BYTES * sum(rows) // SKETCHES_BYTES
