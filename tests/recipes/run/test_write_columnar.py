"""Parquet, ORC, Avro and Delta tables come back from their layout and their rows."""

import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

from r2d2.lake.inventory import layout_from, layout_of
from r2d2.recipes.run.write_table import write_table
from r2d2.storage.local import LocalStorage
from tests.support.recipes.differences import difference
from tests.support.recipes.lakes import come_back, put, rows, tables

NESTED = pa.table(
    {
        "id": pa.array([1, 2, 3, 3], pa.int64()),
        "a.b": pa.array(["x", None, "", "`"], pa.large_string()),
        "s": pa.array(
            [{"n": 1, "t": None}, None, {"n": None, "t": None}, {"n": 4, "t": [1.5, None]}],
            pa.struct([("n", pa.int16()), ("t", pa.list_(pa.float32()))]),
        ),
        "m": pa.array([[("k", 1)], None, [], [("k", None)]], pa.map_(pa.string(), pa.int32())),
        "l": pa.array([[], None, [None], [dt.date(2024, 1, 1)]], pa.list_(pa.date32())),
        "f": pa.array([-0.0, 0.0, float("nan"), None], pa.float64()),
        "d": pa.array([Decimal("1.50"), None, Decimal("-3.25"), Decimal("0")], pa.decimal128(9, 2)),
        "t": pa.array([1, None, -1, 2**40], pa.timestamp("us", "UTC")),
    }
)


@pytest.mark.parametrize("codec", ["none", "snappy", "zstd", "gzip", "lz4", "brotli"])
def test_a_parquet_file_comes_back_with_its_compression(tmp_path: Path, codec: str) -> None:
    put(tmp_path / "lake", "a/t.parquet", NESTED, compression=codec)
    _, written = come_back(tmp_path / "lake", tmp_path / "copy", "a/t.parquet")
    assert written.files == ("a/t.parquet",)
    assert written.size_bytes == (tmp_path / "copy/a/t.parquet").stat().st_size
    chunk = pq.ParquetFile(tmp_path / "copy/a/t.parquet").metadata.row_group(0).column(0)
    assert chunk.compression.lower() == ("uncompressed" if codec == "none" else codec)


def test_a_parquet_file_comes_back_with_its_types_metadata_and_field_ids(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            pa.field("n", pa.int32(), False, {b"PARQUET:field_id": b"7", b"unit": b"cm"}),
            pa.field("c", pa.dictionary(pa.int8(), pa.large_string())),
            pa.field("u", pa.uint16()),
            pa.field("ms", pa.timestamp("ms", "Europe/Berlin")),
            pa.field("x", pa.binary(3)),
        ],
        {b"pandas": b"{}", b"owner": b"me"},
    )
    columns = [[1, 2], ["a", None], [1, None], [0, None], [b"abc", None]]
    arrays = [pa.array(v, f.type) for v, f in zip(columns, schema, strict=True)]
    put(tmp_path / "lake", "t.parquet", pa.Table.from_arrays(arrays, schema=schema))
    come_back(tmp_path / "lake", tmp_path / "copy", "t.parquet")
    before, after = (pq.read_schema(tmp_path / p / "t.parquet") for p in ("lake", "copy"))
    assert after.equals(before, check_metadata=True)
    assert not after.field("n").nullable


def test_a_parquet_file_of_int96_comes_back_as_one(tmp_path: Path) -> None:
    instants = pa.table({"t": pa.array([0, None, 10**15 + 1], pa.timestamp("ns"))})
    put(tmp_path / "lake", "t.parquet", instants, use_deprecated_int96_timestamps=True)
    come_back(tmp_path / "lake", tmp_path / "copy", "t.parquet")
    assert pq.ParquetFile(tmp_path / "copy/t.parquet").schema.column(0).physical_type == "INT96"


def test_duckdb_reads_the_same_from_a_parquet_file_that_came_back(tmp_path: Path) -> None:
    put(tmp_path / "lake", "t.parquet", NESTED)
    come_back(tmp_path / "lake", tmp_path / "copy", "t.parquet")
    ours, theirs = (f"SELECT * FROM '{tmp_path}/{p}/t.parquet'" for p in ("lake", "copy"))
    for one, other in ((ours, theirs), (theirs, ours)):
        assert duckdb.sql(f"{one} EXCEPT ALL {other}").fetchall() == []
    assert duckdb.sql(ours).types == duckdb.sql(theirs).types


@pytest.mark.parametrize("codec", ["uncompressed", "zlib", "snappy", "lz4", "zstd"])
def test_an_orc_file_comes_back(tmp_path: Path, codec: str) -> None:
    table = NESTED.set_column(7, "t", NESTED["t"].cast(pa.timestamp("ns", "UTC")))
    (tmp_path / "lake").mkdir()
    pa.orc.write_table(table, tmp_path / "lake/t.orc", compression=codec)
    come_back(tmp_path / "lake", tmp_path / "copy", "t.orc")
    assert pa.orc.ORCFile(tmp_path / "copy/t.orc").compression.lower() == codec


