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
# Faults that leave a bound too wide are not here, as rows have the last word. Such are polars'
# booleans (pola-rs/polars#26667), DuckDB's infinities (duckdb/duckdb#20014) and its and polars'
# enumerations (duckdb/duckdb#22548, pola-rs/polars#18867).
FAULTS = (
    _fault("parquet-mr", (1, 8, 0), "PARQUET-251, apache/parquet-java#1846", Kind.TEXT),
    _fault("parquet-mr", (1, 10, 0), "PARQUET-686, apache/parquet-java#367", *_SORTED_BYTES),
    _fault("parquet-mr", NEVER, "StarRocks/starrocks#78329", Kind.NULLS),
    _fault("parquet-cpp", (1, 3, 0), "PARQUET-686, apache/arrow#42562", *_SORTED_BYTES),
    _fault("parquet-cpp", (6, 0, 0), "ARROW-12513, apache/arrow#10729", Kind.NULLS),
    _fault("parquet-cpp", (12, 0, 0), "apache/arrow#15042", Kind.TEXT),
    _fault("parquet-rs", (5, 2, 0), "apache/arrow-rs#641, apache/datafusion#1433", Kind.TEXT),
    _fault(
        *("parquet-rs", NEVER, "apache/arrow-rs#10860, apache/arrow-rs#11073"),
        Kind.DECIMAL_BYTES,
    ),
    _fault("parquet-go", NEVER, "parquet-go/parquet-go#54", Kind.TEXT, Kind.DECIMAL_BYTES),
    # No report says which of their further statistics are right: only plain numbers are believed.
    _fault("parquet-go", NEVER, "no report", Kind.DECIMAL, Kind.UNSIGNED, Kind.NULLS),
    _fault("impala", NEVER, "no report", *_SORTED_BYTES, Kind.NULLS),
    _fault("fastparquet", NEVER, "no report", *_SORTED_BYTES, Kind.NULLS),
)
# Not believed at all, for they tell no version, or faults of plain numbers are known: polars
# (pola-rs/polars#7842, #16766, #29347), cudf (NVIDIA/cudf#9221, #22817), ClickHouse
# (ClickHouse/ClickHouse#53067, #83754, #103039), hyparquet-writer (hyparam/hyparquet-writer#38),
# flow-php (flow-php/flow#2247), Velox, Trino and Snowflake by their own names.
_WRITERS = (
    ("parquet-cpp", re.compile(r"parquet-cpp(?:-arrow)? version v?(\d+(?:\.\d+)*)", re.I)),
    ("parquet-mr", re.compile(r"parquet-mr version v?(\d+(?:\.\d+)*)", re.I)),
    ("parquet-rs", re.compile(r"parquet-rs version v?(\d+(?:\.\d+)*)", re.I)),
    ("duckdb", re.compile(r"duckdb version v?(\d+(?:\.\d+)*)", re.I)),
    ("impala", re.compile(r"impala version v?(\d+(?:\.\d+)*)", re.I)),
    ("fastparquet", re.compile(r"fastparquet(?:-python)? version v?(\d+(?:\.\d+)*)", re.I)),
    (
        "parquet-go",
        re.compile(r"(?:github\.com/\w+(?:-\w+)?/)?parquet-go version v?(\d+(?:\.\d+)*)", re.I),
    ),
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
