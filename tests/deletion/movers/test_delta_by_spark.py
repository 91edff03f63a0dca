"""Spark's own Delta reads and writes what r2d2 deleted and gave back, with each table feature."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from r2d2.deletion.discrepancies import discrepancies
from r2d2.deletion.movers.delta import DeltaMover
from r2d2.deletion.verbs.apply import Applied, Refused, apply
from r2d2.deletion.verbs.fsck import settle
from r2d2.deletion.verbs.undo import Undone, undo
from tests.support.deletion.delta_lake import (
    CHILD,
    applied_delta,
    planned_delta,
    rows_of_parent,
)
from tests.support.deletion.small_lake import journal_of

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

FEATURES = {
    "all": (
        "PARTITIONED BY (city)",
        {
            "delta.checkpointInterval": "2",
            "delta.columnMapping.mode": "name",
            "delta.enableChangeDataFeed": "true",
            "delta.enableDeletionVectors": "true",
            "delta.enableInCommitTimestamps": "true",
            "delta.enableRowTracking": "true",
        },
    ),
    "v2": (
        "CLUSTER BY (city)",
        {
            "delta.checkpointInterval": "1",
            "delta.checkpointPolicy": "v2",
            "delta.enableDeletionVectors": "true",
        },
    ),
}


def write_by_spark(spark: Any, lake: Path, layout: str, properties: dict[str, str]) -> str:
    """Writes the parent, and the child with a history by Spark; returns the child's name in SQL."""
    whole = rows_of_parent()
    lake.mkdir(parents=True)
    pq.write_table(whole, lake / "whole.parquet")
    table = f"delta.`{lake / CHILD}`"
    told = ", ".join(f"'{name}' = '{value}'" for name, value in properties.items())
    columns = "id BIGINT COMMENT 'a number', city STRING, amount DOUBLE"
    made = f"CREATE TABLE {table} ({columns}) USING delta {layout} COMMENT 'sold'"
    spark.sql(f"{made} TBLPROPERTIES ({told})" if told else made)
    for city in ("Rome", "Oslo"):
        pq.write_table(whole.filter(pc.equal(whole["city"], city)), lake.parent / f"{city}.parquet")
        spark.sql(f"INSERT INTO {table} SELECT * FROM parquet.`{lake.parent / city}.parquet`")
    spark.sql(f"DELETE FROM {table} WHERE id % 10 = 0")
    return table


def rows(spark: Any, table: str, more: str = "") -> list[Any]:
    columns = f"id, city, amount{more}"
    return sorted(map(tuple, spark.sql(f"SELECT {columns} FROM {table}").collect()))


def details(spark: Any, table: str) -> dict[str, Any]:
    found = spark.sql(f"DESCRIBE DETAIL {table}").first().asDict()
    names = ("id", "name", "description", "partitionColumns", "clusteringColumns", "properties")
    sizes = ("numFiles", "sizeInBytes", "tableFeatures", "minReaderVersion", "minWriterVersion")
    return {name: found[name] for name in (*names, *sizes)}


@pytest.mark.parametrize("feature", FEATURES)
def test_spark_reads_no_rows_and_then_all_of_them_again(
    spark: Any, tmp_path: Path, feature: str
) -> None:
    lake = tmp_path / "lake"
    table = write_by_spark(spark, lake, *FEATURES[feature])
    more = ", _metadata.row_id" if feature == "all" else ""
    before, was = rows(spark, table, more), details(spark, table)
    assert len(before) == 180
    steps = applied_delta(lake, tmp_path / "run")
    assert [type(step) for step in steps] == [Applied], steps
    assert rows(spark, table) == []
    spark.sql(f"VACUUM {table}")
    assert list(discrepancies(journal_of(lake))) == []
    assert [type(step) for step in undo(journal_of(lake), [CHILD])] == [Undone]
    assert rows(spark, table, more) == before
    assert details(spark, table) == was
    told = spark.sql(f"DESCRIBE HISTORY {table}").select("operation", "userMetadata").collect()
    operations = [row.operation for row in told if not row.operation.startswith("VACUUM")]
    assert operations[:2] == ["RESTORE", "DELETE"]
    assert operations[2:] == ["DELETE", "WRITE", "WRITE", "CREATE TABLE"]
    spark.sql(f"INSERT INTO {table} VALUES (1000, 'Rome', 1.5)")
    assert len(rows(spark, table)) == 181
    if feature == "all":
        changes = spark.sql(f"SELECT _change_type FROM table_changes_by_path('{lake / CHILD}', 4)")
        kinds = [row[0] for row in changes.collect()]
        assert (kinds.count("delete"), kinds.count("insert")) == (180, 181)


