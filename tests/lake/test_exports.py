"""A folder that a writer wrote as one table is one table; where it cannot be told, all is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

import r2d2
from r2d2.errors import UsageError
from r2d2.lake.grouping import group_files
from r2d2.lake.inventory import ONE_TABLE
from r2d2.model import FileGroup, FileInfo
from r2d2.plan.graph_file import load_graph
from r2d2.report import write_find
from r2d2.settings.find import Settings, TableRule, load_settings
from r2d2.storage.local import Listing
from tests.support.lake.owned import avro
from tests.support.recipes.lakes import come_back, put, tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROWS = pa.table({"id": range(60), "v": [n % 7 for n in range(60)]})
WRITE: dict[str, Callable[[Path], object]] = {
    "parquet": lambda path: pq.write_table(ROWS, path),
    "orc": lambda path: orc.write_table(ROWS, path),
    "avro": lambda path: path.write_bytes(
        avro("r", [{"name": name, "type": "long"} for name in ROWS.schema.names], ROWS.to_pylist())
    ),
    "text": lambda path: path.write_text("1\x01a\n2\x01b\n"),
}
UUID = "7f3a0c1e-1b2c-4d5e-8f90-0123456789ab"
OTHER_UUID = "91e95c3c-bcaa-4c93-a519-995598961a7e"


def groups(*paths: str, rules: tuple[TableRule, ...] = ()) -> dict[str, FileGroup]:
    files = tuple(FileInfo(path, 1, "1") for path in sorted(paths))
    return {group.location: group for group in group_files(Listing(files), rules).groups}


WRITERS = {
    "Spark": (f"part-00000-{UUID}-c000.snappy.parquet", f"part-00001-{UUID}-c000.snappy.parquet"),
    "Spark, appended": (f"part-00000-{UUID}-c000.parquet", f"part-00000-{OTHER_UUID}-c000.parquet"),
    "Databricks": (f"part-00000-tid-123-{UUID}-1-1-c000.csv", f"part-00001-tid-123-{UUID}-2-1.csv"),
    "Hadoop": ("part-r-00000.json.gz", "part-r-00001.json.gz"),
    "MapReduce": ("part-m-00000.avro", "part-m-00001.avro"),
    "Glue": ("run-1700000000000-part-r-00000.parquet", "run-1700000000000-part-r-00001.parquet"),
    "Flink": (f"part-{UUID}-0.parquet", f"part-{UUID}-1.parquet"),
    "old Flink": ("part-0-0.csv", "part-1-0.csv"),
    "Hive": ("000000_0.orc", "000000_0_copy_1.orc", "000001_0.orc"),
    "Trino": (
        f"20240101_120000_00000_abcde_{UUID}.orc",
        f"20240101_120000_00000_abcde_{OTHER_UUID}.orc",
    ),
    "Impala": ("8c4dfe2a5c2f3b6e-1a2b3c4d00000000_1234_data.0.parq",),
    "dask": ("part.0.parquet", "part.10.parquet"),
    "polars": ("00000000.parquet", "00000001.parquet"),
    "DuckDB": ("data_0.parquet", "data_1.parquet"),
    "BigQuery": ("000000000000.csv", "000000000001.csv"),
    "BigQuery with a prefix": ("orders-000000000000.json", "orders-000000000001.json"),
    "Snowflake": ("data_0_0_0.snappy.parquet", "data_0_1_0.snappy.parquet"),
    "Redshift": ("0000_part_00.parquet", "0001_part_00.parquet"),
    "pyarrow": ("part-0.parquet", "part-1.parquet"),
    "pandas": ("63f2aef6b3d24237b323aac22a8a1f66-0.parquet",),
    "Hugging Face": ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet"),
    "Kafka Connect": ("orders+0+0000000000.json", "orders+1+0000000042.json"),
}


@pytest.mark.parametrize("names", WRITERS.values(), ids=WRITERS)
def test_parts_as_a_writer_leaves_them_are_one_table(names: tuple[str, ...]) -> None:
    found = groups(*(f"a/t/{name}" for name in names), "a/other.csv")
    assert found.keys() == {"a/t", "a/other.csv"}
    assert len(found["a/t"].files) == len(names)
    assert found["a/t"].because
    assert found["a/t"].must_keep is None


TELLING = [
    ("flights_2013-01.parquet", "flights_2013-02.parquet"),
    ("orders_DE.csv", "orders_FR.csv"),
    ("2013-01.parquet", "2013-02.parquet"),
    ("201301.parquet", "201302.parquet"),
    ("20130101.csv", "20130102.csv"),
    ("2013.csv", "2014.csv"),
    ("data_2013.csv", "data_2014.csv"),
    ("export_2024-01-31.csv", "export_2024-02-29.csv"),
    ("2013q1.csv", "2013q2.csv"),
    ("2024-01-01_2024-01-31.csv", "2024-02-01_2024-02-29.csv"),
    ("m1.parquet", "m2.parquet"),
    ("data.csv", "export.csv"),
    ("old_daily_2196.parquet", "old_mart_7618.parquet"),
]


@pytest.mark.parametrize("names", TELLING, ids=lambda names: names[0])
def test_a_name_that_says_something_is_a_table(names: tuple[str, ...]) -> None:
    found = groups(*(f"t/{name}" for name in names))
    assert found.keys() == {f"t/{name}" for name in names}
    assert {(group.may_be_part_of, group.must_keep) for group in found.values()} == {(None, None)}


NUMBERS = [
    ("0001.parquet", "0002.parquet"),
    ("chunk_3.csv", "chunk_4.csv"),
    ("7f3a0c1e.parquet", "a93b11c2.parquet"),
    ("file1.csv", "file2.csv"),
    ("export-2.csv", "export-3.csv"),
    ("data (1).csv", "data (2).csv"),
    ("data_1.parquet", "data_2.parquet"),
    (f"{UUID}.json", f"{OTHER_UUID}.json"),
    ("d41d8cd98f00b204e9800998ecf8427e.csv", "0cc175b9c0f1b6a831c399e269772661.csv"),
    ("batch_000.orc", "batch_001.orc"),
    ("20240101T120000Z.csv", "20240101T130000Z.csv"),
    ("1700000000.csv", "1700003600.csv"),
    ("1999.csv", "2000.csv", "2001.csv", "0001.csv"),
    ("orders_1.csv", "orders_2.csv"),
]


@pytest.mark.parametrize("names", NUMBERS, ids=lambda names: names[0])
def test_names_of_numbers_or_ids_alone_may_be_parts(names: tuple[str, ...]) -> None:
    found = groups(*(f"lake/orders/{name}" for name in names))
    assert found.keys() == {f"lake/orders/{name}" for name in names}
    assert {group.may_be_part_of for group in found.values()} == {"lake/orders"}


def test_a_number_alone_in_its_folder_is_a_part_of_nothing() -> None:
    found = groups("t/0001.parquet", "t/0002.csv", "t/orders.parquet")
    assert {group.may_be_part_of for group in found.values()} == {None}


def test_numbers_beside_a_marker_are_one_table() -> None:
    for marker in ("_SUCCESS", "_committed_123", "_common_metadata", "_metadata"):
        found = groups(f"t/{marker}", "t/0001.parquet", "t/0002.parquet")
        assert found.keys() == {"t"}


def test_a_marker_does_not_make_a_table_of_telling_names_but_keeps_them() -> None:
    found = groups("t/_SUCCESS", "t/2013-01.parquet", "t/2013-02.parquet", "u/_SUCCESS", "u/a.csv")
    assert found.keys() == {"t/2013-01.parquet", "t/2013-02.parquet", "u/a.csv"}
    assert "_SUCCESS says that one job wrote t" in str(found["t/2013-01.parquet"].must_keep)
    assert found["u/a.csv"].must_keep is None


def test_a_telling_name_beside_parts_is_a_table_and_both_are_kept() -> None:
    found = groups("t/part-00000.parquet", "t/part-00001.parquet", "t/orders.parquet")
    assert found.keys() == {"t", "t/orders.parquet"}
    assert len(found["t"].files) == 2
    assert all(group.must_keep for group in found.values())


def test_parts_of_two_tables_or_formats_in_one_folder_are_kept() -> None:
    for names in (
        ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet"),
        ("part-00000.parquet", "part-00001.csv"),
        ("orders-000000000000.csv", "users-000000000000.csv"),
    ):
        found = groups(*(f"t/{name}" for name in names))
        assert found.keys() == {f"t/{name}" for name in names}
        assert all(group.must_keep for group in found.values())


def test_parts_in_key_folders_stay_one_partitioned_table() -> None:
    found = groups("t/k=1/part-0.parquet", "t/k=2/part-0.parquet", "t/k=2/part-1.parquet")
    assert found.keys() == {"t"}
    assert found["t"].because == "key=value folders"


def test_parts_beside_key_folders_are_kept() -> None:
    found = groups("t/k=1/part-0.parquet", "t/part-0.parquet")
    assert found.keys() == {"t", "t/part-0.parquet"}
    assert all(group.must_keep for group in found.values())


def test_the_branches_of_hives_union_are_one_table() -> None:
    union = "HIVE_UNION_SUBDIR_"
    found = groups(
        f"t/{union}1/000000_0.orc",
        f"t/{union}2/000000_0.orc",
        f"p/k=1/{union}1/000000_0.orc",
        f"p/k=1/{union}2/000000_0.orc",
    )
    assert {name: len(group.files) for name, group in found.items()} == {"t": 2, "p": 2}


def test_a_folder_that_a_job_still_writes_to_is_kept() -> None:
    found = groups("t/part-00000.parquet", "t/_temporary/0/task_1/part-00001.parquet")
    assert found.keys() == {"t"}
    assert "t/_temporary is there" in str(found["t"].must_keep)


def test_a_part_without_an_ending_beside_parts_keeps_the_table() -> None:
    found = groups("t/000000_0.parquet", "t/000001_0")
    assert "t/000001_0" in str(found["t"].must_keep)


def test_a_part_that_is_left_out_makes_the_table_unreadable() -> None:
    files = (FileInfo("t/part-00000.parquet", 1, "1"),)
    listing = Listing(files, left_out=(("t/part-00001.parquet", "broken symbolic link"),))
    (group,) = group_files(listing).groups
    assert group.location == "t"
    assert "broken symbolic link" in str(group.problem)


def test_duckdb_counts_from_zero() -> None:
    assert groups("t/data_0.csv", "t/data_1.csv").keys() == {"t"}
    assert groups("t/data_1.csv", "t/data_2.csv").keys() == {"t/data_1.csv", "t/data_2.csv"}


def test_rules_settle_it_and_the_last_counts() -> None:
    paths = ("a/0001.csv", "a/0002.csv", "b/part-0.csv", "b/part-1.csv", "c/x/DE.csv", "c/FR.csv")
    found = groups(
        *paths,
        rules=(
            TableRule(folder="a"),
            TableRule(folder="b"),
            TableRule(files="b/*"),
            TableRule(folder="c"),
        ),
    )
    assert found.keys() == {"a", "b/part-0.csv", "b/part-1.csv", "c"}
    assert found["a"].because == '[[table]] folder = "a"'
    assert {group.may_be_part_of for group in found.values()} == {None}


def test_the_lake_itself_may_be_one_table_by_a_rule() -> None:
    assert groups("DE.csv", "FR.csv", rules=(TableRule(folder="."),)).keys() == {""}


@pytest.mark.parametrize(
    "keys", [{}, {"folder": "a", "files": "b"}, {"folder": ""}, {"files": "/a"}]
)
def test_a_rule_that_says_nothing_is_refused(keys: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        TableRule(**keys)


def test_rules_survive_in_a_runs_folder(tmp_path: Path) -> None:
    put(tmp_path / "lake", "a/DE.parquet", ROWS)
    put(tmp_path / "lake", "a/FR.parquet", ROWS)
    config = tmp_path / "r2d2.toml"
    config.write_text('[[table]]\nfolder = "a"\n[[table]]\nfiles = "none/*"\n')
    settings = load_settings(config)
    graph = r2d2.find(tmp_path / "lake", settings)
    assert [table.location for table in graph.tables] == ["a"]
    assert settings.unused_table_rules(["a"]) == [TableRule(files="none/*")]
    write_find(tmp_path / "run", graph, settings, str(tmp_path / "lake"))
    assert load_graph(tmp_path / "run").settings.tables == settings.tables


def test_two_exports_cut_at_other_rows_are_equal(tmp_path: Path, engine: str) -> None:
    for name, cut in (("copy_a", 20), ("copy_b", 33)):
        put(tmp_path, f"{name}/part-00000-x.snappy.parquet", ROWS.slice(0, cut))
        put(tmp_path, f"{name}/part-00001-x.snappy.parquet", ROWS.slice(cut))
        (tmp_path / name / "_SUCCESS").touch()
    graph = r2d2.find(tmp_path, engine=engine)
    assert [(e.child, e.parent, e.equal) for e in graph.edges] == [
        ("copy_a", "copy_b", True),
        ("copy_b", "copy_a", True),
    ]


def test_files_that_may_be_parts_are_parents_and_children_and_kept(
    tmp_path: Path, engine: str
) -> None:
    put(tmp_path, "t/0001.parquet", ROWS)
    put(tmp_path, "t/0002.parquet", ROWS.slice(10))
    put(tmp_path, "t/0003.parquet", ROWS.rename_columns(["other", "columns"]))
    graph = r2d2.find(tmp_path, engine=engine)
    assert [(e.child, e.parent) for e in graph.edges] == [("t/0002.parquet", "t/0001.parquet")]
    kept = {table.location: table.must_keep for table in graph.tables}
    assert '[[table]] folder = "t"' in str(kept["t/0001.parquet"])
    assert 'files = "t/*.parquet"' in str(kept["t/0002.parquet"])
    assert kept["t/0003.parquet"] is None


def test_csv_parts_of_which_only_the_first_has_a_header_are_no_table(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t/part-00000.csv").write_text("id,name\n1,a\n2,b\n")
    (tmp_path / "t/part-00001.csv").write_text("3,c\n4,d\n")
    (table,) = tables(tmp_path).values()
    assert table.location == "t"
    assert "header" in str(table.problem)


def test_a_folder_of_parts_comes_back_as_one(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    put(lake, "t/part-00000.parquet", ROWS.slice(0, 20))
    put(lake, "t/part-00001.parquet", ROWS.slice(20))
    for name, text in (("c", "id;v\n1;x\n2;y\n"), ("j", '{"id": 1, "v": "x"}\n')):
        ending = "csv" if name == "c" else "jsonl"
        (lake / name).mkdir()
        for number in range(2):
            (lake / name / f"part-{number:05}.{ending}").write_text(text)
    (tmp_path / "copy/t").mkdir(parents=True)
    (tmp_path / "copy/t/_SUCCESS").touch()
    for location in ("t", "c", "j"):
        _, written = come_back(lake, tmp_path / "copy", location)
        assert [name.rpartition(".")[0] for name in written.files] == [f"{location}/part-00000"]


def test_real_writers_folders_are_one_table_each(tmp_path: Path) -> None:
    frame = pl.DataFrame({"k": [1, 2] * 30, "v": range(60)})
    frame.lazy().sink_parquet(pl.PartitionBy(tmp_path / "polars", max_rows_per_file=25), mkdir=True)
    ds.write_dataset(
        frame.to_arrow(),
        tmp_path / "arrow",
        format="parquet",
        max_rows_per_file=25,
        max_rows_per_group=25,
    )
    pq.write_to_dataset(frame.to_arrow(), tmp_path / "dataset")
    pd.DataFrame({"k": [1, 2], "v": [1, 2]}).to_parquet(tmp_path / "pandas", partition_cols=["k"])
    found = tables(tmp_path)
    assert {name: len(table.files) for name, table in found.items()} == {
        "polars": 3,
        "arrow": 3,
        "dataset": 1,
        "pandas": 2,
    }
    assert all(table.problem is None and ONE_TABLE in table.details for table in found.values())


@pytest.mark.spark
def test_sparks_folders_are_one_table_each_appended_or_without_a_marker(
    tmp_path: Path, spark: "SparkSession"
) -> None:
    frame = spark.range(60).repartition(3)
    for kind in ("parquet", "csv", "json", "orc"):
        writer = frame.write.option("header", "true")
        writer.format(kind).save(f"{tmp_path}/{kind}")
        writer.format(kind).mode("append").save(f"{tmp_path}/{kind}")
    (tmp_path / "csv/_SUCCESS").unlink()
    found = tables(tmp_path)
    assert {name: len(table.files) for name, table in found.items()} == {
        "parquet": 6,
        "csv": 6,
        "json": 6,
        "orc": 6,
    }
    assert all(table.problem is None and ONE_TABLE in table.details for table in found.values())


def test_duckdbs_folders_are_one_table_each(tmp_path: Path) -> None:
    duckdb.sql("CREATE OR REPLACE TEMP TABLE numbers AS SELECT range AS id FROM range(300000)")
    for kind in ("parquet", "json"):
        duckdb.sql(f"COPY numbers TO '{tmp_path}/{kind}' (FORMAT {kind}, PER_THREAD_OUTPUT)")
    duckdb.sql(f"COPY numbers TO '{tmp_path}/csv' (FORMAT csv, FILE_SIZE_BYTES '500KB')")
    found = tables(tmp_path, Settings())
    assert found.keys() == {"parquet", "json", "csv"}
    assert {table.problem for table in found.values()} == {None}


@pytest.mark.parametrize("kind", ["parquet", "orc", "avro", "text"])
@pytest.mark.parametrize(
    "names",
    [
        ("t/000000_0", "t/000001_0"),
        ("t/k=1/000000_0", "t/k=2/000000_0"),
        (
            "t/20240101_120000_00000_abcde_0b1d6c3e-8d0b-4a51-9bb4-3d5a1f5b7e11",
            "t/20240101_120000_00000_abcde_1b1d6c3e-8d0b-4a51-9bb4-3d5a1f5b7e11",
        ),
    ],
)
def test_parts_without_an_ending_are_of_the_format_that_they_begin_with(
    tmp_path: Path, kind: str, names: tuple[str, str]
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        WRITE[kind](tmp_path / name)
    found = {table.location: table for table in r2d2.tables(tmp_path).tables}
    if kind == "text":
        assert found == {}
    else:
        assert found.keys() == {"t"}
        assert (found["t"].format, found["t"].problem, len(found["t"].files)) == (kind, None, 2)
        come_back(tmp_path, tmp_path / "copy", "t")
