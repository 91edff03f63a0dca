"""Logs as Spark leaves them: checkpoints of each kind, compactions, clones, partitions."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.errors import IneligibleTableError, UnreadableTableError

pytestmark = pytest.mark.spark

Sql = Callable[[str], Any]
Setting = Callable[[str, str], None]
Check = Callable[[str], pa.Table]
Write = Callable[[str], None]
CHECKPOINT_PART_SIZE = "spark.databricks.delta.checkpoint.partSize"
V2_FORMAT = "spark.databricks.delta.checkpointV2.topLevelFileFormat"
UTC_PARTITIONS = "spark.databricks.delta.write.utcTimestampPartitionValues"


def names(lake: Any, table: str, pattern: str) -> list[str]:
    """The names in the table's log that fit."""
    return sorted(path.name for path in Path(lake.path(table), "_delta_log").glob(pattern))


def drop_commits(lake: Any, table: str, last: int) -> None:
    """Removes the commits up to the last one, as cleaning the log does."""
    for version in range(last + 1):
        lake.commit(table, version).unlink()
        lake.commit(table, version).with_suffix(".crc").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def written(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of seven versions: inserts, deletion vectors, an update, a NULL partition."""
    path = tmp_path_factory.mktemp("written") / "t"
    table = f"delta.`{path}`"
    spark.sql(f"""CREATE TABLE {table} (a bigint, p string) USING delta PARTITIONED BY (p)
        TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')""")
    for version in range(3):
        spark.sql(f"INSERT INTO {table} SELECT id + {version}00, 'p%{version}' FROM range(20)")
    spark.sql(f"DELETE FROM {table} WHERE a % 10 = 7")
    spark.sql(f"UPDATE {table} SET a = -a WHERE a < 5")
    spark.sql(f"INSERT INTO {table} VALUES (NULL, NULL)")
    return path


@pytest.fixture
def versions(written: Path, lake: Any) -> None:
    """A copy of that table in the test's lake, as t."""
    shutil.copytree(written, lake.path("t"))


@pytest.fixture
def checkpoint(spark: Any, lake: Any) -> Callable[[str], None]:
    """Writes a checkpoint of a table's newest version, as Delta's settings have it."""

    def write(table: str) -> None:
        log = spark._jvm.org.apache.spark.sql.delta.DeltaLog
        log.forTable(spark._jsparkSession, lake.path(table)).checkpoint()

    return write


@pytest.mark.usefixtures("versions")
def test_many_versions_with_a_checkpoint_among_them(
    sql: Sql, lake: Any, check: Check, checkpoint: Write
) -> None:
    check("t")
    checkpoint("t")
    sql("DELETE FROM {t} WHERE a % 10 = 8")
    drop_commits(lake, "t", 6)
    assert names(lake, "t", "*.checkpoint.parquet") == [f"{6:020}.checkpoint.parquet"]
    assert lake.inspect("t").snapshot == "delta:7"
    check("t")


@pytest.mark.usefixtures("versions")
def test_a_checkpoint_in_parts_is_used_when_it_has_them_all(
    setting: Setting, lake: Any, check: Check, checkpoint: Write
) -> None:
    setting(CHECKPOINT_PART_SIZE, "3")
    checkpoint("t")
    parts = names(lake, "t", "*.checkpoint.*.*.parquet")
    assert len(parts) > 1
    lake.commit("t", 0).unlink()
    check("t")
    lake.log("t", parts[-1]).unlink()
    with pytest.raises(UnreadableTableError, match="commit 0 is missing"):
        lake.inspect("t")


@pytest.mark.usefixtures("versions")
def test_a_checkpoint_with_statistics_as_columns_only(
    sql: Sql, lake: Any, check: Check, checkpoint: Write
) -> None:
    sql("""ALTER TABLE {t} SET TBLPROPERTIES ('delta.checkpoint.writeStatsAsJson' = 'false',
        'delta.checkpoint.writeStatsAsStruct' = 'true')""")
    checkpoint("t")
    (name,) = names(lake, "t", "*.checkpoint.parquet")
    adds = pq.read_table(lake.log("t", name))["add"].type
    assert adds.get_field_index("stats") == -1
    assert adds.get_field_index("stats_parsed") >= 0
    drop_commits(lake, "t", 6)
    check("t")


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize("kind", ["parquet", "json"])
def test_a_v2_checkpoint_with_sidecars(
    setting: Setting, sql: Sql, lake: Any, check: Check, checkpoint: Write, kind: str
) -> None:
    setting(CHECKPOINT_PART_SIZE, "3")
    setting(V2_FORMAT, kind)
    sql("ALTER TABLE {t} SET TBLPROPERTIES ('delta.checkpointPolicy' = 'v2')")
    checkpoint("t")
    assert "v2Checkpoint" in lake.actions("t", "protocol")[-1]["readerFeatures"]
    assert names(lake, "t", f"*.checkpoint.*-*.{kind}")
    sidecars = names(lake, "t", "_sidecars/*.parquet")
    assert len(sidecars) > 1
    drop_commits(lake, "t", 6)
    check("t")
    lake.log("t", f"_sidecars/{sidecars[0]}").unlink()
    with pytest.raises(UnreadableTableError, match=r"_sidecars/.* is missing"):
        lake.inspect("t")


@pytest.mark.usefixtures("versions")
def test_a_compaction_is_not_read_beside_its_commits(spark: Any, lake: Any, check: Check) -> None:
    compact(spark, lake.path("t"), 2, 5)
    (name,) = names(lake, "t", "*.compacted.json")
    assert name == f"{2:020}.{5:020}.compacted.json"
    check("t")
    lake.log("t", name).write_text("never read")
    assert lake.read("t").num_rows == 3 * 18 + 1


def compact(spark: Any, table: str, first: int, last: int) -> None:
    """Writes a compaction of the versions, by Delta's own kernel."""
    jvm = spark._jvm
    configuration = spark._jsc.hadoopConfiguration()
    engine = jvm.io.delta.kernel.defaults.engine.DefaultEngine.create(configuration)
    log = jvm.io.delta.kernel.internal.fs.Path(f"file:{table}/_delta_log")
    data = jvm.io.delta.kernel.internal.fs.Path(f"file:{table}")
    writer = jvm.io.delta.kernel.internal.compaction.LogCompactionWriter
    writer(data, log, first, last, 0).writeLogCompactionFile(engine)


AWKWARD = [
    "a b",
    "a%20b",
    "%",
    "100%",
    "%2F",
    "",
    "a/b",
    "ü/ö ß",
    "日本",
    "a=b:c",
    "+",
    "a+b",
    "#?&",
    "..",
    ".",
    "'\"`",
    "\\\\",
    "[x]",
    "{y}",
    "*",
    "~",
    " lead",
    "trail ",
    "x\\ny",
    "x\\ty",
    "é",
    "e\u0301",
    "__HIVE_DEFAULT_PARTITION__",
    "null",
    "NULL",
    "🦆",
    "\\u0001",
    "a;b,c|d",
    "<>",
    "C:",
]


def test_partition_values_of_any_characters(sql: Sql, lake: Any, check: Check) -> None:
    sql("CREATE TABLE {t} (a int, p string) USING delta PARTITIONED BY (p)")
    values = ", ".join(
        f"({number}, '{text.replace(chr(39), chr(92) + chr(39))}')"
        for number, text in enumerate(AWKWARD)
    )
    sql(f"INSERT INTO {{t}} VALUES {values}, (-1, NULL)")
    read = check("t")
    assert read["p"].null_count == 3  # NULL, "" and Hive's word for NULL
    assert any("%25" in add["path"] for add in lake.actions("t", "add"))


def test_partition_values_of_every_type(sql: Sql, lake: Any, check: Check) -> None:
    columns = {
        "t": ("timestamp", "timestamp'2024-03-31 01:30:00.123456'",
              "timestamp'9999-12-31 23:59:59.999999'", "timestamp'0001-01-01 00:00:00'"),
        "n": ("timestamp_ntz", "timestamp_ntz'2024-03-31 02:30:00.5'",
              "timestamp_ntz'9999-12-31 23:59:59.999999'", "timestamp_ntz'0001-01-01 00:00:00'"),
        "d": ("date", "date'0001-01-01'", "date'9999-12-31'", "date'1582-10-10'"),
        "b": ("binary", "X'0161'", "X''", "X'C3BC'"),
        "e": ("decimal(10,2)", "1.50", "-0.01", "0"),
        "f": ("float", "float('NaN')", "float(0.1)", "float('-0.0')"),
        "g": ("double", "double('-Infinity')", "1e300D", "4.9e-324D"),
        "o": ("boolean", "true", "false", "true"),
        "y": ("tinyint", "7S", "-128S", "0S"),
        "l": ("bigint", "9223372036854775807", "-9223372036854775808L", "0"),
    }  # fmt: skip
    schema = ", ".join(f"{name} {spec[0]}" for name, spec in columns.items())
    sql(f"""CREATE TABLE {{t}} (v int, {schema}) USING delta
        PARTITIONED BY ({", ".join(columns)})""")
    rows = ["1" + "".join(f", {spec[i]}" for spec in columns.values()) for i in (1, 2, 3)]
    sql("INSERT INTO {t} SELECT " + " UNION ALL SELECT ".join(rows))
    sql("INSERT INTO {t} (v) VALUES (4)")
    check("t")


def test_an_instant_partition_without_zone_is_refused(
    setting: Setting, sql: Sql, lake: Any
) -> None:
    setting(UTC_PARTITIONS, "false")
    sql("CREATE TABLE {t} (a int, p timestamp) USING delta PARTITIONED BY (p)")
    sql("INSERT INTO {t} VALUES (1, timestamp'2024-03-31 01:30:00')")
    assert lake.actions("t", "add")[0]["partitionValues"] == {"p": "2024-03-31 01:30:00"}
    with pytest.raises(IneligibleTableError, match="time zone"):
        lake.inspect("t")


def test_a_table_converted_from_hive_folders(spark: Any, sql: Sql, lake: Any, check: Check) -> None:
    frame = spark.createDataFrame([(1, "a b"), (2, "c%d"), (3, None)], "v int, p string")
    frame.write.partitionBy("p").parquet(lake.path("t"))
    sql(f"CONVERT TO DELTA parquet.`{lake.path('t')}` PARTITIONED BY (p string)")
    check("t")


def test_a_shallow_clone_reads_its_source_files(sql: Sql, lake: Any, check: Check) -> None:
    sql(
        "CREATE TABLE {s} (a bigint, p string) USING delta PARTITIONED BY (p) "
        "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
    )
    sql("INSERT INTO {s} SELECT id, concat('x %', id % 3) FROM range(0, 300, 1, 1)")
    sql("DELETE FROM {s} WHERE a % 5 = 0")
    sql("CREATE TABLE {c} SHALLOW CLONE {s}")
    assert all(add["path"].startswith("file:") for add in lake.actions("c", "add"))
    assert lake.inspect("c").files == lake.inspect("s").files
    check("c")
    sql("DELETE FROM {c} WHERE a % 7 = 0")
    sql("INSERT INTO {c} VALUES (-1, 'mine')")
    assert not set(lake.inspect("c").files) & set(lake.inspect("s").files)
    check("c")
    check("s")


def test_a_shallow_clone_of_a_source_outside_the_lake_is_refused(
    sql: Sql, lake: Any, tmp_path: Path
) -> None:
    sql(f"CREATE TABLE delta.`{tmp_path}/outside` USING delta AS SELECT 1 AS a")
    sql(f"CREATE TABLE {{c}} SHALLOW CLONE delta.`{tmp_path}/outside`")
    with pytest.raises(UnreadableTableError, match="outside the lake: refused"):
        lake.inspect("c")


def test_a_moved_table_is_read_where_it_is(sql: Sql, lake: Any, check: Check) -> None:
    sql("CREATE TABLE {a} USING delta AS SELECT id FROM range(10)")
    shutil.move(lake.path("a"), lake.path("b"))
    check("b")


def test_old_files_lack_new_columns(setting: Setting, sql: Sql, lake: Any, check: Check) -> None:
    setting("spark.databricks.delta.schema.autoMerge.enabled", "true")
    sql("CREATE TABLE {t} (a int, s struct<x: int>, l array<struct<y: int>>) USING delta")
    sql("INSERT INTO {t} SELECT 1, struct(1), array(struct(1), NULL)")
    sql("INSERT INTO {t} SELECT NULL, NULL, NULL")
    sql(
        "ALTER TABLE {t} ADD COLUMNS (b decimal(5,2), m map<string, int>, s.n struct<q: date>, "
        "l.element.z timestamp)"
    )
    check("t")
    sql(
        "INSERT INTO {t} SELECT 2, struct(2, struct(date'2024-01-01')), "
        "array(struct(2, timestamp'2024-01-01 00:00:00')), 1.25BD, map('k', 1)"
    )
    check("t")


def test_rewritten_overwritten_and_restored_tables(sql: Sql, lake: Any, check: Check) -> None:
    sql(
        "CREATE TABLE {t} USING delta TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true') "
        "AS SELECT id AS a, id % 3 AS b FROM range(0, 100, 1, 4)"
    )
    sql("OPTIMIZE {t}")
    sql("MERGE INTO {t} USING (SELECT 10 AS k) ON a = k WHEN MATCHED THEN DELETE")
    assert lake.actions("t", "cdc")
    check("t")
    sql("INSERT OVERWRITE {t} SELECT 1, 2")
    sql("RESTORE TABLE {t} TO VERSION AS OF 1")
    assert check("t").num_rows == 100
    sql("DELETE FROM {t}")
    table = lake.inspect("t")
    assert (table.rows, table.files, table.splits) == (0, (), ())


def test_the_checksum_file_tells_of_a_lost_line(sql: Sql, lake: Any) -> None:
    sql("CREATE TABLE {t} USING delta AS SELECT id FROM range(0, 10, 1, 2)")
    commit = lake.commit("t", 0)
    lines = commit.read_text().splitlines(keepends=True)
    assert "add" in json.loads(lines[-1])
    commit.write_text("".join(lines[:-1]))
    with pytest.raises(UnreadableTableError, match="should have 2 files"):
        lake.inspect("t")
