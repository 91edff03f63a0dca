"""A Parquet file's columns with the annotations that Arrow's types do not show.

UUID, JSON, ENUM, BSON, coordinate systems, times with a zone and INT96 are part of a column's type,
and so are Arrow's extension types, whether this process knows them or not, and Spark's intervals
and user-defined types, which a key of the footer alone tells. Rows are read without: their values
are those of the type that the annotation stands on.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import repeat
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt
from pyarrow._parquet import ParquetReader

from r2d2.arrays import plain
from r2d2.errors import IneligibleTableError
from r2d2.formats.parquet.footer import leaf_count
from r2d2.formats.schema import (
    PRIMITIVES,
    annotated,
    check_names,
    flatten,
    is_annotated,
    logical_type,
    quoted,
    with_inner,
    without_extension,
)
from r2d2.model import Column

INSTANT = pa.timestamp("us", "UTC")
_ARROW_SCHEMA, _GEO = b"ARROW:schema", b"geo"
SPARK_ROW = b"org.apache.spark.sql.parquet.row.metadata"
_SPARK = (b"org.apache.spark.version", SPARK_ROW)
_SPARK_WORD = re.compile(rb'ype"\s*:\s*"(interval[ "]|udt"|variant")')
_SPARK_INTERVAL = re.compile(r"interval( [a-z]+)?( to [a-z]+)?")
_NAME, _METADATA = b"ARROW:extension:name", b"ARROW:extension:metadata"
_GEOMETRY = re.compile(
    r"(Geometry|Geography)\(crs=(?P<system>.*?)(?:, algorithm=(?P<edges>\w+))?\)"
)
_GEO_KEYS = ("encoding", "crs", "edges", "orientation", "epoch")
# Nothing that a list's or a struct's type is written with.
_READABLE = re.compile(r"[\w.:;= -]{,60}")
_PROJJSON = "projjson:"
_USUAL_SYSTEM = "OGC:CRS84"
# Pyarrow's hash of a type is that of its text.
_KINDS = {type_.id: kind for type_, kind in PRIMITIVES.items()}
_BARE = {
    *(pa.lib.Type_BINARY, pa.lib.Type_LARGE_BINARY, pa.lib.Type_BINARY_VIEW),
    *(pa.lib.Type_FIXED_SIZE_BINARY, pa.lib.Type_TIME32, pa.lib.Type_TIME64),
}
_PARAMETRIC = (pa.TimestampType, pa.Decimal128Type, pa.Decimal256Type)
_ARROW_NAMES = {"arrow.uuid": "uuid", "arrow.json": "json"}


@dataclass(frozen=True, slots=True)
class FileTypes:
    """A file's columns, and its schema: as annotated, and as its rows are read.

    `leaves` are the numbers of each top-level column's leaves, where Arrow's types say all.
    """

    columns: tuple[Column, ...]
    annotated: pa.Schema
    storage: pa.Schema
    leaves: Mapping[str, range] | None = None


def types_of(file: pq.ParquetFile | ParquetReader) -> FileTypes:
    """The types of the file's columns, the same whatever its size.

    Raises:
        IneligibleTableError: a type has no row identity, or two columns have one name.
    """
    schema, metadata = file.schema_arrow, file.metadata
    keys = metadata.metadata or {}
    # A hash of the bytes is a third of the schema's own.
    plain = _plain(schema.remove_metadata().serialize().to_pybytes())
    if plain is not None and _GEO not in keys and not _SPARK_WORD.search(keys.get(SPARK_ROW, b"")):
        leaf = metadata.schema.column if plain.bare else None
        if leaf is None or all(_says_nothing(leaf(place)) for place in plain.bare):
            return plain.types
    _check_groups(metadata)
    leaves = _Leaves(metadata, keys)
    fields = [leaves.annotate(field) for field in schema]
    full = pa.schema(_with_geo(_with_spark(fields, keys), keys), schema.metadata)
    return FileTypes(flatten(full), full, storage_schema(schema))


@dataclass(frozen=True, slots=True)
class _Plain:
    """The types by Arrow's alone, and the leaves whose annotation may say more."""

    types: FileTypes
    bare: tuple[int, ...]


