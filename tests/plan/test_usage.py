"""The usage CSV: who reads what, joined to the lake's tables by location or name."""

from datetime import date
from pathlib import Path

import pytest

from r2d2.errors import UsageError
from r2d2.plan.usage import Usage, joined, load_usage

LAKE = (
    "sales/orders",
    "hr/orders",
    "exports/orders_2024.parquet",
    "exports/daily.csv.gz",
    "raw/2024-Q1.csv",
    "top",
)


def written(folder: Path, text: str) -> Path:
    path = folder / "usage.csv"
    path.write_bytes(text.encode())
    return path


def joins(name: str) -> list[str]:
    """The locations that a table's name is joined to."""
    return list(joined([Usage(2, name, 1.0)], LAKE).by_location)


def test_each_column_is_read_and_empty_cells_are_unknown(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "\ufefftable,consumers,last_read,reads_per_month\r\n"
        "a, 14 ,2026-09-01,1.5\r\n"
        "\r\n"
        '"b\nc",finance dashboard; churn model;,2026-09-01T10:00:00Z,0\r\n'
        "d,,,\r\n",
    )
    assert load_usage(path) == (
        Usage(2, "a", 1.5, date(2026, 9, 1), 14),
        Usage(4, "b\nc", 0.0, date(2026, 9, 1), 2, ("finance dashboard", "churn model")),
        Usage(6, "d"),
    )


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        (
            "",
            1,
            "columns are table and reads_per_month, last_read, consumers, each once; found: none",
        ),
        ("reads_per_month\n1\n", 1, "found: reads_per_month"),
        ("table\na\n", 1, "found: table"),
        ("table,reads\n", 1, "found: table, reads (is 'reads' for 'reads_per_month'?"),
        ("table,last_read,read_per_mont\n", 1, "is 'read_per_mont' for 'reads_per_month'?"),
        ("table_name,last_read\n", 1, "is 'table_name' for 'table'? Rename it or leave it out"),
        ("table;last_read\n", 1, "found: table;last_read"),
        ("table,table,last_read\n", 1, "each once"),
        ("table,last_read,LAST_READ\n", 1, "each once"),
        (
            "table,reads_per_month\na,1\nb,often\n",
            3,
            "reads_per_month = 'often': expected a number",
        ),
        ("table,reads_per_month\na,-1\n", 2, "0 or more"),
        ("table,reads_per_month\na,nan\n", 2, "0 or more"),
        ("table,last_read\na,01/09/2026\n", 2, "expected a date such as 2026-09-01"),
        ("table,consumers\na,-3\n", 2, "expected a whole number, or names parted by ;"),
        ("table,consumers\na,2.5\n", 2, "a whole number"),
        ("table,last_read\na,1756684800000\n", 2, "expected a date such as 2026-09-01"),
        ("table,consumers\n\n,3\n", 3, "no table is named"),
        ("table,consumers\na\n", 2, "1 cell under 2 columns"),
        ('table,consumers\n"a\n', 2, "not CSV"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(
    tmp_path: Path, text: str, place: int, hint: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_usage(path)
    assert str(caught.value).startswith(f"{path}:{place}: ")
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("name", "location"),
    [
        ("sales/orders", "sales/orders"),
        ("./sales/orders/", "sales/orders"),
        ("sales.orders", "sales/orders"),
        ("HR.Orders", "hr/orders"),
        ("main.sales.orders", "sales/orders"),
        ("orders_2024", "exports/orders_2024.parquet"),
        ("exports.orders_2024", "exports/orders_2024.parquet"),
        ("exports/daily", "exports/daily.csv.gz"),
        ("top", "top"),
        ("`main`.`sales`.`orders`", "sales/orders"),
        ('"MAIN"."SALES".ORDERS', "sales/orders"),
        ("s3://bucket/lake/sales/orders/", "sales/orders"),
        ("raw/2024-q1", "raw/2024-Q1.csv"),
        ("RAW.2024_Q1", "raw/2024-Q1.csv"),
    ],
)
def test_a_table_is_found_by_location_or_name(name: str, location: str) -> None:
    assert joins(name) == [location]


@pytest.mark.parametrize("name", ["orders", "rders", "main.top", "sales", "archive.sales", "."])
def test_a_name_that_means_none_or_several_is_left_out(name: str) -> None:
    assert joins(name) == []


def test_what_is_left_out_is_told_with_its_line_and_reason() -> None:
    usages = [Usage(2, "orders"), Usage(3, "gone"), Usage(4, "top", 1.0), Usage(5, "TOP", 2.0)]
    result = joined(usages, LAKE)
    assert result.left_out == (
        "line 2: 'orders' is one of hr/orders, sales/orders",
        "line 5: 'top' is told on line 4 already",
    )
    assert result.by_location == {"top": usages[2]}


def test_tables_of_other_lakes_are_passed_over() -> None:
    result = joined([Usage(2, "gone"), Usage(3, "top")], LAKE)
    assert (result.left_out, result.elsewhere) == ((), ("gone",))


def test_a_file_that_names_no_table_of_the_lake_is_refused() -> None:
    result = joined([Usage(2, "gone"), Usage(3, "other.gone")], LAKE)
    assert result.left_out == ("of its 2 tables none is in the lake, such as 'gone' on line 2",)


def test_names_may_be_in_capitals_and_other_columns_are_passed_over(tmp_path: Path) -> None:
    path = written(
        tmp_path, "QUERY_ID,TABLE,Reads_Per_Month,LAST_READ,owner\nq,a,2,null,me\nr,b,\\N,,\n"
    )
    assert load_usage(path) == (Usage(2, "a", 2.0), Usage(3, "b"))


@pytest.mark.parametrize(
    "time",
    [
        "2026-09-01",
        "2026-09-01T10:00:00Z",
        "2026-09-01T23:59:59.123+00:00",
        "2026-09-01 10:00:00.000 UTC",
        "2026-09-01 10:00:00.000 +0000",
        "2026-09-01 10:00:00 -07:00",
        "2026-09-01 10:00:00.000",
    ],
)
def test_a_time_counts_by_its_date_as_catalogs_write_it(tmp_path: Path, time: str) -> None:
    (usage,) = load_usage(written(tmp_path, f"table,last_read\na,{time}\n"))
    assert usage.last_read == date(2026, 9, 1)


def test_a_count_of_consumers_may_come_with_a_point(tmp_path: Path) -> None:
    (usage,) = load_usage(written(tmp_path, "table,consumers\na,14.0\n"))
    assert (usage.consumers, usage.consumer_names) == (14, ())
