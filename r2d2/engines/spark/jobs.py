"""The four kinds of Spark job: tables from metadata, a scan that is kept, its sketches, its counts.

DataFrames and SQL expressions only: the same on a classic session and over Spark Connect.
Executors read the lake natively, so Spark counts no input: jobs are labelled with the bytes that
they read, and `vmcost.profile` takes seconds per GB from these labels.
"""

import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from r2d2.engines.pickling import dumps, loads
from r2d2.engines.scan import Hashed, ScanPiece
from r2d2.engines.spark.partitioning import partition_keys
from r2d2.engines.spark.rows import NO_TABLE, SCAN_DDL
from r2d2.engines.spark.semijoin import (
    FILTER_DDL,
    SIFTED_COLUMNS,
    SIFTED_DDL,
    FilterPlan,
    Filters,
    filter_tasks,
    sift_tasks,
)
from r2d2.engines.spark.session import TaskKilledError, spark_errors
from r2d2.engines.spark.tasks import (
    BOUND_DDL,
    COUNT_DDL,
    INSPECT_DDL,
    ForeignTask,
    ScanTask,
    bound_tasks,
    count_tasks,
    foreign_tasks,
    inspect_tasks,
    merge_sketch_rows,
    scan_tasks,
)
from r2d2.lake.inventory import described
from r2d2.model import FileGroup, Table, Types
from r2d2.settings.find import Settings
from r2d2.storage.local import Storage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Routed = Sequence[tuple["DataFrame", pa.Table]]
"""Scans, each with the routes of its parts."""

_One = TypeVar("_One")
_Key = TypeVar("_Key", bound=Hashable)
_Answer = TypeVar("_Answer")

GROUPS_PER_TASK = 256
MOST_PARTITIONS = 1 << 13
KILLS = "Spark's workers died when they read this table alone"


@dataclass(frozen=True, slots=True)
class SparkJobs:
    """The jobs that r2d2 starts in a Spark session."""

    session: "SparkSession"

    @property
    def cores(self) -> int:
        """The cores of all executors, as far as Spark knows of them; over Spark Connect, 1."""
        is_classic = hasattr(self.session, "_jsc")
        return self.session.sparkContext.defaultParallelism if is_classic else 1

    def described(
        self, storage: Storage, settings: Settings, groups: Sequence[FileGroup]
    ) -> list[Table]:
        """The groups' tables, inspected by the executors."""
        inspect = partial(inspect_tasks, storage, settings)

        def inspected(tasks: Sequence[Sequence[FileGroup]]) -> list[Table]:
            with spark_errors():
                answers = self.spread(map(dumps, tasks), inspect, INSPECT_DDL).toArrow()
            blobs = answers.column("tables")
            return [table for blob in blobs for table in loads(blob.as_buffer())]

        few = range(0, len(groups), GROUPS_PER_TASK)
        tasks = [groups[start : start + GROUPS_PER_TASK] for start in few]
        lost: dict[str, str] = {}
        tables = outliving(tasks, attrgetter("location"), inspected, lost) or []
        dead = [group for group in groups if group.location in lost]
        told = [replace(group, problem=lost[group.location]) for group in dead]
        return tables + described(storage, settings, told)

    def scan(
        self, storage: Storage, types: Types, size: int, tasks: Iterable[ScanTask]
    ) -> "DataFrame":
        """The rows (see `rows`) of all tasks."""
        with spark_errors():
            read = partial(scan_tasks, storage, types, size)
            return self.spread(map(dumps, tasks), read, SCAN_DDL)

    def kept(self, scan: "DataFrame") -> "DataFrame":
        """The scan, kept by Spark once it is made."""
        with spark_errors():
            return scan.persist()

    def rows(self, scan: "DataFrame") -> pa.Table:
        """All rows of the scan."""
        with spark_errors():
            return scan.toArrow()

    def sent(self, rows: pa.Table) -> "DataFrame":
        """The rows, of which the driver holds all, as Spark has them."""
        with spark_errors():
            return self.session.createDataFrame(rows)

    def bounded(
        self, storage: Storage, types: Types, tasks: Iterable[Sequence[ScanPiece]]
    ) -> tuple[list[Hashed], float]:
        """The outcomes of pieces that ask for bounds alone, and the core-seconds that they took."""
        bound = partial(bound_tasks, storage, types)

        def bounded(tasks: Sequence[Sequence[ScanPiece]]) -> pa.Table:
            with spark_errors():
                return self.spread(map(dumps, tasks), bound, BOUND_DDL).toArrow()

        lost: dict[int, str] = {}
        answers = outliving(list(tasks), attrgetter("table"), bounded, lost)
        outcomes = [Hashed(table, problem=problem) for table, problem in lost.items()]
        if answers is None:
            return outcomes, 0.0
        blobs = answers.column("hashed")
        outcomes += [hashed for blob in blobs for hashed in loads(blob.as_buffer())]
        return outcomes, sum(answers.column("nanoseconds").to_pylist()) / 1e9

    def foreign_scan(
        self, rows: "DataFrame", task: ForeignTask, types: Types, size: int
    ) -> "DataFrame":
        """The same of rows that Spark reads."""
        names = {column.path[0]: None for columns in task.columns for column in columns}
        quoted = [f"`{name.replace('`', '``')}`" for name in names]
        with spark_errors():
            hashed = rows.select(*quoted).mapInArrow(
                partial(foreign_tasks, task, types, size), SCAN_DDL
            )
            return self.kept(hashed)

    def sketch_rows(
        self, scan: "DataFrame", size: int, sketches: bool, mergers: int
    ) -> Iterator[pa.RecordBatch]:
        """The scan's summaries and (if wanted) sketches; `mergers` tasks merge them beforehand."""
        rows = scan.filter("sketch IS NOT NULL")
        if not sketches:
            rows = rows.drop("blob")
        elif mergers > 1:
            rows = rows.repartition(mergers, "table").mapInArrow(
                partial(merge_sketch_rows, size), SCAN_DDL
            )
        with spark_errors():
            yield from rows.toArrow().to_batches()

    def made(self, scan: "DataFrame") -> int:
        """The sum of the stamps of the scan's tasks, another one once some have run anew."""
        with spark_errors():
            stamps = scan.filter(f"table = {NO_TABLE} AND problem IS NULL").select("first")
            return sum(stamps.toArrow().column("first").to_pylist())

    def filters(self, scans: Routed, plans: Mapping[int, FilterPlan]) -> pa.Table:
        """The positions, in each group's range, of the hashes that routes send to the group."""
        with spark_errors():
            found = [
                self._routed(scan, routes)
                .select("group", "projection", "blob")
                .mapInArrow(partial(filter_tasks, plans), FILTER_DDL)
                for scan, routes in scans
            ]
            return reduce(lambda one, other: one.unionByName(other), found).toArrow()

    def counts(
        self,
        scans: Routed,
        sifted: Routed,
        filters: Filters,
        tasks: pa.Table,
        reducers: int,
        shuffled: bool,
    ) -> pa.Table:
        """The reducers' answers: parts of the scans go where routes say, to meet the tasks.

        Of what is `sifted`, only hashes that pass their group's filter go there. One reducer of few
        partitions needs no shuffle: it takes them all.
        """
        keys = partition_keys(reducers)
        sift = partial(sift_tasks, filters)
        with spark_errors():
            rows = self.session.createDataFrame(_keyed(tasks, keys))
            for scan, routes in scans:
                parts = self._routed(scan, _keyed(routes, keys))
                whole = parts.selectExpr("*", "-1L AS hashes")
                rows = rows.unionByName(whole.select(*rows.columns))
            for scan, routes in sifted:
                parts = self._routed(scan, _keyed(routes, keys)).select(*SIFTED_COLUMNS)
                rows = rows.unionByName(parts.mapInArrow(sift, SIFTED_DDL))
            met = rows.repartition(reducers, "reducer") if shuffled else rows.coalesce(1)
            return met.mapInArrow(count_tasks, COUNT_DDL).toArrow()

    def _routed(self, scan: "DataFrame", routes: pa.Table) -> "DataFrame":
        routed = self.session.createDataFrame(routes).hint("broadcast")
        return scan.filter("part >= 0").join(routed, ["table", "number", "part"])

    def spread(
        self,
        payloads: Iterable[bytes],
        work: Callable[[Iterable[bytes]], Iterator[pa.RecordBatch]],
        ddl: str,
    ) -> "DataFrame":
        """The rows that the work makes of the payloads, each of which cores take as they come.

        All payloads go to every executor with the code, so that nothing is shuffled.
        """
        packed = [zlib.compress(payload, 1) for payload in payloads]
        partitions = min(max(1, len(packed)), MOST_PARTITIONS)
        numbers = self.session.range(0, len(packed), 1, partitions)
        return numbers.mapInArrow(partial(_worked, work, packed), ddl)


