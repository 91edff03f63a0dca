"""INT96 timestamps of old writers, whose early values are in another calendar.

Parquet keeps no statistics of INT96, so that only the values tell whether they matter.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

# The hybrid calendar ends in 1582, and local mean times, which Spark rebased with, by 1900.
_SURE_FROM_S = -2_208_988_800
_OLD_SPARK = re.compile(r"[12]\.|3\.0\.")


def are_doubtful(metadata: pq.FileMetaData) -> bool:
    """Whether the file's INT96 values before 1900 may be of the hybrid Julian calendar."""
    keys = metadata.metadata or {}
    version = keys.get(b"org.apache.spark.version", b"").decode(errors="replace")
    unmarked = not version and "parquet-mr" in (metadata.created_by or "")
    old = bool(_OLD_SPARK.match(version))
    return b"org.apache.spark.legacyINT96" in keys or unmarked or old


def check_instants(name: str, array: pa.Array, meaning: pa.DataType) -> None:
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
