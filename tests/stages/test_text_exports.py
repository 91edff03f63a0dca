"""Text exports of typed tables are found by their rendering, and near-misses are not."""

import csv
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.errors import UsageError
from r2d2.model import Edge

DAY = datetime(2024, 1, 1)
Write = Callable[[pa.Table, Path], None]


def typed(rows: int = 300) -> pa.Table:
    """Numbers, days, instants, truths and names; one in ten is NULL where that is usual."""
    random = np.random.default_rng(rows)

    def with_nulls(values: list[Any]) -> list[Any]:
        return [None if n % 10 == 7 else value for n, value in enumerate(values)]

    seconds = random.integers(0, 10**7, rows).tolist()
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "count": pa.array(with_nulls(random.integers(0, 9, rows).tolist()), pa.int32()),
            "price": random.normal(size=rows) * 10.0 ** random.integers(-3, 8, rows),
            "amount": pa.array(
                [Decimal(n).scaleb(-2) for n in random.integers(0, 9999, rows).tolist()],
                pa.decimal128(10, 2),
            ),
            "day": pa.array(with_nulls([date(2024, 1, 1) + timedelta(s % 400) for s in seconds])),
            "at": pa.array(
                [DAY + timedelta(seconds=s, milliseconds=s % 1000) for s in seconds],
                pa.timestamp("us"),
            ),
            "is_new": pa.array(with_nulls((random.integers(0, 2, rows) == 1).tolist())),
            "name": pa.array(with_nulls([f"name {n % 40}" for n in range(rows)])),
        }
    )


def by_pandas(table: pa.Table, path: Path) -> None:
    table.to_pandas().to_csv(path, index=False)


def by_arrow(table: pa.Table, path: Path) -> None:
    arrow_csv.write_csv(table, path, arrow_csv.WriteOptions(quoting_style="needed"))


def by_polars(table: pa.Table, path: Path) -> None:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    frame.write_csv(path)


def by_duckdb(table: pa.Table, path: Path) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.register("rows", table)
        connection.sql("SELECT * FROM rows").write_csv(str(path))


