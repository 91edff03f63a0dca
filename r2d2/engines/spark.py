"""The Spark engine: the local engine's kernels on a cluster.

Spark moves blobs of hashes, never rows, and keeps one scan for sketches and exact counts alike.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

from r2d2.config import Settings
from r2d2.engines.scan import Piece, tasks_of
from r2d2.engines.spark_count import Count
from r2d2.engines.spark_jobs import Jobs
from r2d2.engines.spark_plan import Integers, parts_of
from r2d2.engines.spark_rows import NO_TABLE, Heads
from r2d2.engines.spark_tasks import ScanTask
from r2d2.errors import LakeError
from r2d2.lake.inventory import Inventory, take_inventory
from r2d2.lake.layout import layout
from r2d2.lake.protocol import Overlaps, Projection, Sketches, Wanted
from r2d2.lake.storage import Storage
from r2d2.model import Column, Cost, Format, Table
from r2d2.progress import Progress

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DRIVER_TABLES = 512
MERGED_HEADS_BYTES = 64 << 20
READ_ANEW = "read anew after Spark had lost a part of it, and not as it was at first"

Pairs = Sequence[tuple[Projection, Projection]]


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
        self._size = settings.sketch_size
        self._tables: Sequence[Table] = ()
        self._scans: list[DataFrame] = []
        self._scan_of: dict[Projection, int] = {}
        self._parts: dict[Projection, int] = {}
        self._received: dict[Projection, int] = {}
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
        if size > self._size:
            self._forget()
            self._size = size
        kept = {self._scan_of[key] for key in wanted if key in self._scan_of}
        cost, heads = self._scan(wanted, size)
        for scan in sorted(kept):
            self._take_heads(heads, self._scans[scan], {k for k in wanted if self._scan_of[k] == scan})
        found = {key: heads.sketch(key) for key in wanted if key[0] not in self._failed}
        return Sketches(found, dict(self._failed), dict(self._counted), cost)

    def overlaps(self, wanted: Wanted, pairs: Pairs, sample: int | None) -> Overlaps:
        """For each (child, parent): how many distinct child rows the parent lacks."""
        cost, _ = self._scan(wanted, 0)
        rows, missing = np.full((2, len(pairs)), -1, np.int64)
        alive = [i for i, ends in enumerate(pairs) if not self._is_failed(ends)]
        if alive:
            rows[alive], missing[alive] = self._count([pairs[i] for i in alive], sample)
            dead = [i for i in alive if self._is_failed(pairs[i])]
            rows[dead] = missing[dead] = -1
        return Overlaps(rows, missing, dict(self._failed), dict(self._counted), cost)

    def _is_failed(self, pair: tuple[Projection, Projection]) -> bool:
        return any(table in self._failed for table, _ in pair)

    def _count(self, pairs: Pairs, sample: int | None) -> tuple[Integers, Integers]:
        """Rows looked up and missing of each pair; tables that were not read as before fail."""
        samples = None
        if sample is not None:
            ...
        count = Count.of(pairs, self._received, self._parts, samples)
