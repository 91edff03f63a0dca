"""A plan deletes a folder of parts whole or not at all, and no file that may be a part of one."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa

import r2d2
from r2d2.plan import make_plan
from r2d2.plan.rebuild import rebuild
from r2d2.report import write_find
from r2d2.settings.find import Settings, TableRule
from r2d2.settings.plan import PlanSettings, Prices
from tests.support.recipes.differences import difference
from tests.support.recipes.lakes import put, rows, tables

DEAR = PlanSettings(prices=Prices(storage_usd_per_gb_month=1e9))
ROWS = pa.table({"id": np.arange(4000), "v": np.random.default_rng(1).integers(0, 50, 4000)})


def planned(lake: Path, run: Path, *rules: TableRule) -> tuple[set[str], dict[str, str]]:
    """The tables that a plan deletes, and why each other one stays."""
    settings = Settings(tables=rules)
    write_find(run, r2d2.find(lake, settings), settings, str(lake))
    plan = make_plan(run, DEAR)
    gone = {table["table"] for table in plan["tables"] if table["choice"] == "delete"}
    return gone, {t["table"]: t["reason"] for t in plan["tables"] if t["table"] not in gone}


def test_no_part_is_deleted_and_its_copy_is(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    put(lake, "big/part-00000-a-c000.snappy.parquet", ROWS.slice(0, 2000))
    put(lake, "big/part-00001-a-c000.snappy.parquet", ROWS.slice(2000))
    put(lake, "small/export.parquet", ROWS.slice(0, 2000))
    gone, kept = planned(lake, tmp_path / "run")
    assert (gone, kept.keys()) == ({"small/export.parquet"}, {"big"})


def test_a_folder_of_parts_is_deleted_whole_and_comes_back(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    put(lake, "all.parquet", ROWS)
    put(lake, "copy/part-00000.parquet", ROWS.slice(0, 700))
    put(lake, "copy/part-00001.parquet", ROWS.slice(700, 900))
    (lake / "copy/_SUCCESS").touch()
    before = rows(lake, tables(lake)["copy"])
    settings = Settings()
    write_find(tmp_path / "run", r2d2.find(lake, settings), settings, str(lake))
    plan = make_plan(tmp_path / "run", DEAR)
    assert [t["table"] for t in plan["tables"] if t["choice"] == "delete"] == ["copy"]
    shutil.rmtree(lake / "copy")
    (again,) = rebuild(plan, tmp_path / "run", ["copy"], tmp_path / "place")
    assert again.table == "copy"
    assert difference(before, rows(tmp_path / "place", tables(tmp_path / "place")["copy"])) is None


def test_files_that_may_be_parts_stay_until_a_rule_settles_it(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    put(lake, "t/0001.parquet", ROWS)
    put(lake, "t/0002.parquet", ROWS.slice(0, 900))
    gone, kept = planned(lake, tmp_path / "run")
    assert gone == set()
    assert 'settle it: [[table]] folder = "t"' in kept["t/0002.parquet"]
    gone, _ = planned(lake, tmp_path / "each", TableRule(files="t/*.parquet"))
    assert gone == {"t/0002.parquet"}
    gone, kept = planned(lake, tmp_path / "one", TableRule(folder="t"))
    assert (gone, kept.keys()) == (set(), {"t"})
