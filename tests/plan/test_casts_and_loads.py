"""Casts and repeated loads through a whole plan: what goes comes back, as files and as views."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.cli import main
from r2d2.model import Types
from r2d2.plan import make_plan
from r2d2.plan.check import check_plan
from r2d2.report import write_find
from r2d2.settings.plan import PlanSettings, Prices, Protection
from r2d2.storage.output import json_text, write_files
from tests.support.plan.kinds_lake import contents
from tests.support.recipes.run_views import in_duckdb, outcomes

SETTINGS = PlanSettings(
    prices=Prices(storage_usd_per_gb_month=1e9), protect=(Protection("*parent*", "the source"),)
)
ROWS = 240


def base(salt: int) -> pa.Table:
    """Rows that no table of another salt has: twelve months of twenty."""
    return pa.table(
        {
            "id": pa.array(range(salt * ROWS, (salt + 1) * ROWS), pa.int64()),
            "month": pa.array([100 * salt + 1 + n // 20 for n in range(ROWS)], pa.int32()),
            "price": [salt * 1000 + n * 7919 % 1009 / 8 for n in range(ROWS)],
        }
    )


def months(salt: int, *chosen: int) -> pa.Table:
    """The rows of these months, of one as often as it is named."""
    whole = base(salt)
    parts = [whole.filter(pc.equal(whole["month"], 100 * salt + month)) for month in chosen]
    return pa.concat_tables(parts).combine_chunks()


def narrow(table: pa.Table) -> pa.Table:
    """The same numbers in other types."""
    types = [pa.int32(), pa.uint16(), pa.float32()]
    return table.cast(pa.schema(zip(table.column_names, types, strict=True)))


def with_text(table: pa.Table) -> pa.Table:
    return table.set_column(0, "id", table["id"].cast(pa.string()))


def changed(table: pa.Table) -> pa.Table:
    """One price is another."""
    return table.set_column(2, "price", pa.array([-1.0, *table["price"].to_pylist()[1:]]))


CASES: dict[str, tuple[dict[str, pa.Table], pa.Table, str | None]] = {
    "cast copy": ({"parent": base(1)}, narrow(base(1)), "project"),
    "cast month": ({"parent": base(2)}, narrow(months(2, 3)), "select"),
    "widened": ({"parent": narrow(base(3))}, base(3), "project"),
    "cast twice": ({"parent": base(4)}, narrow(pa.concat_tables([base(4)] * 2)), "union"),
    "not a number": ({"parent": base(5)}, with_text(base(5)), None),
    "cast and changed": ({"parent": base(6)}, narrow(changed(base(6))), None),
    "twice": ({"parent": base(7)}, pa.concat_tables([base(7)] * 2), "union"),
    "month twice": ({"parent": base(8)}, months(8, 4, 4), "union"),
    "overlap": (
        {f"parent{m}": months(9, m) for m in (1, 2, 3)},
        months(9, 1, 2, 2, 3),
        "union",
    ),
    "overlap once": (
        {"parent1": months(10, 1, 2, 3), "parent2": months(10, 3, 4, 5)},
        months(10, 1, 2, 3, 4, 5),
        "union",
    ),
    "cast union": (
        {f"parent{m}": narrow(months(11, m)) for m in (1, 2)},
        months(11, 1, 2),
        "union",
    ),
    "month once": ({"parent": months(12, 1, 2, 2, 3)}, months(12, 2), "distinct"),
    "twice but one": ({"parent": base(13)}, pa.concat_tables([base(13), base(13)[1:-1]]), "union"),
    "other rows": (
        {f"parent{m}": months(14, m) for m in (1, 2)},
        pa.concat_tables([months(14, 1, 2, 2), base(14).slice(200, 1)]),
        None,
    ),
}


def write_lake(lake: Path) -> None:
    for name, (parents, child, _) in CASES.items():
        folder = lake / name.replace(" ", "_")
        folder.mkdir(parents=True)
        for own, table in (parents | {"child": child}).items():
            pq.write_table(table.combine_chunks(), folder / f"{own}.parquet")


def test_each_kind_is_found_and_comes_back_and_no_near_miss_is(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    session: Any = request.getfixturevalue("spark") if engine == "spark" else None
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    settings = r2d2.Settings(types=Types.WIDENED)
    write_find(run, r2d2.find(lake, settings, engine=engine, session=session), settings, str(lake))
    plan = make_plan(run, SETTINGS, engine=engine, session=session)
    assert check_plan(plan) == ()
    found = {table["table"]: table["recipe"] for table in plan["tables"] if table["recipe"]}
    assert {name.split("/")[0].replace("_", " "): r["kind"] for name, r in found.items()} == {
        name: kind for name, (_, _, kind) in CASES.items() if kind
    }
    assert found["overlap_once/child.parquet"]["distinct"]
    write_files(run, {"plan.json": json_text(plan)})
    views = dict(outcomes(run, "duckdb", in_duckdb, tmp_path)) if engine == "local" else {}
    assert {name: told for name, told in views.items() if told != "equal"} == {}
    for name in found:
        (tmp_path / "away" / name).parent.mkdir(parents=True)
        shutil.move(lake / name, tmp_path / "away" / name)
    assert main(["recipe", "run", *found, "--run", str(run), "--to", str(tmp_path / "back")]) == 0
    for name in found:
        assert contents(tmp_path / "back" / name) == contents(tmp_path / "away" / name)
        back, was = (pq.read_schema(tmp_path / place / name) for place in ("back", "away"))
        assert back.equals(was)


def test_casts_and_loads_under_other_names_are_found_and_views_too(tmp_path: Path) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    cases = {
        "copy": (base(1), base(1)),
        "month": (base(2), months(2, 5)),
        "twice": (base(3), pa.concat_tables([base(3)] * 2)),
        "cast": (base(4), narrow(base(4))),
        "near": (base(5), changed(base(5))),
    }
    for name, (parent, child) in cases.items():
        own = [f"{name}_{column}" for column in parent.column_names]
        (lake / name).mkdir(parents=True)
        pq.write_table(parent.rename_columns(own), lake / name / "parent.parquet")
        child = child.rename_columns([f"other_{column}" for column in own])
        pq.write_table(child, lake / name / "child.parquet")
    settings = r2d2.Settings(types=Types.WIDENED, renamed=True)
    write_find(run, r2d2.find(lake, settings), settings, str(lake))
    plan = make_plan(run, SETTINGS)
    found = {t["table"].split("/")[0]: t["recipe"]["kind"] for t in plan["tables"] if t["recipe"]}
    assert found == {"copy": "project", "month": "select", "twice": "union", "cast": "project"}
    write_files(run, {"plan.json": json_text(plan)})
    views = dict(outcomes(run, "duckdb", in_duckdb, tmp_path))
    assert views == {f"{name}/child.parquet": "equal" for name in found}
