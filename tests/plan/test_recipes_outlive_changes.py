"""Recipes are run on lakes that changed since the plan: the rows that come out decide."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.cli import main
from r2d2.plan import make_plan
from r2d2.report.find import write_find
from r2d2.settings.plan import PlanSettings, Prices
from tests.plan.test_deleted_tables_come_back import differences

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
        monkeypatch.setattr("r2d2.plan.rebuild.ranges_of_hashes", lambda *_: 3)
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
    assert capsys.readouterr().out.count("though all.parquet changed since the plan") == 2


def test_rows_that_came_later_spoil_only_the_tables_that_they_would_be_in(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = pa.table({"id": [2000], "land": ["NO"], "name": ["later"]})
    pq.write_table(pa.concat_tables([ROWS, later]), lake / "all.parquet")
    assert run_recipes(lake) == 1
    assert is_back(lake, "german.parquet")
    assert not (lake.parent / "back/names.parquet").exists()
    told = capsys.readouterr().err
    assert "names.parquet: what came out is not the table that the plan saw; since" in told
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
    before = (lake.parent / "back/german.parquet").stat()
    assert run_recipes(lake) == 0
    assert "german.parquet: 667 rows, " in capsys.readouterr().out
    assert (lake.parent / "back/german.parquet").stat() == before
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
