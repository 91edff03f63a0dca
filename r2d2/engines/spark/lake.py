"""The Spark engine: the local engine's kernels on a cluster.

Spark moves blobs of hashes, never rows, and keeps one scan for sketches and exact counts alike.
Tables that r2d2 refuses to read itself are read by Spark's own sources, where these can.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import numpy as np
import pyarrow as pa

from r2d2.engines.scan import (
    bounding_pieces,
    bounds_asked,
    constant_pieces,
    constants_of,
    tasks_of,
    united,
)
from r2d2.engines.spark.count import PairCounts
from r2d2.engines.spark.jobs import SparkJobs, reads_labelled
from r2d2.engines.spark.rows import NO_TABLE, SketchCollector
from r2d2.engines.spark.scans import Scans
from r2d2.engines.spark.session import coordinates, spark_errors
from r2d2.errors import IneligibleTableError, LakeError, R2D2Error
from r2d2.formats.parquet import small_files
from r2d2.formats.schema import check_names, flatten
from r2d2.lake.exports import with_uncertain_kept
from r2d2.lake.groups import grouped
from r2d2.lake.inventory import Inventory, inventory_of, unlisted
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
from r2d2.lake.selection import is_left_out_as_asked, selected
from r2d2.model import Bounds, Column, Cost, Format, Table
from r2d2.progress import Progress
from r2d2.settings.find import Settings
from r2d2.storage.local import Storage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DRIVER_TABLES = 512
READ_ANEW = "read anew after Spark had lost a part of it, and not as it was at first"

Pairs = Sequence[tuple[Projection, Projection]]


# What a reader must know and r2d2 does not; other refusals hold for every reader.
_UNKNOWN_FEATURE = re.compile(r"^Delta reader feature not supported")
_ICEBERG = re.compile(r"/metadata/[^/]*\.metadata\.json(?:\.gz)?$")
_COMMIT = re.compile(r"_delta_log/(\d{20})\.json$")
# Dates of the Julian calendar are refused, as r2d2's own readers do.
_OPTIONS = {"datetimeRebaseMode": "EXCEPTION", "int96RebaseMode": "EXCEPTION"}
_JARS = {"delta": "delta-spark", "iceberg": "iceberg-spark-runtime"}
_TYPES = {
    "boolean": pa.bool_(),
    "byte": pa.int8(),
    "short": pa.int16(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}


class SparkLake:
    """A lake whose questions a Spark session answers. Use it as a context manager."""

    def __init__(
        self, storage: Storage, settings: Settings, session: "SparkSession", progress: Progress
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._session = session
        self._progress = progress
        self._jobs = SparkJobs(session)
        size = max(settings.sketch_size, settings.sample_rows)
        self._scans = Scans(self._jobs, storage, settings, size)
        self._tag = f"r2d2-{uuid4()}"
        self._tables: Sequence[Table] = ()
        self._failed: dict[int, str] = {}
        self._counted: dict[int, int] = {}
        self._watched: dict[int, tuple[Column, ...]] = {}
        self._bounds: dict[int, Mapping[str, Bounds]] = {}
        self._is_bounded = False
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._held.enter_context(small_files.CACHE.held())
        self._session.addTag(self._tag)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()
        # Where the session itself is what failed, its own error is the one to be seen.
        with suppress(R2D2Error), spark_errors():
            if error is not None:
                self._session.interruptTag(self._tag)
            self._session.removeTag(self._tag)
            self._scans.forget()

    def inventory(self) -> Inventory:
        """All tables at their snapshots, from metadata alone.

        Executors read it where that is worth a job; Spark's own sources see what r2d2 refuses.
        """
        listing = self._storage.list()
        found = grouped(self._storage, listing, self._settings.tables)
        if len(found.groups) <= DRIVER_TABLES:
            inventory = inventory_of(self._storage, self._settings, listing, found)
        else:
            selection = selected(found.groups, self._settings)
            tables = self._jobs.described(self._storage, self._settings, selection.groups)
            self._is_bounded = True
            tables = [*tables, *selection.left_out, *unlisted(found)]
            tables = with_uncertain_kept(tables, found.groups)
            tables.sort(key=lambda table: table.location)
            inventory = Inventory(tuple(tables), found.skipped, found.owners.data())
        self._tables = self._with_foreign(inventory.tables)
        return Inventory(tuple(self._tables), inventory.skipped, inventory.owners)

    def _with_foreign(self, tables: Sequence[Table]) -> Sequence[Table]:
        """The tables; those that only a source of Spark's can read as that one sees them."""
        seen, foreign = list(tables), {}
        for index, table in enumerate(tables):
            if source_of(table) is not None:
                read = read_by_spark(self._session, self._storage, table, self._settings)
                seen[index] = read.table
                if read.rows is not None:
                    foreign[index] = read.rows
        self._scans.foreign = foreign
        return seen

    def bounds(self, columns: Watched) -> RowBounds:
        """The bounds of the columns of tables that the inventory left without."""
        left = {} if self._is_bounded else columns
        answer = bounds_asked(self._storage, self._tables, left)
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
        types = self._settings.types
        pieces = list(bounding_pieces(self._not_bounded(), self._tables))
        parts: dict[int, list[Mapping[str, Bounds]]] = defaultdict(list)
        rows = size = 0
        seconds = 0.0
        if pieces:
            with reads_labelled(self._session, sum(p.split.size_bytes for p in pieces)):
                answers, seconds = self._jobs.bounded(self._storage, types, tasks_of(pieces))
            for hashed in answers:
                rows += hashed.rows
                size += hashed.size_bytes
                parts[hashed.table].append(hashed.bounds)
                if hashed.problem is not None:
                    self._failed[hashed.table] = hashed.problem
        self._bounds |= {t: united(some) for t, some in parts.items()}
        known = self._bounds.items()
        found = {t: bounds for t, bounds in known if t not in self._failed}
        cost = Cost(size, rows, core_seconds=seconds)
        return RowBounds(found, dict(self._failed), dict(self._counted), cost)

    def _not_bounded(self) -> Watched:
        gone = self._bounds.keys() | self._failed.keys()
        return {table: columns for table, columns in self._watched.items() if table not in gone}

    def constants(self, columns: Watched) -> Constants:
        """Those of the columns that hold one value, or an index, as all their rows prove.

        None of a table that only a source of Spark's can read.
        """
        pieces = list(constant_pieces(columns, self._tables))
        if not pieces:
            return Constants({}, {}, {}, Cost())
        with reads_labelled(self._session, sum(p.split.size_bytes for p in pieces)):
            answers, seconds = self._jobs.bounded(
                self._storage, self._settings.types, tasks_of(pieces)
            )
        answer = constants_of(answers)
        self._failed |= answer.failed
        return replace(answer, cost=replace(answer.cost, core_seconds=seconds))

    def sketches(
        self, wanted: Wanted, size: int, children: Collection[Projection] | None = None
    ) -> Sketches:
        """The `size` smallest distinct row hashes of each projection."""
        self._provide(size)
        not_kept = self._scans.not_kept(wanted)
        cost, collector = self._scan(not_kept, sketches=True)
        if len(not_kept) < len(wanted):
            before = {key: columns for key, columns in wanted.items() if key not in not_kept}
            self._fail(self._scans.resend_sketches(before, collector))
        found = {key: collector.sketch(key, size) for key in wanted if key[0] not in self._failed}
        return Sketches(found, dict(self._failed), dict(self._counted), cost)

    def overlaps(
        self, wanted: Wanted, pairs: Pairs, sample: int | None, least: float = 0.0
    ) -> Overlaps:
        """For each (child, parent): how many distinct child rows the parent lacks."""
        self._provide(sample or 0)
        cost, _ = self._scan(self._scans.not_kept(wanted), sketches=False)
        rows, missing = np.full((2, len(pairs)), -1, np.int64)
        alive = [place for place, pair in enumerate(pairs) if not self._has_failed(pair)]
        if alive:
            asked = [pairs[place] for place in alive]
            counts = self._count(wanted, asked, sample, least)
            rows[alive], missing[alive] = counts.rows, counts.missing
            cost = cost.plus(counts.cost)
            dead = [place for place in alive if self._has_failed(pairs[place])]
            rows[dead] = missing[dead] = -1
        return Overlaps(rows, missing, dict(self._failed), dict(self._counted), cost)

    def _count(self, wanted: Wanted, pairs: Pairs, sample: int | None, least: float) -> PairCounts:
        samples = None
        if sample is not None:
            samples = self.sketches({child: wanted[child] for child, _ in pairs}, sample).found
        self._progress.begin("counting", 0)
        tally, miscounted = self._scans.count(pairs, samples, least)
        self._progress.end()
        self._fail(miscounted)
        return tally

    def _scan(self, not_kept: Wanted, sketches: bool) -> tuple[Cost, SketchCollector]:
        """Brings in what is not kept yet, but for tables that have failed.

        Raises:
            LakeError: an executor cannot read the lake at all.
        """
        new = {key: columns for key, columns in not_kept.items() if key[0] not in self._failed}
        tables = {table for table, _ in new}
        splits = (split for table in tables for split in self._tables[table].splits)
        self._progress.begin("hashing", sum(split.size_bytes for split in splits))
        collector = self._scans.scan(new, self._tables, sketches, self._not_bounded())
        self._bounds |= {table: united(parts) for table, parts in collector.bounds.items()}
        cost = Cost(
            sum(collector.size_bytes.values()),
            sum(collector.rows.values()),
            collector.shuffled,
            collector.nanoseconds / 1e9,
            collector.work,
        )
        self._progress.advance(cost.bytes_read, cost.rows_read)
        self._progress.end()
        if NO_TABLE in collector.problems:
            raise LakeError(collector.problems[NO_TABLE])
        self._failed |= collector.problems
        self._counted |= {t: collector.rows[t] for t in tables if t not in self._failed}
        return cost, collector

    def _fail(self, miscounted: Iterable[Projection]) -> None:
        self._failed |= {table: READ_ANEW for table, _ in miscounted}

    def _has_failed(self, pair: tuple[Projection, Projection]) -> bool:
        return any(table in self._failed for table, _ in pair)

    def _provide(self, size: int) -> None:
        """Makes room for sketches of that size; shorter ones that are kept are made anew."""
        if size > self._scans.sketch_size:
            self._scans.forget()
            self._scans.sketch_size = size