def dropped(spark: Any, lake: Path) -> None:
    """What a DROP TABLE of a managed table does: the JVM deletes its folder."""
    path = spark._jvm.org.apache.hadoop.fs.Path(str(lake / CHILD))
    configuration = spark._jsc.hadoopConfiguration()
    assert path.getFileSystem(configuration).delete(path, True)


BEFORE_OURS: dict[str, tuple[Callable[[Any, Path, str], object], int]] = {
    "append": (lambda spark, _, name: spark.sql(f"INSERT INTO {name} {NEW_ROW}"), 181),
    "optimize": (lambda spark, _, name: spark.sql(f"OPTIMIZE {name}"), 180),
    "overwrite": (lambda spark, _, name: spark.sql(f"INSERT OVERWRITE {name} {NEW_ROW}"), 1),
    "drop": (lambda spark, lake, _: dropped(spark, lake), 180),
}
"""What Spark does between mark and commit, and the rows that are there once all is settled."""
NEW_ROW = "VALUES (1000, 'Rome', 1.5)"


@pytest.mark.parametrize("act", BEFORE_OURS)
def test_what_spark_commits_before_ours_refuses_the_table(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    lake, (commits, count) = tmp_path / "lake", BEFORE_OURS[act]
    table = write_by_spark(spark, lake, "", {})
    plan = planned_delta(lake, tmp_path / "run")
    move, acted = DeltaMover.move, list[str]()

    def after_a_commit(self: DeltaMover, deletion: Any) -> None:
        if not acted:
            acted.append(act)
            commits(spark, lake, table)
        move(self, deletion)

    monkeypatch.setattr(DeltaMover, "move", after_a_commit)
    steps = list(apply(journal_of(lake), plan, tmp_path / "run"))
    assert [type(step) for step in steps] == [Refused]
    with (journal := journal_of(lake)).lease("fsck"):
        settle(journal)
    if act == "drop":  # nobody knows whether our commit was made: the rows are kept for an undo
        assert [type(step) for step in undo(journal_of(lake), [CHILD])] == [Undone]
    else:
        again = list(apply(journal_of(lake), plan, tmp_path / "run"))
        assert [type(step) for step in again] == [Refused]
    assert spark.sql(f"SELECT count(*) FROM {table}").first()[0] == count
    assert list(discrepancies(journal_of(lake))) == []


def test_rows_that_spark_appends_to_a_deleted_table_stay_beside_it(
    spark: Any, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    table = write_by_spark(spark, lake, "", {})
    assert [type(step) for step in applied_delta(lake, tmp_path / "run")] == [Applied]
    spark.sql(f"INSERT INTO {table} VALUES (1000, 'Rome', 1.5)")
    assert isinstance(list(undo(journal_of(lake), [CHILD]))[-1], Undone)
    assert len(rows(spark, table)) == 181


def test_a_table_that_is_append_only_is_refused(spark: Any, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    table = write_by_spark(spark, lake, "", {})
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.appendOnly' = 'true')")
    steps = applied_delta(lake, tmp_path / "run")
    assert [type(step) for step in steps] == [Refused]
    assert "delta.appendOnly" in steps[0].reason
