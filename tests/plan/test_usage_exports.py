"""The queries of jobs/usage_exports.md give the columns of a usage file, joined to the lake."""

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from r2d2.plan.usage import COLUMNS, Usage, joined, load_usage

TEXT = (Path(__file__).parents[2] / "jobs" / "usage_exports.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"<!-- usage: (.+?) -->\n```sql\n(.*?)```", TEXT, re.S))
LAKE = ("sales/orders", "exports/orders_2024.parquet", "hr/people")
NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
LATE, EARLY, LONG_AGO = (NOW - timedelta(days=days) for days in (2, 40, 200))
FIRST_LATE = LATE - timedelta(minutes=5)


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_of_its_dialect_and_gives_the_columns_of_a_usage_file(name: str) -> None:
    assert parsed(name).named_selects == list(COLUMNS)


def test_the_file_that_it_shows_can_be_read(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```csv\n(.*?)```", TEXT, re.S)
    path = tmp_path / "usage.csv"
    path.write_text(shown)
    usages = load_usage(path)
    assert [usage.table for usage in usages] == ["sales.orders", "exports/orders.parquet"]
    assert usages[1].consumer_names == ("finance dashboard", "churn model")


def test_databricks_reads_are_counted_by_statement(
    duck: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    fill(
        duck,
        "table_lineage",
        [
            lineage("s3://bucket/lake/sales/orders", LATE, "one", "dashboard"),
            lineage("s3://bucket/lake/sales/orders", LATE, "one", "dashboard"),
            lineage("s3://bucket/lake/sales/orders", EARLY, "two", None),
            lineage("s3://bucket/lake/sales/orders", LONG_AGO, "three", "job"),
            lineage(None, LATE, "four", "job") | {"source_table_full_name": "main.hr.people"},
            lineage(None, LATE, "five", "job") | {"source_table_full_name": None},
        ],
    )
    assert exported(duck, "databricks", tmp_path) == {
        "sales/orders": (2 / 3, LATE.date(), 2),
        "hr/people": (1 / 3, LATE.date(), 1),
    }


def test_bigquery_reads_are_counted_by_job(duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    orders, people = named("sales", "orders"), named("hr", "people")
    fill(
        duck,
        "jobs",
        [
            job("one", "ann", LATE, [orders, people]),
            job("two", "bob", EARLY, [orders]),
            job("three", "bob", LONG_AGO, [orders]),
            job("four", "bob", LATE, [orders]) | {"job_type": "LOAD"},
        ],
    )
    assert exported(duck, "bigquery", tmp_path) == {
        "sales/orders": (2 / 3, LATE.date(), 2),
        "hr/people": (1 / 3, LATE.date(), 1),
    }


def test_requests_for_the_parts_of_a_table_within_an_hour_are_one_read(
    duck: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    fill(duck, "mybucket_logs", [logged(*request) for request in REQUESTS])
    assert exported(duck, "athena s3_access_logs", tmp_path) == REQUESTED


def test_cloudtrail_tells_the_same_of_the_same_requests(
    duck: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    fill(duck, "cloudtrail_logs", [event(*request) for request in REQUESTS])
    assert exported(duck, "athena cloudtrail_s3", tmp_path) == REQUESTED


def test_lake_formation_grants_are_reads_of_glue_tables(
    duck: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    arn = "arn:aws:glue:us-east-1:111122223333:table/sales/orders"
    granted = {
        "eventsource": "lakeformation.amazonaws.com",
        "eventname": "GetDataAccess",
        "requestparameters": json.dumps({"tableArn": arn}),
    }
    fill(duck, "cloudtrail_logs", [event("", reader, LATE) | granted for reader in ("ann", "bob")])
    assert exported(duck, "athena lake_formation", tmp_path) == {
        "sales/orders": (2 / 3, LATE.date(), 2)
    }


REQUESTS = [
    ("lake/sales/orders/_delta_log/00000000000000000000.json", "ann", LATE),
    ("lake/sales/orders/day=2026-09-01/part-0.parquet", "ann", FIRST_LATE),
    ("lake/sales/orders/part-00001-c000.snappy.parquet", "bob", EARLY),
    ("lake/sales/orders/part-00001-c000.snappy.parquet", "bob", LONG_AGO),
    ("lake/exports/orders_2024.parquet", "ann", LATE),
    ("other/hr/people/part-0.parquet", "ann", LATE),
]
REQUESTED = {
    "sales/orders": (2 / 3, LATE.date(), 2),
    "exports/orders_2024.parquet": (1 / 3, LATE.date(), 1),
}


def parsed(name: str) -> Any:
    return sqlglot.parse_one(QUERIES[name], read=name.partition(" ")[0])


def exported(
    duck: duckdb.DuckDBPyConnection, name: str, folder: Path
) -> dict[str, tuple[float | None, date | None, int | None]]:
    """What a plan is told once the query's result was saved as CSV, as services do."""
    query = parsed(name)
    for table in query.find_all(exp.Table):
        table.replace(exp.to_table(table.name.rpartition(".")[2].lower()))
    sql = query.sql("duckdb").replace("dd/MMM/yyyy:HH:mm:ss Z", "%d/%b/%Y:%H:%M:%S %z")
    result = duck.execute(sql)
    with (folder / "usage.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([column[0] for column in result.description])
        rows.writerows(result.fetchall())
    usages = load_usage(folder / "usage.csv")
    found = joined(usages, LAKE)
    assert (found.left_out, found.elsewhere) == ((), ())
    return {location: told(usage) for location, usage in found.by_location.items()}


def told(usage: Usage) -> tuple[Any, date | None, int | None]:
    return pytest.approx(usage.reads_per_month), usage.last_read, usage.consumers


def fill(duck: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    """Makes the table of these rows, nested as they are."""
    shown = ", ".join(map(literal, rows))
    duck.execute(f"CREATE TABLE {table} AS SELECT unnest([{shown}], max_depth := 2)")


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, dict):
        return "{" + ", ".join(f"'{key}': {literal(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{value.isoformat()}'"
    return f"'{value}'"


def lineage(path: str | None, at: datetime, statement: str, entity: str | None) -> dict[str, Any]:
    return {
        "source_path": path,
        "source_table_full_name": "main.sales.orders",
        "statement_id": statement,
        "entity_run_id": None,
        "event_id": "event",
        "entity_id": entity,
        "created_by": "ann",
        "event_date": at,
    }


def named(dataset: str, table: str) -> dict[str, str]:
    return {"project_id": "project", "dataset_id": dataset, "table_id": table}


def job(name: str, user: str, at: datetime, tables: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "job_id": name,
        "user_email": user,
        "creation_time": at,
        "job_type": "QUERY",
        "referenced_tables": tables,
    }


def logged(key: str, requester: str, at: datetime) -> dict[str, str]:
    return {
        "key": key.replace("=", "%3D"),
        "requester": requester,
        "requestdatetime": f"{at:%d/%b/%Y:%H:%M:%S %z}",
        "operation": "REST.GET.OBJECT",
        "httpstatus": "206",
    }


def event(key: str, requester: str, at: datetime) -> dict[str, Any]:
    return {
        "eventsource": "s3.amazonaws.com",
        "eventname": "GetObject",
        "errorcode": None,
        "eventtime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "useridentity": {"arn": f"arn:aws:iam::111122223333:user/{requester}"},
        "requestparameters": json.dumps({"bucketName": "bucket", "key": key}),
    }
