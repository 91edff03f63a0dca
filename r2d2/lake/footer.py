"""What a Parquet footer tells of its columns: bounds, and the calendar their dates are in."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.errors import IneligibleTableError
from r2d2.lake.bounds import clipped_rank, number_rank, text_rank, union
from r2d2.lake.schema import flatten
from r2d2.model import Bounds, Column, FileInfo

# Writers whose chunk statistics are bounds by their own tests; any other's are not believed.
_KNOWN_WRITERS = re.compile(r"parquet-(cpp|mr|rs|go)\b|impala|duckdb|polars|fastparquet|cudf", re.I)
# parquet-cpp writes a string's statistic whole or not at all; others may truncate it.
_WHOLE_TEXT_WRITERS = re.compile(r"parquet-cpp(-arrow)?\b", re.I)
_MICROS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_GREGORIAN_DAY = -141_427  # 1582-10-15
_SURE_MICROS = -2_208_988_800_000_000  # 1900-01-01: time zones' local mean times end


def bounds_of(metadata: pq.FileMetaData, schema: pa.Schema) -> Mapping[str, Bounds]:
    """Each column's bounds over the file; columns inside lists and maps have none."""
    writer = metadata.created_by or ""
    if not _known_writer(writer):
        return {}
    whole_text = _writes_whole_text(writer)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    declared = metadata.schema
    found = {}
    for column, place in _single_leaves(schema):
        kind = declared.column(place).physical_type
        parts = [
            _bounds(_statistics(group, place, kind), group.num_rows, column.type, whole_text)
            for group in groups
        ]
        found[column.name] = parts[0] if len(parts) == 1 else union(parts)
    return found


@lru_cache(maxsize=256)
def _known_writer(created_by: str) -> bool:
    return bool(_KNOWN_WRITERS.search(created_by))


@lru_cache(maxsize=256)
def _writes_whole_text(created_by: str) -> bool:
    return bool(_WHOLE_TEXT_WRITERS.search(created_by))


def _statistics(group: pq.RowGroupMetaData, place: int, kind: str) -> pq.Statistics | None:
    """The chunk's statistics; pyarrow ends the process for those of another type's chunk."""
    chunk = group.column(place)
    if chunk.physical_type != kind:
        raise ValueError("the Parquet footer is damaged: a column chunk contradicts the schema")
    return chunk.statistics


@lru_cache(maxsize=4096)
def _single_leaves(schema: pa.Schema) -> tuple[tuple[Column, int], ...]:
    """The columns that are one Parquet leaf each, with the leaf's index."""
    found = []
    place = 0
    for column in flatten(schema):
        width = leaf_count(_type_at(schema, column.path))
        if width == 1 and not column.type.startswith(("list<", "map<", "null")):
            found.append((column, place))
        place += width
    return tuple(found)


def _type_at(schema: pa.Schema, path: Sequence[str]) -> pa.DataType:
    type_ = schema.field(path[0]).type
    for part in path[1:]:
        type_ = type_.field(part).type
    return type_


def leaf_count(type_: pa.DataType) -> int:
    """How many Parquet leaves a field of the type has."""
    if isinstance(type_, pa.DictionaryType):
        return 1
    children = [type_.field(index).type for index in range(type_.num_fields)]
    return sum(map(leaf_count, children)) if children else 1


def _bounds(
    statistics: pq.Statistics | None, rows: int, type_: str, whole_text: bool
) -> Bounds:
    if statistics is None:
        return Bounds()
    nulls = statistics.null_count if statistics.has_null_count else None
    has_nulls = None if nulls is None else nulls > 0
    if statistics.has_min_max:
        if type_ in ("string", "binary"):
            return _text_bounds(statistics.min_raw, statistics.max_raw, whole_text, has_nulls)
        least, greatest = _ranks(type_, statistics)
        if least is not None and greatest is not None and least <= greatest:
            return Bounds(least, least, greatest, greatest, has_nulls, True)
    has_values = None if nulls is None else nulls < rows
    return Bounds(has_nulls=has_nulls, has_values=has_values)