@dataclass(frozen=True, slots=True)
class ForeignTable:
    """A table as a source of Spark's sees it, and the rows; None where that one refuses it, too."""

    table: Table
    rows: "DataFrame | None" = None


def source_of(table: Table) -> str | None:
    """The Spark source that may read the table; None where r2d2 reads it, or nobody should."""
    if table.problem is None or is_left_out_as_asked(table):
        return None
    if table.format == Format.DELTA and _UNKNOWN_FEATURE.search(table.problem):
        return "delta"
    if table.format == Format.OTHER:
        names = [f"/{file.path}" for file in table.files]
        if any("/.hoodie/" in name for name in names):
            return "hudi"
        return "iceberg" if any(map(_ICEBERG.search, names)) else None
    return None


def read_by_spark(
    session: "SparkSession", storage: Storage, table: Table, settings: Settings
) -> ForeignTable:
    """The table as Spark reads it at its present version; or why neither does."""
    source = source_of(table) or ""
    options = {**_OPTIONS, **_version(source, table)}
    path = storage.absolute("" if table.location == "." else table.location)
    try:
        with spark_errors():
            rows = session.read.format(source).options(**options).load(path)
            schema = rows.schema
        columns = flatten(pa.schema(_fields(schema)))
        check_names([column.name for column in columns], settings.case_sensitive)
    except R2D2Error as error:
        problem = f"{table.problem}; {_remedy(source, session.version, str(error))}"
        return ForeignTable(replace(table, problem=problem))
    snapshot = "version " + options["versionAsOf"] if "versionAsOf" in options else table.snapshot
    known = replace(
        table, columns=columns, snapshot=snapshot, details={"read by": f"Spark's {source} source"},
        problem=None, unreadable=False,
    )  # fmt: skip
    return ForeignTable(known, rows)


