"""The rows that a scan leaves in Spark: for each (table, set) its sketch, and its hashes in parts.

A row of set `SUMMARY` is for a whole table: what one task read of it and the bounds of its watched
columns, or why it could not; one of table `NO_TABLE` says why no table can be read, or else (as
`rows`) how many nanoseconds of a core its task took, (as `bytes`) how many were shuffled to it, (as
`bounds`) its work by steps and (as `first`) a stamp that another run of it would hardly have.
`sketch` is NULL where the blob is no sketch, else whether the blob is all there is; then `first`
and `second` are the sums (see `run_sums`) of all hashes of the task's run, `row_first` and
`row_second` those of the hashes of all its rows, where they are known.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, repeat

import numpy as np
import pyarrow as pa

from r2d2.arrays import UInt64s
from r2d2.engines.pickling import dumps, loads
from r2d2.engines.scan import united
from r2d2.hashing.finaliser import HASH_VERSION, Lanes
from r2d2.hashing.runs import BottomKSketch, empty_run, from_bytes, merge_sketches, to_bytes
from r2d2.lake.questions import Projection
from r2d2.model import Bounds, Work

SUMMARY = -1
NO_TABLE = -1
SKETCH_ONLY = -1
FLUSH_BYTES = 4 << 20

SCAN_SCHEMA = pa.schema(
    [
        ("table", pa.int32()),
        ("number", pa.int32()),
        ("part", pa.int32()),
        ("sketch", pa.bool_()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
        ("blob", pa.binary()),
        ("problem", pa.string()),
        ("bounds", pa.binary()),
        ("first", pa.int64()),
        ("second", pa.int64()),
        ("row_first", pa.int64()),
        ("row_second", pa.int64()),
    ]
)
SCAN_DDL = (
    "table int, number int, part int, sketch boolean,"
    " rows bigint, bytes bigint, blob binary, problem string, bounds binary,"
    " first bigint, second bigint, row_first bigint, row_second bigint"
)
Sums = tuple[int, int]
Row = tuple[
    int, int, int, bool | None, int, int, Lanes, str | None, bytes | None,
    int, int, int | None, int | None,
]  # fmt: skip
BoundsByName = Mapping[str, Bounds]
NOTHING = empty_run()
HEADER = np.frombuffer(to_bytes(NOTHING), np.uint64)
# A gap between hashes of a long run takes less than eight bytes.
LONG_RUN = 512
PIECES = (4, 2, 1)
NO_SUMS = (0, 0)


@dataclass(frozen=True, slots=True)
class RunSums:
    """The sums of a run's hashes, and of those of all rows that it comes from; None: not known."""

    hashes: Sums
    rows: Sums | None

    def fields(self) -> tuple[int, int, int | None, int | None]:
        """The sums as they stand in a row."""
        rows = (None, None) if self.rows is None else _added(self.rows, NO_SUMS)
        return *_added(self.hashes, NO_SUMS), *rows

    def plus(self, more: "RunSums") -> "RunSums":
        """The sums of both together."""
        known = self.rows is not None and more.rows is not None
        rows = _added(self.rows or NO_SUMS, more.rows or NO_SUMS) if known else None
        return RunSums(_added(self.hashes, more.hashes), rows)


NOTHING_SUMMED = RunSums(NO_SUMS, NO_SUMS)


def _added(one: Sums, other: Sums) -> Sums:
    """The sums modulo 2⁶⁴, as signed numbers."""
    half = 1 << 63
    sums = (a + b for a, b in zip(one, other, strict=True))
    first, second = ((sum_ + half) % (1 << 64) - half for sum_ in sums)
    return first, second


def summary_row(
    table: int, rows: int, size_bytes: int, problem: str | None, bounds: BoundsByName | None = None
) -> Row:
    """The row for what a task read of a table."""
    told = dumps(bounds) if bounds else None
    known = rows, size_bytes, NOTHING, problem, told
    return table, SUMMARY, SKETCH_ONLY, True, *known, 0, 0, None, None