def _text_bounds(low: bytes, high: bytes, whole: bool, has_nulls: bool | None) -> Bounds:
    """Ranks see eight bytes, so a prefix of that length is exact; twelve leave room for a carry."""
    least, greatest = text_rank(low), text_rank(high)
    return Bounds(
        least,
        least if whole or len(low) >= 8 else greatest,
        greatest if whole or len(high) >= 12 else least,
        greatest,
        has_nulls,
        True,
    )


def _ranks(type_: str, statistics: pq.Statistics) -> tuple[int | None, int | None]:
    if type_.startswith(("int", "uint", "float", "decimal")):
        return _number(statistics.min), _number(statistics.max)
    if type_ in ("date", "bool"):
        return int(statistics.min_raw), int(statistics.max_raw)
    if type_ in ("timestamp", "timestamptz", "time"):
        return _micros(statistics.min_raw, statistics), _micros(statistics.max_raw, statistics)
    return None, None


def _number(value: object) -> int | None:
    """The number's rank; a NaN as a bound says nothing."""
    known = isinstance(value, (int, float, Decimal)) and value == value
    return number_rank(value) if known else None  # type: ignore[arg-type]


def _micros(raw: int, statistics: pq.Statistics) -> int | None:
    unit = _unit(statistics)
    if unit == "ns":
        return raw // 1000
    return clipped_rank(raw * _MICROS[unit]) if unit else None


def _unit(statistics: pq.Statistics) -> str | None:
    text = str(statistics.logical_type).lower()
    for word, unit in (("milli", "ms"), ("micro", "us"), ("nano", "ns")):
        if word in text:
            return unit
    return None


def check_identity(metadata: pq.FileMetaData, schema: pa.Schema) -> None:
    """Raises IneligibleTableError for types that Arrow shows as mere bytes or structs."""
    if _may_hide_types(schema):
        found = re.search(r"^.*\((Variant\(\d+\)|Interval)\)( \{|;)$", str(metadata.schema), re.M)
        if found:
            kind = found.group(1).partition("(")[0].lower()
            raise IneligibleTableError(f"a column is a Parquet {kind}, which has no row identity")


@lru_cache(maxsize=4096)
def _may_hide_types(schema: pa.Schema) -> bool:
    return any(_may_hide(field.type) for field in schema)


def _may_hide(type_: pa.DataType) -> bool:
    children = [type_.field(index) for index in range(type_.num_fields)]
    variant = pa.types.is_struct(type_) and "metadata" in (child.name for child in children)
    return variant or type_ == pa.binary(12) or any(_may_hide(child.type) for child in children)


def check_calendar(file: FileInfo, metadata: pq.FileMetaData) -> None:
    """Raises IneligibleTableError where old dates may be in the hybrid Julian calendar.

    Spark before 3.0 wrote them so, and later ones when asked to; they mark their files.
    Hive writes with the same library and marks nothing.
    """
    keys = metadata.metadata or {}
    version = keys.get(b"org.apache.spark.version", b"").decode(errors="replace")
    legacy = b"org.apache.spark.legacyDateTime" in keys or b"org.apache.spark.legacyINT96" in keys
    unmarked = not version and "parquet-mr" in (metadata.created_by or "")
    if not (legacy or unmarked or version.startswith(("1.", "2."))):
        return
    for index in range(metadata.num_columns):
        column = metadata.schema.column(index)
        limit = _limit(column)
        if limit is not None and any(
            _before(_statistics(group, index, column.physical_type), group.num_rows, limit)
            for group in map(metadata.row_group, range(metadata.num_row_groups))
        ):
            raise IneligibleTableError(
                f"{file.path}: column {column.path} may hold dates of the Julian calendar"
                " (written by an old Spark or by Hive); rewrite it with Spark 3 or later"
            )


def _limit(column: pq.ColumnSchema) -> int | None:
    kind = str(column.logical_type)
    if kind.startswith("Date"):
        return _GREGORIAN_DAY
    return _SURE_MICROS if kind.startswith("Timestamp") else None


def _before(statistics: pq.Statistics | None, rows: int, limit: int) -> bool:
    """Whether values may lie before the limit, in days or microseconds."""
    if statistics is None or not statistics.has_min_max:
        nulls = statistics.null_count if statistics is not None else None
        return rows > 0 and nulls != rows
    raw = int(statistics.min_raw)
    least = raw if limit == _GREGORIAN_DAY else _micros(raw, statistics)
    return least is None or least < limit
