"""A footer's statistics are believed by writer, and void where they contradict themselves."""

import math
import struct
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.formats.bounds import number_rank
from r2d2.formats.parquet.footer import bounds_of
from r2d2.formats.parquet.writers import Kind, believed
from r2d2.model import Bounds
from tests.support.formats.parquet_footers import (
    MAX_VALUE,
    MIN_VALUE,
    NULL_COUNT,
    declare_decimals,
    forge,
)
from tests.support.oracle.asking import find
from tests.support.oracle.files import patched_footer

ROWS = 9000  # more than are decoded at the inventory
LOW, HIGH = 0x0102030405060708, 0x1112131415161718


def write(path: Path, values: pa.Array) -> None:
    pq.write_table(pa.table({"x": values}), path, store_schema=False)


def bounds(path: Path) -> Bounds | None:
    footer = pq.read_metadata(path)
    return bounds_of(footer, footer.schema.to_arrow_schema()).get("x")


def long(value: int) -> bytes:
    return struct.pack("<q", value)


def test_a_footers_bounds_are_claims(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.array([LOW, HIGH]))
    low, high = number_rank(LOW), number_rank(HIGH)
    stated = Bounds(low, low, high, high, False, True, sure=False)
    assert bounds(tmp_path / "a.parquet") == stated