def cost_row(nanoseconds: int, shuffled: int, stamp: int, work: Work | None = None) -> Row:
    """The row for what a task took."""
    took = SKETCH_ONLY, True, nanoseconds, shuffled, NOTHING
    told = dumps(work) if work else None
    return NO_TABLE, SUMMARY, *took, None, told, stamp, 0, None, None


def sketch_row(table: int, number: int, sketch: BottomKSketch, hashes: int, sums: RunSums) -> Row:
    """The row of the smallest hashes of runs, of how many hashes there were, and of their sums."""
    known = sketch.complete, hashes, 0, sketch.run
    return table, number, SKETCH_ONLY, *known, None, None, *sums.fields()


def part_row(table: int, number: int, place: int, run: Lanes, sums: RunSums | None) -> Row:
    """The row of one range of a run's hashes; with `sums`, it is also the run's sketch."""
    whole = None if sums is None else True
    known = len(run), 0, run, None, None
    return table, number, place, whole, *known, *(sums or NOTHING_SUMMED).fields()


@dataclass(slots=True)
class SketchCollector:
    """Merges the sketches and row counts that tasks return, those of one projection together.

    `hashes` counts the hashes of a projection's parts, one that came in two parts twice; `sums` are
    theirs, and `runs` counts the tasks that they come from. `nanoseconds`, `work` and `shuffled`
    are what the tasks took, `made` is the sum of their stamps.
    """

    size: int
    nanoseconds: int = 0
    shuffled: int = 0
    made: int = 0
    work: Work = field(default_factory=Work)
    sketches: dict[Projection, list[BottomKSketch]] = field(
        default_factory=lambda: defaultdict(list)
    )
    hashes: Counter[Projection] = field(default_factory=Counter)
    sums: dict[Projection, RunSums] = field(default_factory=dict)
    runs: Counter[Projection] = field(default_factory=Counter)
    rows: Counter[int] = field(default_factory=Counter)
    size_bytes: Counter[int] = field(default_factory=Counter)
    problems: dict[int, str] = field(default_factory=dict)
    bounds: dict[int, list[BoundsByName]] = field(default_factory=lambda: defaultdict(list))

    def take(self, batch: pa.RecordBatch) -> None:
        """Adds the rows of a batch."""
        names = [name for name in SCAN_SCHEMA.names if name not in ("part", "blob")]
        lists = (batch.column(name).to_pylist() for name in names)
        blobs = buffers(batch.column("blob")) if self.size else repeat(None, len(batch))
        for row in zip(*lists, blobs, strict=True):
            table, number, complete, rows, size_bytes, problem, bounds, *sums, blob = row
            first, second, row_first, row_second = sums
            if table == NO_TABLE and problem is None:
                self.nanoseconds += rows
                self.shuffled += size_bytes
                self.made += first
                if bounds is not None:
                    self.work = self.work.plus(loads(bounds))
            elif number == SUMMARY:
                self.rows[table] += rows
                self.size_bytes[table] += size_bytes
                if bounds is not None:
                    self.bounds[table].append(loads(bounds))
                if problem is not None:
                    self.problems[table] = min(problem, self.problems.get(table, problem))
            else:
                key = table, number
                self.hashes[key] += rows
                self.runs[key] += 1
                of_rows = None if row_first is None else (row_first, row_second)
                own = RunSums((first, second), of_rows)
                self.sums[key] = self.sums.get(key, NOTHING_SUMMED).plus(own)
                if blob is not None:
                    self.sketches[key].append(BottomKSketch(unpacked(blob), complete))

    def sketch(self, key: Projection, size: int) -> BottomKSketch:
        """The projection's sketch of at most `size` hashes, of all that came in."""
        some = self.sketches[key]
        if len(some) == 1 and len(some[0].run) <= size:
            return some[0]
        return merge_sketches(some, size)

    def merged(self) -> Iterator[Row]:
        """The same as rows again, one for each projection and each table, and the cost."""
        yield cost_row(self.nanoseconds, self.shuffled, self.made, self.work)
        for table, rows in self.rows.items():
            bounds = united(self.bounds.get(table, ()))
            problem = self.problems.get(table)
            yield summary_row(table, rows, self.size_bytes[table], problem, bounds)
        for key, hashes in self.hashes.items():
            yield sketch_row(*key, self.sketch(key, self.size), hashes, self.sums[key])