def outliving(
    tasks: Sequence[Sequence[_One]],
    key: Callable[[_One], _Key],
    job: Callable[[Sequence[Sequence[_One]]], _Answer],
    lost: dict[_Key, str],
) -> _Answer | None:
    """The job's answer to the tasks, without those of which workers died; None where none is left.

    Where the workers of one task die of it, what has one key becomes a task of its own; what was
    alone in it is left out, and `lost` tells why.
    """
    while tasks := [task for task in tasks if task]:
        try:
            return job(tasks)
        except TaskKilledError as error:
            if len(tasks) > MOST_PARTITIONS:
                raise
            by_key: dict[_Key, list[_One]] = {}
            for one in tasks[error.task]:
                by_key.setdefault(key(one), []).append(one)
            if len(by_key) == 1:
                (dead,) = by_key
                lost[dead] = f"{KILLS}: {error}"
                tasks = [[one for one in task if key(one) != dead] for task in tasks]
            else:
                before, after = tasks[: error.task], tasks[error.task + 1 :]
                tasks = [*before, *by_key.values(), *after]
    return None


def _worked(
    work: Callable[[Iterable[bytes]], Iterator[pa.RecordBatch]],
    packed: Sequence[bytes],
    batches: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """What the work makes of the payloads whose numbers come in."""
    numbers = (number for batch in batches for number in batch.column("id").to_pylist())
    return work(zlib.decompress(packed[number]) for number in numbers)


def _keyed(rows: pa.Table, keys: npt.NDArray[np.int32]) -> pa.Table:
    """The rows with their task's number replaced by what Spark hashes to that partition."""
    place = rows.schema.get_field_index("reducer")
    numbers = pa.array(keys[rows.column("reducer").to_numpy()], pa.int32())
    return rows.set_column(place, "reducer", numbers)


READ, READ_BYTES = "r2d2.read", "r2d2.read_bytes"
_reads = count(1)


@contextmanager
def reads_labelled(session: "SparkSession", size_bytes: int) -> Iterator[None]:
    """Labels the jobs that start within as one read of so many bytes of the lake.

    One read may be several jobs, so it has a number in its application. Over Spark Connect there
    is no such label: its jobs are left as they are.
    """
    if not hasattr(session, "_jsc"):
        yield
        return
    context = session.sparkContext
    context.setLocalProperty(READ, str(next(_reads)))
    context.setLocalProperty(READ_BYTES, str(size_bytes))
    try:
        yield
    finally:
        context.setLocalProperty(READ, None)
        context.setLocalProperty(READ_BYTES, None)
