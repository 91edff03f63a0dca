"""Checks of old dates and instants in Parquet files, which may be of the hybrid Julian calendar.

Writers marked the calendar late or never. Parquet keeps no statistics of INT96, so that of these
only the values show whether they matter.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from r2d2.errors import IneligibleTableError
from r2d2.formats.bounds import GREGORIAN_DAY
from r2d2.formats.parquet.footer import chunk_statistics, integer_ranks, micros_ranks
from r2d2.model import FileInfo

# The hybrid calendar ends in 1582, and local mean times, which Spark rebased with, by 1900.
_SURE_FROM_S = -2_208_988_800
_SURE_MICROS = _SURE_FROM_S * 1_000_000
_OLD_SPARK = re.compile(r"[12]\.|3\.0\.")


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
