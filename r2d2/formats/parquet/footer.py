"""A Parquet footer: bounds of columns, types that Arrow does not show, and the calendar of dates.

Old dates and instants may be of the hybrid Julian calendar, which writers marked late or never.
Parquet keeps no statistics of INT96, so that of these only the values show whether they matter.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from r2d2.errors import IneligibleTableError
from r2d2.formats.bounds import GREGORIAN_DAY, clipped_rank, number_rank, text_rank, union
from r2d2.formats.schema import flatten, without_extension
from r2d2.model import Bounds, FileInfo

# Writers whose chunk statistics are bounds by their own tests; any other's are not believed.
_KNOWN_WRITERS = re.compile(r"parquet-(cpp|mr|rs|go)\b|impala|duckdb|polars|fastparquet|cudf", re.I)
# parquet-cpp writes a string's statistic whole or not at all; others may truncate it.
_WHOLE_TEXT_WRITERS = re.compile(r"parquet-cpp(-arrow)?\b", re.I)
# The hybrid calendar ends in 1582, and local mean times, which Spark rebased with, by 1900.
_SURE_FROM_S = -2_208_988_800
_SURE_MICROS = _SURE_FROM_S * 1_000_000
_OLD_SPARK = re.compile(r"[12]\.|3\.0\.")
Rank = Callable[[pq.Statistics], tuple[int | None, int | None]]
ToBounds = Callable[[pq.Statistics | None, int], Bounds]


def bounds_of(metadata: pq.FileMetaData, schema: pa.Schema) -> Mapping[str, Bounds]:
    """Each column's bounds over the file; columns inside lists and maps have none."""
    writer = metadata.created_by or ""
    if not _known_writer(writer):
        return {}
    whole_text = _writes_whole_text(writer)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    declared = metadata.schema.column
    found = {}
    for name, place, bounds in _single_leaves(schema, whole_text):
        kind = declared(place).physical_type
        parts = [bounds(chunk_statistics(group, place, kind), group.num_rows) for group in groups]
        found[name] = parts[0] if len(parts) == 1 else union(parts)
    return found


@lru_cache(maxsize=256)
def _known_writer(created_by: str) -> bool:
    return bool(_KNOWN_WRITERS.search(created_by))


@lru_cache(maxsize=256)
def _writes_whole_text(created_by: str) -> bool:
    return bool(_WHOLE_TEXT_WRITERS.search(created_by))


def chunk_statistics(group: pq.RowGroupMetaData, place: int, kind: str) -> pq.Statistics | None:
    """The chunk's statistics; pyarrow ends the process for those of another type's chunk."""
    chunk = group.column(place)
    if chunk.physical_type != kind:
        raise ValueError("the Parquet footer is damaged: a column chunk contradicts the schema")
    return chunk.statistics


@lru_cache(maxsize=4096)
def _single_leaves(schema: pa.Schema, whole_text: bool) -> tuple[tuple[str, int, ToBounds], ...]:
    """The columns that are one Parquet leaf each: name, the leaf's index, its bounds' reader."""
    found = []
    place = 0
    for column in flatten(schema):
        width = leaf_count(_type_at(schema, column.path))
        rank = _rank_of(column.type)
        if column.type in ("string", "binary"):
            found.append((column.name, place, partial(_text_bounds, whole=whole_text)))
        elif width == 1 and rank is not None:
            found.append((column.name, place, partial(_bounds, rank=rank)))
        place += width
    return tuple(found)


def _rank_of(type_: str) -> Rank | None:
    if type_.startswith(("int", "uint", "float", "decimal")):
        return _number
    if type_ in ("date", "bool"):
        return integer_ranks
    return micros_ranks if type_ in ("timestamp", "timestamptz", "time") else None


def _type_at(schema: pa.Schema, path: Sequence[str]) -> pa.DataType:
    type_ = schema.field(path[0]).type
    for part in path[1:]:
        type_ = type_.field(part).type
    return type_


def leaf_count(type_: pa.DataType) -> int:
    """The number of Parquet leaves that a field of the type has."""
    type_ = without_extension(type_)
    if isinstance(type_, pa.DictionaryType):
        return 1
    children = [type_.field(index).type for index in range(type_.num_fields)]
    return sum(map(leaf_count, children)) if children else 1


def _bounds(statistics: pq.Statistics | None, rows: int, rank: Rank) -> Bounds:
    if statistics is None:
        return Bounds()
    if statistics.has_min_max:
        least, greatest = rank(statistics)
        if least is not None and greatest is not None and least <= greatest:
            return Bounds(least, least, greatest, greatest, _has_nulls(statistics), True)
    return _without_bounds(statistics, rows)