def by_python(table: pa.Table, path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        for row in table.to_pylist():
            writer.writerow(
                [
                    value.isoformat(" ") if isinstance(value, datetime) else value
                    for value in row.values()
                ]
            )


def edges(lake: Path, **settings: Any) -> list[Edge]:
    return list(r2d2.find(lake, text_exports=True, **settings).edges)


def exported(lake: Path, table: pa.Table, write: Write) -> list[Edge]:
    """The edges of a lake that has the table as Parquet, and its export."""
    lake.mkdir(exist_ok=True)
    pq.write_table(table, lake / "parent.parquet")
    write(table, lake / "child.csv")
    return edges(lake)


@pytest.mark.parametrize("write", [by_pandas, by_arrow, by_polars, by_duckdb, by_python])
def test_a_writers_csv_is_an_export(tmp_path: Path, write: Write) -> None:
    (edge,) = exported(tmp_path, typed(), write)
    assert (edge.child, edge.parent, edge.missing_rows) == ("child.csv", "parent.parquet", 0)
    assert {name for name, _ in edge.renderings} == set(typed().column_names)
    assert (edge.equal_after_cast, edge.same_rows) == (False, False)


def test_without_the_option_there_is_no_such_edge(tmp_path: Path) -> None:
    exported(tmp_path, typed(), by_pandas)
    assert r2d2.find(tmp_path).edges == ()


def lines(*rows: str) -> Write:
    """A writer of these lines, whatever the table is."""
    return lambda _, path: Path.write_text(path, "\n".join(rows) + "\n") and None


REALS = pa.array([1.0, 2.5, -0.125, None])
MOMENTS = pa.array([DAY, DAY + timedelta(hours=5), None], pa.timestamp("us"))
NEAR_MISSES = {
    "rounded": (pa.array([1.239, 2.5]), ["1.24", "2.50"]),
    "two floats of one text": (pa.array([1.239, 1.241]), ["1.24", "1.24"]),
    "two notations": (pa.array([1.5, 2.5]), ["1.5", "2.50"]),
    "two formats of a day": (pa.array([date(2024, 1, 2)] * 2), ["2024-01-02", "02/01/2024"]),
    "a day of an instant": (MOMENTS.slice(1), ["2024-01-01", ""]),
    "an instant in no zone": (MOMENTS.cast(pa.timestamp("us", "UTC")), ["2024-01-01 05:00:00"]),
    "a zone of no instant": (MOMENTS, ["2024-01-01 05:00:00Z"]),
    "another value": (pa.array([1, 2, 3]), ["1", "2", "4"]),
    "leading zeros": (pa.array([1, 2, 3]), ["01", "02", "03"]),
    "a number and its text": (pa.array([1.0, 2.0]), ["1e0", "2"]),
    "beyond a double": (pa.array([2**53 + 1]), [f"{2**53}.0"]),
    "two texts of NULL": (pa.array([1, None]), ["1", "NA", "NULL"]),
    "a decimal's digits cut": (pa.array([Decimal("1.25")]), ["1.3"]),
}


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_a_near_miss_is_no_export(tmp_path: Path, case: str) -> None:
    column, texts = NEAR_MISSES[case]
    table = pa.table({"n": pa.array([None] * len(column), pa.int64()), "x": column})
    rows = lines("n,x", *(f",{t}" for t in texts))
    assert exported(tmp_path, table, rows) == []


HITS = {
    "fixed digits that lose nothing": (pa.array([1.5, 2.25]), ["1.50", "2.25"]),
    "floats of java": (pa.array([1e10, 0.25]), ["1.0E10", "0.25"]),
    "integers beside NULL": (pa.array([1, None, 3]), ["1.0", "", "3.0"]),
    "NULL as NA": (pa.array([1, None]), ["1", "NA"]),
    "NULL as \\N": (pa.array([1.5, None]), ["1.5", "\\N"]),
    "truths as t and f": (pa.array([True, False, None]), ["t", "f", ""]),
    "days the American way": (pa.array([date(2024, 1, 31)]), ["01/31/2024"]),
    "days with a time": (pa.array([date(2024, 1, 31)]), ["2024-01-31 00:00:00"]),
    "instants with an offset": (
        MOMENTS.cast(pa.timestamp("us", "UTC")),
        ["2024-01-01T02:00:00+02:00", "2024-01-01T07:00:00+02:00"],
    ),
    "a decimal without zeros": (pa.array([Decimal("1.50"), Decimal("2.00")]), ["1.5", "2"]),
    "a float32": (pa.array([0.1, 2.5], pa.float32()), ["0.1", "2.5"]),
    "a float32 as a double": (pa.array([0.1], pa.float32()), ["0.10000000149011612"]),
}


@pytest.mark.parametrize("case", HITS)
def test_a_usual_rendering_is_found(tmp_path: Path, case: str) -> None:
    column, texts = HITS[case]
    table = pa.table({"k": pa.array([7] * len(column)), "x": column})
    (edge,) = exported(tmp_path, table, lines("k,x", *(f"7,{text}" for text in texts)))
    assert edge.whole


def test_renamed_and_text_exports_are_not_asked_for_together() -> None:
    with pytest.raises(UsageError, match="one of them at a time"):
        r2d2.Settings(renamed=True, text_exports=True)


@pytest.mark.parametrize("null", ["", "NA"])
def test_a_missing_name_is_an_empty_field(tmp_path: Path, null: str) -> None:
    names = pa.table({"name": pa.array(["a", None, "b"]), "other": ["x", "y", "z"]})
    write = lines("name,other", "a,x", f"{null},y", "b,z")
    (edge,) = exported(tmp_path, names, write)
    assert edge.whole
    assert dict(edge.renderings)["name"] == f"string:plain | null={null}"


def test_an_empty_name_is_one_where_no_name_is_missing(tmp_path: Path) -> None:
    table = pa.table({"name": ["a", "", "b"], "count": [1, 2, 3]})
    (edge,) = exported(tmp_path, table, lines("name,count", "a,1", ",2", "b,3"))
    assert edge.whole


def test_where_names_are_missing_and_empty_the_empty_field_is_no_name(tmp_path: Path) -> None:
    table = pa.table({"name": ["a", "", None], "count": [1, 2, 3]})
    assert exported(tmp_path, table, lines("name,count", "a,1", ",2", ",3")) == []


def test_the_text_of_a_missing_name_is_no_name(tmp_path: Path) -> None:
    table = pa.table({"count": [1, 1, 2], "name": pa.array(["NA", "b", None])})
    assert exported(tmp_path, table, lines("count,name", "1,NA", "1,b")) == []


def test_a_pair_that_needs_no_rendering_has_one_edge_and_none(tmp_path: Path) -> None:
    table = pa.table({"name": ["a", None, "b"]})
    (edge,) = exported(tmp_path, table, lines("name", "a", "b"))
    assert edge.renderings == ()
