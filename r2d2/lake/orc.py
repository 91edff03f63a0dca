"""ORC: a file's tail into a table with stripes as splits, stripes into record batches.

The tail is looked at beside pyarrow, which does not tell all that decides what values mean: the
calendar, the writer's time zone, encryption, Spark's own types. Field numbers and kinds are those
of ORC's `orc_proto.proto` (https://orc.apache.org/specification/ORCv1).
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from r2d2.errors import IneligibleTableError, TableError, UnreadableTableError
from r2d2.lake.avro_codec import decompressed
from r2d2.lake.schema import flatten
from r2d2.lake.storage import Storage
from r2d2.model import FileInfo, Format, Split, Table

SPLIT_BYTES = 32 << 20
BATCH_ROWS = 1 << 16
# Up to here a stripe is read at once, which is a split; a larger one is streamed with its file.
STRIPE_BYTES = 128 << 20
STRIPE_VALUES = 1 << 24
# Run lengths and compression let one byte stand for thousands of equal values, not for more.
BOMB_VALUES = 1 << 30
BOMB_VALUES_PER_BYTE = 20_000

_LONG, _TIMESTAMP, _LIST, _MAP, _STRUCT, _DECIMAL, _DATE, _INSTANT = 4, 9, 10, 11, 12, 14, 15, 18
_COMPRESSIONS = ("none", "zlib", "snappy", "lzo", "lz4", "zstd")
_JAVA_WRITER, _PROLEPTIC = 0, 2
_GREGORIAN_DAY = -141_427  # 1582-10-15
# Two days into 1970, as old statistics are in local time.
_SURE_MILLIS = 2 * 86_400_000
_MOST_MILLIS = (2**63 - 1) // 1_000_000 - 1
_UTC = {"UTC", "GMT", "Etc/UTC", "Etc/GMT", "Z", "Zulu", "Etc/Zulu", "UCT", "Etc/UCT", "Universal"}
_SPARK_TYPE = b"spark.sql.catalyst.type"
_PLAIN_SPARK_TYPES = ("string", "timestamp", "timestamp_ntz")


def inspect(storage: Storage, location: str, file: FileInfo) -> Table:
    """The table of one ORC file, from its tail.

    Raises:
        TableError: the file is damaged, or its columns have no identity.
    """
    with _foreign_errors(file):
        source = storage.open(file)
        reader = _open(source)
        tail = Tail.of(reader)
        columns = flatten(tail.schema)
        tail.check_size(file)
        tail.check_types()
        tail.check_dates()
        tail.check_timestamps(source)
        return Table(
            location,
            Format.ORC,
            columns,
            tail.rows,
            file.size_bytes,
            (file,),
            splits=tuple(_splits(file, tail)),
            details={"compression": tail.compression},
        )


def _splits(file: FileInfo, tail: "Tail") -> Iterator[Split]:
    if not all(tail.is_small(stripe) for stripe in tail.stripes):
        yield Split(Format.ORC, file, (), tail.rows, file.size_bytes)
        return
    numbers: list[int] = []
    rows = size = 0
    for number, stripe in enumerate(tail.stripes):
        numbers.append(number)
        rows, size = rows + stripe.rows, size + stripe.size_bytes
        if size >= SPLIT_BYTES or number == len(tail.stripes) - 1:
            yield Split(Format.ORC, file, tuple(numbers), rows, size)
            numbers, rows, size = [], 0, 0


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The rows with the columns asked for (the first, where none is), in bounded batches.

    Raises:
        UnreadableTableError: bytes are damaged, or are not those that were listed.
    """
    rows = 0
    with _foreign_errors(split.file):
        source = storage.open(split.file)
        reader = _open(source)
        schema = Tail.of(reader).schema
        wanted = [name for name in schema.names if name in columns] or schema.names[:1]
        # A dotted name would be taken for a struct's field.
        asked = None if any("." in name for name in wanted) else wanted
        for batch in _batches(reader, source, split, asked):
            rows += batch.num_rows
            yield _as_declared(batch, schema, wanted)
        if rows != split.rows:
            raise UnreadableTableError(f"{rows} rows were read where {split.rows} were declared")
    storage.read(split.file, length=0)


def _batches(
    reader: Any, source: Any, split: Split, columns: list[str] | None
) -> Iterator[pa.RecordBatch]:
    if not split.row_groups:
        from pyarrow import dataset

        fragment = dataset.OrcFileFormat().make_fragment(source)
        yield from fragment.to_batches(
            columns=columns, batch_size=BATCH_ROWS, batch_readahead=1, use_threads=False
        )
    for number in split.row_groups:
        stripe = reader.read_stripe(number, columns)
        for start in range(0, stripe.num_rows, BATCH_ROWS):
            yield stripe.slice(start, BATCH_ROWS)


def _as_declared(
    batch: pa.RecordBatch, schema: pa.Schema, wanted: Sequence[str]
) -> pa.RecordBatch:
    """The columns wanted, those in their own type that Spark stores as numbers."""
    fields = [schema.field(name) for name in wanted]
    arrays = [batch.column(field.name).cast(field.type) for field in fields]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _open(source: Any) -> Any:
    from pyarrow import orc

    return orc.ORCFile(source)


@dataclass(frozen=True, slots=True)
class Stripe:
    """A stripe's place: it begins at `start`, its own footer at `footer` and ends with it."""

    rows: int
    start: int
    footer: int
    end: int

    @property
    def size_bytes(self) -> int:
        """Its length in the file."""
        return self.end - self.start


@dataclass(frozen=True)
class Tail:
    """What a file says of itself at its end, beside the schema as pyarrow understands it."""

    footer: Mapping[int, Sequence[Any]]
    postscript: Mapping[int, Sequence[Any]]
    arrow: pa.Schema

    @staticmethod
    def of(reader: Any) -> "Tail":
        """The tail of an open file."""
        whole = _message(reader.reader.serialized_file_tail())
        return Tail(_message(_last(whole, 2, b"")), _message(_last(whole, 1, b"")), reader.schema)
