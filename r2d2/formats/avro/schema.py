"""Avro schemas: a file's schema in JSON as the type of its rows, its names looked up."""

from dataclasses import replace
from itertools import count
from typing import Any

import pyarrow as pa

from r2d2.errors import IneligibleTableError, UnreadableTableError
from r2d2.lake.avro_types import (
    PRIMITIVES,
    Type,
    array,
    enum,
    fixed,
    map_of,
    no_schema,
    primitive,
    record,
)

_MOST_DEPTH = 64


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


class _Parser:
    """What one schema has named so far. Names are ours in the plain schema: `t0`, `t1` …"""

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
