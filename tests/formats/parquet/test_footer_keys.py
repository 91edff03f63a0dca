"""The keys of a Parquet footer: Spark's types are part of a column's, and all come back."""

import json
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from r2d2.errors import NotWritableError
from r2d2.formats.parquet.annotations import SPARK_ROW
from r2d2.formats.parquet.write import KEYS_BYTES
from r2d2.lake.inventory import layout_of
from r2d2.storage.local import LocalStorage
from tests.support.oracle.files import both_ways, edges
from tests.support.recipes.lakes import come_back, put, tables

YEARS = "interval year to month"
DAYS = "interval day to second"
NUMBERS = pa.table({"v": pa.array([1, 2, None], pa.int32())})


def keyed(path: Path, table: pa.Table, keys: dict[bytes, bytes]) -> None:
    """A file with the keys in its footer alone, as writers without Arrow leave it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(keys)


def spark_row(type_: object, metadata: dict[str, str] | None = None) -> dict[bytes, bytes]:
    """What Spark says of a table of one column v."""
    field = {"name": "v", "type": type_, "nullable": True, "metadata": metadata or {}}
    return {SPARK_ROW: json.dumps({"type": "struct", "fields": [field]}).encode()}


def types(lake: Path, name: str) -> list[str]:
    """The types of a table's columns."""
    table = tables(lake)[name]
    assert table.problem is None
    return [column.type for column in table.columns]


def keys_of(path: Path) -> dict[bytes, bytes]:
    """The keys of the file's footer."""
    return dict(pq.read_metadata(path).metadata or {})


def not_restored(lake: Path, name: str) -> str:
    """What the table's layout says that a rebuild does not bring back."""
    said = layout_of(LocalStorage(str(lake)), tables(lake)[name])["not_restored"]
    return "; ".join(said)


def test_a_spark_interval_is_no_number_and_comes_back(tmp_path: Path, engine: str) -> None:
    keyed(tmp_path / "months.parquet", NUMBERS, spark_row(YEARS))
    keyed(tmp_path / "months_too.parquet", NUMBERS, spark_row(YEARS))
    keyed(tmp_path / "days.parquet", NUMBERS, spark_row(DAYS))
    keyed(tmp_path / "whole.parquet", NUMBERS, spark_row("integer"))
    keyed(tmp_path / "plain.parquet", NUMBERS, {})
    assert edges(tmp_path, engine) == both_ways("months", "months_too") | both_ways(
        "plain", "whole"
    )
    come_back(tmp_path, tmp_path / ".copy", "months.parquet")
    assert keys_of(tmp_path / ".copy/months.parquet") == spark_row(YEARS)


@pytest.mark.parametrize(
    ("array", "said", "found"),
    [
        (
            pa.array([[1], None], pa.list_(pa.int32())),
            {"type": "array", "elementType": YEARS, "containsNull": True},
            [f"list<spark({YEARS})>"],
        ),
        (
            pa.array([{"a": 1, "b": 2}]),
            {"type": "struct", "fields": [{"name": "b", "type": DAYS}]},
            ["int64", f"spark({DAYS})"],
        ),
        (
            pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
            {"type": "map", "keyType": "string", "valueType": DAYS},
            [f"map<string,spark({DAYS})>"],
        ),
        (
            pa.array([1, 2]),
            {"type": "udt", "class": "shop.Money", "sqlType": "long"},
            ["extension(udt:shop.Money;int64)"],
        ),
    ],
)
def test_what_spark_says_of_nested_columns_is_part_of_their_types(
    tmp_path: Path, array: pa.Array, said: object, found: list[str]
) -> None:
    keyed(tmp_path / "t.parquet", pa.table({"v": array}), spark_row(said))
    assert types(tmp_path, "t.parquet") == found
    come_back(tmp_path, tmp_path / ".copy", "t.parquet")


def test_a_spark_variant_without_parquet_s_mark_has_no_row_identity(tmp_path: Path) -> None:
    structs = pa.array([{"value": b"1", "metadata": b"2"}])
    keyed(tmp_path / "t.parquet", pa.table({"v": structs}), spark_row("variant"))
    assert "variant" in (tables(tmp_path)["t.parquet"].problem or "")


@pytest.mark.parametrize(
    "said", [b'{"type": "interval day"', b'{"fields": [{"type": "variant"}]}', b"\xff"]
)
def test_a_key_that_is_not_spark_s_json_says_nothing(tmp_path: Path, said: bytes) -> None:
    keyed(tmp_path / "t.parquet", NUMBERS, {SPARK_ROW: said})
    assert types(tmp_path, "t.parquet") == ["int32"]
    come_back(tmp_path, tmp_path / ".copy", "t.parquet")
    assert keys_of(tmp_path / ".copy/t.parquet") == {SPARK_ROW: said}


