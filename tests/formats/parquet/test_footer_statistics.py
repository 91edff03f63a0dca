"""A footer's statistics are believed by writer, and void where they contradict themselves."""

import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.formats.bounds import number_rank
from r2d2.formats.parquet.footer import bounds_of
from r2d2.formats.parquet.writers import Kind, believed
from r2d2.model import Bounds
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


def test_a_faulty_writers_bounds_of_text_refute_nothing_true(tmp_path: Path) -> None:
    words = ["Incoming", "Outgoing", "Two Ways"]
    write(tmp_path / "parent.parquet", pa.array(words * ROWS))
    write(tmp_path / "child.parquet", pa.array(words[2:] * ROWS))
    named = pq.read_metadata(tmp_path / "parent.parquet").created_by.encode()
    wrong = {named: b"parquet-rs version 5.1.0".ljust(len(named)), b"Two Ways": b"Outgoing"}
    patched_footer(tmp_path / "parent.parquet", wrong)
    assert [(e.child, e.parent) for e in find(tmp_path).edges] == [
        ("child.parquet", "parent.parquet")
    ]
