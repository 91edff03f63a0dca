"""Which tables are asked whether they are others together, and that a plan deletes one that is."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.model import Column, Edge, Format, Table
from r2d2.plan import make_plan
from r2d2.plan.check import check_plan
from r2d2.plan.requests import union_requests
from r2d2.settings.plan import PlanSettings, Prices, Protection

DEAR = Prices(storage_usd_per_gb_month=1e9)


def table(name: str, rows: int | None, columns: str = "ab") -> Table:
    own = tuple(Column(column, "int64", (column,)) for column in columns)
    return Table(name, Format.PARQUET, own, rows, size_bytes=100 * (rows or 1))


def edge(child: str, columns: str = "ab", equal: bool = False, cast: bool = False) -> Edge:
    return Edge(
        *(child, "year", 1.0, 0, None, None, equal, "exact"),
        equal_after_cast=cast,
        columns=tuple((c, c) for c in columns),
    )


def asked(tables: list[Table], edges: list[Edge], unfit: str = "") -> dict[str, list[str]]:
    by_name = {t.location: t for t in tables}
    requests = union_requests(edges, by_name, set(by_name) - {unfit})
    return {f.table.location: [child.table.location for child in f.parts] for f in requests}


def test_parts_with_rows_enough_are_asked_largest_first() -> None:
    tables = [table("year", 10), table("one", 4), table("two", 6), table("same", 10)]
    edges = [edge("one"), edge("two"), edge("same", equal=True)]
    assert asked(tables, edges) == {"year": ["two", "one"]}


@pytest.mark.parametrize(
    ("other", "edges", "unfit"),
    [
        (table("two", 6, "a"), [edge("one"), edge("two", "a")], ""),
        (table("two", 6), [edge("one"), edge("two")], "two"),
        (table("two", 6), [edge("one"), edge("two")], "year"),
        (table("two", None), [edge("one"), edge("two", equal=True)], ""),
    ],
    ids=["columns lack", "part may not", "table may not", "equal"],
)
def test_what_cannot_be_a_union_is_not_asked(other: Table, edges: list[Edge], unfit: str) -> None:
    assert asked([table("year", 10), table("one", 4), other], edges, unfit) == {}


@pytest.mark.parametrize(("rows", "is_asked"), [(40, True), (41, False)])
def test_parts_are_asked_that_have_rows_enough_four_times(rows: int, is_asked: bool) -> None:
    tables = [table("year", rows), table("one", 4), table("two", 6)]
    assert bool(asked(tables, [edge("one"), edge("two")])) == is_asked


def test_tables_whose_rows_nobody_knows_are_asked() -> None:
    tables = [table("year", None), table("one", None), table("two", 6)]
    assert asked(tables, [edge("one"), edge("two")]) == {"year": ["two", "one"]}


@pytest.mark.parametrize("complete", [True, False])
def test_a_year_is_deleted_where_its_months_must_stay(tmp_path: Path, complete: bool) -> None:
    days = range(0 if complete else 1, 360)
    year = pa.table({"day": range(360), "month": [day // 30 for day in range(360)]})
    months = pa.table({"day": days, "month": [day // 30 for day in days]})
    lake, run = tmp_path / "lake", tmp_path / "run"
    lake.mkdir()
    pq.write_table(year, lake / "year.parquet")
    for number in range(12):
        month = months.filter(pc.equal(months["month"], number))
        pq.write_table(month, lake / f"month{number:02}.parquet")
    assert main(["find", str(lake), "--out", str(run)]) == 0
    settings = PlanSettings(prices=DEAR, protect=(Protection("month*", "the law"),))
    plan = make_plan(run, settings)
    entry = next(t for t in plan["tables"] if t["table"] == "year.parquet")
    assert entry["choice"] == ("delete" if complete else "keep")
    assert check_plan(plan) == ()
    if complete:
        assert entry["recipe"]["kind"] == "union"
        assert len(entry["parents"]) == 12
