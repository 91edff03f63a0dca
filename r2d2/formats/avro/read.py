"""Avro files read: the header describes the table, runs of blocks are the splits."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from r2d2.errors import UnreadableTableError
from r2d2.formats.avro.container import BLOCK_BYTES, AvroBlock, blocks, content_of, header_of
from r2d2.formats.avro.schema import Type, columns_of, record_type
from r2d2.formats.compression import check_codec, decompressed
from r2d2.formats.errors import translated
from r2d2.model import FileInfo, Format, Split, Table
from r2d2.storage.local import SMALL_FILE_BYTES, Storage
from r2d2.text_tables import by_number, pluralize

SPLIT_BYTES = 32 << 20
BATCH_ROWS = 1 << 16
BATCH_BYTES = 8 << 20
BATCH_VALUES = 1 << 20
# Rows of no bytes (all their columns are of type null) are bounded by nothing else.
MOST_EMPTY_ROWS = 1 << 20
# Honest blocks of one repeated value shrink by about a thousand; what declares more is a bomb.
BOMB_BYTES = 1 << 30
BOMB_RATIO = 2000


@dataclass(frozen=True, slots=True)
class Range:
    """The blocks from one offset to another, and the rows they declare; None: not counted."""

    start: int
    end: int
    rows: int | None


def inspect(storage: Storage, location: str, file: FileInfo) -> Table:
    """The table of one Avro file, from its header and, where that is cheap, its blocks' heads.

    Raises:
        TableError: the file is damaged, or its columns have no identity.
    """
    with translated(UnreadableTableError, file.path):
        stream = storage.open(file)
        header = header_of(stream)
        check_codec(header.codec)
        columns = columns_of(record_type(header.schema))
        if file.size_bytes <= SMALL_FILE_BYTES or "://" not in storage.url:
            ranges = list(_ranges(blocks(stream, header, header.end, file.size_bytes)))
        else:
            ranges = [Range(header.end, file.size_bytes, None)]
        known = [found.rows for found in ranges if found.rows is not None]
        return Table(
            location,
            Format.AVRO,
            columns,
            sum(known) if len(known) == len(ranges) else None,
            file.size_bytes,
            (file,),
            splits=tuple(
                Split(Format.AVRO, file, (), found.rows, found.end - found.start, found)
                for found in ranges
            ),
            details={"compression": header.codec},
        )


def _ranges(found: Iterable[AvroBlock]) -> Iterator[Range]:
    """Neighbouring blocks together, until they are worth a split of their own."""
    current: Range | None = None
    for block in found:
        start, rows = (current.start, current.rows or 0) if current else (block.begin, 0)
        current = Range(start, block.end, rows + block.rows)
        if current.end - current.start >= SPLIT_BYTES:
            yield current
            current = None
    if current:
        yield current


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The rows with the columns asked for (the first, where none is), in bounded batches.

    Raises:
        UnreadableTableError: bytes are damaged, or are not those that were listed.
    """
    part = split.context
    if not isinstance(part, Range):
        raise TypeError(f"{split.file.path}: not a split of an Avro file")
    rows = 0
    with translated(UnreadableTableError, split.file.path):
        stream = storage.open(split.file)
        header = header_of(stream)
        record = record_type(header.schema)
        for values in _decoded(_plain_blocks(stream, header, part, split.file), record):
            rows += len(values)
            yield _batch(values, record, columns)
        if part.rows is not None and rows != part.rows:
            raise UnreadableTableError(
                f"{pluralize(str(rows), 'row')} {by_number(rows, 'was', 'were')} read where"
                f" {part.rows} {by_number(part.rows, 'was', 'were')} declared"
            )
    storage.read(split.file, length=0)


def _plain_blocks(
    stream: Any, header: Any, part: Range, file: FileInfo
) -> Iterator[tuple[int, bytes]]:
    """Each block's number of rows and its decompressed content."""
    total = 0
    for block in blocks(stream, header, part.start, part.end):
        content = decompressed(header.codec, content_of(stream, block), BLOCK_BYTES)
        total += len(content)
        if total > max(BOMB_BYTES, BOMB_RATIO * file.size_bytes):
            raise UnreadableTableError(
                f"{file.size_bytes} bytes blow up beyond {total}: refused as a bomb"
            )
        yield block.rows, content