def _text_bounds(statistics: pq.Statistics | None, rows: int, whole: bool) -> Bounds:
    """Ranks see eight bytes, so a prefix of that length is exact; twelve leave room for a carry."""
    if statistics is None:
        return Bounds()
    if not statistics.has_min_max:
        return _without_bounds(statistics, rows)
    low, high = _encoded(statistics)
    least, greatest = text_rank(low), text_rank(high)
    return Bounds(
        least,
        least if whole or len(low) >= 8 else greatest,
        greatest if whole or len(high) >= 12 else least,
        greatest,
        _has_nulls(statistics),
        True,
    )


def _without_bounds(statistics: pq.Statistics, rows: int) -> Bounds:
    known = statistics.has_null_count
    has_values = statistics.null_count < rows if known else None
    return Bounds(has_nulls=_has_nulls(statistics), has_values=has_values)


def _has_nulls(statistics: pq.Statistics) -> bool | None:
    return statistics.null_count > 0 if statistics.has_null_count else None


def _encoded(statistics: pq.Statistics) -> tuple[bytes, bytes]:
    """The bounds' bytes; pyarrow gives text five times as fast, but not where a prefix was cut."""
    try:
        low, high = statistics.min, statistics.max
    except UnicodeDecodeError:
        low, high = statistics.min_raw, statistics.max_raw
    return (
        low.encode() if isinstance(low, str) else low,
        high.encode() if isinstance(high, str) else high,
    )


def _number(statistics: pq.Statistics) -> tuple[int | None, int | None]:
    """The ranks of numbers; a NaN as a bound says nothing."""
    low, high = statistics.min, statistics.max
    if low != low or high != high or isinstance(low, bytes):
        return None, None
    return number_rank(low), number_rank(high)


def integer_ranks(statistics: pq.Statistics) -> tuple[int | None, int | None]:
    """The ranks of values that are stored as integers: days, truth values."""
    return int(statistics.min_raw), int(statistics.max_raw)


def micros_ranks(statistics: pq.Statistics) -> tuple[int | None, int | None]:
    """The ranks of instants and times, in microseconds."""
    text = str(statistics.logical_type).lower()
    low, high = int(statistics.min_raw), int(statistics.max_raw)
    if "nano" in text:
        return low // 1000, high // 1000
    if "micro" in text:
        return low, high
    return (
        (clipped_rank(low * 1000), clipped_rank(high * 1000)) if "milli" in text else (None, None)
    )


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
        limit = _earliest_safe(column)
        if limit is not None and any(
            _before(chunk_statistics(group, index, column.physical_type), group.num_rows, limit)
            for group in map(metadata.row_group, range(metadata.num_row_groups))
        ):
            raise IneligibleTableError(
                f"{file.path}: column {column.path} may hold dates of the Julian calendar"
                " (written by an old Spark or by Hive); rewrite it with Spark 3 or later"
            )


def _earliest_safe(column: pq.ColumnSchema) -> int | None:
    kind = str(column.logical_type)
    if kind.startswith("Date"):
        return GREGORIAN_DAY
    return _SURE_MICROS if kind.startswith("Timestamp") else None


def _before(statistics: pq.Statistics | None, rows: int, limit: int) -> bool:
    """Whether values may lie before the limit, in days or microseconds."""
    if statistics is None or not statistics.has_min_max:
        nulls = statistics.null_count if statistics is not None else None
        return rows > 0 and nulls != rows
    least, _ = integer_ranks(statistics) if limit == GREGORIAN_DAY else micros_ranks(statistics)
    return least is None or least < limit


def may_be_julian(metadata: pq.FileMetaData) -> bool:
    """Whether the file's INT96 values before 1900 may be of the hybrid Julian calendar."""
    keys = metadata.metadata or {}
    version = keys.get(b"org.apache.spark.version", b"").decode(errors="replace")
    unmarked = not version and "parquet-mr" in (metadata.created_by or "")
    old = bool(_OLD_SPARK.match(version))
    return b"org.apache.spark.legacyINT96" in keys or unmarked or old


def check_int96(name: str, array: pa.Array, meaning: pa.DataType) -> None:
    """Raises ValueError where a column that came from INT96 holds values before 1900.

    `meaning` differs from the array's type where the file has INT96.
    """
    if meaning.equals(array.type):
        return
    if not pt.is_timestamp(meaning):
        raise ValueError(f"column {name} may hold INT96 timestamps of the Julian calendar")
    least = pc.min(array).cast(pa.timestamp("s"), safe=False).value
    if least is not None and least < _SURE_FROM_S:
        raise ValueError(
            f"column {name} holds INT96 timestamps before 1900 that may be of the Julian calendar"
            " (written by an old Spark or by Hive); rewrite it with Spark 3 or later"
        )
