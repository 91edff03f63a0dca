"""Avro schemas: each type means what the specification has it mean, or is refused."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.formats.avro_files import (
    ENUM,
    FIXED,
    logical,
    long,
    read,
    record,
    text,
    values,
    write,
    write_raw,
)
from tests.support.formats.one_table import batches
from tests.support.oracle.files import both_ways, edges
from tests.support.recipes.lakes import come_back, put


@pytest.mark.parametrize(
    ("schema", "arrow", "value"),
    [
        ("boolean", pa.bool_(), True),
        ("int", pa.int32(), -(2**31)),
        ("long", pa.int64(), -(2**63)),
        ("float", pa.float32(), 0.5),
        ("double", pa.float64(), 0.1),
        ("string", pa.string(), "é\0"),
        ("bytes", pa.binary(), b"\xff\0"),
        ("null", pa.null(), None),
        (FIXED, pa.binary(), b"abc"),
        (ENUM, pa.string(), "B"),
        (logical("int", "date"), pa.date32(), date(1500, 3, 1)),
        (logical("int", "time-millis"), pa.time32("ms"), time(23, 59, 59, 999_000)),
        (logical("long", "time-micros"), pa.time64("us"), time(23, 59, 59, 999_999)),
        (
            logical("long", "timestamp-millis"),
            pa.timestamp("ms", "UTC"),
            datetime(1, 1, 1, tzinfo=UTC),
        ),
        (
            logical("long", "timestamp-micros"),
            pa.timestamp("us", "UTC"),
            datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        ),
        (logical("long", "local-timestamp-millis"), pa.timestamp("ms"), datetime(1, 1, 1)),
        (logical("long", "local-timestamp-micros"), pa.timestamp("us"), datetime(1969, 12, 31, 1)),
        (logical("bytes", "decimal", precision=5, scale=2), pa.decimal128(5, 2), Decimal("-1.50")),
        (
            logical("bytes", "decimal", precision=76),
            pa.decimal256(76, 0),
            Decimal(10) ** 75,
        ),
        ({**FIXED, **logical("fixed", "decimal", precision=6)}, pa.decimal128(6, 0), Decimal(-7)),
        (logical("string", "uuid"), pa.string(), "00000000-0000-0000-0000-000000000001"),
        (logical("long", "of-the-future"), pa.int64(), 7),
        ({"type": "array", "items": "int"}, pa.list_(pa.int32()), [1, -1]),
        ({"type": "map", "values": "int"}, pa.map_(pa.string(), pa.int32()), {"k": 1}),
        (
            {"type": "record", "name": "s", "fields": [{"name": "x", "type": "int"}]},
            pa.struct([("x", pa.int32())]),
            {"x": 1},
        ),
    ],
)
@pytest.mark.parametrize("union", ["no", "null first", "null last"])
def test_each_type_is_read_as_the_arrow_type_that_means_the_same(
    tmp_path: Path, schema: Any, arrow: pa.DataType, value: Any, union: str
) -> None:
    rows = [value]
    if union != "no" and schema != "null":
        schema = ["null", schema] if union == "null first" else [schema, "null"]
        rows = [None, value, None]
    found = read(tmp_path, write(tmp_path, record(schema), [{"a": row} for row in rows]))
    assert found.schema.types == [arrow]
    expected = [list(row.items()) if pa.types.is_map(arrow) and row else row for row in rows]
    assert found.column(0).to_pylist() == expected


def test_dates_beyond_pythons_years_and_nanoseconds_are_read_exactly(tmp_path: Path) -> None:
    schema = record(
        logical("int", "date"),
        logical("long", "timestamp-micros"),
        logical("long", "timestamp-nanos"),
        logical("long", "local-timestamp-nanos"),
    )
    extremes = [2**31 - 1, -(2**63), 2**63 - 1, -1]
    found = read(tmp_path, write_raw(tmp_path, schema, [(1, b"".join(map(long, extremes)))]))
    assert found.schema.types[2:] == [pa.timestamp("ns", "UTC"), pa.timestamp("ns")]
    numbers = [found.column(0).cast(pa.int32()), *(c.cast(pa.int64()) for c in found.columns[1:])]
    assert [number[0].as_py() for number in numbers] == extremes


@pytest.mark.parametrize(
    "schema",
    [
        logical("bytes", "decimal", precision=2, scale=3),
        logical("bytes", "decimal", precision=0),
        logical("bytes", "decimal"),
        {**FIXED, **logical("fixed", "decimal", precision=7)},
    ],
)
def test_a_logical_type_that_contradicts_itself_is_ignored(tmp_path: Path, schema: Any) -> None:
    assert write_raw(tmp_path, record(schema), []).columns[0].type == "binary"


def test_a_map_keeps_all_entries_of_a_key_that_was_written_twice(tmp_path: Path) -> None:
    entries = long(2) + text(b"k") + long(1) + text(b"k") + long(2) + long(0)
    found = write_raw(tmp_path, record({"type": "map", "values": "int"}), [(1, entries)])
    assert values(tmp_path, found) == [[("k", 1), ("k", 2)]]


def test_names_are_verbatim(tmp_path: Path) -> None:
    schema = record("int", "int")
    schema["fields"][0]["name"], schema["fields"][1]["name"] = "a.b c", "Ä"
    found = write_raw(tmp_path, schema, [(1, long(1) + long(2))])
    assert [column.path for column in found.columns] == [("a.b c",), ("Ä",)]
    assert batches(tmp_path, found, "Ä")[0].to_pylist() == [{"Ä": 2}]
    assert batches(tmp_path, found, "none of them")[0].num_rows == 1


def test_a_named_type_may_be_used_again_in_its_namespace(tmp_path: Path) -> None:
    inner = {"type": "record", "name": "i", "fields": [{"name": "e", "type": ENUM}]}
    schema = {**record(["null", inner], "i", "n.i", ["e", "null"]), "namespace": "n"}
    row = {"a": None, "b": {"e": "A"}, "c": {"e": "B"}, "d": "B"}
    found = write(tmp_path, schema, [row])
    assert [column.name for column in found.columns] == ["a.e", "b.e", "c.e", "d"]
    assert read(tmp_path, found).to_pylist() == [row]


RECURSIVE = {"type": "array", "items": "r"}
DEEP: Any = "int"
for _ in range(200):
    DEEP = {"type": "array", "items": DEEP}


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (record(["int", "string"]), "field a: a union of int32, string has no row identity"),
        (record(["null", "int", "long"]), "union"),
        (record(RECURSIVE), "type r contains itself"),
        (record({**FIXED, "size": 12, "logicalType": "duration"}), "type duration"),
        (record(logical("bytes", "big-decimal")), "type big-decimal"),
        (record(logical("bytes", "decimal", precision=77)), "a decimal of 77 digits"),
        (record({"type": "array", "items": "null"}), "take no bytes"),
        (record(DEEP), "nested too deep"),
        ("long", "rows are no records"),
        (record("int", "int") | {"fields": [{"name": "a", "type": "int"}] * 2}, "same name"),
    ],
)
def test_what_has_no_row_identity_makes_the_table_ineligible(
    tmp_path: Path, schema: Any, reason: str
) -> None:
    found = write_raw(tmp_path, schema, [])
    assert reason in str(found.problem)
    assert not found.unreadable


def test_records_that_double_at_every_level_are_refused(tmp_path: Path) -> None:
    schema: Any = record("int")
    for level in range(40):
        fields = [{"name": "x", "type": schema}, {"name": "y", "type": schema["name"]}]
        schema = {"type": "record", "name": f"r{level}", "fields": fields}
    assert "more than 50000 columns" in str(write_raw(tmp_path, schema, []).problem)


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        {},
        record("no such type"),
        record(None),
        record({"type": "enum", "name": "e"}),
        record({"type": "fixed", "name": "f", "size": -1}),
        record(FIXED, FIXED),
        record(["null", "null"]),
        {"type": "record", "name": "r"},
        {"type": "record", "fields": []},
        record("int") | {"fields": [{"type": "int"}]},
        record("int") | {"fields": [{"name": "\ud800", "type": "int"}]},
    ],
)
def test_what_is_no_schema_makes_the_table_unreadable(tmp_path: Path, schema: Any) -> None:
    assert write_raw(tmp_path, schema, []).unreadable


UUID_BYTES = {"type": "fixed", "name": "u", "size": 16, "logicalType": "uuid"}


def test_a_uuid_is_a_type_of_its_own_and_comes_back(tmp_path: Path) -> None:
    ids = {"type": "array", "items": ["null", UUID_BYTES]}
    schema = record(logical("string", "uuid"), ids, {**UUID_BYTES, "name": "v", "size": 15})
    row = {"a": "00000000-0000-0000-0000-000000000001", "b": [b"\1" * 16, None], "c": b"\2" * 15}
    table = write(tmp_path, schema, [row])
    assert [column.type for column in table.columns] == ["uuid(text)", "list<uuid>", "binary"]
    come_back(tmp_path, tmp_path / ".copy", "t.avro")


def test_the_uuids_of_avro_are_those_of_parquet(tmp_path: Path) -> None:
    write(tmp_path, record(UUID_BYTES), [{"a": b"\1" * 16}])
    put(tmp_path, "p.parquet", pa.table({"a": pa.array([b"\1" * 16], pa.uuid())}))
    put(tmp_path, "bytes.parquet", pa.table({"a": pa.array([b"\1" * 16])}))
    assert edges(tmp_path, "local") == both_ways("t", "p")


def test_a_spark_interval_is_no_number_and_comes_back(tmp_path: Path) -> None:
    interval = {"type": "long", "spark.sql.catalyst.type": "interval day to second"}
    table = write(tmp_path, record(["null", interval]), [{"a": 1}, {"a": None}])
    put(tmp_path, "plain.parquet", pa.table({"a": pa.array([1, None], pa.int64())}))
    assert [column.type for column in table.columns] == ["spark(interval day to second)"]
    assert edges(tmp_path, "local") == set()
    come_back(tmp_path, tmp_path / ".copy", "t.avro")
