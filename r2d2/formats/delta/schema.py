"""A Delta schema as fields: the logical type, and where files keep it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from r2d2.errors import IneligibleTableError, UnreadableTableError
from r2d2.lake.delta.entries import MALFORMED

_PRIMITIVES = {
    "string": pa.string(),
    "long": pa.int64(),
    "integer": pa.int32(),
    "short": pa.int16(),
    "byte": pa.int8(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
    "void": pa.null(),
}
_DECIMAL = re.compile(r"decimal\(\s*(\d+)\s*,\s*(-?\d+)\s*\)")
_CHAR = re.compile(r"char\((\d+)\)")
_NESTED_CHAR = re.compile(r"(?<!var)char\(")
_MAPPING_ID = "delta.columnMapping.id"
_MAPPING_NAME = "delta.columnMapping.physicalName"


@dataclass(frozen=True, slots=True)
class Field:
    """A column or a part of one. `children`: a struct's fields, a list's element, a map's two.

    `char_length` is n where SQL's type is CHAR(n): its values are padded with spaces when read.
    """

    name: str
    physical_name: str
    field_id: int | None
    type: pa.DataType
    children: tuple["Field", ...] = ()
    char_length: int | None = None


def fields_of(schema_json: str, mode: str) -> tuple[Field, ...]:
    """The table's top-level fields, from the log's schema and the column mapping mode.

    Raises:
        IneligibleTableError: a type or a collation has no row identity.
        UnreadableTableError: the schema is no Delta schema, or lacks its mapping.
    """
    try:
        return tuple(_field(entry, mode) for entry in json.loads(schema_json)["fields"])
    except MALFORMED as error:
        raise UnreadableTableError(f"the Delta schema cannot be understood: {error!r}") from error


def _field(entry: Mapping[str, Any], mode: str) -> Field:
    name, metadata = _name(entry["name"]), entry.get("metadata") or {}
    type_, children = _type(entry["type"], mode, name)
    return Field(
        name,
        name if mode == "none" else _name(metadata[_MAPPING_NAME]),
        int(metadata[_MAPPING_ID]) if mode == "id" else None,
        type_,
        children,
        _char_length(name, type_, metadata),
    )


def _name(value: Any) -> str:
    """The name; raises where it is no text that a file can hold."""
    if not isinstance(value, str):
        raise TypeError(f"{value} is no name")
    value.encode()
    return value


def _char_length(name: str, type_: pa.DataType, metadata: Mapping[str, Any]) -> int | None:
    """The n of CHAR(n); raises where text is compared in a way r2d2 does not know."""
    collations = {str(collation) for collation in (metadata.get("__COLLATIONS") or {}).values()}
    if any(not collation.endswith("UTF8_BINARY") for collation in collations):
        raise IneligibleTableError(f"column {name}: collation {', '.join(sorted(collations))}")
    declared = str(metadata.get("__CHAR_VARCHAR_TYPE_STRING") or "")
    match = _CHAR.fullmatch(declared)
    if match and type_ == pa.string():
        return int(match[1])
    if _NESTED_CHAR.search(declared):
        raise IneligibleTableError(f"column {name}: CHAR inside {declared} is not supported")
    return None


def _type(kind: Any, mode: str, name: str) -> tuple[pa.DataType, tuple[Field, ...]]:
    if isinstance(kind, str):
        return _primitive(kind, name), ()
    match kind["type"]:
        case "struct":
            fields = tuple(_field(entry, mode) for entry in kind["fields"])
            return pa.struct([(field.name, field.type) for field in fields]), fields
        case "array":
            element = _part("element", kind["elementType"], mode, name)
            return pa.list_(element.type), (element,)
        case "map":
            key = _part("key", kind["keyType"], mode, name)
            value = _part("value", kind["valueType"], mode, name)
            return pa.map_(key.type, value.type), (key, value)
        case other:
            raise IneligibleTableError(f"column {name}: Delta type {other} has no row identity")


def _part(part: str, kind: Any, mode: str, name: str) -> Field:
    type_, children = _type(kind, mode, name)
    return Field(part, part, None, type_, children)


def _primitive(kind: str, name: str) -> pa.DataType:
    known = _PRIMITIVES.get(kind)
    if known is not None:
        return known
    decimal = _DECIMAL.fullmatch(kind)
    if decimal:
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    raise IneligibleTableError(f"column {name}: Delta type {kind} has no row identity")
