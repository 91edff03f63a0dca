"""A Parquet footer: bounds of columns, types that Arrow does not show, and the calendar of dates.

Old dates and instants may be of the hybrid Julian calendar, which writers marked late or never.
Parquet keeps no statistics of INT96, so that of these only the values show whether they matter.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from r2d2.arrays import Int64s
from r2d2.errors import IneligibleTableError
from r2d2.formats.bounds import GREGORIAN_DAY, clipped_rank, number_rank, text_rank, union
from r2d2.formats.parquet.writers import Kind, believed, writes_whole_text
from r2d2.formats.schema import flatten, without_extension
from r2d2.model import Bounds, FileInfo

# The hybrid calendar ends in 1582, and local mean times, which Spark rebased with, by 1900.
_SURE_FROM_S = -2_208_988_800
_SURE_MICROS = _SURE_FROM_S * 1_000_000
_OLD_SPARK = re.compile(r"[12]\.|3\.0\.")
# The least and greatest value that a statistic may state, by the column's type.
_LIMITS = {
    f"{sign}int{bits}": (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
} | {"bool": (0, 1), "time": (0, 86_400_000_000)}
Rank = Callable[[pq.Statistics], tuple[int | None, int | None]]
# The ranks between which the least value lies, and those between which the greatest does.
Claims = tuple[int, int, int, int]
ToBounds = Callable[[pq.Statistics], Claims | None]


class _VoidError(ValueError):
    """A statistic contradicts itself, its type, or the number of rows."""


def bounds_of(metadata: pq.FileMetaData, schema: pa.Schema) -> Mapping[str, Bounds]:
    """Each column's bounds over the file by its writer; columns inside lists and maps have none.

    A column has none either where its writer is not believed, or where a row group contradicts
    itself: its other row groups were written by the same code.
    """
    by_group = bounds_by_group(metadata, schema)
    return {n: parts[0] if len(parts) == 1 else union(parts) for n, parts in by_group.items()}


def bounds_by_group(metadata: pq.FileMetaData, schema: pa.Schema) -> dict[str, list[Bounds]]:
    """The same for each row group, by column."""
    writer = _writer_of(metadata)
    known = believed(writer)
    if not known:
        return {}
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    declared = metadata.schema.column
    found = {}
    whole_text = writes_whole_text(writer)
    for name, place, kind, ranks in _single_leaves(schema, whole_text):
        leaf = declared(place)
        stored = leaf.physical_type
        if kind is Kind.DECIMAL and stored == "BYTE_ARRAY":
            kind = Kind.DECIMAL_BYTES
        to_ranks = ranks if kind in known else _unranked
        try:
            found[name] = [
                _bounds(chunk_statistics(group, place, stored), group.num_rows, to_ranks, known)
                for group in groups
            ]
        except _VoidError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class RowGroups:
    """A file's row groups: their rows, and by column their bytes, type and bounds.

    `column_bytes` are of top-level columns, `types` of all that are no structs, `bounds` of those
    that have bounds.
    """

    rows: Int64s
    column_bytes: Mapping[str, Int64s]
    types: Mapping[str, str]
    bounds: Mapping[str, Sequence[Bounds]]

    @classmethod
    def of(cls, metadata: pq.FileMetaData, schema: pa.Schema) -> "RowGroups":
        """The row groups as the footer tells them; the schema is of the file as it is stored."""
        groups = list(map(metadata.row_group, range(metadata.num_row_groups)))
        sizes, start = dict[str, Int64s](), 0
        for field in schema:
            leaves = range(start, start := start + leaf_count(field.type))
            told = [sum(group.column(n).total_compressed_size for n in leaves) for group in groups]
            sizes[field.name] = np.array(told, np.int64)
        rows = np.array([group.num_rows for group in groups], np.int64)
        types = {column.name: column.type for column in flatten(schema)}
        return cls(rows, sizes, types, bounds_by_group(metadata, schema))


def _writer_of(metadata: pq.FileMetaData) -> str:
    """What the file says who wrote it; "" where it says nothing, or no text."""
    try:
        return metadata.created_by or ""
    except UnicodeDecodeError:
        return ""


def chunk_statistics(group: pq.RowGroupMetaData, place: int, kind: str) -> pq.Statistics | None:
    """The chunk's statistics; pyarrow ends the process for those of another type's chunk."""
    chunk = group.column(place)
    if chunk.physical_type != kind:
        raise ValueError("the Parquet footer is damaged: a column chunk contradicts the schema")
    return chunk.statistics


@lru_cache(maxsize=4096)
def _single_leaves(
    schema: pa.Schema, whole_text: bool
) -> tuple[tuple[str, int, Kind, ToBounds], ...]:
    """The columns that are one Parquet leaf each: name, index, kind, and reader of its bounds."""
    found = []
    place = 0
    for column in flatten(schema):
        type_ = _type_at(schema, column.path)
        width = leaf_count(type_)
        if column.type in ("string", "binary"):
            reader: ToBounds = partial(_text_ranks, whole=whole_text)
            found.append((column.name, place, Kind.TEXT, reader))
        elif width == 1 and (rank := _rank_of(column.type)) is not None:
            reader = partial(_checked, rank=rank, limits=_limits_of(column.type, type_))
            found.append((column.name, place, _kind_of(column.type), reader))
        place += width
    return tuple(found)


def _rank_of(type_: str) -> Rank | None:
    if type_.startswith("int"):
        return _whole_number
    if type_.startswith("uint"):
        return _wide_unsigned if type_ == "uint64" else _unsigned
    if type_.startswith(("float", "decimal")):
        return _number
    if type_ in ("date", "bool"):
        return integer_ranks
    return micros_ranks if type_ in ("timestamp", "timestamptz", "time") else None


def _kind_of(type_: str) -> Kind:
    for start, kind in (
        ("uint", Kind.UNSIGNED),
        ("float", Kind.FLOAT),
        ("decimal", Kind.DECIMAL),
    ):
        if type_.startswith(start):
            return kind
    return Kind.INTEGER


def _limits_of(name: str, type_: pa.DataType) -> tuple[int, int] | None:
    """The ranks that values of the type have; None where all have."""
    if pa.types.is_decimal(type_):
        greatest = Decimal(10 ** (type_.precision)).scaleb(-type_.scale)
        return number_rank(-greatest), number_rank(greatest)
    if name not in _LIMITS:
        return None
    least, most = _LIMITS[name]
    return (number_rank(least), number_rank(most)) if "int" in name else (least, most)


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


def _bounds(
    statistics: pq.Statistics | None, rows: int, ranks: ToBounds, known: Collection[Kind]
) -> Bounds:
    """A chunk's bounds as its writer states them."""
    if statistics is None:
        return Bounds()
    nulls = statistics.null_count if statistics.has_null_count else None
    if nulls is not None and not 0 <= nulls <= rows:
        raise _VoidError("a null count above the row count")
    distinct = statistics.distinct_count if statistics.has_distinct_count else None
    if distinct is not None and not 0 <= distinct <= rows:
        raise _VoidError("more distinct values than rows")
    believed_nulls = nulls if Kind.NULLS in known else None
    has_nulls = None if believed_nulls is None else believed_nulls > 0
    if not statistics.has_min_max:
        has_values = None if believed_nulls is None else believed_nulls < rows
        return Bounds(has_nulls=has_nulls, has_values=has_values)
    if nulls is not None and nulls == rows:
        raise _VoidError("bounds of no value")
    found = ranks(statistics)
    if found is None:
        return Bounds(has_nulls=has_nulls)
    if found[0] > found[3]:
        raise _VoidError("a minimum above the maximum")
    return Bounds(*found, has_nulls, True)


