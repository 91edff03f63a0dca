"""ORC: what is read is what was written."""

from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import r2d2
from r2d2.errors import NotWritableError
from r2d2.formats.orc import read as orc
from r2d2.lake.inventory import layout_of
from r2d2.storage.local import LocalStorage
from tests.support.formats.one_table import batches, the_table
from tests.support.formats.orc_files import java, rows, write


def test_orc_avro_and_parquet_copies_of_one_table_are_equal(tmp_path: Path) -> None:
    table = pa.table(
        {
            "number": pa.array([1, None, -(2**63)]),
            "small": pa.array([1, 2, None], pa.int32()),
            "text": ["é", None, ""],
            "ratio": [0.1, float("nan"), None],
            "yes": [True, None, False],
            "day": pa.array([0, -100_000, None], pa.date32()),
            "price": pa.array([Decimal("1.50"), None, Decimal("-2")], pa.decimal128(9, 2)),
            "when": pa.array([0, 1_600_000_000_123_456_000, None], pa.timestamp("ns", "UTC")),
            "list": [["a", None], [], None],
            "inner": [{"x": 1, "y": "b"}, {"x": None, "y": None}, {"x": 2, "y": ""}],
        }
    )
    pa.orc.write_table(table, tmp_path / "copy.orc")
    pq.write_table(table, tmp_path / "copy.parquet")
    types = [
        "long",
        "int",
        "string",
        "double",
        "boolean",
        {"type": "int", "logicalType": "date"},
        {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        {"type": "long", "logicalType": "timestamp-micros"},
        {"type": "array", "items": ["null", "string"]},
    ]
    inner = [{"name": "x", "type": ["null", "long"]}, {"name": "y", "type": ["null", "string"]}]
    fields = [
        {"name": name, "type": ["null", type_]}
        for name, type_ in zip(table.column_names, types, strict=False)
    ]
    fields.append({"name": "inner", "type": {"type": "record", "name": "i", "fields": inner}})
    with (tmp_path / "copy.avro").open("wb") as file:
        coarse = table.set_column(7, "when", table["when"].cast(pa.timestamp("us", "UTC")))
        fastavro.writer(file, {"type": "record", "name": "r", "fields": fields}, coarse.to_pylist())
    (copies,) = r2d2.find(tmp_path).classes()
    assert copies == ("copy.avro", "copy.orc", "copy.parquet")


SCALARS = [
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-(2**7), 2**7 - 1)),
    (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    (pa.string(), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
    (pa.binary(), st.binary(max_size=8)),
    (pa.date32(), st.integers(-700_000, 2_900_000)),
    (pa.timestamp("ns"), st.integers(0, 2**63 - 10**9)),
    (pa.timestamp("ns", "UTC"), st.integers(0, 2**63 - 10**9)),
    (pa.decimal128(38, 10), st.decimals(-(10**27), 10**27, places=10)),
    (pa.decimal128(5, 0), st.integers(-99_999, 99_999).map(Decimal)),
]


def arrays(length: int) -> st.SearchStrategy[pa.Array]:
    def of(scalar: tuple[pa.DataType, Any]) -> st.SearchStrategy[pa.Array]:
        type_, values = scalar
        nullable = st.none() | values
        several = st.lists(nullable, max_size=3)
        entries = st.dictionaries(st.text("ab", max_size=2), nullable, max_size=3)
        kinds = [
            (type_, nullable),
            (pa.list_(type_), st.none() | several),
            (pa.struct([("f", type_)]), st.none() | nullable.map(lambda value: {"f": value})),
            (pa.map_(pa.string(), type_), st.none() | entries.map(lambda e: list(e.items()))),
        ]
        return st.sampled_from(kinds).flatmap(
            lambda kind: st.lists(kind[1], min_size=length, max_size=length).map(
                lambda found: pa.array(found, kind[0])
            )
        )

    return st.sampled_from(SCALARS).flatmap(of)


TABLES = st.integers(0, 5).flatmap(
    lambda length: st.lists(arrays(length), min_size=1, max_size=4).map(
        lambda found: pa.table(found, [f"c{place}" for place in range(len(found))])
    )
)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(TABLES, st.sampled_from(["uncompressed", "zlib", "snappy", "lz4", "zstd"]))
def test_random_tables_come_back_as_they_were(table: pa.Table, compression: str) -> None:
    with TemporaryDirectory() as folder:
        found = write(Path(folder), table, compression=compression)
        assert found.problem is None
        read = pa.Table.from_batches(batches(Path(folder), found), table.schema)
    assert found.rows == table.num_rows
    assert repr(read.to_pydict()) == repr(table.to_pydict())


def test_stripes_are_splits_and_batches_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orc, "SPLIT_BYTES", 1)
    table = pa.table({"x": pa.array(Random(0).randbytes(1) for _ in range(70_000))})
    found = write(tmp_path, table, stripe_size=1 << 12, batch_size=7_000)
    assert len(found.splits) > 2
    assert sum(split.rows or 0 for split in found.splits) == found.rows == 70_000
    assert [row["x"] for row in rows(tmp_path, found)] == table["x"].to_pylist()
    one = write(tmp_path, table, batch_size=70_000)
    assert [batch.num_rows for batch in batches(tmp_path, one)] == [1 << 16, 70_000 - (1 << 16)]


