"""Avro schemas: a file's schema in JSON as Arrow types, with the schema that fastavro decodes by.

fastavro decodes plain values only (numbers, bytes, lists), under names of ours, so that nothing
is lost on the way: no date beyond Python's years, no decimal rounded, no map key dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import log10
from typing import Any

import pyarrow as pa

from r2d2.errors import IneligibleTableError, UnreadableTableError
from r2d2.formats.schema import annotated, flatten, with_inner
from r2d2.model import Column

_MOST_DEPTH = 64
_MOST_LEAVES = 50_000
# Each with the least bytes that a value takes.
PRIMITIVES: Mapping[str, tuple[pa.DataType, int]] = {
    "null": (pa.null(), 0),
    "boolean": (pa.bool_(), 1),
    "int": (pa.int32(), 1),
    "long": (pa.int64(), 1),
    "float": (pa.float32(), 4),
    "double": (pa.float64(), 8),
    "bytes": (pa.binary(), 1),
    "string": (pa.string(), 1),
}
_LOGICAL: Mapping[tuple[str, str], pa.DataType] = {
    ("int", "date"): pa.date32(),
    ("int", "time-millis"): pa.time32("ms"),
    ("long", "time-micros"): pa.time64("us"),
    ("long", "timestamp-millis"): pa.timestamp("ms", "UTC"),
    ("long", "timestamp-micros"): pa.timestamp("us", "UTC"),
    ("long", "timestamp-nanos"): pa.timestamp("ns", "UTC"),
    ("long", "local-timestamp-millis"): pa.timestamp("ms"),
    ("long", "local-timestamp-micros"): pa.timestamp("us"),
    ("long", "local-timestamp-nanos"): pa.timestamp("ns"),
}
_SPARK_TYPE = "spark.sql.catalyst.type"
_WITHOUT_IDENTITY = {("fixed", "duration"), ("bytes", "big-decimal")}


@dataclass(frozen=True, slots=True)
class Type:
    """One type. `plain` is the schema fastavro decodes by; `least_bytes` one value's least size.

    `parts` are a struct's fields, a list's items, or a map's keys and values; `symbols` an enum's.
    `label` is the logical type that is none of Arrow's.
    """

    arrow: pa.DataType
    plain: Any
    least_bytes: int
    parts: tuple["Type", ...] = ()
    symbols: tuple[str, ...] = ()
    leaves: int = 1
    label: str = ""

    @property
    def meaning(self) -> pa.DataType:
        """The Arrow type, with the logical types that are none of Arrow's."""
        if self.label:
            return annotated(self.arrow, self.label)
        parts = iter(self.parts)
        return with_inner(self.arrow, lambda field: field.with_type(next(parts).meaning))


def record_type(schema: Any) -> Type:
    """The type of a file's rows: a struct.

    Raises:
        IneligibleTableError: rows are no records, or some type has no row identity.
        UnreadableTableError: it is no Avro schema.
    """
    found = _Parser().type_of(schema, "", 0)
    if not pa.types.is_struct(found.arrow) or isinstance(schema, list):
        raise IneligibleTableError("its rows are no records")
    return found


def columns_of(record: Type) -> tuple[Column, ...]:
    """The columns of a file's rows.

    Raises:
        IneligibleTableError: two have one name.
    """
    return flatten(pa.schema(list(record.meaning)))


class _Parser:
    """A schema's named types so far. Names are ours in the plain schema: `t0`, `t1` …"""

    def __init__(self) -> None:
        self._named: dict[str, Type] = {}
        self._open: set[str] = set()
        self._fresh = map("t{}".format, count())

    def type_of(self, schema: Any, namespace: str, depth: int) -> Type:
        """The type; names in it are looked up in the namespace."""
        if depth > _MOST_DEPTH:
            raise IneligibleTableError("its schema is nested too deep")
        if isinstance(schema, list):
            return self._union(schema, namespace, depth)
        if isinstance(schema, str):
            return primitive(schema, {}) if schema in PRIMITIVES else self._by(schema, namespace)
        kind = schema.get("type") if isinstance(schema, dict) else None
        if isinstance(kind, dict | list) and "logicalType" not in schema:
            return self.type_of(kind, namespace, depth + 1)
        if not isinstance(kind, str):
            raise no_schema(schema)
        if kind in ("record", "error", "enum", "fixed"):
            return self._definition(schema, kind, namespace, depth)
        if kind == "array":
            return array(self.type_of(schema.get("items"), namespace, depth + 1))
        if kind == "map":
            values = self.type_of(schema.get("values"), namespace, depth + 1)
            return map_of(values, next(self._fresh))
        return primitive(kind, schema) if kind in PRIMITIVES else self._by(kind, namespace)

    def _by(self, name: str, namespace: str) -> Type:
        """The type defined under the name, in the namespace or in none."""
        for full in (f"{namespace}.{name}", name) if namespace and "." not in name else (name,):
            if full in self._open:
                raise IneligibleTableError(f"type {full} contains itself")
            if full in self._named:
                return self._named[full]
        raise no_schema(name)

    def _union(self, branches: list[Any], namespace: str, depth: int) -> Type:
        types = [self.type_of(branch, namespace, depth + 1) for branch in branches]
        values = [found for found in types if found.plain != "null"]
        if not types or len(types) - len(values) > 1:
            raise no_schema(branches)
        if len(values) > 1:
            names = ", ".join(str(found.arrow) for found in values)
            raise IneligibleTableError(f"a union of {names} has no row identity"[:300])
        found = values[0] if values else types[0]
        least = min(branch.least_bytes for branch in types)
        return replace(found, plain=[branch.plain for branch in types], least_bytes=1 + least)

    def _definition(self, schema: dict[str, Any], kind: str, namespace: str, depth: int) -> Type:
        name, given = schema.get("name"), schema.get("namespace")
        if not isinstance(name, str):
            raise no_schema(schema)
        if "." not in name:
            namespace = given if isinstance(given, str) else namespace
            name = f"{namespace}.{name}" if namespace else name
        if name in self._named or name in self._open:
            raise UnreadableTableError(f"its schema defines type {name} twice")
        self._open.add(name)
        ours = next(self._fresh)
        if kind == "enum":
            found = enum(schema)
        elif kind == "fixed":
            found = fixed(schema, ours)
        else:
            found = self._record(schema, ours, name.rpartition(".")[0], depth)
        self._open.discard(name)
        self._named[name] = found if kind == "enum" else replace(found, plain=ours)
        return found

    def _record(self, schema: dict[str, Any], ours: str, namespace: str, depth: int) -> Type:
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise no_schema(schema)
        names, parts = [], []
        for field in fields:
            if not isinstance(field, dict) or not isinstance(field.get("name"), str):
                raise no_schema(field)
            names.append(field["name"])
            try:
                parts.append(self.type_of(field.get("type"), namespace, depth + 1))
            except IneligibleTableError as error:
                raise IneligibleTableError(f"field {field['name']}: {error}") from error
        return record(names, parts, ours)


