"""The Spark engine: the local engine's kernels on a cluster.

Spark moves blobs of hashes, never rows, and keeps one scan for sketches and exact counts alike.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

from r2d2.config import Settings
from r2d2.engines.scan import Piece, pieces_of
from r2d2.engines.spark_count import Count
from r2d2.engines.spark_jobs import Jobs
from r2d2.engines.spark_errors import spark_errors
from r2d2.engines.spark_plan import Integers, parts_of, tasks_of
from r2d2.engines.spark_rows import NO_TABLE, Heads
from r2d2.engines.spark_tasks import ScanTask
from r2d2.errors import LakeError, R2D2Error
from r2d2.lake.inventory import Inventory, take_inventory
from r2d2.lake.layout import layout
from r2d2.lake.protocol import Overlaps, Projection, Sketches, Wanted
from r2d2.lake.storage import Storage
from r2d2.model import Cost, Format, Table
from r2d2.progress import Progress

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DRIVER_TABLES = 512
SKETCHES_BYTES = 64 << 20
HASH_BYTES = 16
READ_ANEW = "read anew after Spark had lost a part of it, and not as it was at first"

Pairs = Sequence[tuple[Projection, Projection]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """Of a projection: the scan that Spark keeps its hashes in, their parts, and their number."""

    scan: int
    parts: int
    rows: int


class SparkLake:
    """A lake whose questions a Spark session answers. Use it as a context manager."""

    def __init__(
        self, storage: Storage, settings: Settings, session: "SparkSession", progress: Progress
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._session = session
        self._jobs = Jobs(session)
        self._progress = progress
        self._tag = f"r2d2-{uuid4()}"
        self._size = max(settings.sketch_size, settings.sample_rows)
        self._tables: Sequence[Table] = ()
        self._scans: list[DataFrame] = []
        self._kept: dict[Projection, _Kept] = {}
        self._failed: dict[int, str] = {}
        self._counted: dict[int, int] = {}

    def __enter__(self) -> "SparkLake":
        self._session.addTag(self._tag)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Where the session itself is what failed, its own error is the one to be seen.
        with suppress(R2D2Error), spark_errors():
            if error is not None:
                self._session.interruptTag(self._tag)
            self._session.removeTag(self._tag)
            self._forget()

    def inventory(self) -> Inventory:
        """All tables at their snapshots, from metadata alone."""
        listing = self._storage.list()
        found = layout(listing)
        if len(found.groups) <= DRIVER_TABLES:
            inventory = take_inventory(self._storage, self._settings)
        else:
            tables = self._jobs.described(self._storage, self._settings, found.groups)
            tables += [
                Table(path, Format.OTHER, problem=reason, unreadable=True)
                for path, reason in listing.problems
            ]
            tables.sort(key=lambda table: table.location)
            inventory = Inventory(tuple(tables), found.skipped)
        self._tables = inventory.tables
        return inventory

    def sketches(self, wanted: Wanted, size: int) -> Sketches:
        """The `size` smallest distinct row hashes of each projection."""
        self._provide(size)
        before = {self._kept[key].scan for key in wanted if key in self._kept}
        cost, heads = self._scan(wanted, size)
        for scan in sorted(before):
            self._take_heads(heads, scan, 1)
        found = {key: heads.sketch(key) for key in wanted if key[0] not in self._failed}
        return Sketches(found, dict(self._failed), dict(self._counted), cost)

    def overlaps(self, wanted: Wanted, pairs: Pairs, sample: int | None) -> Overlaps:
        """For each (child, parent): how many distinct child rows the parent lacks."""
        self._provide(sample or 0)
        cost, _ = self._scan(wanted, 0)
        rows, missing = np.full((2, len(pairs)), -1, np.int64)
        alive = [place for place, pair in enumerate(pairs) if not self._has_failed(pair)]
        if alive:
            asked = [pairs[place] for place in alive]
            rows[alive], missing[alive] = self._count(wanted, asked, sample)
            dead = [place for place in alive if self._has_failed(pairs[place])]
            rows[dead] = missing[dead] = -1
        return Overlaps(rows, missing, dict(self._failed), dict(self._counted), cost)

    def _has_failed(self, pair: tuple[Projection, Projection]) -> bool:
        return any(table in self._failed for table, _ in pair)

    def _count(self, wanted: Wanted, pairs: Pairs, sample: int | None) -> tuple[Integers, Integers]:
        """Rows looked up and missing of each pair; a table that was not read as before fails."""
        samples = None
        if sample is not None:
            samples = self.sketches({child: wanted[child] for child, _ in pairs}, sample).found
        kept = {key: self._kept[key] for pair in pairs for key in pair}
        count = Count.of(
            pairs,
            {key: own.rows for key, own in kept.items()},
            {key: own.parts for key, own in kept.items()},
            samples,
        )
        scans = [
            (frame, count.route_rows({key for key, own in kept.items() if own.scan == number}))
            for number, frame in enumerate(self._scans)
        ]
        self._progress.begin("counting", 0)
        tally = count.tally(
            self._jobs.counts(
                [(frame, routes) for frame, routes in scans if len(routes)],
                count.question_rows(),
                count.reducers,
            )
        )
        self._progress.end()
        for number in np.flatnonzero(tally.received != count.expected).tolist():
            self._failed[count.keys[number][0]] = READ_ANEW
        return tally.rows, tally.missing

    def _scan(self, wanted: Wanted, size: int) -> tuple[Cost, Heads]:
        """Brings in what is asked for and not yet kept; its sketches, where `size` is not 0."""
        new = {
            key: columns
            for key, columns in wanted.items()
            if key not in self._kept and key[0] not in self._failed
        }
        heads = Heads(size)
        if not new:
            return Cost(), heads
        parts = parts_of(new, self._tables)
        pieces = list(pieces_of(new, self._tables))
        self._progress.begin("hashing", sum(piece.split.size_bytes for piece in pieces))
        tasks = [ScanTask.of(task, parts) for task in tasks_of(pieces)]
        number = len(self._scans)
        self._scans.append(self._jobs.scan(self._storage, self._settings.types, self._size, tasks))
        self._take_heads(heads, number, self._mergers(pieces) if size else 1)
        cost = Cost(sum(heads.size_bytes.values()), sum(heads.rows.values()))
        self._progress.advance(cost.bytes_read, cost.rows_read)
        self._progress.end()
        self._settle(new, heads, parts, number)
        return cost, heads

    def _settle(
        self, new: Wanted, heads: Heads, parts: Mapping[Projection, int], number: int
    ) -> None:
        """Notes what a scan yielded, and which tables it could not read.

        Raises:
            LakeError: an executor cannot read the lake at all.
        """
        if NO_TABLE in heads.problems:
            raise LakeError(heads.problems[NO_TABLE])
        self._failed |= heads.problems
        for key in new:
            self._kept[key] = _Kept(number, parts[key], heads.received[key])
            if key[0] not in self._failed:
                self._counted[key[0]] = heads.rows[key[0]]

    def _mergers(self, pieces: Sequence[Piece]) -> int:
        """How many tasks merge sketches before the driver takes them; 1 where they are few."""
        rows = (min(p.split.rows or self._size, self._size) * len(p.sets) for p in pieces)
        return 1 + HASH_BYTES * sum(rows) // SKETCHES_BYTES

    def _take_heads(self, heads: Heads, number: int, mergers: int) -> None:
        for batch in self._jobs.heads(self._scans[number], self._size, heads.size > 0, mergers):
            heads.take(batch)

    def _provide(self, size: int) -> None:
        """Makes room for sketches of that size; shorter ones that are kept are made anew."""
        if size > self._size:
            self._forget()
            self._size = size

    def _forget(self) -> None:
        for scan in self._scans:
            scan.unpersist()
        self._scans.clear()
        self._kept.clear()
