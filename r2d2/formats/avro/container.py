"""Avro's container: a header with the schema, then blocks between sync markers."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from r2d2.errors import UnreadableTableError

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
# Writers make blocks of kilobytes, at most of a few megabytes; only a bomb is larger than this.
BLOCK_BYTES = 256 << 20
# Two varints of at most ten bytes each: a block's number of rows, and its size.
_BLOCK_HEAD_BYTES = 20
_SCHEMA_BYTES = 16 << 20
_META_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class AvroHeader:
    """A file's header; its blocks begin at `end`."""

    schema: Any
    codec: str
    sync: bytes
    end: int


@dataclass(frozen=True, slots=True)
class AvroBlock:
    """A block's place, its content's, and how many rows it declares; the next begins at `end`."""

    begin: int
    rows: int
    start: int
    size_bytes: int

    @property
    def end(self) -> int:
        """Behind the sync marker."""
        return self.start + self.size_bytes + SYNC_BYTES


def header_of(stream: Any) -> AvroHeader:
    """The header of the file.

    Raises:
        UnreadableTableError: it is no Avro file, or its header is damaged.
    """
    stream.seek(0)
    if _exactly(stream, len(MAGIC)) != MAGIC:
        raise UnreadableTableError("not an Avro file")
    meta = _meta(stream)
    try:
        schema = json.loads(meta[b"avro.schema"])
        codec = meta.get(b"avro.codec", b"null").decode("ascii")
    except (KeyError, ValueError, RecursionError) as error:
        raise UnreadableTableError(f"its header holds no schema: {error!r}"[:200]) from error
    sync = _exactly(stream, SYNC_BYTES)
    return AvroHeader(schema, codec, sync, stream.tell())


def _meta(stream: Any) -> dict[bytes, bytes]:
    entries: dict[bytes, bytes] = {}
    while count := _long(stream):
        if count < 0:
            count = -count
            _long(stream)
        if len(entries) + count > _META_ENTRIES:
            raise UnreadableTableError("its header is damaged")
        for _ in range(count):
            key = _exactly(stream, _length(stream))
            entries[key] = _exactly(stream, _length(stream))
    return entries


def _length(stream: Any) -> int:
    length = _long(stream)
    if not 0 <= length <= _SCHEMA_BYTES:
        raise UnreadableTableError("its header is damaged")
    return length


def _long(stream: Any) -> int:
    content = b""
    while not content or content[-1] > 127:
        content += _exactly(stream, 1)
    return _varint(content, 0)[0]


def blocks(stream: Any, header: AvroHeader, start: int, end: int) -> Iterator[AvroBlock]:
    """The blocks from one offset to another; `end` is where a block ends.

    Raises:
        UnreadableTableError: a block is cut short or damaged, or its sync marker is another's.
    """
    stream.seek(start)
    head = stream.read(_BLOCK_HEAD_BYTES)
    while start < end:
        rows, at = _varint(head, 0)
        size_bytes, at = _varint(head, at)
        block = AvroBlock(start, rows, start + at, size_bytes)
        if rows < 0 or not 0 <= size_bytes <= BLOCK_BYTES or block.end > end:
            raise UnreadableTableError(f"the block at byte {start} is damaged or cut short")
        yield block
        stream.seek(block.start + size_bytes)
        if _exactly(stream, SYNC_BYTES) != header.sync:
            raise UnreadableTableError(f"the block at byte {start} ends in no sync marker")
        start = block.end
        head = stream.read(_BLOCK_HEAD_BYTES)


def content_of(stream: Any, block: AvroBlock) -> bytes:
    """The block's bytes as stored."""
    stream.seek(block.start)
    return _exactly(stream, block.size_bytes)


def _exactly(stream: Any, size_bytes: int) -> bytes:
    content = bytes(stream.read(size_bytes))
    if len(content) < size_bytes:
        raise UnreadableTableError("the file is cut short")
    return content


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """The zigzag number that begins at `at`, and where it ends.

    >>> _varint(b"\\x80\\x01", 0), _varint(b"\\x03", 0)
    ((64, 2), (-2, 1))
    """
    number = shift = 0
    for place in range(at, min(at + 10, len(content))):
        byte = content[place]
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return (number >> 1) ^ -(number & 1), place + 1
    raise UnreadableTableError("the file is damaged or cut short: a number has no end")
