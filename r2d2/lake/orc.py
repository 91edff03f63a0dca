"""ORC: a file's tail into a table with stripes as splits, stripes into record batches.

The tail is looked at beside pyarrow, which does not tell all that decides what values mean: the
calendar, the writer's time zone, encryption, Spark's own types. Numbers of fields and kinds are
those of `orc_proto.proto` (https://orc.apache.org/specification/ORCv1).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from r2d2.errors import IneligibleTableError, TableError, UnreadableTableError
from r2d2.lake.avro_codec import decompressed
from r2d2.lake.schema import flatten
from r2d2.lake.storage import Storage
from r2d2.model import FileInfo, Format, Split, Table

SPLIT_BYTES = 32 << 20
BATCH_ROWS = 1 << 16
BATCH_BYTES = 32 << 20
# Up to here a stripe is read at once, which is a split; a larger one is streamed with its file.
STRIPE_BYTES = 128 << 20
STRIPE_VALUES = 1 << 24
# Run lengths and compression let one byte stand for thousands of equal values, not for more.
BOMB_VALUES = 1 << 30
BOMB_VALUES_PER_BYTE = 20_000
TAIL_BYTES = 64 << 10
MOST_DEPTH = 64
MOST_CHUNK_BYTES = 1 << 23
# Some writers keep the least and greatest text of each column whole.
MOST_FOOTER_BYTES = 256 << 20

_LONG, _TIMESTAMP, _LIST, _MAP, _STRUCT, _UNION, _DECIMAL = 4, 9, 10, 11, 12, 13, 14
_DATE, _INSTANT = 15, 18
_PRIMITIVES = {
    0: pa.bool_(),
    1: pa.int8(),
    2: pa.int16(),
    3: pa.int32(),
    _LONG: pa.int64(),
    5: pa.float32(),
    6: pa.float64(),
    7: pa.string(),
    8: pa.binary(),
    _TIMESTAMP: pa.timestamp("ns"),
    _DATE: pa.date32(),
    16: pa.string(),  # VARCHAR
    17: pa.string(),  # CHAR, padded by its writer
    _INSTANT: pa.timestamp("ns", "UTC"),
}
_COUNTS = {**dict.fromkeys(_PRIMITIVES, 0), _LIST: 1, _MAP: 2, _DECIMAL: 0}
_PRESENT = 0
_NONE, _ZLIB, _SNAPPY, _LZ4, _ZSTD = 0, 1, 2, 4, 5
_JULIAN, _PROLEPTIC = 1, 2
_JAVA = 0
_GREGORIAN_DAY = -141_427  # 1582-10-15
# Two days into 1970, because old statistics are in local time.
_SURE_MILLIS = 2 * 86_400_000
_MOST_MILLIS = (2**63 - 1) // 1_000_000 - 1
_UTC = ("UTC", "GMT", "Etc/UTC", "Etc/GMT", "Etc/UCT", "UCT", "Z", "Zulu", "Universal")
_SPARK_TYPE = b"spark.sql.catalyst.type"

Message = Mapping[int, Sequence[Any]]


def inspect(storage: Storage, location: str, file: FileInfo) -> Table:
    """The table of one ORC file, from its tail.

    Raises:
        TableError: the file is damaged, or its columns have no identity.
    """
    with _foreign_errors(file):
        source = storage.open(file)
        tail = _tail(source, file)
        _check_size(tail, file)
        _check_types(tail)
        schema = _schema(tail)
        columns = flatten(schema)
        _check_dates(tail)
        _check_timestamps(tail, source)
        return Table(
            location,
            Format.ORC,
            columns,
            tail.rows,
            file.size_bytes,
            (file,),
            splits=tuple(_splits(tail, file, schema)),
        )


def _splits(tail: "Tail", file: FileInfo, schema: pa.Schema) -> Iterator[Split]:
    # A stream takes a column `a.b` for the field of a struct `a`, and gives NULLs.
    dotted = any("." in name for name in schema.names)
    if not dotted and not all(map(tail.is_small, tail.stripes)):
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
        tail = _tail(source, split.file)
        schema = _schema(tail)
        _check_keys(tail, source)
        wanted = [field for field in schema if field.name in columns] or [schema.field(0)]
        for batch in _batches(source, split, [field.name for field in wanted]):
            rows += batch.num_rows
            arrays = [batch.column(field.name).cast(field.type) for field in wanted]
            yield from _bounded(pa.RecordBatch.from_arrays(arrays, schema=pa.schema(wanted)))
        if rows != split.rows:
            raise UnreadableTableError(f"{rows} rows were read where {split.rows} are declared")
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


@dataclass(frozen=True, slots=True)
class Stripe:
    """A stripe's place: it begins at `start`, its own footer at `footer`, and ends with it."""

    rows: int
    start: int
    footer: int
    end: int

    @property
    def size_bytes(self) -> int:
        """Its length in the file."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Tail:
    """What a file says of itself at its end. Types are numbered in order of depth first."""

    footer: Message
    postscript: Message
    stripes: tuple[Stripe, ...]
    types: tuple[Message, ...]

    @property
    def rows(self) -> int:
        """How many rows the file declares."""
        return _number(self.footer, 6)

    def is_small(self, stripe: Stripe) -> bool:
        """Whether the stripe may be read at once."""
        values = stripe.rows * len(self.types)
        return values <= STRIPE_VALUES and stripe.size_bytes <= STRIPE_BYTES

    def of_kind(self, *kinds: int) -> Iterator[tuple[int, Message | None]]:
        """The types of the kinds that hold values, with their statistics if there are any."""
        statistics = self.footer.get(7, ())
        for number, type_ in enumerate(self.types):
            if _small(type_, 1) in kinds and self.rows:
                told = len(statistics) == len(self.types)
                known = _message(statistics[number]) if told else None
                if known is None or _number(known, 1, 1):
                    yield number, known

    def spark_type(self, number: int) -> str:
        """What Spark calls the type, where it says so."""
        for attribute in map(_message, self.types[number].get(7, ())):
            if _bytes(attribute, 1) == _SPARK_TYPE:
                return _bytes(attribute, 2).decode(errors="replace")
        return ""

    def column(self, number: int) -> str:
        """The name of the top-level column that the type belongs to."""
        place = bisect_right(_parts(self.types[0]), number) - 1
        return _texts(self.types[0], 3)[place].decode(errors="replace")


def _tail(source: Any, file: FileInfo) -> Tail:
    """The tail, read without pyarrow, which ends the process where types are nested deep."""
    source.seek(max(0, file.size_bytes - TAIL_BYTES))
    tail = bytes(source.read(TAIL_BYTES))
    end = len(tail) - 1
    start = end - (tail[-1] if tail else 0)
    if start < 0 or not tail:
        raise UnreadableTableError("not an ORC file")
    postscript = _message(tail[start:end])
    size_bytes = _number(postscript, 1)
    if _bytes(postscript, 8000) != b"ORC" or size_bytes > file.size_bytes - len(tail) + start:
        raise UnreadableTableError("not an ORC file, or its end is damaged")
    if size_bytes > start:
        source.seek(file.size_bytes - len(tail) + start - size_bytes)
        tail, start = bytes(source.read(size_bytes)), size_bytes
    footer = _message(_plain(tail[start - size_bytes : start], postscript))
    types = tuple(map(_message, footer.get(4, ())))
    _check_tree(types)
    return Tail(footer, postscript, tuple(map(_stripe, footer.get(3, ()))), types)


def _stripe(content: bytes) -> Stripe:
    message = _message(content)
    start = _number(message, 1)
    footer = start + _number(message, 2) + _number(message, 3)
    return Stripe(_number(message, 5), start, footer, footer + _number(message, 4))


def _check_tree(types: Sequence[Message]) -> None:
    """Raises TableError where types do not form a tree, or one that pyarrow is lost in."""
    if not types or _small(types[0], 1) != _STRUCT:
        raise UnreadableTableError("its rows are no structs")
    depths = [0] * len(types)
    for number, type_ in enumerate(types):
        parts = _parts(type_)
        if len(parts) != _COUNTS.get(_small(type_, 1), len(parts)):
            raise UnreadableTableError("its footer is damaged")
        for part in parts:
            if not number < part < len(types) or depths[part]:
                raise UnreadableTableError("its footer is damaged")
            depths[part] = depths[number] + 1
    if max(depths) > MOST_DEPTH:
        raise IneligibleTableError("its types are nested too deep")


def _schema(tail: Tail) -> pa.Schema:
    """The schema as pyarrow has it, but for timestamps that Spark stores as numbers."""
    struct = _arrow(tail, 0)
    return pa.schema([struct.field(place) for place in range(struct.num_fields)])


def _arrow(tail: Tail, number: int) -> pa.DataType:
    type_ = tail.types[number]
    kind = _small(type_, 1)
    if kind in (_LIST, _MAP, _STRUCT):
        parts = [_arrow(tail, part) for part in _parts(type_)]
        if kind == _STRUCT:
            names = [name.decode() for name in _texts(type_, 3)]
            return pa.struct(list(zip(names, parts, strict=True)))
        return pa.list_(*parts) if kind == _LIST else pa.map_(*parts)
    if kind == _DECIMAL:
        return pa.decimal128(_small(type_, 5), _small(type_, 6))
    if kind == _LONG and tail.spark_type(number) == "timestamp_ntz":
        return pa.timestamp("us")
    return _PRIMITIVES[kind]


def _check_size(tail: Tail, file: FileInfo) -> None:
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


def _check_types(tail: Tail) -> None:
    """Raises TableError where pyarrow would fail, or values are not what they stand for."""
    if 10 in tail.footer:
        raise IneligibleTableError("columns are encrypted")
    for number, type_ in enumerate(tail.types):
        kind, spark_type = _small(type_, 1), tail.spark_type(number)
        if spark_type not in ("", "string", "timestamp", "timestamp_ntz"):
            raise IneligibleTableError(f"column {tail.column(number)} is of type {spark_type}")
        if kind == _UNION or kind > _INSTANT:
            name = "a union" if kind == _UNION else f"unknown (number {kind})"
            raise IneligibleTableError(f"column {tail.column(number)}: its type is {name}")
        if kind == _DECIMAL and not _small(type_, 5):
            raise IneligibleTableError(
                f"column {tail.column(number)} holds decimals of no fixed scale (of Hive 0.11)"
            )


def _check_dates(tail: Tail) -> None:
    """Raises IneligibleTableError where old dates may be in the hybrid Julian calendar."""
    calendar, writer = _small(tail.footer, 11), _small(tail.footer, 9)
    if calendar == _PROLEPTIC or (calendar != _JULIAN and writer != _JAVA):
        return
    for number, known in tail.of_kind(_DATE):
        least = _least(known, 7, (1,))
        if least is None or least < _GREGORIAN_DAY:
            raise IneligibleTableError(
                f"column {tail.column(number)} may hold dates of the Julian calendar"
                " (before 1582-10-15, written by Hive or Spark)"
            )


def _check_timestamps(tail: Tail, source: Any) -> None:
    """Raises TableError where pyarrow cannot hold timestamps, or may show other ones.

    It reads a TIMESTAMP as the wall clock of the writer's time zone. Outside UTC this goes wrong
    before 1970, and makes one of the two hours at the end of summer time, which Spark tells apart.
    """
    spark = any(b"org.apache.spark.version" in item for item in _texts(tail.footer, 5))
    for number, known in tail.of_kind(_TIMESTAMP, _INSTANT):
        name, least = tail.column(number), _least(known, 9, (1, 3))
        greatest = _least(known, 9, (2, 4), greatest=True)
        if max(abs(least or 0), abs(greatest or 0)) > _MOST_MILLIS:
            raise UnreadableTableError(
                f"column {name} holds timestamps outside 1677–2262, which Arrow cannot read"
            )
        if _small(tail.types[number], 1) == _TIMESTAMP:
            if not _small(tail.postscript, 6):
                raise IneligibleTableError(f"column {name} is of an unknown time zone (old Hive)")
            if spark or tail.spark_type(number) or least is None or least < _SURE_MILLIS:
                _check_zones(tail, source, name)


def _check_zones(tail: Tail, source: Any, name: str) -> None:
    for stripe in tail.stripes:
        zone = _bytes(_stripe_footer(tail, stripe, source), 3).decode(errors="replace")
        if zone not in _UTC:
            raise IneligibleTableError(
                f"column {name} holds timestamps written in time zone {zone or 'unknown'},"
                " not all of which can be told; rewrite it in UTC"
            )


def _check_keys(tail: Tail, source: Any) -> None:
    """Raises UnreadableTableError where a map's key is NULL, at which pyarrow ends the process."""
    keys = [_parts(type_)[0] for type_ in tail.types if _small(type_, 1) == _MAP]
    for stripe in tail.stripes if keys else ():
        for stream in map(_message, _stripe_footer(tail, stripe, source).get(1, ())):
            if _small(stream, 1) == _PRESENT and _small(stream, 2) in keys:
                name = tail.column(_small(stream, 2))
                raise UnreadableTableError(f"column {name}: a map's key is NULL")


