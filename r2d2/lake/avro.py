"""Avro: a file's header into a table with runs of blocks as splits, blocks into record batches."""

import lzma
import struct
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pyarrow as pa

from r2d2.errors import TableError, UnreadableTableError
from r2d2.lake.avro_codec import decompressed
from r2d2.lake.avro_container import Block, Header, blocks, content_of, header_of
from r2d2.lake.avro_schema import Type, record_type
from r2d2.lake.avro_values import array_of
from r2d2.lake.schema import flatten
from r2d2.lake.storage import SMALL_FILE_BYTES, Storage
from r2d2.model import FileInfo, Format, Split, Table

SPLIT_BYTES = 32 << 20
BATCH_ROWS = 1 << 16
BATCH_BYTES = 8 << 20
BATCH_VALUES = 1 << 20
# Rows of no bytes (all their columns are of type null) are bounded by nothing else.
MOST_EMPTY_ROWS = 1 << 20
BOMB_BYTES = 1 << 30
BOMB_RATIO = 2000


@dataclass(frozen=True, slots=True)
class Range:
    """The blocks from one offset to another; `rows` is what they declare, None if not counted."""

    start: int
    end: int
    rows: int | None


def inspect(storage: Storage, location: str, file: FileInfo) -> Table:
    """The table of one Avro file, from its header and, where that is cheap, its blocks' heads.

    Raises:
        TableError: the file is damaged, or its columns have no identity.
    """
    with _foreign_errors(file):
        stream = storage.open(file)
        header = header_of(stream)
        columns = flatten(pa.schema(list(record_type(header.schema).arrow)))
        decompressed(header.codec, b"", 0) if header.codec == "null" else None
        if file.size_bytes <= SMALL_FILE_BYTES or "://" not in storage.url:
            ranges = tuple(_ranges(blocks(stream, header, header.end, file.size_bytes)))
        else:
            ranges = (Range(header.end, file.size_bytes, None),)
        counts = [found.rows for found in ranges]
        return Table(
            location,
            Format.AVRO,
            columns,
            None if None in counts else sum(count or 0 for count in counts),
            file.size_bytes,
            (file,),
            splits=tuple(_split(file, found) for found in ranges),
            details={"compression": header.codec},
        )


def _ranges(found: Iterable[Block]) -> Iterator[Range]:
    start = rows = None
    end = 0
    for block in found:
        start, rows = (block.start, 0) if start is None else (start, rows)
