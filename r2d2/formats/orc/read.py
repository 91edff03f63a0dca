"""ORC files read: the tail describes the table, its stripes are the splits.

A file is checked before it is decoded. Each check takes the tail and raises where pyarrow would
fail, end the process, or show values that are not those the writer meant.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa

from r2d2.errors import IneligibleTableError, TableError, UnreadableTableError
from r2d2.formats.bounds import GREGORIAN_DAY
from r2d2.formats.errors import translated
from r2d2.formats.orc.tail import Stripe, Tail, read_tail
from r2d2.formats.orc.types import DATE, DECIMAL, INSTANT, MAP, TIMESTAMP, UNION, Message
from r2d2.formats.schema import flatten
from r2d2.model import FileInfo, Format, Split, Table
from r2d2.storage.local import Storage
from r2d2.text_tables import by_number, pluralize

SPLIT_BYTES = 32 << 20
BATCH_ROWS = 1 << 16
BATCH_BYTES = 32 << 20
# Up to here a stripe is read at once, which is a split; a larger one is streamed with its file.
STRIPE_BYTES = 128 << 20
STRIPE_VALUES = 1 << 24
# Run lengths and compression let one byte stand for thousands of equal values, not for more.
BOMB_VALUES = 1 << 30
BOMB_VALUES_PER_BYTE = 20_000

_PRESENT = 0
_JULIAN, _PROLEPTIC = 1, 2
_JAVA = 0
# Two days into 1970, because old statistics are in local time.
_SURE_MILLIS = 2 * 86_400_000
_MOST_MILLIS = (2**63 - 1) // 1_000_000 - 1
_UTC = ("UTC", "GMT", "Etc/UTC", "Etc/GMT", "Etc/UCT", "UCT", "Z", "Zulu", "Universal")


def inspect(storage: Storage, location: str, file: FileInfo) -> Table:
    """The table of one ORC file, from its tail.

    Raises:
        TableError: the file is damaged, or its columns have no identity.
    """
    with translated(UnreadableTableError, file.path, TableError):
        source = storage.open(file)
        tail = read_tail(source, file)
        check_size(tail, file)
        check_types(tail)
        schema = tail.types.schema()
        columns = flatten(schema)
        check_dates(tail)
        check_timestamps(tail, source)
        return Table(
            location,
            Format.ORC,
            columns,
            tail.rows,
            file.size_bytes,
            (file,),
            splits=tuple(_splits(tail, file, schema)),
        )


def _splits(tail: Tail, file: FileInfo, schema: pa.Schema) -> Iterator[Split]:
    # A stream takes a column `a.b` for the field of a struct `a`, and gives NULLs.
    dotted = any("." in name for name in schema.names)
    if not dotted and not all(_is_small(stripe, len(tail.types)) for stripe in tail.stripes):
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


def _is_small(stripe: Stripe, types: int) -> bool:
    """Whether the stripe, of so many types, may be read at once."""
    return stripe.rows * types <= STRIPE_VALUES and stripe.size_bytes <= STRIPE_BYTES


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The rows with the columns asked for (the first, where none is), in bounded batches.

    Raises:
        UnreadableTableError: bytes are damaged, or are not those that were listed.
    """
    rows = 0
    with translated(UnreadableTableError, split.file.path, TableError):
        source = storage.open(split.file)
        tail = read_tail(source, split.file)
        schema = tail.types.schema()
        check_keys(tail, source)
        wanted = [field for field in schema if field.name in columns] or [schema.field(0)]
        for batch in _batches(source, split, [field.name for field in wanted]):
            rows += batch.num_rows
            arrays = [batch.column(field.name).cast(field.type) for field in wanted]
            yield from _bounded(pa.RecordBatch.from_arrays(arrays, schema=pa.schema(wanted)))
        if rows != split.rows:
            raise UnreadableTableError(
                f"{pluralize(str(rows), 'row')} {by_number(rows, 'was', 'were')} read where"
                f" {split.rows} {by_number(str(split.rows), 'is', 'are')} declared"
            )
    storage.read(split.file, length=0)