def _decoded(found: Iterable[tuple[int, bytes]], record: Type) -> Iterator[list[dict[str, Any]]]:
    """Rows in bounded lists; each block must hold its rows and nothing else."""
    from fastavro import parse_schema, schemaless_reader

    plain = parse_schema(record.plain)
    most_rows = max(1, min(BATCH_ROWS, BATCH_VALUES // max(1, record.leaves)))
    rows: list[dict[str, Any]] = []
    held_bytes = 0
    for count, content in found:
        if count > (len(content) // record.least_bytes if record.least_bytes else MOST_EMPTY_ROWS):
            raise UnreadableTableError(
                f"{pluralize(str(len(content)), 'byte')} cannot hold {pluralize(str(count), 'row')}"
            )
        stream = BytesIO(content)
        for _ in range(count):
            rows.append(schemaless_reader(stream, plain, None))
            if len(rows) >= most_rows or held_bytes + stream.tell() >= BATCH_BYTES:
                yield rows
                rows, held_bytes = [], -stream.tell()
        if stream.read(1):
            declared = pluralize(str(count), "row")
            raise UnreadableTableError(f"a block holds more than the {declared} it declares")
        held_bytes += len(content)
    if rows:
        yield rows


def _batch(rows: list[dict[str, Any]], record: Type, columns: Collection[str]) -> pa.RecordBatch:
    fields = list(record.arrow)
    wanted = [place for place, field in enumerate(fields) if field.name in columns] or [0]
    if not fields:
        return pa.RecordBatch.from_struct_array(pa.array(rows, pa.struct([])))
    arrays = [array_of([row[f"f{place}"] for row in rows], record.parts[place]) for place in wanted]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema([fields[i] for i in wanted]))


def array_of(values: Sequence[Any], type_: Type) -> pa.Array:
    """The values as an array of the type's Arrow type.

    Raises:
        ValueError: a value is not one of the type's (pa.ArrowInvalid is one, too).
        OverflowError, IndexError: a number or an enum's index is out of range.
    """
    if type_.symbols:
        indices = pa.array(values, pa.int32())
        return pc.take(pa.array(type_.symbols, pa.string()), indices)
    if pa.types.is_struct(type_.arrow):
        return _structs(values, type_)
    if pa.types.is_map(type_.arrow):
        keys, items = type_.parts
        entries = list(chain.from_iterable(filter(None, values)))
        return pa.MapArray.from_arrays(
            _offsets(values),
            array_of([entry["f0"] for entry in entries], keys),
            array_of([entry["f1"] for entry in entries], items),
        )
    if pa.types.is_list(type_.arrow):
        (items,) = type_.parts
        flat = array_of(list(chain.from_iterable(filter(None, values))), items)
        return pa.ListArray.from_arrays(_offsets(values), flat)
    if pa.types.is_decimal(type_.arrow):
        return _decimals(values, type_.arrow)
    array = pa.array(values, type_.arrow)
    if pa.types.is_time(type_.arrow):
        array.validate(full=True)
    return array


def _structs(values: Sequence[Any], type_: Type) -> pa.Array:
    if not type_.parts:
        return pa.array(values, type_.arrow)
    absent = pa.array([value is None for value in values], pa.bool_())
    parts = [
        array_of([None if value is None else value[f"f{place}"] for value in values], part)
        for place, part in enumerate(type_.parts)
    ]
    return pa.StructArray.from_arrays(parts, fields=list(type_.arrow), mask=absent)


def _offsets(values: Sequence[Any]) -> pa.Array:
    """The offset of each list, and the end of the last; NULL where a list is."""
    ends = accumulate((len(value or ()) for value in values), initial=0)
    begins: list[int | None] = list(ends)
    for place, value in enumerate(values):
        if value is None:
            begins[place] = None
    return pa.array(begins, pa.int32())


def _decimals(values: Sequence[bytes | None], type_: pa.DataType) -> pa.Array:
    width, most = type_.bit_width // 8, 10**type_.precision
    words = []
    for value in values:
        unscaled = int.from_bytes(value or b"", "big", signed=True)
        if abs(unscaled) >= most:
            raise ValueError(f"a decimal has more than {type_.precision} digits")
        words.append(unscaled.to_bytes(width, "little", signed=True))
    valid = pa.array([value is not None for value in values], pa.bool_())
    buffers = [valid.buffers()[1], pa.py_buffer(b"".join(words))]
    return pa.Array.from_buffers(type_, len(values), buffers)