def _stripe_footer(tail: Tail, stripe: Stripe, source: Any) -> Message:
    source.seek(stripe.footer)
    return _message(_plain(bytes(source.read(stripe.end - stripe.footer)), tail.postscript))


def _plain(content: bytes, postscript: Message) -> bytes:
    """A compressed message: chunks, each with a head of its length and whether it is as it was."""
    compression = _small(postscript, 2)
    if compression == _NONE:
        return content
    most_bytes = _number(postscript, 3)
    if most_bytes > MOST_CHUNK_BYTES:
        raise UnreadableTableError("its end is damaged")
    plain = bytearray()
    at = 0
    while at < len(content):
        head = int.from_bytes(content[at : at + 3], "little")
        at += 3 + (head >> 1)
        chunk = content[at - (head >> 1) : at]
        plain += chunk if head & 1 else _decompressed(compression, chunk, most_bytes)
        if len(plain) > MOST_FOOTER_BYTES:
            raise UnreadableTableError(f"its footer has more than {MOST_FOOTER_BYTES} bytes")
    return bytes(plain)


def _decompressed(compression: int, chunk: bytes, most_bytes: int) -> bytes:
    if compression in (_ZLIB, _ZSTD):
        return decompressed("deflate" if compression == _ZLIB else "zstandard", chunk, most_bytes)
    if compression not in (_SNAPPY, _LZ4):
        raise UnreadableTableError(f"its compression (number {compression}) is not supported")
    codec = pa.Codec("snappy" if compression == _SNAPPY else "lz4_raw")

    def suffices(size_bytes: int) -> bool:
        try:
            codec.decompress(chunk, size_bytes)
        except (pa.ArrowException, OSError):
            return False
        return True

    # These do not tell how long the content is, and leave the rest of a larger buffer as it was.
    size_bytes = bisect_left(range(most_bytes), True, key=suffices)
    return bytes(codec.decompress(chunk, size_bytes, asbytes=True))