@lru_cache(maxsize=4096)
def _plain(serialized: bytes) -> _Plain | None:
    """What Arrow's types say of the columns; None where they say that there is more.

    Files of one schema have one answer, so that their tables share the columns.
    """
    schema = pa.ipc.read_schema(pa.py_buffer(serialized))
    if _NAME not in serialized and (flat := _flat(schema)) is not None:
        return flat
    leaves = [leaf for field in schema for leaf in _bare(field)]
    if None in leaves:
        return None
    places = tuple(place for place, bare in enumerate(leaves) if bare)
    ranges, start = {}, 0
    for field in schema:
        width = 1 if field.type in PRIMITIVES else leaf_count(field.type)
        ranges[field.name] = range(start, start + width)
        start += width
    return _Plain(FileTypes(flatten(schema), schema, schema, ranges), places)


def _flat(schema: pa.Schema) -> _Plain | None:
    """The same of a schema without nested types; None of another one."""
    kinds, types = [], schema.types
    for type_ in types:
        kind = _KINDS.get(type_.id)
        if kind is None:
            if type_.num_fields or not isinstance(type_, _PARAMETRIC):
                return None
            kind = logical_type(type_)
        kinds.append(kind)
    names = schema.names
    check_names(names, case_sensitive=True)
    columns = tuple(map(_column, names, kinds))
    bare = tuple(place for place, type_ in enumerate(types) if _is_bare(type_))
    leaves = {name: range(place, place + 1) for place, name in enumerate(names)}
    return _Plain(FileTypes(columns, schema, schema, leaves), bare)


@lru_cache(maxsize=1 << 16)
def _column(name: str, kind: str) -> Column:
    return Column(quoted(name), kind, (name,))


def _bare(field: pa.Field) -> Iterator[bool | None]:
    """Whether each leaf may have an annotation that its type does not show; None where one has."""
    type_ = field.type
    if type_ in PRIMITIVES and not field.metadata:
        yield PRIMITIVES[type_] == "binary"
        return
    is_variant = pt.is_struct(type_) and type_.get_field_index("metadata") >= 0
    if isinstance(type_, pa.BaseExtensionType) or _NAME in (field.metadata or {}) or is_variant:
        yield None
    elif pt.is_dictionary(type_) or not type_.num_fields:
        yield _is_bare(type_)
    else:
        for place in range(type_.num_fields):
            yield from _bare(type_.field(place))


def _is_bare(type_: pa.DataType) -> bool:
    if type_.id == pa.lib.Type_TIMESTAMP:
        return bool(type_.unit == "ns" and type_.tz is None)
    return type_.id in _BARE


def _says_nothing(leaf: pq.ColumnSchema) -> bool:
    """Whether the leaf's values are those that its Arrow type says."""
    said = str(leaf.logical_type)
    if said == "None":
        return bool(leaf.physical_type != "INT96")
    return said.startswith(("Timestamp(", "Time(isAdjustedToUTC=false"))


def _check_groups(metadata: pq.FileMetaData) -> None:
    """Raises IneligibleTableError for structs and bytes whose annotation gives no identity."""
    found = re.search(r"^.*\((Variant\(\d+\)|Interval)\)( \{|;)$", str(metadata.schema), re.M)
    if found:
        kind = found.group(1).partition("(")[0].lower()
        raise IneligibleTableError(f"a column is a Parquet {kind}, which has no row identity")


