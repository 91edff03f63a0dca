"""What a Parquet footer tells of its columns: bounds, and the calendar their dates are in."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

import pyarrow.parquet as pq

from r2d2.errors import IneligibleTableError
from r2d2.lake.bounds import clipped_rank, number_rank, text_rank, union
from r2d2.model import Bounds, Column, FileInfo

# Writers whose chunk statistics are bounds by their own tests; any other's are not believed.
_KNOWN_WRITERS = re.compile(r"parquet-(cpp|mr|rs|go)\b|impala|duckdb|polars|fastparquet|cudf", re.I)
# parquet-cpp writes a string's statistic whole or not at all; others may truncate it.
_WHOLE_TEXT_WRITERS = re.compile(r"parquet-cpp(-arrow)?\b", re.I)
_MICROS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_GREGORIAN_DAY = -141_427  # 1582-10-15
_SURE_MICROS = -2_208_988_800_000_000  # 1900-01-01: time zones' local mean times end


def bounds_of(metadata: pq.FileMetaData, columns: Sequence[Column]) -> Mapping[str, Bounds]:
    """Each column's bounds over the file; columns inside lists and maps have none."""
    writer = metadata.created_by or ""
    if not _KNOWN_WRITERS.search(writer):
        return {}
    whole_text = bool(_WHOLE_TEXT_WRITERS.search(writer))
    places = {metadata.schema.column(i).path: i for i in range(metadata.num_columns)}
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    found = {}
    for column in columns:
        place = places.get(".".join(column.path))
        if place is not None:
            found[column.name] = union(
                _chunk_bounds(group.column(place), group.num_rows, column.type, whole_text)
                for group in groups
            )
    return found


def _chunk_bounds(chunk: pq.ColumnChunkMetaData, rows: int, type_: str, whole_text: bool) -> Bounds:
    statistics = chunk.statistics
    if statistics is None:
        return Bounds()
    nulls = statistics.null_count if statistics.has_null_count else None
    has_nulls = None if nulls is None else nulls > 0
    has_values = None if nulls is None else nulls < rows
    if not statistics.has_min_max:
        return Bounds(has_nulls=has_nulls, has_values=has_values)
    low, high = statistics.min_raw, statistics.max_raw
    if type_ in ("string", "binary"):
        return _text_bounds(low, high, whole_text, has_nulls)
    least, greatest = (_rank(raw, type_, statistics) for raw in (low, high))
    if least is None or greatest is None or least > greatest:
        return Bounds(has_nulls=has_nulls, has_values=has_values)
    return Bounds(least, least, greatest, greatest, has_nulls, True)


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


def _rank(raw: object, type_: str, statistics: pq.Statistics) -> int | None:
    if type_.startswith("decimal"):
        unscaled = raw if isinstance(raw, int) else _signed(raw)
        scale = int(type_[:-1].split(",")[1])
        return number_rank(Decimal(unscaled).scaleb(-scale)) if unscaled is not None else None
    if type_.startswith("uint") and isinstance(raw, int):
        return number_rank(raw % 2 ** (64 if statistics.physical_type == "INT64" else 32))
    if type_.startswith(("int", "float")) and isinstance(raw, (int, float)):
        return number_rank(raw) if raw == raw else None
    if type_ in ("date", "bool") and isinstance(raw, int):
        return int(raw)
    if type_ in ("timestamp", "timestamptz", "time") and isinstance(raw, int):
        return _micros(raw, statistics)
    return None


def _signed(raw: object) -> int | None:
    return int.from_bytes(raw, "big", signed=True) if isinstance(raw, bytes) else None


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
            _before(metadata.row_group(group).column(index), limit)
            for group in range(metadata.num_row_groups)
        ):
            raise IneligibleTableError(
                f"{file.path}: column {column.path} may hold dates of the Julian calendar"
                " (written by an old Spark or by Hive); rewrite it with Spark 3 or later"
            )


def _limit(column: pq.ColumnSchema) -> int | None:
    kind = str(column.logical_type)
    if kind.startswith("Date"):
        return _GREGORIAN_DAY
    if column.physical_type == "INT96" or kind.startswith("Timestamp"):
        return _SURE_MICROS
    return None


def _before(chunk: pq.ColumnChunkMetaData, limit: int) -> bool:
    statistics = chunk.statistics
    if chunk.physical_type == "INT96":
        return False
    if statistics is None or not statistics.has_min_max:
        return chunk.num_values > 0 and not (
            statistics is not None
            and statistics.has_null_count
            and statistics.null_count == chunk.num_values
        )
    raw = statistics.min_raw
    if limit == _GREGORIAN_DAY:
        return bool(raw < limit)
    micros = _micros(raw, statistics)
    return micros is None or micros < limit