def _least(
    statistics: Message | None, kind: int, fields: Sequence[int], greatest: bool = False
) -> int | None:
    """The least (or greatest) of the bounds in the fields; None where there is none."""
    of_kind = _message(_bytes(statistics or {}, kind))
    told = [_number(of_kind, field, limit=2**64) for field in fields if field in of_kind]
    known = [(number >> 1) ^ -(number & 1) for number in told]
    return (max if greatest else min)(known, default=None)


def _message(content: Any) -> Message:
    """A protobuf message's values by field number: numbers, and bytes where it holds more.

    >>> _message(b"\\x08\\x96\\x01\\x12\\x02hi\\x08\\x02")
    {1: [150, 2], 2: [b'hi']}
    """
    if not isinstance(content, bytes):
        raise UnreadableTableError("its footer is damaged")
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        if tag & 7 == 0:
            value: Any
            value, at = _varint(content, at)
        else:
            size_bytes, at = _varint(content, at) if tag & 7 == 2 else (_FIXED.get(tag & 7), at)
            if size_bytes is None or at + size_bytes > len(content):
                raise UnreadableTableError("its footer is damaged")
            value, at = content[at : at + size_bytes], at + size_bytes
        found.setdefault(tag >> 3, []).append(value)
    return found


_FIXED = {1: 8, 5: 4}