def _batches(source: Any, split: Split, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The stripes of the split, or the file's rows as a stream where it is not divided."""
    if not split.row_groups:
        from pyarrow import dataset

        fragment = dataset.OrcFileFormat().make_fragment(source)
        yield from fragment.to_batches(
            columns=names, batch_size=BATCH_ROWS, batch_readahead=1, use_threads=False
        )
        return
    from pyarrow import orc

    reader = orc.ORCFile(source)
    # Here, too, a name with a dot would be taken for a struct's field: all are read instead.
    asked = None if any("." in name for name in names) else names
    for number in split.row_groups:
        yield reader.read_stripe(number, asked)


def _bounded(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in parts of few enough rows and bytes."""
    fitting = BATCH_BYTES * batch.num_rows // max(1, batch.nbytes)
    most_rows = max(1, min(BATCH_ROWS, fitting))
    for start in range(0, batch.num_rows, most_rows):
        yield batch.slice(start, most_rows)


def check_size(tail: Tail, file: FileInfo) -> None:
    """Raises UnreadableTableError where the file declares more than it may hold."""
    if sum(stripe.rows for stripe in tail.stripes) != tail.rows:
        raise UnreadableTableError("its stripes do not hold the rows that its footer declares")
    if sum(stripe.size_bytes for stripe in tail.stripes) > file.size_bytes:
        raise UnreadableTableError("its stripes overlap")
    values = tail.rows * len(tail.types)
    if values > max(BOMB_VALUES, BOMB_VALUES_PER_BYTE * file.size_bytes):
        raise UnreadableTableError(
            f"{file.size_bytes} bytes declare to hold {values} values: refused as a bomb"
        )


def check_types(tail: Tail) -> None:
    """Raises IneligibleTableError where pyarrow would fail, or numbers stand for something else."""
    types = tail.types
    if 10 in tail.footer.fields:
        raise IneligibleTableError("columns are encrypted")
    for number in types:
        kind, spark_type = types.kind(number), types.spark_type(number)
        if spark_type not in ("", "string", "timestamp", "timestamp_ntz"):
            raise IneligibleTableError(f"column {types.column(number)} is of type {spark_type}")
        if kind == UNION or kind > INSTANT:
            name = "a union" if kind == UNION else f"unknown (number {kind})"
            raise IneligibleTableError(f"column {types.column(number)}: its type is {name}")
        if kind == DECIMAL and not types.messages[number].number32(5):
            raise IneligibleTableError(
                f"column {types.column(number)} holds decimals of no fixed scale (of Hive 0.11)"
            )


def check_dates(tail: Tail) -> None:
    """Raises IneligibleTableError where old dates may be in the hybrid Julian calendar."""
    calendar, writer = tail.footer.number32(11), tail.footer.number32(9)
    if calendar == _PROLEPTIC or (calendar != _JULIAN and writer != _JAVA):
        return
    for number, known in tail.of_kind(DATE):
        least = _least(known, 7, (1,))
        if least is None or least < GREGORIAN_DAY:
            raise IneligibleTableError(
                f"column {tail.types.column(number)} may hold dates of the Julian calendar"
                " (before 1582-10-15, written by Hive or Spark)"
            )


def check_timestamps(tail: Tail, source: Any) -> None:
    """Raises TableError where pyarrow cannot hold timestamps, or may show other ones.

    It reads a TIMESTAMP as the wall clock of the writer's time zone. Outside UTC this goes wrong
    before 1970, and makes one of the two hours at the end of summer time, which Spark tells apart.
    """
    spark = any(b"org.apache.spark.version" in item for item in tail.footer.contents(5))
    for number, known in tail.of_kind(TIMESTAMP, INSTANT):
        name, least = tail.types.column(number), _least(known, 9, (1, 3))
        greatest = _least(known, 9, (2, 4), greatest=True)
        if max(abs(least or 0), abs(greatest or 0)) > _MOST_MILLIS:
            raise UnreadableTableError(
                f"column {name} holds timestamps outside 1677–2262, which Arrow cannot read"
            )
        if tail.types.kind(number) == TIMESTAMP:
            if not tail.postscript.number32(6):
                raise IneligibleTableError(f"column {name} is of an unknown time zone (old Hive)")
            of_spark = spark or tail.types.spark_type(number)
            if of_spark or least is None or least < _SURE_MILLIS:
                _check_zones(tail, source, name)


def _check_zones(tail: Tail, source: Any, name: str) -> None:
    for footer in tail.stripe_footers(source):
        zone = footer.content(3).decode(errors="replace")
        if zone not in _UTC:
            raise IneligibleTableError(
                f"column {name} holds timestamps written in time zone {zone or 'unknown'},"
                " not all of which can be told; rewrite it in UTC"
            )


def check_keys(tail: Tail, source: Any) -> None:
    """Raises UnreadableTableError where a map's key is NULL, at which pyarrow ends the process."""
    types = tail.types
    keys = [types.parts(number)[0] for number in types if types.kind(number) == MAP]
    for footer in tail.stripe_footers(source) if keys else ():
        for stream in footer.messages(1):
            if stream.number32(1) == _PRESENT and stream.number32(2) in keys:
                name = types.column(stream.number32(2))
                raise UnreadableTableError(f"column {name}: a map's key is NULL")


def _least(
    statistics: Message | None, kind: int, fields: Sequence[int], greatest: bool = False
) -> int | None:
    """The least (or greatest) of the bounds in the fields; None where there is none."""
    of_kind = Message.parse(statistics.content(kind) if statistics else b"")
    bounds = [of_kind.number(field, limit=2**64) for field in fields if field in of_kind.fields]
    known = [(number >> 1) ^ -(number & 1) for number in bounds]
    return (max if greatest else min)(known, default=None)