@pytest.mark.parametrize(
    "changes",
    [
        {long(LOW): long(HIGH + 1)},
        {long(LOW) + b"\x16\x02": long(LOW) + b"\x16\x08"},
        {long(LOW) + b"\x16\x02": long(LOW) + b"\x16\x01"},
        {long(LOW) + b"\x16\x02": long(LOW) + b"\x16\x06"},
    ],
    ids=["minimum above maximum", "nulls above rows", "nulls below zero", "bounds of NULLs alone"],
)
def test_a_contradiction_voids_the_column_in_the_file(
    changes: dict[bytes, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    write(path, pa.array([LOW, HIGH, None]))
    assert bounds(path) is not None
    patched_footer(path, changes)
    assert bounds(path) is None


@pytest.mark.parametrize(
    ("values", "low", "wrong"),
    [
        (pa.array([101, 102], pa.int8()), struct.pack("<i", 101), struct.pack("<i", -300)),
        (pa.array([101, 102], pa.uint16()), struct.pack("<i", 102), struct.pack("<i", 70_000)),
        (pa.array([1.5, 2.5]), struct.pack("<d", 2.5), struct.pack("<d", float("nan"))),
        (pa.array([1001], pa.time64("us")), long(1001), long(10**12)),
    ],
    ids=["int8", "uint16", "NaN", "time"],
)
def test_a_bound_outside_the_type_voids_the_column(
    values: pa.Array, low: bytes, wrong: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    write(path, values)
    assert bounds(path) is not None
    patched_footer(path, {low: wrong})
    assert bounds(path) is None


@pytest.mark.parametrize(
    ("writer", "kind", "is_believed"),
    [
        ("parquet-rs version 5.1.0 (build 0)", Kind.TEXT, False),
        ("parquet-rs version 56.1.0", Kind.TEXT, True),
        ("parquet-rs version 56.1.0", Kind.DECIMAL_BYTES, False),
        ("parquet-mr version 1.10.1 (build 0)", Kind.NULLS, False),
        ("parquet-mr version 1.9.0", Kind.TEXT, False),
        ("parquet-mr version 1.13.1", Kind.TEXT, True),
        ("parquet-cpp-arrow version 5.0.0", Kind.NULLS, False),
        ("parquet-cpp-arrow version 26.0.1", Kind.NULLS, True),
        ("parquet-cpp version 1.5.1-SNAPSHOT", Kind.INTEGER, False),
        ("parquet-cpp-arrow version 5.0.0", Kind.DECIMAL, False),
        ("parquet-rs version 4.0.0", Kind.FLOAT, False),
        ("parquet-rs version 12.0.0", Kind.DECIMAL, False),
        ("parquet-rs version 13.0.0", Kind.UNSIGNED, True),
        ("fastparquet-python version 2024.11.0", Kind.INTEGER, False),
        ("impala version 4.4.0", Kind.INTEGER, False),
        ("parquet-cpp-velox version 1.0.0", Kind.INTEGER, False),
        ("github.com/segmentio/parquet-go version 1.0.0(build x)", Kind.TEXT, False),
        ("DuckDB version v1.4.2 (build 1)", Kind.FLOAT, True),
        ("Polars", Kind.INTEGER, False),
        ("nobody version 1.2", Kind.INTEGER, False),
        ("", Kind.INTEGER, False),
    ],
)
def test_a_writer_is_believed_by_name_version_and_kind(
    writer: str, kind: Kind, is_believed: bool
) -> None:
    assert (kind in believed(writer)) == is_believed


INFINITE, LOWEST = struct.pack("<d", -math.inf), struct.pack("<d", -sys.float_info.max)
REPORTED = {
    "apache/datafusion#1433": (
        pa.array(["Incoming", "Outgoing", "Two Way", "zz", "aaaaaaa", "b"] * (ROWS // 6)),
        {MIN_VALUE: b"b", MAX_VALUE: b"Outgoing"},
        b"parquet-rs version 5.1.0 (build 0)",
    ),
    "StarRocks/starrocks#78329": (
        pa.array([None if i == 77 else f"name {i % 50}" for i in range(ROWS)]),
        {NULL_COUNT: 0},
        b"parquet-mr version 1.10.1 (build 0)",
    ),
    "pola-rs/polars#26667": (
        pa.array([None if i % 7 == 0 else True for i in range(ROWS)]),
        {MIN_VALUE: b"\0"},
        b"Polars",
    ),
    "duckdb/duckdb#20014": (
        pa.array([-math.inf] * ROWS),
        {MIN_VALUE: INFINITE, MAX_VALUE: LOWEST},
        b"DuckDB version v1.4.2 (build 1)",
    ),
}


@pytest.mark.parametrize("forged", ["child", "parent"])
@pytest.mark.parametrize("report", REPORTED)
def test_a_reported_fault_refutes_nothing_true(report: str, forged: str, tmp_path: Path) -> None:
    values, statistics, writer = REPORTED[report]
    write(tmp_path / "parent.parquet", values)
    write(tmp_path / "child.parquet", values.slice(50, 6000))
    forge(tmp_path / f"{forged}.parquet", statistics, writer)
    assert ("child.parquet", "parent.parquet") in {
        (e.child, e.parent) for e in find(tmp_path).edges
    }


@pytest.mark.parametrize("writer", [b"parquet-rs version 56.1.0", b"DuckDB version v2.0.1"])
def test_decimals_in_bytes_compared_without_their_sign_refute_nothing_true(
    writer: bytes, tmp_path: Path
) -> None:
    """apache/arrow-rs#10860: of 1 to 5 and 300 the bounds are 1 and 5, as 300 begins with 1."""
    values = [(1, 2, 3, 4, 5, 300)[i % 6] for i in range(ROWS)]
    encoded = [v.to_bytes(max(1, (v.bit_length() + 8) // 8), "big", signed=True) for v in values]
    write(tmp_path / "parent.parquet", pa.array(encoded, pa.binary()))
    declare_decimals(tmp_path / "parent.parquet", 9)
    forge(tmp_path / "parent.parquet", {}, writer)
    table = pq.read_table(tmp_path / "parent.parquet")
    pq.write_table(table.slice(300, 6000), tmp_path / "child.parquet")
    assert len(find(tmp_path).edges) == 2


@pytest.mark.parametrize("stages", [("schema", "metadata"), ("schema", "metadata", "exact")])
@pytest.mark.parametrize("fraction", [0.5, 1.0])
def test_rows_confirm_whatever_the_stages(
    stages: tuple[str, ...], fraction: float, tmp_path: Path
) -> None:
    write(tmp_path / "parent.parquet", pa.array(range(ROWS), pa.int64()))
    write(tmp_path / "child.parquet", pa.array(range(100, 5100), pa.int64()))
    write(tmp_path / "other.parquet", pa.array(range(90_000, 95_000), pa.int64()))
    forge(
        tmp_path / "parent.parquet",
        {MIN_VALUE: long(8000)},
        b"parquet-cpp-arrow version 26.0.1",
    )
    graph = find(tmp_path, stages=stages, min_fraction=fraction)
    metadata = next(row for row in graph.funnel if row.stage == "metadata")
    contained = {("child.parquet", "parent.parquet")}
    if fraction < 1:
        contained.add(("parent.parquet", "child.parquet"))
    assert metadata.left == len(contained)
    assert graph.open_pairs() == (0 if "exact" in stages else len(contained))
    assert {(e.child, e.parent) for e in graph.edges} == (contained if "exact" in stages else set())