def _varint(content: bytes, at: int) -> tuple[int, int]:
    number = 0
    for place in range(at, min(at + 10, len(content))):
        number |= (content[place] & 127) << (7 * (place - at))
        if content[place] < 128:
            return number, place + 1
    raise UnreadableTableError("its footer is damaged")


def _parts(type_: Message) -> list[int]:
    """The numbers of a type's parts, packed or one by one."""
    found: list[int] = []
    for value in type_.get(2, ()):
        if isinstance(value, int):
            found.append(value)
            continue
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            found.append(number)
    return found


def _number(message: Message, field: int, default: int = 0, limit: int = 2**62) -> int:
    """The field's number; of several the last, as protobuf has it."""
    value = message[field][-1] if field in message else default
    if not isinstance(value, int) or value >= limit:
        raise UnreadableTableError("its footer is damaged")
    return value


def _small(message: Message, field: int) -> int:
    """The same of a field of 32 bits, where pyarrow would cut off what is beyond."""
    return _number(message, field, limit=2**31)


def _bytes(message: Message, field: int) -> bytes:
    """The field's text or message; of several the last."""
    return (_texts(message, field) or [b""])[-1]


def _texts(message: Message, field: int) -> list[bytes]:
    """All that the field holds."""
    found = list(message.get(field, ()))
    if not all(isinstance(value, bytes) for value in found):
        raise UnreadableTableError("its footer is damaged")
    return found


@contextmanager
def _foreign_errors(file: FileInfo) -> Iterator[None]:
    try:
        yield
    except TableError as error:
        if str(error).startswith(file.path):
            raise
        raise type(error)(f"{file.path}: {error}") from error
    except (pa.ArrowException, OSError, ValueError, OverflowError, LookupError) as error:
        first = (str(error).strip() or repr(error)).splitlines()[0]
        raise UnreadableTableError(f"{file.path}: {first}") from error
