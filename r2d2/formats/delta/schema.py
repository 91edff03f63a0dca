"""A Delta schema as fields (logical types, and where files hold them), and partition values."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from r2d2.arrays import null_scalar, text_scalar
from r2d2.errors import IneligibleTableError, UnreadableTableError
from r2d2.formats.bounds import clipped_rank, number_rank, text_rank
from r2d2.formats.delta.replay import MALFORMED
from r2d2.formats.errors import translated
from r2d2.model import Bounds

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
SQL_TYPE = "__CHAR_VARCHAR_TYPE_STRING"
_MAPPING_ID = "delta.columnMapping.id"
_MAPPING_NAME = "delta.columnMapping.physicalName"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?)(Z)?)?")
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+|Infinity|inf)|NaN")


@dataclass(frozen=True, slots=True)
class DeltaField:
    """A column or a part of one. `children`: a struct's fields, a list's element, a map's two.

    `char_length` is n where SQL's type is CHAR(n): its values are padded with spaces when read.
    `sql_type` is SQL's where CHAR or VARCHAR is in it.
    """

    name: str
    physical_name: str
    field_id: int | None
    type: pa.DataType
    children: tuple["DeltaField", ...] = ()
    char_length: int | None = None
    sql_type: str = ""


def fields_of(schema_json: str, mode: str) -> tuple[DeltaField, ...]:
    """The table's top-level fields, from the log's schema and the column mapping mode.

    Raises:
        IneligibleTableError: a type or a collation has no row identity.
        UnreadableTableError: the schema is no Delta schema, or lacks its mapping.
    """
    try:
        return tuple(_field(entry, mode) for entry in json.loads(schema_json)["fields"])
    except MALFORMED as error:
        raise UnreadableTableError(f"the Delta schema cannot be understood: {error!r}") from error


def _field(entry: Mapping[str, Any], mode: str) -> DeltaField:
    name, metadata = _name(entry["name"]), entry.get("metadata") or {}
    type_, children = _type(entry["type"], mode, name)
    return DeltaField(
        name,
        name if mode == "none" else _name(metadata[_MAPPING_NAME]),
        int(metadata[_MAPPING_ID]) if mode == "id" else None,
        type_,
        children,
        _char_length(name, type_, metadata),
        str(metadata.get(SQL_TYPE) or ""),
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
    declared = str(metadata.get(SQL_TYPE) or "")
    match = _CHAR.fullmatch(declared)
    if match and type_ == pa.string():
        return int(match[1])
    if _NESTED_CHAR.search(declared):
        raise IneligibleTableError(f"column {name}: CHAR inside {declared} is not supported")
    return None


def _type(kind: Any, mode: str, name: str) -> tuple[pa.DataType, tuple[DeltaField, ...]]:
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


def _part(part: str, kind: Any, mode: str, name: str) -> DeltaField:
    type_, children = _type(kind, mode, name)
    return DeltaField(part, part, None, type_, children)


def _primitive(kind: str, name: str) -> pa.DataType:
    known = _PRIMITIVES.get(kind)
    if known is not None:
        return known
    decimal = _DECIMAL.fullmatch(kind)
    if decimal:
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    raise IneligibleTableError(f"column {name}: Delta type {kind} has no row identity")


def constant(field: DeltaField, text: str | None) -> pa.Scalar:
    """The value that every row of a file has in a partition column.

    "" is NULL by the protocol. Of texts and bytes Spark reads it as "", and so as another value.

    Raises:
        UnreadableTableError: the text is no value of the column's type.
        IneligibleTableError: readers disagree on the value.
    """
    if text is None or text == "":
        if text == "" and (pt.is_string(field.type) or pt.is_binary(field.type)):
            raise IneligibleTableError(
                f"partition column {field.name}: '' in _delta_log is NULL by the protocol and an"
                " empty value for Spark; rewrite the table with Spark, or with NULL for it"
            )
        return null_scalar(field.type)
    if field.char_length is not None:
        text = text.ljust(field.char_length)
    parse = _PARSERS.get(field.type.id)
    named = f"partition column {field.name}: {text!r} is no {field.type}"
    with translated(UnreadableTableError, named):
        if parse is None:
            raise ValueError("a type that cannot be a partition's")
        return parse(text, field.type)


def constant_bounds(value: pa.Scalar) -> Bounds:
    """The bounds of a column that is this value throughout."""
    if not value.is_valid:
        return Bounds(has_nulls=True, has_values=False, sure=True)
    rank = _rank(value)
    if rank is None:
        return Bounds(has_nulls=False, has_values=True, sure=True)
    return Bounds(rank, rank, rank, rank, has_nulls=False, has_values=True, sure=True)


def _rank(value: pa.Scalar) -> int | None:
    if pt.is_integer(value.type) or pt.is_floating(value.type) or pt.is_decimal(value.type):
        number = value.as_py()
        return number_rank(number) if number == number else None
    if pt.is_string(value.type) or pt.is_binary(value.type):
        return text_rank(value.as_buffer().to_pybytes())
    if pt.is_boolean(value.type):
        return int(value.as_py())
    return clipped_rank(value.value)


def _whole(text: str, type_: pa.DataType) -> pa.Scalar:
    if not re.fullmatch(r"[+-]?\d+", text):
        raise ValueError("not a whole number")
    return text_scalar(str(int(text))).cast(type_)


def _float(text: str, type_: pa.DataType) -> pa.Scalar:
    if not _FLOAT.fullmatch(text):
        raise ValueError("not a number")
    return pa.scalar(float(text), type_)


def _decimal(text: str, type_: pa.DataType) -> pa.Scalar:
    return pa.scalar(Decimal(text), type_)


def _bool(text: str, type_: pa.DataType) -> pa.Scalar:
    if text not in ("true", "false"):
        raise ValueError("neither true nor false")
    return pa.scalar(text == "true", type_)


def _binary(text: str, type_: pa.DataType) -> pa.Scalar:
    if "\\" in text:
        raise IneligibleTableError(
            f"partition value {text!r} is escaped bytes by the protocol, and is read as it stands"
            " by Spark and delta-rs; partition the table by another column"
        )
    return pa.scalar(text.encode(), type_)


def _date(text: str, type_: pa.DataType) -> pa.Scalar:
    if not _DATE.fullmatch(text):
        raise ValueError("not of the form 2024-12-31")
    return text_scalar(text).cast(type_)


def _timestamp(text: str, type_: pa.TimestampType) -> pa.Scalar:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("not of the form 2024-12-31 23:59:59")
    if type_.tz and not match[3]:
        raise IneligibleTableError(
            f"partition value {text!r} is an instant without its time zone: UTC for some readers,"
            " the session's for Spark; write it as 2024-12-31T23:59:59.000000Z"
        )
    if match[3] and not type_.tz:
        raise ValueError("has a time zone")
    plain = f"{match[1]} {match[2] or '00:00:00'}"
    return text_scalar(plain).cast(pa.timestamp("us")).cast(type_)


_PARSERS: dict[int, Callable[[str, pa.DataType], pa.Scalar]] = {
    pa.string().id: lambda text, _: text_scalar(text),
    pa.binary().id: _binary,
    pa.int8().id: _whole,
    pa.int16().id: _whole,
    pa.int32().id: _whole,
    pa.int64().id: _whole,
    pa.float32().id: _float,
    pa.float64().id: _float,
    pa.decimal128(1).id: _decimal,
    pa.bool_().id: _bool,
    pa.date32().id: _date,
    pa.timestamp("us").id: _timestamp,
}
