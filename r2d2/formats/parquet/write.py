"""The layout of Parquet tables, and files written by it."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from r2d2.errors import NotWritableError, UnreadableTableError
from r2d2.formats.errors import translated
from r2d2.formats.layout import FOLDER_GROUP_ROWS, ROW_GROUP_ROWS, Layout
from r2d2.formats.parquet.annotations import (
    INSTANT,
    SPARK_ROW,
    geometries_of,
    is_time_in_utc,
    types_of,
)
from r2d2.formats.schema import flatten
from r2d2.formats.uniform import fitted, holds_view, plain_type
from r2d2.model import Table
from r2d2.storage.local import Storage

_ARROW_SCHEMA, _PANDAS = b"ARROW:schema", b"pandas"
_RANGE_INDEX = re.compile(rb'"kind"\s*:\s*"range"')
_SPARK_CHAR = b"__CHAR_VARCHAR_TYPE_STRING"
# Of a footer's keys with their values: a plan holds them for each of its tables.
KEYS_BYTES = 64 << 10
_Written = tuple[dict[bytes, bytes], dict[bytes, bytes]]


def layout(storage: Storage, table: Table) -> Layout:
    """The layout of the table's first file, with the columns that only later files have, or tell.

    A column of type null tells nothing. The footer's keys are those that are in all files.

    Raises:
        NotWritableError: a column's type or annotation could not be written back.
    """
    wanted = {column.path[0] for column in table.columns}
    fields: dict[str, pa.Field] = {}
    types: dict[str, str] = {}
    geometries: dict[str, str] = {}
    first: pq.ParquetFile | None = None
    keys = _Keys()
    for file in table.files:
        opened = pq.ParquetFile(storage.open(file))
        first = first or opened
        keys.add(opened.metadata)
        if wanted <= {name for name, field in fields.items() if not pt.is_null(field.type)}:
            continue
        types, geometries = _annotated_types(opened) | types, geometries_of(opened) | geometries
        for field in _writable_fields(opened):
            if field.name not in fields or pt.is_null(fields[field.name].type):
                fields[field.name] = field
    if first is None:
        raise UnreadableTableError(f"{table.location}: it has no file")
    leaves = [first.schema.column(place) for place in range(len(first.schema))]
    views = [name for name, field in fields.items() if holds_view(field.type)]
    fields |= {name: fields[name].with_type(plain_type(fields[name].type)) for name in views}
    not_restored = ["Arrow's views of text and bytes, which become large ones"] if views else []
    has_arrow_schema = _ARROW_SCHEMA in (first.metadata.metadata or {})
    metadata = (first.schema_arrow.metadata or {}) if has_arrow_schema else {}
    metadata, apart = keys.written(metadata, table.location)
    options = {
        "arrow_schema": has_arrow_schema,
        "int96": "INT96" in [leaf.physical_type for leaf in leaves],
        "time_in_utc": any(map(is_time_in_utc, leaves)),
        "types": types,
        "geometries": geometries if types else {},
        "footer_keys": [[key.decode("latin-1"), apart[key].decode("latin-1")] for key in apart],
    }
    always = ("arrow_schema", "int96", "time_in_utc")
    found = Layout(
        table.format,
        pa.schema(list(fields.values()), metadata or None),
        table.files[0].path.rpartition("/")[2],
        compression=_compression(first.metadata),
        options={name: said for name, said in options.items() if said or name in always},
        not_restored=(*not_restored, *keys.not_restored()),
    )
    if types:
        _check_types(table, found)
    return found


class _Keys:
    """The keys of a table's footers, and what their files say of the order of rows."""

    def __init__(self) -> None:
        self._all: dict[bytes, bytes] | None = None
        self._seen: dict[bytes, bytes] = {}
        self._lost: list[bytes] = []
        self._has_char = self._is_labelled = self._is_sorted = False

    def add(self, metadata: pq.FileMetaData) -> None:
        """Adds a file's."""
        said = {k: v for k, v in (metadata.metadata or {}).items() if k != _ARROW_SCHEMA}
        every = said if self._all is None else self._all
        self._all = {key: value for key, value in every.items() if said.get(key) == value}
        self._seen = said | self._seen
        self._has_char |= _SPARK_CHAR in said.get(SPARK_ROW, b"")
        self._is_labelled |= bool(_RANGE_INDEX.search(said.get(_PANDAS, b"")))
        groups = map(metadata.row_group, range(metadata.num_row_groups))
        self._is_sorted = self._is_sorted or any(group.sorting_columns for group in groups)

    def written(self, metadata: Mapping[bytes, bytes], location: str) -> _Written:
        """What comes back: of the Arrow schema's metadata, and of the keys that are not there.

        Pandas' stay in that schema: it passes over an index whose range does not fit the rows.

        Raises:
            NotWritableError: a key that does not come back has a column's length.
        """
        alike = self._all or {}
        differ = self._seen.keys() - alike.keys() - {_PANDAS}
        stay = {key: value for key, value in metadata.items() if key not in differ}
        apart, left = {}, KEYS_BYTES
        for key, value in alike.items():
            if stay.get(key) != value and len(key) + len(value) <= left:
                apart[key] = value
                left -= len(key) + len(value)
        come_back = {k for k, v in alike.items() if v in (stay.get(k), apart.get(k))}
        self._lost = sorted(self._seen.keys() - come_back)
        if self._has_char and SPARK_ROW in self._lost:
            raise NotWritableError(
                f"{location}: Spark's key in its footers tells the lengths of CHAR or VARCHAR"
                " columns and cannot be written back, as it differs among them or is too long; the"
                " table must stay"
            )
        return stay, apart

    def not_restored(self) -> Iterator[str]:
        """What does not come back; after `written`."""
        names = ", ".join(key.decode(errors="replace") for key in self._lost)
        if names:
            yield f"keys of its footers that differ among files or are long: {names}"
        if self._is_labelled:
            yield "the order of rows, by which pandas labels them (RangeIndex)"
        if self._is_sorted:
            yield "the order of rows, which its footers declare (sorting_columns)"


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


def _annotated_types(file: pq.ParquetFile) -> dict[str, str]:
    """The types of the columns whose rows are read as another type, which Arrow's says.

    Raises:
        IneligibleTableError: a type has no row identity.
    """
    types = types_of(file)
    pairs = zip(types.columns, flatten(types.storage), strict=True)
    return {ours.name: ours.type for ours, plain in pairs if ours.type != plain.type}


def _writable_fields(file: pq.ParquetFile) -> list[pa.Field]:
    """The file's fields as they are written back: Spark's INT96 in a unit that no year overflows.

    Raises:
        IneligibleTableError: a type has no row identity.
    """
    fields = zip(file.schema_arrow, types_of(file).annotated, strict=True)
    return [other if other.type == INSTANT else field for field, other in fields]


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
            keys = layout.options.get("footer_keys", [])
            if keys:
                pairs = {key.encode("latin-1"): said.encode("latin-1") for key, said in keys}
                self._writer.add_key_value_metadata(pairs)

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