def blobs(runs: Sequence[Lanes]) -> pa.Array:
    """The runs as `unpacked` reads them, all copied once into one column."""
    each = [_packed(run) for run in runs]
    ends = np.cumsum([0, *(sum(map(len, words)) for words in each)]) * HEADER.itemsize
    words = [piece for pieces in each for piece in pieces]
    data = np.concatenate(words) if words else HEADER[:0]
    offsets = pa.py_buffer(ends.astype(np.int32))
    return pa.Array.from_buffers(pa.binary(), len(runs), [None, offsets, pa.py_buffer(data)])


def _packed(run: Lanes) -> tuple[UInt64s, ...]:
    """The run's words: those of `to_bytes`, or of a long run the gaps of its first lane.

    Then they are the version, the bytes that a gap takes and the number of hashes in one word, the
    first hash's first lane, the second lane, and the gaps in pieces of four, two and one bytes.
    """
    gaps = np.diff(run.first)
    width = -(-int(gaps.max()).bit_length() // 8) if len(run) >= LONG_RUN else 8
    if width == 8:
        return HEADER, run.first, run.second
    pieces, shift = [], 0
    for size in PIECES:
        if width & size:
            pieces.append((gaps >> np.uint64(shift)).astype(f"<u{size}").view(np.uint8))
            shift += 8 * size
    pieces.append(np.zeros(-width * len(gaps) % 8, np.uint8))
    told = np.array([HASH_VERSION | (width + 1) << 8 | len(run) << 32, run.first[0]], np.uint64)
    return told, run.second, np.concatenate(pieces).view(np.uint64)


def unpacked(blob: memoryview) -> Lanes:
    """The run that a value of `blobs` holds.

    Raises:
        ValueError: these are hashes of another version, or no run.
    """
    width = blob[1] - 1
    if width < 0:
        return from_bytes(blob)
    from_bytes(bytes([blob[0], *bytes(7)]))
    words = np.require(np.frombuffer(blob, "<u8"), np.uint64, "A")
    size = int(words[0]) >> 32
    gaps, second, left = words[1 : size + 1].copy(), words[2 : size + 2], words[size + 2 :]
    gaps[1:] = 0
    at, shift, content = 0, 0, left.view(np.uint8)
    for one in PIECES:
        if width & one:
            piece = content[at : at + one * (size - 1)].view(f"<u{one}")
            gaps[1:] |= piece.astype(np.uint64) << np.uint64(shift)
            at, shift = at + one * (size - 1), shift + 8 * one
    return Lanes(np.cumsum(gaps, dtype=np.uint64), second)


def buffers(column: pa.Array) -> Iterator[memoryview]:
    """The binary values of a column, in place."""
    width = np.int64 if pa.types.is_large_binary(column.type) else np.int32
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, width)[column.offset : column.offset + len(column) + 1].tolist()
    values = memoryview(data if data is not None else b"")
    return (values[start:stop] for start, stop in pairwise(ends))


@dataclass(slots=True)
class RowBuffer:
    """Rows on their way into record batches of bounded size."""

    rows: list[Row] = field(default_factory=list)
    size_bytes: int = 0

    def add(self, row: Row) -> Iterator[pa.RecordBatch]:
        """Takes a row in; yields a batch when enough have come."""
        self.rows.append(row)
        self.size_bytes += 16 * len(row[6])
        if self.size_bytes >= FLUSH_BYTES:
            yield from self.flush()

    def flush(self) -> Iterator[pa.RecordBatch]:
        """Yields what is left."""
        if self.rows:
            columns = zip(SCAN_SCHEMA, zip(*self.rows, strict=True), strict=True)
            arrays = [
                blobs(values) if field.name == "blob" else pa.array(values, field.type)
                for field, values in columns
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=SCAN_SCHEMA)
            self.rows, self.size_bytes = [], 0
