"""Exports of a typed table are deleted and come back byte for byte, on both engines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.cli import main
from r2d2.plan import make_plan
from r2d2.plan.check import check_plan
from r2d2.plan.plan_form import Data
from r2d2.report import write_find
from r2d2.settings.plan import PlanSettings, Prices, Protection
from r2d2.storage.output import json_text
from tests.support.stages.export_oracle import WRITERS, by_arrow, by_duckdb, typed

SETTINGS = PlanSettings(
    prices=Prices(storage_usd_per_gb_month=1e9), protect=(Protection("parent*", "the source"),)
)


@pytest.fixture
def session(engine: str, request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("spark") if engine == "spark" else None


def json_by_duckdb(table: pa.Table, path: Path) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.register("rows", table)
        connection.sql(f"COPY (SELECT * FROM rows) TO '{path}' (FORMAT json)")


def planned(
    lake: Path, run: Path, engine: str, session: Any, constants: bool = False, **plan: Any
) -> Data:
    settings = r2d2.Settings(text_exports=True, constant_columns=constants)
    graph = r2d2.find(lake, settings, engine=engine, session=session)
    write_find(run, graph, settings, str(lake))
    return make_plan(run, SETTINGS, engine=engine, session=session, **plan)


def kinds(plan: Data) -> dict[str, str | None]:
    return {
        table["table"]: table["recipe"] and table["recipe"]["kind"]
        for table in plan["tables"]
        if not table["table"].startswith("parent")
    }


def come_back(lake: Path, run: Path, plan: Data) -> None:
    """Each table that has a recipe is deleted, rebuilt and compared with what it was."""
    deleted = [table["table"] for table in plan["tables"] if table["choice"] == "delete"]
    before = {name: (lake / name).read_bytes() for name in deleted}
    for name in deleted:
        (lake / name).unlink()
    path, back = run / "told.json", run / "back"
    path.write_text(json_text(plan))
    told = ["--run", str(run), "--plan", str(path), "--to", str(back)]
    assert main(["recipe", "run", *deleted, *told]) == 0
    assert [name for name in deleted if (back / name).read_bytes() != before[name]] == []


def parent_of(lake: Path, table: pa.Table, kind: str) -> None:
    if kind == "delta":
        deltalake.write_deltalake(lake / "parent", table)
    else:
        pq.write_table(table, lake / "parent.parquet")


@pytest.mark.parametrize("parent", ["parquet", "delta"])
def test_exports_of_each_writer_come_back(
    tmp_path: Path, engine: str, session: Any, parent: str
) -> None:
    lake, table = tmp_path / "lake", typed()
    lake.mkdir()
    parent_of(lake, table, parent)
    for name, write in WRITERS.items():
        write(table, lake / f"{name}.csv")
    json_by_duckdb(table.drop_columns(["amount"]), lake / "duckdb.json")
    some = table.filter(pc.equal(table["count"], 3))
    by_duckdb(some.select(["name", "at", "id"]), lake / "selected.csv")
    some = table.take(sorted(np.random.default_rng(1).permutation(300)[:60].tolist()))
    by_duckdb(some, lake / "listed.csv")
    plan = planned(lake, tmp_path / "run", engine, session)
    whole = {f"{name}.csv": "project" for name in WRITERS} | {"duckdb.json": "project"}
    assert kinds(plan) == whole | {"selected.csv": "select", "listed.csv": "rows"}
    assert check_plan(plan) == ()
    come_back(lake, tmp_path / "run", plan)


def rounded(table: pa.Table, path: Path) -> None:
    table.to_pandas().to_csv(path, index=False, float_format="%.3g")


def twice(table: pa.Table, path: Path) -> None:
    by_arrow(pa.concat_tables([table, table]), path)


def one_more(table: pa.Table, path: Path) -> None:
    by_arrow(pa.concat_tables([table, table.slice(0, 1).set_column(0, "id", [[-1]])]), path)


def test_an_export_that_was_written_twice_comes_back(
    tmp_path: Path, engine: str, session: Any
) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    parent_of(lake, typed(), "parquet")
    twice(typed(), lake / "child.csv")
    plan = planned(lake, tmp_path / "run", engine, session)
    assert kinds(plan) == {"child.csv": "union"}
    come_back(lake, tmp_path / "run", plan)


@pytest.mark.parametrize("write", [rounded, one_more])
def test_a_near_miss_of_an_export_stays(
    tmp_path: Path, engine: str, session: Any, write: Callable[[pa.Table, Path], None]
) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    parent_of(lake, typed(), "parquet")
    write(typed(), lake / "child.csv")
    assert kinds(planned(lake, tmp_path / "run", engine, session)) == {"child.csv": None}


def test_exports_with_an_index_and_load_columns_come_back(
    tmp_path: Path, engine: str, session: Any
) -> None:
    lake, table = tmp_path / "lake", typed()
    lake.mkdir()
    parent_of(lake, table, "parquet")
    frame = table.to_pandas()
    frame.to_csv(lake / "numbered.csv")
    three = frame[frame["count"] == 3]
    three.reset_index(drop=True).to_csv(lake / "selected.csv")
    load = table.filter(pc.equal(table["count"], 4))
    load = load.append_column("loaded_at", pa.repeat("2024-05-01", load.num_rows))
    by_duckdb(load.append_column("batch", pa.repeat(7, load.num_rows)), lake / "loaded.csv")
    plan = planned(lake, tmp_path / "run", engine, session, constants=True)
    assert kinds(plan) == {
        "numbered.csv": "project",
        "selected.csv": "select",
        "loaded.csv": "select",
    }
    assert check_plan(plan) == ()
    come_back(lake, tmp_path / "run", plan)


def test_an_index_in_another_order_than_the_parents_rows_stays(
    tmp_path: Path, engine: str, session: Any
) -> None:
    lake, table = tmp_path / "lake", typed()
    lake.mkdir()
    parent_of(lake, table, "parquet")
    frame = table.to_pandas().sort_values("price").reset_index(drop=True)
    frame.to_csv(lake / "child.csv")
    plan = planned(lake, tmp_path / "run", engine, session, constants=True)
    assert kinds(plan) == {"child.csv": None}


def test_exports_of_a_parent_beyond_memory_come_back(tmp_path: Path) -> None:
    lake, table = tmp_path / "lake", typed()
    lake.mkdir()
    parent_of(lake, table, "parquet")
    by_arrow(table, lake / "whole.csv")
    by_duckdb(table.filter(pc.equal(table["count"], 3)), lake / "selected.csv")
    plan = planned(lake, tmp_path / "run", "local", None, memory_bytes=1 << 12)
    assert kinds(plan) == {"whole.csv": "project", "selected.csv": "select"}
    come_back(lake, tmp_path / "run", plan)
