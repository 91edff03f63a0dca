"""Avro files to read: as fastavro writes them, and of blocks that it would not write."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa

from r2d2.model import Table
from tests.support.formats.one_table import batches, the_table

SYNC = bytes(range(16))
FIXED = {"type": "fixed", "name": "f", "size": 3}
ENUM = {"type": "enum", "name": "e", "symbols": ["A", "B"]}


def record(*types: Any) -> dict[str, Any]:
    """A record's schema with fields `a`, `b` … of the types."""
    fields = [{"name": chr(97 + place), "type": type_} for place, type_ in enumerate(types)]
    return {"type": "record", "name": "r", "fields": fields}


def logical(type_: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "logicalType": name, **more}


def write(lake: Path, schema: Any, rows: Sequence[Any], **options: Any) -> Table:
    with (lake / "t.avro").open("wb") as file:
        fastavro.writer(file, schema, rows, **options)
    return the_table(lake)


def write_raw(
    lake: Path, schema: Any, blocks: Sequence[tuple[int, bytes]], codec: str = "null"
) -> Table:
    """A file of blocks as given; fastavro would not write what some tests need."""
    meta = {b"avro.schema": json.dumps(schema).encode(), b"avro.codec": codec.encode()}
    head = b"".join(text(key) + text(value) for key, value in meta.items())
    body = b"".join(long(rows) + text(content) + SYNC for rows, content in blocks)
    header = b"Obj\x01" + long(len(meta)) + head + b"\0" + SYNC
    (lake / "t.avro").write_bytes(header + body)
    return the_table(lake)


def long(number: int) -> bytes:
    number, found = (number << 1) ^ (number >> 63), b""
    while number > 127:
        number, found = number >> 7, found + bytes([number & 127 | 128])
    return found + bytes([number])


def text(content: bytes) -> bytes:
    return long(len(content)) + content


def read(lake: Path, table: Table) -> pa.Table:
    assert table.problem is None
    return pa.Table.from_batches(batches(lake, table))


def values(lake: Path, table: Table) -> list[Any]:
    """The values of the first column."""
    return read(lake, table).column(0).to_pylist()
