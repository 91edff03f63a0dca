"""Layouts of Parquet, ORC and Avro files: what their footers and headers say."""

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.errors import UnreadableTableError
from r2d2.formats.avro.container import header_of
from r2d2.formats.avro.schema import record_type
from r2d2.formats.hive import Partition
from r2d2.formats.layout import Layout
from r2d2.formats.orc.tail import read_tail
from r2d2.formats.uniform import holds_view, plain_type
from r2d2.model import Table
from r2d2.storage.local import Storage

_ORC_COMPRESSION = ("uncompressed", "zlib", "snappy", "lzo", "lz4", "zstd")
_SAID_TWICE = b"ARROW:schema"


def parquet(storage: Storage, table: Table) -> Layout:
    """The layout of the table's first file, with the columns that only later files have."""
    wanted = {column.path[0] for column in table.columns} - _in_folders(table)
    fields: dict[str, pa.Field] = {}
    first: pq.ParquetFile | None = None
    for file in table.files:
        opened = pq.ParquetFile(storage.open(file))
        first = first or opened
        for field in opened.schema_arrow:
            fields.setdefault(field.name, field)
        if wanted <= fields.keys():
            break
    if first is None:
        raise UnreadableTableError(f"{table.location}: it has no file")
    raw = first.metadata.metadata or {}
    physical = {first.schema.column(place).physical_type for place in range(len(first.schema))}
    views = [name for name, field in fields.items() if holds_view(field.type)]
    fields |= {name: fields[name].with_type(plain_type(fields[name].type)) for name in views}
    return Layout(
        table.format,
        pa.schema(list(fields.values()), first.schema_arrow.metadata),
        _name(table),
        compression=_parquet_compression(first.metadata),
        options={"arrow_schema": _SAID_TWICE in raw, "int96": "INT96" in physical},
        not_restored=("Arrow's views of text and bytes, which become large ones",) if views else (),
    )


def _in_folders(table: Table) -> set[str]:
    context = table.splits[0].context
    return {key for key, _, _ in context.constants} if isinstance(context, Partition) else set()


def _parquet_compression(metadata: pq.FileMetaData) -> str:
    """What most column chunks are compressed with."""
    codecs = Counter(
        metadata.row_group(group).column(column).compression.lower()
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    )
    codec = max(codecs, key=lambda name: codecs[name], default="snappy")
    return {"uncompressed": "none", "lz4_raw": "lz4", "lzo": "snappy"}.get(codec, codec)


def orc(storage: Storage, table: Table) -> Layout:
    """The layout of the table's first file; pyarrow knows neither CHAR nor VARCHAR."""
    file = table.files[0]
    tail = read_tail(storage.open(file), file)
    codec = _ORC_COMPRESSION[tail.postscript.number32(2)]
    return Layout(
        table.format,
        tail.types.schema(),
        _name(table),
        compression="zlib" if codec == "lzo" else codec,
        not_restored=("CHAR and VARCHAR, which become STRING; user metadata; bloom filters",),
    )


def avro(storage: Storage, table: Table) -> Layout:
    """The layout of the table's first file; its schema is kept as it stands in the header."""
    header = header_of(storage.open(table.files[0]))
    return Layout(
        table.format,
        pa.schema(list(record_type(header.schema).arrow)),
        _name(table),
        compression=header.codec,
        options={"schema": header.schema},
        not_restored=("user metadata in its header",),
    )


def _name(table: Table) -> str:
    return table.files[0].path.rpartition("/")[2]