def _unranked(_: pq.Statistics) -> None:
    return None


def _checked(
    statistics: pq.Statistics, rank: Rank, limits: tuple[int, int] | None
) -> Claims | None:
    try:
        least, greatest = rank(statistics)
    except (ArithmeticError, ValueError, OSError) as error:
        raise _VoidError("a bound that is no value of the type") from error
    if least is None or greatest is None:
        return None
    if limits is not None and not (limits[0] <= least and greatest <= limits[1]):
        raise _VoidError("a bound outside the type")
    return least, least, greatest, greatest


def _text_ranks(statistics: pq.Statistics, whole: bool) -> Claims:
    """Ranks see eight bytes, so a prefix of that length is exact; twelve leave room for a carry."""
    low, high = _encoded(statistics)
    if low > high:
        raise _VoidError("a minimum above the maximum")
    least, greatest = text_rank(low), text_rank(high)
    return (
        least,
        least if whole or len(low) >= 8 else greatest,
        greatest if whole or len(high) >= 12 else least,
        greatest,
    )


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
    if isinstance(low, bytes):
        return None, None
    if low != low or high != high:
        raise _VoidError("a bound that is NaN")
    return _number_ranks(low, high)


def _number_ranks(low: float | Decimal, high: float | Decimal) -> tuple[int, int]:
    """Their ranks, of which two great numbers may have one."""
    if low > high:
        raise _VoidError("a minimum above the maximum")
    return number_rank(low), number_rank(high)


def _whole_number(statistics: pq.Statistics) -> tuple[int, int]:
    """The ranks as stored: pyarrow's `min` of an int8 has lost what is beyond eight bits."""
    return _number_ranks(int(statistics.min_raw), int(statistics.max_raw))


def _unsigned(statistics: pq.Statistics, values: int = 1 << 32) -> tuple[int, int]:
    return _number_ranks(int(statistics.min_raw) % values, int(statistics.max_raw) % values)


def _wide_unsigned(statistics: pq.Statistics) -> tuple[int, int]:
    return _unsigned(statistics, 1 << 64)


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
    if not calendar_is_doubtful(metadata):
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


def calendar_is_doubtful(metadata: pq.FileMetaData) -> bool:
    """Whether old dates in the file may be of the hybrid Julian calendar, by its writer."""
    keys = metadata.metadata or {}
    version = keys.get(b"org.apache.spark.version", b"").decode(errors="replace")
    legacy = b"org.apache.spark.legacyDateTime" in keys or b"org.apache.spark.legacyINT96" in keys
    unmarked = not version and "parquet-mr" in _writer_of(metadata)
    return legacy or unmarked or version.startswith(("1.", "2."))


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
    unmarked = not version and "parquet-mr" in _writer_of(metadata)
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
