"""Avro: the file's own schema in its header, rows encoded as r2d2's reader decodes them."""

import bz2
import json
import lzma
import os
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pyarrow as pa

from r2d2.formats.avro.container import MAGIC
from r2d2.formats.avro.schema import record_type
from r2d2.formats.layout import Layout, NotWritableError
from r2d2.formats.sink import refused
from r2d2.rebuild.avro_rows import fixed_sizes, values_of

BLOCK_ROWS = 1 << 12


class AvroSink:
    """A file of blocks of so many rows."""

    def __init__(self, layout: Layout, path: Path) -> None:
        from fastavro import parse_schema

        compress = _CODECS.get(layout.compression)
        if compress is None:
            raise NotWritableError(f"r2d2 writes no Avro compressed by {layout.compression}")
        self._compress = compress
        self._record = record_type(layout.options["schema"])
        self._plain = parse_schema(self._record.plain)
        self._fixed = dict(fixed_sizes(self._record.plain))
        self._sync = os.urandom(16)
        meta = {
            "avro.schema": json.dumps(layout.options["schema"], ensure_ascii=False),
            "avro.codec": layout.compression,
        }
        entries = b"".join(_text(part.encode()) for pair in meta.items() for part in pair)
        with refused(path):
            self._file = path.open("xb")
            self._file.write(MAGIC + _long(len(meta)) + entries + b"\0" + self._sync)

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows."""
        for start in range(0, batch.num_rows, BLOCK_ROWS):
            with refused():
                self._write(batch.slice(start, BLOCK_ROWS))

    def close(self) -> None:
        """Completes the file."""
        with refused():
            self._file.close()

    def _write(self, batch: pa.RecordBatch) -> None:
        from fastavro import schemaless_writer

        columns = [
            values_of(array, part, self._fixed)
            for array, part in zip(batch.columns, self._record.parts, strict=True)
        ]
        content = BytesIO()
        for row in zip(*columns, strict=True):
            schemaless_writer(content, self._plain, {f"f{i}": v for i, v in enumerate(row)})
        block = self._compress(content.getvalue())
        self._file.write(_long(batch.num_rows) + _text(block) + self._sync)


def _long(number: int) -> bytes:
    number, content = (number << 1) ^ (number >> 63), bytearray()
    while number > 127:
        content.append(number & 127 | 128)
        number >>= 7
    return bytes(content) + bytes([number])


def _text(content: bytes) -> bytes:
    return _long(len(content)) + content


def _deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(content) + stream.flush()


def _snappy(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="snappy", asbytes=True)
    return packed + zlib.crc32(content).to_bytes(4, "big")


def _zstandard(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return packed


_CODECS: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": _deflate,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstandard": _zstandard,
    "snappy": _snappy,
}