class _Leaves:
    """A file's leaves in order, taken one by one as its fields are walked."""

    def __init__(self, metadata: pq.FileMetaData, keys: Mapping[bytes, bytes]) -> None:
        schema = metadata.schema
        self._leaves: Iterator[pq.ColumnSchema] = map(schema.column, range(metadata.num_columns))
        self._keys = keys
        self._is_sparks = is_sparks(metadata)
        stated = _leaf_types_of(keys.get(_ARROW_SCHEMA))
        is_whole = len(stated) == metadata.num_columns
        self._stated: Iterator[pa.DataType | None] = iter(stated if is_whole else repeat(None))

    def annotate(self, field: pa.Field) -> pa.Field:
        """The field with its type annotated, at any depth."""
        return field.with_type(self._type_of(field))

    def _type_of(self, field: pa.Field) -> pa.DataType:
        name, type_ = _extension_name(field), without_extension(field.type)
        if not pt.is_nested(type_):
            return self._leaf(type_, name)
        nested = with_inner(type_, self.annotate)
        return _named(nested, name) if name else nested

    def _leaf(self, type_: pa.DataType, name: str) -> pa.DataType:
        leaf, stated = next(self._leaves), next(self._stated)
        if leaf.physical_type == "INT96":
            if self._is_sparks:
                return INSTANT
            # Arrow states that it wrote times without a zone; INT96 alone tells no meaning.
            is_local = stated is not None and pt.is_timestamp(stated) and stated.tz is None
            return type_ if is_local else annotated(type_, "timestamp(int96)")
        said = str(leaf.logical_type)
        if said in ("UUID", "JSON", "Enum", "BSON"):
            return annotated(type_, said.lower())
        if found := _GEOMETRY.fullmatch(said):
            return annotated(type_, _label(found[1].lower(), self._system(found)))
        # Arrow's own times have no zone; until pyarrow 19 it marked them as if they had.
        if is_time_in_utc(leaf) and _ARROW_SCHEMA not in self._keys:
            return annotated(type_, "timetz")
        return _named(type_, name) if name else type_

    def _system(self, geometry: re.Match[str]) -> str:
        """The coordinate system and, of a geography, its edges; "" where they are the usual ones.

        The system may be a key of the file that holds it.
        """
        system, edges = geometry["system"], geometry["edges"] or ""
        system = "" if system == _USUAL_SYSTEM else system
        known = self._keys.get(system.removeprefix(_PROJJSON).encode())
        if system.startswith(_PROJJSON) and known is not None:
            system += "=" + known.decode(errors="replace")
        return ";".join(filter(None, (system, edges)))


@lru_cache(maxsize=64)
def _leaf_types_of(arrow_schema: bytes | None) -> tuple[pa.DataType, ...]:
    """The types of the leaves of the Arrow schema that a footer holds; none where it has none."""
    if arrow_schema is None:
        return ()
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(arrow_schema)))
    except (pa.ArrowException, ValueError):
        return ()
    return tuple(leaf for field in schema for leaf in _leaf_types(field.type))


def _leaf_types(type_: pa.DataType) -> Iterator[pa.DataType]:
    type_ = without_extension(type_)
    if not pt.is_nested(type_):
        yield type_
        return
    for index in range(type_.num_fields):
        yield from _leaf_types(type_.field(index).type)


def storage_schema(schema: pa.Schema) -> pa.Schema:
    """The schema without extension types, at any depth."""
    return pa.schema([storage_field(field) for field in schema], schema.metadata)


def storage_field(field: pa.Field) -> pa.Field:
    """The field without extension types, at any depth."""
    return field.with_type(with_inner(without_extension(field.type), storage_field))


def is_time_in_utc(leaf: pq.ColumnSchema) -> bool:
    """Whether the leaf holds times of a day that are marked as UTC's."""
    return str(leaf.logical_type).startswith("Time(isAdjustedToUTC=true")


def geometries_of(file: pq.ParquetFile) -> dict[str, str]:
    """What GeoArrow's metadata say of each column that is a geometry or geography."""
    columns = map(file.schema.column, range(len(file.schema)))
    found = {leaf.path: _GEOMETRY.fullmatch(str(leaf.logical_type)) for leaf in columns}
    said = {path: {"crs": it["system"], "edges": it["edges"]} for path, it in found.items() if it}
    return {path: json.dumps({k: v for k, v in it.items() if v}) for path, it in said.items()}