def primitive(kind: str, schema: Mapping[str, Any]) -> Type:
    """The type of a kind in `PRIMITIVES`, as the schema's logical type would have it read.

    Raises:
        IneligibleTableError: the logical type has no row identity.
    """
    arrow, least = PRIMITIVES[kind]
    plain = "bytes" if kind == "string" else kind
    logical = _logical(kind, schema)
    if kind == "bytes" and logical == "decimal":
        arrow = _decimal(schema, None) or arrow
    # As bytes and as text the same ids are other values.
    label = "uuid(text)" if (kind, logical) == ("string", "uuid") else ""
    said = schema.get(_SPARK_TYPE)
    if kind in ("int", "long") and isinstance(said, str) and said.startswith("interval"):
        label = f"spark({said})"
    return Type(_LOGICAL.get((kind, logical), arrow), plain, least, label=label)


def _logical(kind: str, schema: Mapping[str, Any]) -> str:
    logical = schema.get("logicalType")
    if (kind, logical) in _WITHOUT_IDENTITY:
        raise IneligibleTableError(f"type {logical} has no row identity")
    return logical if isinstance(logical, str) else ""


def _decimal(schema: Mapping[str, Any], size_bytes: int | None) -> pa.DataType | None:
    """The decimal type; None where the specification has the annotation ignored."""
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision:
        return None
    if precision < 1 or (size_bytes is not None and precision > (8 * size_bytes - 1) * log10(2)):
        return None
    if precision > 76:
        raise IneligibleTableError(f"a decimal of {precision} digits is too long")
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


def enum(schema: Mapping[str, Any]) -> Type:
    """Text, decoded as the symbol's place.

    Raises:
        UnreadableTableError: its symbols are no list of names.
    """
    symbols = schema.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise no_schema(schema)
    return Type(pa.string(), "int", 1, symbols=tuple(symbols))


def fixed(schema: Mapping[str, Any], ours: str) -> Type:
    """Bytes of one size, or the decimals in them; `ours` is its name in the plain schema.

    Raises:
        IneligibleTableError: the logical type has no row identity.
        UnreadableTableError: its size is none.
    """
    size = schema.get("size")
    if type(size) is not int or not 0 <= size < 2**31:
        raise no_schema(schema)
    logical = _logical("fixed", schema)
    decimal = _decimal(schema, size) if logical == "decimal" else None
    plain = {"type": "fixed", "name": ours, "size": size}
    label = "uuid" if (logical, size) == ("uuid", 16) else ""
    return Type(decimal or pa.binary(), plain, size, label=label)


def record(names: Sequence[str], parts: Sequence[Type], ours: str) -> Type:
    """A struct; `ours` is its name in the plain schema.

    Raises:
        IneligibleTableError: it has too many columns.
    """
    leaves = sum(part.leaves for part in parts)
    if leaves > _MOST_LEAVES:
        raise IneligibleTableError(f"its schema has more than {_MOST_LEAVES} columns")
    fields = [{"name": f"f{place}", "type": part.plain} for place, part in enumerate(parts)]
    return Type(
        pa.struct([pa.field(name, part.arrow) for name, part in zip(names, parts, strict=True)]),
        {"type": "record", "name": ours, "fields": fields},
        sum(part.least_bytes for part in parts),
        tuple(parts),
        leaves=leaves,
    )


def array(items: Type) -> Type:
    """A list.

    Raises:
        IneligibleTableError: its items take no bytes.
    """
    if not items.least_bytes:
        raise IneligibleTableError("an array's items take no bytes: any number may be declared")
    plain = {"type": "array", "items": items.plain}
    return Type(pa.list_(items.arrow), plain, 1, (items,), leaves=items.leaves)


def map_of(values: Type, ours: str) -> Type:
    """A map of texts; entries are decoded as an array of pairs, which is how they are written."""
    keys = primitive("string", {})
    pair = record(("key", "value"), (keys, values), ours)
    plain = {"type": "array", "items": pair.plain}
    return Type(pa.map_(keys.arrow, values.arrow), plain, 1, (keys, values), leaves=pair.leaves)


def no_schema(schema: Any) -> UnreadableTableError:
    """The error for a schema that the specification does not have."""
    return UnreadableTableError(f"its header holds no Avro schema: {schema!r}"[:200])