def test_a_file_of_large_stripes_is_streamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orc, "STRIPE_VALUES", 100)
    table = pa.table({"x": range(150_000), "a": [{"b.c": "x"}] * 150_000})
    found = write(tmp_path, table)
    assert [split.row_groups for split in found.splits] == [()]
    assert max(batch.num_rows for batch in batches(tmp_path, found, "a")) <= 1 << 16
    assert pa.Table.from_batches(batches(tmp_path, found)).equals(table)


def test_a_file_of_large_stripes_with_a_dotted_name_is_not_streamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orc, "STRIPE_VALUES", 100)
    table = pa.table({"a.b": range(1000), "a": [{"b": "x"}] * 1000})
    found = write(tmp_path, table)
    assert pa.Table.from_batches(batches(tmp_path, found)).equals(table)


def test_names_are_verbatim_and_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    table = pa.table({"a.b": [1], "a": [{"b": "inner"}], "Ä x": [2], "`": [3]})
    found = write(tmp_path, table)
    assert [column.name for column in found.columns] == ["`a.b`", "a.b", "Ä x", "````"]
    assert batches(tmp_path, found, "a.b")[0].to_pylist() == [{"a.b": 1}]
    assert batches(tmp_path, found, "a")[0].to_pylist() == [{"a": {"b": "inner"}}]
    assert batches(tmp_path, found, "`")[0].to_pylist() == [{"`": 3}]
    assert batches(tmp_path, found, "none of them")[0].num_rows == 1


def test_a_file_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    found = write(tmp_path, pa.table({"x": pa.array([], pa.int32())}))
    assert (found.rows, found.problem, batches(tmp_path, found)) == (0, None, [])


def test_orc_under_hive_folders_is_one_table(tmp_path: Path) -> None:
    for key in (1, 2):
        (tmp_path / "t" / f"k={key}").mkdir(parents=True)
        pa.orc.write_table(pa.table({"x": ["a"]}), tmp_path / "t" / f"k={key}" / "part.orc")
    found = the_table(tmp_path)
    assert (found.location, found.rows) == ("t", 2)
    assert rows(tmp_path, found) == [{"x": "a", "k": 1}, {"x": "a", "k": 2}]


def test_a_padded_char_is_read_with_its_padding(tmp_path: Path) -> None:
    found = java(tmp_path, "char")
    assert [row["c"] for row in rows(tmp_path, found)] == ["a    ", "é    ", "abcde"]


def test_a_column_of_char_cannot_be_written_back(tmp_path: Path) -> None:
    table = java(tmp_path, "char")
    with pytest.raises(NotWritableError, match="column c is of type CHAR or VARCHAR"):
        layout_of(LocalStorage(str(tmp_path)), table)


@pytest.mark.spark
def test_what_spark_writes_is_read_as_spark_reads_it(tmp_path: Path, spark: Any) -> None:
    frame = spark.sql(
        """
        SELECT id, CAST(id AS INT) i, CAST(id AS TINYINT) y, IF(id % 3 = 0, NULL, 'é' || id) s,
          id / 7 d, CAST(id / 7 AS FLOAT) f, CAST(id / 7 AS DECIMAL(30, 9)) p, id % 2 = 0 b,
          DATE'1600-01-01' + CAST(id AS INT) * 1000 day, encode('x' || id, 'UTF-8') raw,
          TIMESTAMP'1890-01-01 00:00:00.25' + INTERVAL 1 DAY * CAST(id AS INT) * 1000 at,
          TIMESTAMP_NTZ'1890-01-01 00:00:00.25' + INTERVAL 1 DAY * CAST(id AS INT) * 1000 local,
          array(id, NULL) a, map('k', id) m, struct(id x, 'y' y) st,
          array(TIMESTAMP_NTZ'2020-01-01 00:00:00') locals
        FROM range(100)
        """
    )
    frame.coalesce(1).write.orc(str(tmp_path / "spark"))
    found = the_table(tmp_path)
    types = {column.name: column.type for column in found.columns}
    assert (types["at"], types["local"], types["locals"]) == (
        "timestamp",
        "timestamp",
        "list<timestamp>",
    )
    ours = pa.Table.from_batches(batches(tmp_path, found)).sort_by("id")
    theirs = spark.read.orc(str(tmp_path / "spark")).toArrow().sort_by("id")
    for name in theirs.column_names:
        known = theirs[name].cast(pa.timestamp("us")) if name == "at" else theirs[name]
        assert ours[name].cast(known.type).to_pylist() == known.to_pylist(), name
