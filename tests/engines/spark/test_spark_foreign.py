"""Tables that r2d2's own readers refuse, read through Spark's, and only those."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.engines.spark.lake import _remedy, source_of
from r2d2.model import Format, Table
from tests.support.oracle.asking import find

pytestmark = pytest.mark.spark

COLUMNS = "id BIGINT, s STRUCT<a: ARRAY<INT>, b: MAP<STRING, DOUBLE>>, d DECIMAL(9,2), t TIMESTAMP"
ROWS = (
    "SELECT id, named_struct('a', array(int(id), null), 'b', map('k', id / 3)) s,"
    " CAST(id / 8 AS DECIMAL(9,2)) d, timestamp_micros(id * 1000003) t FROM range({})"
)


def delta(session: Any, path: Path, rows: int, *features: str) -> None:
    """A Delta table of so many rows that asks its readers for the features."""
    properties = ", ".join(f"'delta.feature.{feature}' = 'supported'" for feature in features)
    using = f"TBLPROPERTIES ({properties})" if features else ""
    session.sql(f"CREATE TABLE delta.`{path}` ({COLUMNS}) USING delta {using}")
    session.sql(f"INSERT INTO delta.`{path}` {ROWS.format(rows)}")


def test_a_table_with_a_feature_that_only_spark_reads_has_its_edges(
    tmp_path: Path, spark: Any
) -> None:
    delta(spark, tmp_path / "known", 90)
    delta(spark, tmp_path / "unknown", 100, "variantType")
    local = {table.location: table for table in find(tmp_path).tables}
    assert local["unknown"].unreadable
    graph = find(tmp_path, "spark", min_fraction=0.9)
    found = {(e.child, e.parent): (e.fraction, e.missing_rows) for e in graph.edges}
    assert found == {("known", "unknown"): (1.0, 0), ("unknown", "known"): (0.9, 10)}
    tables = {table.location: table for table in graph.tables}
    assert tables["unknown"].rows == 100
    assert tables["unknown"].details == {"read by": "Spark's delta source"}
    assert tables["unknown"].columns == local["known"].columns
    assert tables["known"] == local["known"]


def test_the_version_is_the_one_that_was_listed(tmp_path: Path, spark: Any) -> None:
    delta(spark, tmp_path / "unknown", 10, "variantType")
    pq.write_table(pa.table({"id": range(5)}), tmp_path / "few.parquet")
    graph = find(tmp_path, "spark")
    (table,) = [table for table in graph.tables if table.format is Format.DELTA]
    assert table.snapshot == "version 1"


def test_columns_that_spark_would_change_are_refused(tmp_path: Path, spark: Any) -> None:
    spark.sql(f"CREATE TABLE delta.`{tmp_path}/v` (id BIGINT, v VARIANT) USING delta")
    spark.sql(f"INSERT INTO delta.`{tmp_path}/v` SELECT 1, parse_json('1')")
    (table,) = find(tmp_path, "spark").tables
    assert table.unreadable
    assert "variant does not come through Spark unchanged" in str(table.problem)


def test_a_source_without_its_jar_is_named_with_what_to_add(tmp_path: Path, spark: Any) -> None:
    (tmp_path / "ice/metadata").mkdir(parents=True)
    (tmp_path / "ice/metadata/v1.metadata.json").write_text(json.dumps({"format-version": 2}))
    (table,) = find(tmp_path, "spark").tables
    assert not table.eligible
    assert "Spark has no iceberg source here: " in str(table.problem)


@pytest.mark.parametrize(
    ("source", "spark", "remedy"),
    [
        ("iceberg", "4.1.1", "add --packages org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:"),
        ("delta", "4.2.0", "add --packages io.delta:delta-spark_4.2_2.13:"),
        ("iceberg", "4.2.0", "no release of it for Spark 4.2.0 is known"),
        ("hudi", "4.0.1", "no release of it for Spark 4.0.1 is known"),
    ],
)
def test_the_jar_to_add_is_one_for_the_spark_that_runs(
    source: str, spark: str, remedy: str
) -> None:
    told = _remedy(source, spark, "[DATA_SOURCE_NOT_FOUND] no such source")
    assert told.startswith(f"Spark has no {source} source here: {remedy}")


def test_one_that_spark_fails_to_read_disturbs_no_other(tmp_path: Path, spark: Any) -> None:
    for name in ("damaged", "sound"):
        delta(spark, tmp_path / name, 50, "variantType")
    for file in (tmp_path / "damaged").glob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-40])
        file.with_name(f".{file.name}.crc").unlink(missing_ok=True)
    pq.write_table(pa.table({"id": range(5)}), tmp_path / "few.parquet")
    graph = find(tmp_path, "spark")
    assert {(e.child, e.parent) for e in graph.edges} == {("few.parquet", "sound")}
    problems = {table.location: table.problem for table in graph.tables if table.problem}
    assert problems.keys() == {"damaged"}
    assert "Spark could not finish" in str(problems["damaged"])


@pytest.mark.parametrize(
    "problem", [None, "d/part-1.parquet: vanished since it was listed", "Delta writer feature not"]
)
def test_damage_and_known_tables_are_not_left_to_spark(problem: str | None) -> None:
    assert source_of(Table("d", Format.DELTA, problem=problem)) is None
