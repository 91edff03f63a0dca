"""Tables that r2d2 refuses to read itself and one of Spark's own sources may read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from r2d2.engines.spark.session import coordinates, spark_errors
from r2d2.errors import IneligibleTableError, R2D2Error
from r2d2.formats.schema import check_names, flatten
from r2d2.model import Format, Table
from r2d2.settings.find import Settings
from r2d2.storage.local import Storage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# What a reader must know and r2d2 does not; other refusals hold for every reader.
_UNKNOWN_FEATURE = re.compile(r"^Delta reader feature not supported")
_ICEBERG = re.compile(r"/metadata/[^/]*\.metadata\.json(?:\.gz)?$")
_COMMIT = re.compile(r"_delta_log/(\d{20})\.json$")
# Dates of the Julian calendar are refused, as r2d2's own readers do.
_OPTIONS = {"datetimeRebaseMode": "EXCEPTION", "int96RebaseMode": "EXCEPTION"}
_JARS = {"delta": "delta-spark", "iceberg": "iceberg-spark-runtime"}
_TYPES = {
    "boolean": pa.bool_(),
    "byte": pa.int8(),
    "short": pa.int16(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}


@dataclass(frozen=True, slots=True)
class ForeignTable:
    """A table as a source of Spark's sees it, and the rows; None where that one refuses it, too."""

    table: Table
    rows: "DataFrame | None" = None


def source_of(table: Table) -> str | None:
    """The Spark source that may read the table; None where r2d2 reads it, or nobody should."""
    if table.problem is None:
        return None
    if table.format == Format.DELTA and _UNKNOWN_FEATURE.search(table.problem):
        return "delta"
    if table.format == Format.OTHER:
        names = [f"/{file.path}" for file in table.files]
        if any("/.hoodie/" in name for name in names):
            return "hudi"
        return "iceberg" if any(map(_ICEBERG.search, names)) else None
    return None


def read_by_spark(
    session: "SparkSession", storage: Storage, table: Table, settings: Settings
) -> ForeignTable:
    """The table as Spark reads it at its present version; or why neither does."""
    source = source_of(table) or ""
    options = {**_OPTIONS, **_version(source, table)}
    path = storage.absolute("" if table.location == "." else table.location)
    try:
        with spark_errors():
            rows = session.read.format(source).options(**options).load(path)
            schema = rows.schema
        columns = flatten(pa.schema(_fields(schema)))
        check_names([column.name for column in columns], settings.case_sensitive)
    except R2D2Error as error:
        problem = f"{table.problem}; {_remedy(source, session.version, str(error))}"
        return ForeignTable(replace(table, problem=problem))
    snapshot = "version " + options["versionAsOf"] if "versionAsOf" in options else table.snapshot
    known = replace(
        table, columns=columns, snapshot=snapshot, details={"read by": f"Spark's {source} source"},
        problem=None, unreadable=False,
    )  # fmt: skip
    return ForeignTable(known, rows)


def _version(source: str, table: Table) -> Mapping[str, str]:
    commits = [match[1] for file in table.files if (match := _COMMIT.search(file.path))]
    return {"versionAsOf": str(int(max(commits)))} if source == "delta" and commits else {}


def _remedy(source: str, spark: str, reason: str) -> str:
    if "DATA_SOURCE_NOT_FOUND" not in reason:
        return f"nor by Spark: {reason}"
    jar = coordinates(spark).get(_JARS.get(source, ""))
    remedy = f"add --packages {jar}" if jar else f"no release of it for Spark {spark} is known"
    return f"Spark has no {source} source here: {remedy}"


def _arrow_type(kind: Any, metadata: Mapping[str, Any]) -> pa.DataType:
    """The type in which Spark hands a field's values over, all of them unchanged.

    Raises:
        IneligibleTableError: they would not be, or have no identity.
    """
    name = kind.typeName()
    if name in _TYPES:
        return _TYPES[name]
    if kind.simpleString() == "string" and "__CHAR_VARCHAR_TYPE_STRING" not in metadata:
        return pa.string()
    if name == "decimal":
        return pa.decimal128(kind.precision, kind.scale)
    if name == "array":
        return pa.list_(_arrow_type(kind.elementType, {}))
    if name == "map":
        return pa.map_(_arrow_type(kind.keyType, {}), _arrow_type(kind.valueType, {}))
    if name == "struct":
        return pa.struct(_fields(kind))
    raise IneligibleTableError(f"{kind.simpleString()} does not come through Spark unchanged")


def _fields(kind: Any) -> list[pa.Field]:
    """The fields of one of Spark's structs; a nested one keeps its metadata, too."""
    fields = []
    for field in kind:
        try:
            fields.append(pa.field(field.name, _arrow_type(field.dataType, field.metadata or {})))
        except IneligibleTableError as error:
            raise IneligibleTableError(f"column {field.name}: {error}") from error
    return fields