def storage_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without extension types, at any depth; its values are not copied."""
    arrays = [plain(array) for array in batch.columns]
    fields = [
        storage_field(pa.field(name, a.type))
        for name, a in zip(batch.schema.names, arrays, strict=True)
    ]
    arrays = [
        array if array.type == field.type else array.cast(field.type)
        for array, field in zip(arrays, fields, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def is_sparks(metadata: pq.FileMetaData) -> bool:
    """Whether Spark wrote the file, whose INT96 values are instants."""
    keys = metadata.metadata or {}
    return any(key in keys for key in _SPARK)


def _extension_name(field: pa.Field) -> str:
    """The name of Arrow's extension type with its parameters, "" where there is none.

    It is the same whether this process knows the type or not.
    """
    type_, metadata = field.type, field.metadata or {}
    if isinstance(type_, pa.ExtensionType):
        name, content = type_.extension_name, type_.__arrow_ext_serialize__()
    elif isinstance(type_, pa.BaseExtensionType):
        return _ARROW_NAMES.get(type_.extension_name, str(type_))
    elif _NAME in metadata:
        name, content = metadata[_NAME].decode(errors="replace"), metadata.get(_METADATA, b"")
    else:
        return ""
    return ":".join(filter(None, (name, content.decode(errors="replace"))))


def _named(type_: pa.DataType, name: str) -> pa.DataType:
    """The type under an extension's name; a struct's fields are columns, so that each has it."""
    if name in _ARROW_NAMES.values():
        return annotated(type_, name)
    if pt.is_struct(type_):
        return with_inner(type_, lambda field: field.with_type(_named(field.type, name)))
    return annotated(type_, _label("extension", f"{name};{logical_type(type_)}"))


def _label(kind: str, said: str) -> str:
    """The type's name with what its annotation says, or a digest of that where it is long."""
    if not said:
        return kind
    if not _READABLE.fullmatch(said):
        said = "#" + blake2b(said.encode(), digest_size=16).hexdigest()
    return f"{kind}({said})"


def _with_geo(fields: list[pa.Field], keys: Mapping[bytes, bytes]) -> list[pa.Field]:
    """The fields, those that GeoParquet's metadata describe with what it says of their values."""
    if _GEO not in keys:
        return fields
    try:
        columns = json.loads(keys[_GEO])["columns"]
        said = {
            name: {key: column.get(key) for key in _GEO_KEYS} for name, column in columns.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return fields  # not GeoParquet's
    return [
        field.with_type(_named(field.type, f"geo:{json.dumps(said[field.name], sort_keys=True)}"))
        if field.name in said and not is_annotated(field.type)
        else field
        for field in fields
    ]


def _with_spark(fields: list[pa.Field], keys: Mapping[bytes, bytes]) -> list[pa.Field]:
    """The fields, those whose type only Spark's key tells with that type."""
    said = keys.get(SPARK_ROW, b"")
    if not _SPARK_WORD.search(said):
        return fields
    try:
        types = {field["name"]: field["type"] for field in json.loads(said)["fields"]}
        return [_spark_field(field, types.get(field.name, "")) for field in fields]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return fields  # Spark passes over it, too


def _spark_field(field: pa.Field, said: Any) -> pa.Field:
    """The field with what Spark's JSON says of its type, at any depth."""
    type_ = field.type
    if said == "variant":
        raise IneligibleTableError("a column is a Spark variant, which has no row identity")
    if isinstance(said, str):
        is_more = _SPARK_INTERVAL.fullmatch(said) and not is_annotated(type_)
        return field.with_type(annotated(type_, _label("spark", said))) if is_more else field
    kind = said["type"]
    if kind == "udt":
        return field.with_type(_named(type_, f"udt:{said.get('class') or said.get('pyClass')}"))
    if kind == "map" and pt.is_map(type_):
        key = _spark_field(type_.key_field, said["keyType"])
        return field.with_type(pa.map_(key, _spark_field(type_.item_field, said["valueType"])))
    inner = {each["name"]: each["type"] for each in said.get("fields", ())}
    element = said.get("elementType", "")
    return field.with_type(
        with_inner(type_, lambda each: _spark_field(each, inner.get(each.name, element)))
    )
