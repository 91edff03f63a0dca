"""Forged footers refute no pair that holds: each field, each type, writers known and unknown.

`R2D2_FORGERIES=500 pytest tests/lakes/test_forged_footers.py` tries as many.
"""

import datetime as dt
import os
import random
import struct
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.stages.metadata import NOT_BELIEVED
from tests.support.formats.parquet_footers import (
    DISTINCT_COUNT,
    MAX_EXACT,
    MAX_VALUE,
    MIN_EXACT,
    MIN_VALUE,
    NULL_COUNT,
    OLD_MAX,
    OLD_MIN,
    forge,
    statistics_of,
)
from tests.support.oracle.asking import find

FORGERIES = int(os.environ.get("R2D2_FORGERIES", "40"))
PAIRS_A_LAKE = 10
ROWS, CHILD_ROWS = 12_000, 10_500
BOUNDS = (MIN_VALUE, MAX_VALUE, OLD_MIN, OLD_MAX)
FIELDS = (*BOUNDS, NULL_COUNT, DISTINCT_COUNT, MIN_EXACT, MAX_EXACT)
WRITERS = (
    b"parquet-cpp-arrow version 26.0.1",
    b"parquet-cpp-arrow version 0.9.0",
    b"parquet-mr version 1.16.0 (build 0)",
    b"parquet-mr version 1.8.1 (build 0)",
    b"parquet-rs version 56.1.0",
    b"parquet-rs version 5.1.0 (build 0)",
    b"DuckDB version v1.4.2 (build 0)",
    b"impala version 2.2.0",
    b"Polars",
    b"nobody version 1.2",
    b"\xff\xfe",
    b"",
    None,
)
START = dt.datetime(2020, 1, 1)
TYPES = {
    "int8": pa.array([i % 200 - 100 for i in range(ROWS)], pa.int8()),
    "int32": pa.array([i * 7 % ROWS - 500 for i in range(ROWS)], pa.int32()),
    "int64": pa.array([i * 7 % ROWS for i in range(ROWS)], pa.int64()),
    "uint32": pa.array([i * 300_007 % 2**32 for i in range(ROWS)], pa.uint32()),
    "uint64": pa.array([i * 2**50 for i in range(ROWS)], pa.uint64()),
    "float": pa.array([i / 7 - 300 for i in range(ROWS)], pa.float32()),
    "double": pa.array([i / 7 - 300 for i in range(ROWS)], pa.float64()),
    "decimal": pa.array(
        [Decimal(i * 7 % ROWS - 99) / 100 for i in range(ROWS)], pa.decimal128(15, 2)
    ),
    "date": pa.array([i % 9000 for i in range(ROWS)], pa.date32()),
    "instant": pa.array([START + dt.timedelta(seconds=i) for i in range(ROWS)], pa.timestamp("us")),
    "nanos": pa.array([i * 10**12 for i in range(ROWS)], pa.timestamp("ns", "UTC")),
    "time": pa.array([i * 1000 for i in range(ROWS)], pa.time64("us")),
    "flag": pa.array([i % 3 == 0 for i in range(ROWS)]),
    "text": pa.array([f"name {i % 4000}" for i in range(ROWS)]),
    "many texts": pa.array([f"{i * 7919 % ROWS} is a long name" for i in range(ROWS)]),
    "bytes": pa.array([i.to_bytes(4, "big") for i in range(ROWS)], pa.binary()),
    "fixed": pa.array([i.to_bytes(4, "big") for i in range(ROWS)], pa.binary(4)),
}


def forged(chance: random.Random, lake: Path, place: int) -> tuple[str, str, str]:
    """Writes a child and its parent, one of them with a forged footer; says how it was forged."""
    kind = chance.choice(list(TYPES))
    values = TYPES[kind]
    if chance.random() < 0.5:
        values = (
            pa.array(
                [None if i % 97 == 5 else each for i, each in enumerate(values.to_pylist())],
                values.type,
            )
            if kind != "nanos"
            else values
        )
    table = pa.table({f"x{place}": values})
    groups = {"row_group_size": chance.choice([4000, ROWS]), "store_schema": chance.random() < 0.5}
    start = chance.randrange(ROWS - CHILD_ROWS)
    parent, child = lake / f"parent{place}.parquet", lake / f"child{place}.parquet"
    pq.write_table(table, parent, **groups)
    pq.write_table(table.slice(start, CHILD_ROWS), child, **groups)
    path = chance.choice([parent, child])
    writer = chance.choice(WRITERS)
    fields = chance.sample(FIELDS, chance.choice([1, 1, 2, 4]))
    stated = statistics_of(path)
    changes: dict[int, bytes | int | bool | None] = {
        field: _wrong(chance, field, stated, values) for field in fields
    }
    forge(path, changes, writer)
    how = f"{path.name}: {kind} by {writer!r}: {changes}"
    return child.name, parent.name, how


