"""Avro files written back: the file's schema in its header, rows encoded as `read` decodes them."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Context
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa

from r2d2.errors import NotWritableError
from r2d2.formats.avro.container import MAGIC, header_of
from r2d2.formats.avro.schema import Type, columns_of, record_type
from r2d2.formats.compression import CODECS
from r2d2.formats.errors import translated
from r2d2.formats.layout import Layout
from r2d2.formats.schema import flatten
from r2d2.formats.uniform import entries, lengths
from r2d2.model import Table
from r2d2.storage.local import Storage

BLOCK_ROWS = 1 << 12
_EXACT = Context(prec=100)


def layout(storage: Storage, table: Table) -> Layout:
    """The layout of the table's first file; its schema is kept as it stands in the header."""
    header = header_of(storage.open(table.files[0]))
    record = record_type(header.schema)
    schema = pa.schema(list(record.arrow))
    pairs = zip(columns_of(record), flatten(schema), strict=True)
    types = {column.name: column.type for column, plain in pairs if column.type != plain.type}
    return Layout(
        table.format,
        schema,
        table.files[0].path.rpartition("/")[2],
        compression=header.codec,
        options={"schema": header.schema} | ({"types": types} if types else {}),
        not_restored=("user metadata in its header",),
    )


class AvroSink:
    """A file of blocks of so many rows."""

    def __init__(self, layout: Layout, path: Path) -> None:
        from fastavro import parse_schema

        if layout.compression not in CODECS:
            raise NotWritableError(f"r2d2 writes no Avro compressed by {layout.compression}")
        self._compress = CODECS[layout.compression].compress
        self._record = record_type(layout.options["schema"])
        self._plain = parse_schema(self._record.plain)
        self._fixed = dict(fixed_sizes(self._record.plain))
        self._sync = os.urandom(16)
        meta = {
            "avro.schema": json.dumps(layout.options["schema"], ensure_ascii=False),
            "avro.codec": layout.compression,
        }
        entries = b"".join(_text(part.encode()) for pair in meta.items() for part in pair)
        with translated(NotWritableError, path.name):
            self._file = path.open("xb")
            self._file.write(MAGIC + _long(len(meta)) + entries + b"\0" + self._sync)

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows."""
        for start in range(0, batch.num_rows, BLOCK_ROWS):
            with translated(NotWritableError):
                self._write(batch.slice(start, BLOCK_ROWS))

    def close(self) -> None:
        """Completes the file."""
        with translated(NotWritableError):
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


def values_of(array: pa.Array, type_: Type, fixed: Mapping[str, int]) -> list[Any]:
    """The values as fastavro encodes them: the inverse of `read.array_of`.

    Raises:
        NotWritableError: a text is none of an enum's symbols.
    """
    arrow = type_.arrow
    if type_.symbols:
        return _symbols(array, type_)
    if pa.types.is_struct(arrow):
        parts = [values_of(p, t, fixed) for p, t in zip(array.flatten(), type_.parts, strict=True)]
        rows = [{f"f{i}": v for i, v in enumerate(row)} for row in zip(*parts, strict=True)]
        rows = rows or [{} for _ in range(len(array))]
        valid = array.is_valid().to_pylist()
        return [row if there else None for row, there in zip(rows, valid, strict=True)]
    if pa.types.is_map(arrow):
        return _lists(array, _entries(array, type_, fixed))
    if pa.types.is_list(arrow):
        return _lists(array, values_of(array.flatten(), type_.parts[0], fixed))
    if pa.types.is_decimal(arrow):
        return _decimals(array, _size(type_.plain, fixed))
    if pa.types.is_string(arrow):
        return list(array.cast(pa.binary()).to_pylist())
    if pa.types.is_temporal(arrow):
        wide = pa.int32() if arrow.bit_width == 32 else pa.int64()
        return list(array.cast(wide).to_pylist())
    return list(array.to_pylist())


def _symbols(array: pa.Array, type_: Type) -> list[int | None]:
    places = {symbol: place for place, symbol in enumerate(type_.symbols)}
    try:
        return [None if text is None else places[text] for text in array.to_pylist()]
    except KeyError as error:
        raise NotWritableError(f"{error} is none of the enum's symbols") from error


def _entries(array: pa.Array, type_: Type, fixed: Mapping[str, int]) -> list[Any]:
    keys, items = (
        values_of(part, kind, fixed) for part, kind in zip(entries(array), type_.parts, strict=True)
    )
    return [{"f0": key, "f1": item} for key, item in zip(keys, items, strict=True)]


def _lists(array: pa.Array, flat: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    at = 0
    for length in lengths(array).to_pylist():
        found.append(None if length is None else flat[at : at + length])
        at += length or 0
    return found


def _decimals(array: pa.Array, size: int | None) -> list[bytes | None]:
    words: list[bytes | None] = []
    for value in array.to_pylist():
        if value is None:
            words.append(None)
            continue
        unscaled = int(value.scaleb(array.type.scale, _EXACT))
        least = (unscaled if unscaled >= 0 else ~unscaled).bit_length() // 8 + 1
        words.append(unscaled.to_bytes(size or least, "big", signed=True))
    return words


def _size(plain: Any, fixed: Mapping[str, int]) -> int | None:
    """The bytes that each of the type's values takes; None where they are of any length."""
    branches = plain if isinstance(plain, list) else [plain]
    for branch in branches:
        if isinstance(branch, dict) and branch.get("type") == "fixed":
            return int(branch["size"])
        if isinstance(branch, str) and branch in fixed:
            return fixed[branch]
    return None


def fixed_sizes(plain: Any) -> Iterator[tuple[str, int]]:
    """The sizes of all fixed types that the schema names."""
    if isinstance(plain, list):
        for branch in plain:
            yield from fixed_sizes(branch)
    elif isinstance(plain, dict):
        if plain.get("type") == "fixed":
            yield plain["name"], plain["size"]
        yield from fixed_sizes([field["type"] for field in plain.get("fields", ())])
        yield from fixed_sizes(plain.get("items"))
