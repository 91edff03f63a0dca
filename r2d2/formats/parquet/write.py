"""The layout of Parquet tables, and files written by it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from r2d2.errors import NotWritableError, UnreadableTableError
from r2d2.formats.errors import translated
from r2d2.formats.layout import FOLDER_GROUP_ROWS, ROW_GROUP_ROWS, Layout
from r2d2.formats.parquet.annotations import (
    annotated_types,
    geometries_of,
    is_time_in_utc,
    types_of,
    writable_fields,
)
from r2d2.formats.uniform import fitted, holds_view, plain_type
from r2d2.model import Table
from r2d2.storage.local import Storage

_ARROW_SCHEMA = b"ARROW:schema"


def layout(storage: Storage, table: Table) -> Layout:
    """The layout of the table's first file, with the columns that only later files have, or tell.

    A column of type null tells nothing.
    """
    wanted = {column.path[0] for column in table.columns}
    fields: dict[str, pa.Field] = {}
    types: dict[str, str] = {}
    geometries: dict[str, str] = {}
    first: pq.ParquetFile | None = None
    for file in table.files:
        opened = pq.ParquetFile(storage.open(file))
        first = first or opened
        types, geometries = annotated_types(opened) | types, geometries_of(opened) | geometries
        for field in writable_fields(opened):
            if field.name not in fields or pt.is_null(fields[field.name].type):
                fields[field.name] = field
        if wanted <= {name for name, field in fields.items() if not pt.is_null(field.type)}:
            break
    if first is None:
        raise UnreadableTableError(f"{table.location}: it has no file")
    raw = first.metadata.metadata or {}
    leaves = [first.schema.column(place) for place in range(len(first.schema))]
    views = [name for name, field in fields.items() if holds_view(field.type)]
    fields |= {name: fields[name].with_type(plain_type(fields[name].type)) for name in views}
    found = Layout(
        table.format,
        pa.schema(list(fields.values()), first.schema_arrow.metadata),
        table.files[0].path.rpartition("/")[2],
        compression=_compression(first.metadata),
        options={
            "arrow_schema": _ARROW_SCHEMA in raw,
            "int96": "INT96" in [leaf.physical_type for leaf in leaves],
            "time_in_utc": any(map(is_time_in_utc, leaves)),
        },
        not_restored=("Arrow's views of text and bytes, which become large ones",) if views else (),
    )
    if not types:
        return found
    more = {"types": types, "geometries": geometries} if geometries else {"types": types}
    found = replace(found, options={**found.options, **more})
    _check_types(table, found)
    return found


def _check_types(table: Table, layout: Layout) -> None:
    """Raises NotWritableError where a file of the layout would have columns of other types."""
    written = BytesIO()
    with translated(NotWritableError, table.location):
        ParquetSink(layout, written).close()
        again = types_of(pq.ParquetFile(pa.BufferReader(written.getvalue())))
    types = {column.name: column.type for column in again.columns}
    for column in layout.columns:
        if types.get(column.name) != column.type:
            raise NotWritableError(
                f"{table.location}: column {column.name} is of Parquet's type {column.type}, which"
                " r2d2 cannot write back beside the others; the table must stay"
            )


def _compression(metadata: pq.FileMetaData) -> str:
    """The compression of most column chunks."""
    codecs = Counter(
        metadata.row_group(group).column(column).compression.lower()
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    )
    codec = max(codecs, key=lambda name: codecs[name], default="snappy")
    return {"uncompressed": "none", "lz4_raw": "lz4", "lzo": "snappy"}.get(codec, codec)


class _Geometry(pa.ExtensionType):  # type: ignore[misc]
    """GeoArrow's type of geometries in bytes, by which pyarrow writes Parquet's."""

    def __init__(self, storage: pa.DataType, said: bytes) -> None:
        self._said = said
        super().__init__(storage, "geoarrow.wkb")

    def __arrow_ext_serialize__(self) -> bytes:
        return self._said

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> "_Geometry":
        return cls(storage, serialized)


def _with_geometries(schema: pa.Schema, geometries: Mapping[str, str]) -> pa.Schema:
    """The schema, in which a column that is a geometry has GeoArrow's type."""
    fields = [
        field.with_type(_Geometry(field.type, geometries[field.name].encode()))
        if field.name in geometries
        else field
        for field in schema
    ]
    return pa.schema(fields, schema.metadata)


class ParquetSink:
    """A Parquet file; batches are gathered into row groups of a usual size."""

    def __init__(self, layout: Layout, path: Path | BytesIO) -> None:
        self._schema = _with_geometries(layout.file_schema, layout.options.get("geometries", {}))
        self._most_rows = FOLDER_GROUP_ROWS if layout.is_folder else ROW_GROUP_ROWS
        self._rows = 0
        self._held: list[pa.RecordBatch] = []
        with translated(NotWritableError, getattr(path, "name", "")):
            self._writer = pq.ParquetWriter(
                path,
                self._schema,
                compression=layout.compression,
                store_schema=bool(layout.options["arrow_schema"]),
                use_deprecated_int96_timestamps=bool(layout.options["int96"]),
                write_time_adjusted_to_utc=bool(layout.options.get("time_in_utc")),
                write_page_checksum=True,
            )

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows."""
        self._held.append(fitted(batch, self._schema))
        self._rows += batch.num_rows
        if self._rows >= self._most_rows:
            self._flush()

    def close(self) -> None:
        """Completes the file."""
        self._flush()
        with translated(NotWritableError):
            self._writer.close()

    def _flush(self) -> None:
        with translated(NotWritableError):
            if self._rows:
                table = pa.Table.from_batches(self._held, self._schema)
                self._writer.write_table(table, row_group_size=self._most_rows)
        self._held, self._rows = [], 0
