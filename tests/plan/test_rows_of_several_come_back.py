"""Tables that are rows of several others, through a whole plan in each format: they come back."""

import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.cli import main
from r2d2.model import Column, Edge, Format, Table
from r2d2.plan import make_plan
from r2d2.plan.check import check_plan
from r2d2.plan.plan_form import Data
from r2d2.plan.requests import ColumnNames, several_requests
from r2d2.report import write_find
from r2d2.settings.plan import PlanSettings, Prices, Protection
from tests.support.plan.kinds_cases import several
from tests.support.plan.kinds_lake import TEXT, contents, write_lake
from tests.support.recipes.run_views import in_duckdb, outcomes

DEAR = Prices(storage_usd_per_gb_month=1e9)
SETTINGS = PlanSettings(prices=DEAR, protect=(Protection("*parent*", "the source"),))
BASE = pa.table({"id": range(600), "month": [1 + n // 100 for n in range(600)]})


def months(*chosen: int) -> pa.Table:
    return BASE.filter(pc.is_in(BASE["month"], pa.array(chosen)))


def planned(lake: Path, run: Path, settings: PlanSettings, **engine: Any) -> Data:
    find = r2d2.Settings(text=TEXT)
    write_find(run, r2d2.find(lake, find, **engine), find, str(lake))
    return make_plan(run, settings, **engine)


def test_each_kind_comes_back_in_each_format_and_no_near_miss_goes(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    session: Any = request.getfixturevalue("spark") if engine == "spark" else None
    lake, run, back = tmp_path / "lake", tmp_path / "run", tmp_path / "back"
    cases = write_lake(lake, count(101), several)
    plan = planned(lake, run, SETTINGS, engine=engine, session=session)
    found = {table["table"]: table["recipe"] for table in plan["tables"]}
    assert {name: found[name] and found[name]["kind"] for name in cases} == {
        name: case.kind for name, case in cases.items()
    }
    assert check_plan(plan) == ()
    deleted = [table["table"] for table in plan["tables"] if table["choice"] == "delete"]
    assert deleted == sorted(name for name, case in cases.items() if case.kind)
    views = dict(outcomes(run, "duckdb", in_duckdb, tmp_path)) if engine == "local" else {}
    assert {name: told for name, told in views.items() if told != "equal"} == {}
    assert len(views) == (len(deleted) if engine == "local" else 0)
    for name in deleted:
        (tmp_path / "away" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(lake / name, tmp_path / "away" / name)
    assert main(["recipe", "run", *deleted, "--run", str(run), "--to", str(back)]) == 0
    for name in deleted:
        assert contents(back / name) == contents(tmp_path / "away" / name)


def test_all_parents_stay_also_those_that_could_go_themselves(tmp_path: Path) -> None:
    tables = {
        "all": months(1, 2, 3),
        "early": months(1, 2),
        "late": months(4, 5),
        "both": months(2, 4),
    }
    (tmp_path / "lake").mkdir()
    for name, table in tables.items():
        pq.write_table(table, tmp_path / f"lake/{name}.parquet")
    plan = planned(tmp_path / "lake", tmp_path / "run", PlanSettings(prices=DEAR))
    entries = {table["table"].removesuffix(".parquet"): table for table in plan["tables"]}
    kept = {name for name, entry in entries.items() if entry["choice"] == "keep"}
    assert kept == {"all", "late"}
    assert entries["both"]["parents"] == ["all.parquet", "late.parquet"]
    assert check_plan(plan) == ()
    entries["both"]["recipe"]["parts"][0]["parent"] = "early.parquet"
    entries["both"]["parents"] = ["early.parquet", "late.parquet"]
    told = "both.parquet is rebuilt from early.parquet, which is deleted too"
    assert ("parent-kept", told) in check_plan(plan)


def table(name: str, rows: int | None = 10, size_bytes: int = 1 << 20, **more: str) -> Table:
    columns = tuple(Column(c, t, (c,)) for c, t in ({"a": "int64"} | more).items())
    return Table(name, Format.PARQUET, columns, rows, size_bytes)


def asked(*tables: Table, edges: tuple[Edge, ...] = (), **more: Any) -> dict[str, list[str]]:
    by_name = {t.location: t for t in tables}
    requests = several_requests(edges, by_name, set(by_name), [], ColumnNames(), **more)
    return {c.location: [o.table.location for o in r.others] for r in requests for c in r.children}


def test_tables_with_the_columns_and_rows_enough_are_asked() -> None:
    one, two, child = table("one", b="string"), table("two", b="string"), table("child", 20)
    assert asked(one, two, child) == {"child": ["child", "one", "two"]}
    assert asked(one, two, table("child", 21)) == {}
    assert asked(one, two, table("child", None)) == {"child": ["child", "one", "two"]}
    assert asked(one, child) == {}
    assert asked(one, two, table("child", a="int32")) == {}
    edge = Edge("child", "one", 1.0, 0, None, None, False, "exact")
    assert asked(one, two, child, edges=(edge,)) == {}


def test_tenants_are_asked_apart() -> None:
    tables = [table(f"{tenant}/{n}") for tenant in "xy" for n in range(3)]
    found = asked(*tables, tenant_of=lambda location: location[0])
    assert {child[0]: {other[0] for other in others} for child, others in found.items()} == {
        "x": {"x"},
        "y": {"y"},
    }


def test_no_more_is_read_besides_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [table(f"{n}", size_bytes=1 << 20) for n in range(10)]
    assert len(asked(*tables)) == 10
    monkeypatch.setattr("r2d2.plan.requests.MOST_BYTES_BESIDES", 4 << 20)
    assert asked(*tables) == {f"{n}": ["0", "1", "2", "3"] for n in range(4)}
    monkeypatch.setattr("r2d2.plan.requests.MOST_BYTES_BESIDES", 2 << 20)
    assert asked(*tables) == {}