def test_a_char_s_length_that_cannot_be_written_back_keeps_the_table(tmp_path: Path) -> None:
    texts = pa.table({"v": ["a ", "b "]})
    char = spark_row("string", {"__CHAR_VARCHAR_TYPE_STRING": "char(2)"})
    keyed(tmp_path / "t/k=1/a.parquet", texts, char)
    keyed(tmp_path / "t/k=2/a.parquet", texts, char)
    assert types(tmp_path, "t")[0] == "string"
    come_back(tmp_path, tmp_path / ".copy", "t")
    assert all(keys_of(path) == char for path in (tmp_path / ".copy").rglob("*.parquet"))
    keyed(tmp_path / "t/k=3/a.parquet", texts, spark_row("string"))
    with pytest.raises(NotWritableError, match="lengths of CHAR"):
        layout_of(LocalStorage(str(tmp_path)), tables(tmp_path)["t"])


def test_pandas_reads_the_same_types_and_index_from_a_file_of_its_key_alone(
    tmp_path: Path,
) -> None:
    frame = pd.DataFrame(
        {"n": pd.array([1, None, 2**60 + 1], "Int64"), "t": pd.date_range("2024", periods=3)},
        index=pd.Index(["x", "y", "z"], name="key"),
    )
    frame["t"] = frame["t"].dt.tz_localize("Europe/Berlin")
    table = pa.Table.from_pandas(frame)
    keyed(tmp_path / "t.parquet", table, {b"pandas": table.schema.metadata[b"pandas"]})
    come_back(tmp_path, tmp_path / ".copy", "t.parquet")
    before, after = (pd.read_parquet(tmp_path / part / "t.parquet") for part in ("", ".copy"))
    pd.testing.assert_frame_equal(before, after.sort_index())
    assert not_restored(tmp_path, "t.parquet") == ""


def test_the_keys_of_duckdb_and_polars_come_back(tmp_path: Path) -> None:
    duckdb.sql(
        f"COPY (SELECT 1 AS v) TO '{tmp_path}/duck.parquet' (FORMAT parquet, KV_METADATA"
        " {owner: 'team a', mark: '\\xFF'::BLOB})"
    )
    pl.DataFrame({"v": [1]}).write_parquet(tmp_path / "polars.parquet", metadata={"unit": "m"})
    for name in ("duck.parquet", "polars.parquet"):
        come_back(tmp_path, tmp_path / ".copy", name)
        before, after = (keys_of(tmp_path / part / name) for part in ("", ".copy"))
        assert before.keys() - {b"ARROW:schema"}
        assert {**after, b"ARROW:schema": b""} == {**before, b"ARROW:schema": b""}


def test_keys_that_differ_among_files_or_are_long_are_named(tmp_path: Path) -> None:
    keyed(tmp_path / "long.parquet", NUMBERS, {b"big": b"x" * KEYS_BYTES, b"small": b"s"})
    assert not_restored(tmp_path, "long.parquet").endswith("long: big")
    for part in ("1", "2"):
        keys = {b"part": part.encode(), b"same": b"s"}
        keyed(tmp_path / f"t/k={part}/a.parquet", NUMBERS, keys)
    assert "files or are long: part;" in not_restored(tmp_path, "t")
    come_back(tmp_path, tmp_path / ".copy", "t")
    assert keys_of(tmp_path / ".copy/t/k=1/part-00000.parquet") == {b"same": b"s"}


def test_a_box_around_one_file_s_shapes_does_not_become_that_of_all(tmp_path: Path) -> None:
    for part in (1, 2):
        box = json.dumps({"columns": {}, "bbox": part}).encode()
        table = NUMBERS.replace_schema_metadata({"geo": box, "same": "s"})
        put(tmp_path, f"t/k={part}/a.parquet", table)
    come_back(tmp_path, tmp_path / ".copy", "t")
    keys = keys_of(tmp_path / ".copy/t/k=1/part-00000.parquet")
    assert keys.keys() == {b"ARROW:schema", b"same"}


def test_an_order_of_rows_that_readers_go_by_is_named(tmp_path: Path) -> None:
    pd.DataFrame({"v": [1, 2]}).to_parquet(tmp_path / "labelled.parquet")
    put(tmp_path, "sorted.parquet", NUMBERS, sorting_columns=[pq.SortingColumn(0)])
    put(tmp_path, "plain.parquet", NUMBERS)
    assert "pandas labels" in not_restored(tmp_path, "labelled.parquet")
    assert "sorting_columns" in not_restored(tmp_path, "sorted.parquet")
    assert not_restored(tmp_path, "plain.parquet") == ""


@pytest.mark.spark
def test_spark_reads_its_intervals_again(tmp_path: Path, spark: SparkSession) -> None:
    query = "SELECT id, make_ym_interval(1, int(id)) v, make_dt_interval(int(id)) d FROM range(20)"
    spark.sql(query).coalesce(1).write.parquet(f"{tmp_path}/t")
    plain = "SELECT id, int(12 + id) v, id * 86400000000 d FROM range(20)"
    spark.sql(plain).coalesce(1).write.parquet(f"{tmp_path}/plain")
    assert edges(tmp_path, "local") == set()
    come_back(tmp_path, tmp_path / ".copy", "t")
    before, after = (spark.read.parquet(f"{tmp_path}/{part}t") for part in ("", ".copy/"))
    assert before.dtypes == after.dtypes == [("id", "bigint"), ("v", YEARS), ("d", DAYS)]
    assert before.exceptAll(after).count() == 0