def test_an_orc_file_without_rows_comes_back(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    pa.orc.write_table(pa.table({"a": pa.array([1], pa.int64())}), tmp_path / "lake/t.orc")
    table = tables(tmp_path / "lake")["t.orc"]
    layout = layout_from(layout_of(LocalStorage(str(tmp_path / "lake")), table))
    write_table(layout, [], tmp_path / "copy", "t.orc")
    again = tables(tmp_path / "copy")["t.orc"]
    assert (again.rows, again.columns) == (0, table.columns)


AVRO = {
    "type": "record",
    "name": "org.Row",
    "doc": "kept as it is",
    "fields": [
        {"name": "i", "type": "int"},
        {"name": "s", "type": ["null", "string"], "default": None},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
        {"name": "e2", "type": ["E", "null"]},
        {"name": "f", "type": {"type": "fixed", "name": "F", "size": 3}},
        {"name": "b", "type": "bytes"},
        {"name": "d", "type": {"type": "int", "logicalType": "date"}},
        {"name": "ts", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
        {
            "name": "n",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 2},
        },
        {
            "name": "n2",
            "type": [
                "null",
                {"type": "fixed", "name": "D", "size": 6, "logicalType": "decimal", "precision": 9},
            ],
        },
        {"name": "l", "type": {"type": "array", "items": ["null", "double"]}},
        {"name": "m", "type": ["null", {"type": "map", "values": "long"}]},
        {
            "name": "r",
            "type": [
                "null",
                {"type": "record", "name": "Sub", "fields": [{"name": "x", "type": "float"}]},
            ],
        },
        {"name": "t", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "o", "type": "boolean"},
    ],
}
AVRO_ROWS = [
    {
        "i": number,
        "s": None if number % 3 else "é\0",
        "e": "AB"[number % 2],
        "e2": None if number % 2 else "B",
        "f": b"\0\xff\1",
        "b": b"\xff" * number,
        "d": dt.date(1, 1, 1) + dt.timedelta(number),
        "ts": dt.datetime(1969, 12, 31, 23, 59, 59, number, dt.UTC),
        "n": Decimal(10**37 * (number - 2)).scaleb(-2),
        "n2": None if number == 1 else Decimal(-(256**number)),
        "l": [None, -0.0, float("nan")][:number],
        "m": None if number == 2 else {"a": number, "": -number},
        "r": None if number == 1 else {"x": 1.5},
        "t": dt.time(23, 59, 59, 999999),
        "o": number == 1,
    }
    for number in range(4)
]


def test_an_avro_file_comes_back_with_its_own_schema(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    with (tmp_path / "lake/t.avro").open("wb") as file:
        fastavro.writer(file, AVRO, AVRO_ROWS, codec="deflate")
    come_back(tmp_path / "lake", tmp_path / "copy", "t.avro")
    with (tmp_path / "lake/t.avro").open("rb") as one, (tmp_path / "copy/t.avro").open("rb") as two:
        before, after = fastavro.reader(one), fastavro.reader(two)
        assert after.metadata["avro.schema"] == json.dumps(
            json.loads(before.metadata["avro.schema"]), ensure_ascii=False
        )
        assert list(map(repr, after)) == list(map(repr, reversed(list(before))))


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz", "zstandard", "snappy"])
def test_an_avro_file_is_written_with_each_codec(tmp_path: Path, codec: str) -> None:
    (tmp_path / "lake").mkdir()
    with (tmp_path / "lake/t.avro").open("wb") as file:
        fastavro.writer(file, AVRO, AVRO_ROWS)
    table = tables(tmp_path / "lake")["t.avro"]
    layout = layout_from(layout_of(LocalStorage(str(tmp_path / "lake")), table))
    own = rows(tmp_path / "lake", table)
    write_table(replace(layout, compression=codec), own, tmp_path / "copy", "t.avro")
    again = tables(tmp_path / "copy")["t.avro"]
    assert again.details["compression"] == codec
    assert difference(own, rows(tmp_path / "copy", again)) is None


@pytest.mark.parametrize("partition_by", [[], ["p"], ["q", "p"]])
def test_a_delta_table_comes_back_with_its_partitioning(
    tmp_path: Path, partition_by: list[str]
) -> None:
    import deltalake

    empty = " " if partition_by else ""  # readers disagree on an empty partition value
    table = pa.table(
        {
            "p": pa.array(["x/é", None, empty, "a=b"]),
            "n": pa.array([1, 2, None, 2], pa.int32()),
            "q": pa.array([dt.date(2024, 1, 1), None, dt.date(1, 1, 1), None]),
            "t": pa.array([1, None, 2, 3], pa.timestamp("us")),
            "s": NESTED["s"],
        }
    )
    deltalake.write_deltalake(str(tmp_path / "lake/d"), table, partition_by=partition_by)
    again, written = come_back(tmp_path / "lake", tmp_path / "copy", "d")
    assert "d/_delta_log/00000000000000000000.json" in written.files
    back = deltalake.DeltaTable(str(tmp_path / "copy/d"))
    assert back.metadata().partition_columns == partition_by
    assert again.snapshot == "delta:0"


def test_a_delta_column_of_varchar_comes_back_as_one(tmp_path: Path) -> None:
    import deltalake

    said = {"__CHAR_VARCHAR_TYPE_STRING": "varchar(3)"}
    schema = pa.schema([pa.field("s", pa.string(), metadata=said), pa.field("n", pa.int64())])
    table = pa.table([["abc", None], [1, 2]], schema=schema)
    deltalake.write_deltalake(str(tmp_path / "lake/d"), table)
    come_back(tmp_path / "lake", tmp_path / "copy", "d")
    fields = deltalake.DeltaTable(str(tmp_path / "copy/d")).schema().fields
    assert [field.metadata for field in fields] == [said, {}]


def test_a_delta_table_says_what_is_not_restored(tmp_path: Path) -> None:
    import deltalake

    deltalake.write_deltalake(str(tmp_path / "d"), pa.table({"n": [1]}))
    data = layout_of(LocalStorage(str(tmp_path)), tables(tmp_path)["d"])
    assert any("history" in each for each in data["not_restored"])
    assert json.loads(json.dumps(data)) == data
