"""Recipes are run on lakes that changed since the plan: the rows that come out decide."""

import datetime as dt
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.cli import main
from r2d2.cli.plan_text import REWRITE_TOLD, plan_lines
from r2d2.plan import make_plan
from r2d2.report import write_find
from r2d2.settings.plan import PlanSettings, Prices
from tests.plan.test_deleted_tables_come_back import differences

NAN, OTHER_NAN = struct.pack("<Q", 0x7FF8 << 48), struct.pack("<Q", (0x7FF8 << 48) + 1)
DEAR = PlanSettings(prices=Prices(storage_usd_per_gb_month=1e9))
ROWS = pa.table(
    {
        "id": range(2000),
        "land": [("DE", "FR", "NO")[i % 3] for i in range(2000)],
        "name": [f"name {i * 7 % 1999}" for i in range(2000)],
    }
)
GERMAN = ROWS.filter(pa.array([i % 3 == 0 for i in range(2000)]))


@pytest.fixture(params=["memory", "scratch"])
def lake(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake without its two deleted tables; the plan is in `run`, the originals in `kept`.

    Rows are held in memory, or wait in scratch files.
    """
    if request.param == "scratch":
        monkeypatch.setattr("r2d2.recipes.run.held_rows.HELD_BYTES", 1 << 10)
    lake, run, kept = tmp_path / "lake", tmp_path / "run", tmp_path / "kept"
    lake.mkdir()
    kept.mkdir()
    pq.write_table(ROWS, lake / "all.parquet")
    pq.write_table(GERMAN, lake / "german.parquet")
    pq.write_table(ROWS.select(["id", "name"]), lake / "names.parquet")
    settings = r2d2.Settings()
    write_find(run, r2d2.find(lake, settings), settings, str(lake))
    plan = make_plan(run, DEAR, memory_bytes=1 << 14 if request.param == "scratch" else None)
    gone = {table["table"] for table in plan["tables"] if table["choice"] == "delete"}
    assert gone == {"german.parquet", "names.parquet"}
    assert bool(plan["totals"]["passes_over_parents"]) == (request.param == "scratch")
    for name in gone:
        (lake / name).rename(kept / name)
    return lake


def run_recipes(lake: Path, *more: str) -> int:
    run, place = lake.parent / "run", lake.parent / "back"
    return main(["recipe", "run", *more, "--run", str(run), "--to", str(place)])


def is_back(lake: Path, name: str) -> bool:
    kept, back = lake.parent / "kept" / name, lake.parent / "back" / name
    return back.exists() and not differences(kept, back)


def touch(parent: Path) -> None:
    os.utime(parent, (1, 1))


def turn_round(parent: Path) -> None:
    rows = ROWS.take(pa.array(range(1999, -1, -1)))
    pq.write_table(rows, parent, row_group_size=300, compression="zstd")


@pytest.mark.parametrize("change", [touch, turn_round])
def test_a_parent_that_was_written_again_gives_its_children_back(
    lake: Path, change: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    change(lake / "all.parquet")
    assert run_recipes(lake) == 0
    assert is_back(lake, "german.parquet")
    assert is_back(lake, "names.parquet")
    told = "changed since the plan"
    if change is touch:
        told = "has other file times, as a copy has; names and sizes are the plan's"
    assert capsys.readouterr().out.count(f"; all.parquet {told}") == 2


def test_a_copied_lake_is_told_as_one_and_a_moved_one_asks_for_its_place(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = lake.parent / "lakf"
    shutil.copytree(lake, moved, copy_function=shutil.copyfile)
    shutil.rmtree(lake)
    assert run_recipes(lake) == 2
    told = capsys.readouterr().err
    assert "--lake" in told
    assert "did you mean" not in told
    assert run_recipes(lake, "--lake", str(moved)) == 0
    told = capsys.readouterr().out
    assert told.count("; all.parquet has other file times, as a copy has") == 2
    assert "changed since" not in told


def test_rows_that_came_later_spoil_only_the_tables_that_they_would_be_in(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = pa.table({"id": [2000], "land": ["NO"], "name": ["later"]})
    pq.write_table(pa.concat_tables([ROWS, later]), lake / "all.parquet")
    assert run_recipes(lake) == 1
    assert is_back(lake, "german.parquet")
    assert not (lake.parent / "back/names.parquet").exists()
    told = capsys.readouterr().err
    assert "names.parquet: what came out is not the table that the plan saw; all.parq" in told
    assert "1 of 2 tables did not come back" in told


def test_a_lake_that_was_moved_is_read_where_it_is_now(lake: Path) -> None:
    moved = lake.with_name("moved")
    shutil.move(lake, moved)
    assert run_recipes(lake) == 2
    assert run_recipes(lake, "--lake", str(moved)) == 0
    assert is_back(lake, "german.parquet")


def test_a_second_run_compares_what_is_there_and_makes_the_rest(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_recipes(lake, "german.parquet") == 0
    before = (lake.parent / "back/german.parquet").stat().st_ino
    assert run_recipes(lake) == 0
    assert "german.parquet: 667 rows, " in capsys.readouterr().out
    assert (lake.parent / "back/german.parquet").stat().st_ino == before
    assert is_back(lake, "names.parquet")


def test_a_file_that_is_in_the_way_is_not_overwritten(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = lake.parent / "back"
    place.mkdir()
    pq.write_table(GERMAN.slice(1), place / "german.parquet")
    before = (place / "german.parquet").read_bytes()
    assert run_recipes(lake) == 1
    assert (place / "german.parquet").read_bytes() == before
    assert is_back(lake, "names.parquet")
    assert "german.parquet is there already: nothing is overwritten" in capsys.readouterr().err


def test_a_parent_that_is_gone_is_named(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (lake / "all.parquet").unlink()
    assert run_recipes(lake, "names.parquet") == 1
    assert "names.parquet: its parent all.parquet is gone" in capsys.readouterr().err


EXACT = pa.table(
    {
        "id": range(400),
        "v": [0.0] * 400,
        "nan": pa.array([struct.unpack("<d", NAN)[0]] * 400),
        "list": [[0.0, 1.5], None] * 200,
        "map": pa.array([[("a", 1), ("b", 2)]] * 400, pa.map_(pa.string(), pa.int64())),
    }
)


def exact_lake(folder: Path) -> None:
    """A plan that deletes a part of a table of floats and maps, which is gone then."""
    lake, run = folder / "lake", folder / "run"
    lake.mkdir()
    pq.write_table(EXACT, lake / "all.parquet")
    pq.write_table(EXACT.slice(0, 300), lake / "part.parquet")
    settings = r2d2.Settings()
    write_find(run, r2d2.find(lake, settings), settings, str(lake))
    (gone,) = (t["table"] for t in make_plan(run, DEAR)["tables"] if t["choice"] == "delete")
    assert gone == "part.parquet"
    (lake / gone).unlink()


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("v", pa.array([-0.0] * 400)),
        ("nan", pa.array([struct.unpack("<d", OTHER_NAN)[0]] * 400)),
        ("list", pa.array([[-0.0, 1.5], None] * 200)),
        ("map", pa.array([[("b", 2), ("a", 1)]] * 400, pa.map_(pa.string(), pa.int64()))),
    ],
)
def test_values_that_are_equal_by_other_bits_do_not_come_back(
    tmp_path: Path, column: str, values: pa.Array, capsys: pytest.CaptureFixture[str]
) -> None:
    exact_lake(tmp_path)
    turned = EXACT.take(pa.array(range(399, -1, -1)))
    pq.write_table(turned, tmp_path / "lake/all.parquet")
    assert run_recipes(tmp_path / "lake") == 0
    shutil.rmtree(tmp_path / "back")
    changed = EXACT.set_column(EXACT.schema.get_field_index(column), column, values)
    pq.write_table(changed, tmp_path / "lake/all.parquet")
    assert run_recipes(tmp_path / "lake") == 1
    assert "part.parquet: what came out is not the table" in capsys.readouterr().err


def test_a_parent_that_lost_a_column_costs_its_own_children(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(ROWS.select(["id", "name"]), lake / "all.parquet")
    assert run_recipes(lake) == 1
    assert is_back(lake, "names.parquet")
    assert "german.parquet: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [{"compression": "none"}, {"use_deprecated_int96_timestamps": True}, {"store_schema": False}],
)
def test_a_table_that_stands_there_in_another_form_is_in_the_way(
    tmp_path: Path, options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    lake, run, place = tmp_path / "lake", tmp_path / "run", tmp_path / "back"
    lake.mkdir()
    days = pa.array([dt.datetime(2024, 1, 1 + i % 28) for i in range(900)], pa.timestamp("us"))
    rows = pa.table({"id": range(900), "day": days})
    pq.write_table(rows, lake / "all.parquet")
    pq.write_table(rows.slice(0, 800), lake / "part.parquet")
    settings = r2d2.Settings()
    write_find(run, r2d2.find(lake, settings), settings, str(lake))
    make_plan(run, DEAR)
    place.mkdir()
    pq.write_table(rows.slice(0, 800), place / "part.parquet", **options)
    assert run_recipes(lake) == 1
    assert "is there already" in capsys.readouterr().err


def test_the_plans_own_list_marks_what_a_rewrite_of_a_parent_breaks(lake: Path) -> None:
    plan: Any = json.loads((lake.parent / "run" / "plan.json").read_text())
    deleted = [table for table in plan["tables"] if table["choice"] == "delete"]
    assert deleted
    assert REWRITE_TOLD not in list(plan_lines(plan))
    survives = deleted[0]["evidence"]["survives"]
    deleted[0]["evidence"]["survives"] = {p: {**w, "rewrite": "never"} for p, w in survives.items()}
    lines = list(plan_lines(plan))
    assert REWRITE_TOLD in lines
    marked = [line for line in lines if f"{deleted[0]['recipe']['kind']}* " in line]
    assert [line.split()[0] for line in marked] == [deleted[0]["table"]]