def _wrong(
    chance: random.Random, field: int, stated: dict[int, tuple[int, object]], values: pa.Array
) -> bytes | int | bool | None:
    if field in (MIN_EXACT, MAX_EXACT):
        return chance.random() < 0.5
    if field in (NULL_COUNT, DISTINCT_COUNT):
        return chance.choice([0, 1, 2, 3999, 4000, 4001, ROWS, ROWS + 1, -1, 2**40, None])
    size = len(bytes(stated[MIN_VALUE][1])) if MIN_VALUE in stated else 4  # type: ignore[arg-type]
    if chance.random() < 0.1:
        return None
    if chance.random() < 0.7:
        return _another_value(chance, values)
    return chance.choice([chance.randbytes(size), b"\0" * size, b"\xff" * size])


def _another_value(chance: random.Random, values: pa.Array) -> bytes:
    """The bytes that a footer has for some value of the column, which is not at its end."""
    value = values[chance.randrange(ROWS)]
    if not value.is_valid:
        value = values[0]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"x": pa.array([value.as_py()], values.type)}), sink)
    statistics = (
        pq.read_metadata(pa.BufferReader(sink.getvalue())).row_group(0).column(0).statistics
    )
    raw = statistics.min_raw
    if isinstance(raw, bool):
        return bytes([raw])
    if isinstance(raw, int):
        return struct.pack("<i" if values.type.bit_width <= 32 else "<q", raw)
    if isinstance(raw, float):
        return struct.pack("<f" if values.type.bit_width == 32 else "<d", raw)
    return raw if isinstance(raw, bytes) else str(raw).encode()


@pytest.mark.parametrize("seed", range(-(-FORGERIES // PAIRS_A_LAKE)))
def test_no_forged_footer_refutes_a_pair_that_holds(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    pairs = [forged(chance, tmp_path, place) for place in range(PAIRS_A_LAKE)]
    graph = find(tmp_path)
    found = {(edge.child, edge.parent) for edge in graph.edges}
    assert [how for child, parent, how in pairs if (child, parent) not in found] == []


def test_no_engine_refutes_a_pair_that_holds(tmp_path: Path, engine: str) -> None:
    chance = random.Random("engines")
    pairs = [forged(chance, tmp_path, place) for place in range(FORGERIES)]
    graph = find(tmp_path, engine)
    found = {(edge.child, edge.parent) for edge in graph.edges}
    # Timestamps of parquet-mr without a least value may be Julian: such a table is left out.
    left_out = {table.location: table.problem for table in graph.tables if table.problem}
    assert all("Julian calendar" in str(problem) for problem in left_out.values())
    assert len(left_out) <= FORGERIES / 50
    lost = [
        how
        for child, parent, how in pairs
        if (child, parent) not in found and not {child, parent} & left_out.keys()
    ]
    assert lost == []


def test_a_renamed_column_is_named_as_the_table_names_it(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array(range(ROWS)), "b": [f"text {i}" for i in range(ROWS)]})
    pq.write_table(table, tmp_path / "parent.parquet")
    child = table.slice(9, CHILD_ROWS).rename_columns(["p", "q"])
    pq.write_table(child, tmp_path / "child.parquet")
    forge(tmp_path / "child.parquet", {MAX_VALUE: struct.pack("<q", 500)}, WRITERS[0])
    forge(tmp_path / "parent.parquet", {MAX_VALUE: struct.pack("<q", 400)}, WRITERS[0])
    graph = find(tmp_path, renamed=True)
    assert len(graph.edges) == 1
    told = {table.location: table.details.get(NOT_BELIEVED) for table in graph.tables}
    assert told == {"child.parquet": "p", "parent.parquet": "a"}


def test_a_footer_that_rows_contradict_is_named(tmp_path: Path, engine: str) -> None:
    table = pa.table({"x": pa.array(range(ROWS), pa.int64()), "y": ["z"] * ROWS})
    pq.write_table(table, tmp_path / "parent.parquet")
    pq.write_table(table.slice(9, CHILD_ROWS), tmp_path / "child.parquet")
    forge(tmp_path / "parent.parquet", {MIN_VALUE: struct.pack("<q", 500)}, WRITERS[0])
    graph = find(tmp_path, engine)
    assert [(edge.child, edge.parent) for edge in graph.edges] == [
        ("child.parquet", "parent.parquet")
    ]
    assert {table.location: table.details.get(NOT_BELIEVED) for table in graph.tables} == {
        "child.parquet": None,
        "parent.parquet": "x",
    }
    funnel = {row.stage: (row.pairs, row.refuted, row.proved, row.left) for row in graph.funnel}
    assert funnel["metadata"] == (2, 1, 0, 1)
    assert funnel["exact"] == (1, 0, 1, 0)