def _version(source: str, table: Table) -> Mapping[str, str]:
    commits = [match[1] for file in table.files if (match := _COMMIT.search(file.path))]
    return {"versionAsOf": str(int(max(commits)))} if source == "delta" and commits else {}


def _remedy(source: str, spark: str, reason: str) -> str:
    if "DATA_SOURCE_NOT_FOUND" not in reason:
        return f"nor by Spark: {reason}"
    jar = coordinates(spark).get(_JARS.get(source, ""))
    remedy = f"add --packages {jar}" if jar else f"no release of it for Spark {spark} is known"
    return f"Spark has no {source} source here: {remedy}"


def _arrow_type(kind: Any, metadata: Mapping[str, Any]) -> pa.DataType:
    """The type in which Spark hands a field's values over, all of them unchanged.

    Raises:
        IneligibleTableError: they would not be, or have no identity.
    """
    name = kind.typeName()
    if name in _TYPES:
        return _TYPES[name]
    if kind.simpleString() == "string" and "__CHAR_VARCHAR_TYPE_STRING" not in metadata:
        return pa.string()
    if name == "decimal":
        return pa.decimal128(kind.precision, kind.scale)
    if name == "array":
        return pa.list_(_arrow_type(kind.elementType, {}))
    if name == "map":
        return pa.map_(_arrow_type(kind.keyType, {}), _arrow_type(kind.valueType, {}))
    if name == "struct":
        return pa.struct(_fields(kind))
    raise IneligibleTableError(f"{kind.simpleString()} does not come through Spark unchanged")


def _fields(kind: Any) -> list[pa.Field]:
    """The fields of one of Spark's structs; a nested one keeps its metadata, too."""
    fields = []
    for field in kind:
        try:
            fields.append(pa.field(field.name, _arrow_type(field.dataType, field.metadata or {})))
        except IneligibleTableError as error:
            raise IneligibleTableError(f"column {field.name}: {error}") from error
    return fields
