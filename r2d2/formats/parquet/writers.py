"""Writers of Parquet files, and the faults known of their statistics, with the public reports.

A writer is believed by name, version and kind of statistic. One that is not in the list, or that
does not tell its version, is not believed at all: its statistics refute nothing.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

Version = tuple[int, ...]
NEVER: Version = (1 << 30,)
"""The version of a fault that no release is known to have mended."""


class Kind(Enum):
    """A kind of statistic that writers compute by code of its own."""

    INTEGER = "integer"
    UNSIGNED = "unsigned"
    FLOAT = "float"
    DECIMAL = "decimal"
    DECIMAL_BYTES = "decimal in BYTE_ARRAY"
    TEXT = "text"
    NULLS = "null count"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a writer before version `mended` in some kinds of statistics."""

    writer: str
    kinds: frozenset[Kind]
    mended: Version
    report: str


def _fault(writer: str, mended: Version, report: str, *kinds: Kind) -> Fault:
    return Fault(writer, frozenset(kinds), mended, report)


_SORTED_BYTES = (Kind.TEXT, Kind.DECIMAL, Kind.DECIMAL_BYTES, Kind.UNSIGNED)
# Faults that leave a bound too wide are not here, as rows have the last word. Such are DuckDB's
# infinities (duckdb/duckdb#20014) and enumerations (duckdb/duckdb#22548).
FAULTS = (
    _fault("parquet-mr", (1, 8, 0), "PARQUET-251, trinodb/trino#1798", Kind.TEXT),
    _fault("parquet-mr", (1, 10, 0), "PARQUET-686, PARQUET-1494", *_SORTED_BYTES),
    _fault("parquet-mr", NEVER, "StarRocks/starrocks#78329", Kind.NULLS),
    # Arrow up to 3 told the version of parquet-cpp, 1.5.1, whatever its own was.
    _fault("parquet-cpp", (4, 0, 0), "PARQUET-1567, apache/arrow#42884", *Kind),
    _fault("parquet-cpp", (6, 0, 0), "ARROW-12513, apache/arrow#10729", Kind.NULLS),
    _fault(
        *("parquet-cpp", (6, 0, 0), "ARROW-6149, G-Research/ParquetSharp#68"),
        *(Kind.DECIMAL, Kind.DECIMAL_BYTES),
    ),
    _fault("parquet-cpp", (12, 0, 0), "apache/arrow#15042", Kind.TEXT),
    _fault("parquet-rs", (5, 0, 0), "apache/arrow-rs#255", Kind.FLOAT),
    _fault("parquet-rs", (5, 2, 0), "apache/arrow-rs#641, apache/datafusion#1433", Kind.TEXT),
    _fault(
        *("parquet-rs", (13, 0, 0), "apache/arrow-rs#1532, apache/arrow-rs#1621"),
        *(Kind.DECIMAL, Kind.UNSIGNED),
    ),
    _fault(
        *("parquet-rs", NEVER, "apache/arrow-rs#10860, apache/arrow-rs#11073"),
        Kind.DECIMAL_BYTES,
    ),
)
# Not believed at all, for they tell no version, or no one knows from which on they are right:
# polars (pola-rs/polars#7842, #16766, #18867, #26667, #29347), cudf (NVIDIA/cudf#9221, #22817),
# ClickHouse (ClickHouse/ClickHouse#53067, #83754, #103039), hyparquet-writer
# (hyparam/hyparquet-writer#38), flow-php (flow-php/flow#2247), parquet-go
# (parquet-go/parquet-go#54, #459, fraugster/parquet-go#69), fastparquet (dask/fastparquet#776);
# Impala, Velox, Trino and Snowflake by their own names, of which no report was looked for.
_WRITERS = (
    ("parquet-cpp", re.compile(r"parquet-cpp(?:-arrow)? version v?(\d+(?:\.\d+)*)", re.I)),
    ("parquet-mr", re.compile(r"parquet-mr version v?(\d+(?:\.\d+)*)", re.I)),
    ("parquet-rs", re.compile(r"parquet-rs version v?(\d+(?:\.\d+)*)", re.I)),
    ("duckdb", re.compile(r"duckdb version v?(\d+(?:\.\d+)*)", re.I)),
)


@lru_cache(maxsize=256)
def believed(created_by: str) -> frozenset[Kind]:
    """The kinds of statistics that are bounds in the files of this writer.

    >>> Kind.TEXT in believed("parquet-rs version 5.1.0"), believed("Polars")
    (False, frozenset())
    """
    for name, pattern in _WRITERS:
        match = pattern.match(created_by.strip())
        if match:
            version = tuple(map(int, match.group(1).split(".")))
            faults = [f for f in FAULTS if f.writer == name and version < f.mended]
            return frozenset(Kind).difference(*(fault.kinds for fault in faults))
    return frozenset()


@lru_cache(maxsize=256)
def writes_whole_text(created_by: str) -> bool:
    """Whether the writer states a bound of text whole or not at all; others may cut it short."""
    return created_by.strip().lower().startswith("parquet-cpp")
