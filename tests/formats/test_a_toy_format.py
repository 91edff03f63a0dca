"""A format is added by its own file and an entry in FORMATS, and is found, planned and rebuilt."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2 import formats
from r2d2.lake.grouping import group_files
from r2d2.lake.inventory import take_inventory
from r2d2.model import FileInfo
from r2d2.plan import make_plan
from r2d2.plan.rebuild import rebuild
from r2d2.report import write_find
from r2d2.settings.plan import PlanSettings, Prices
from r2d2.storage.local import Listing, LocalStorage
from tests.support.formats.toy import Toy, write_toy
from tests.support.recipes.lakes import come_back

ROWS = pa.table({"id": range(300), "kind": [f"kind {i % 7}" for i in range(300)]})


@pytest.fixture(autouse=True)
def with_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, Toy()))


def test_a_listing_groups_its_files() -> None:
    names = ("a.TOY", "t/k=1/x.toy", "t/k=2/x.toy", "u.csv")
    found = group_files(Listing(tuple(FileInfo(name, 1, "1") for name in names)))
    assert [(group.location, group.format, group.partitioned) for group in found.groups] == [
        ("a.TOY", "toy", False),
        ("t", "toy", True),
        ("u.csv", "csv", False),
    ]


def test_a_folder_that_it_marks_is_one_table_with_all_below_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Toy, "marker", re.compile("/toy-log/"))
    names = ("d/t/a.parquet", "d/t/sub/b.csv", "d/t/toy-log/1.json", "d/u.csv")
    found = group_files(Listing(tuple(FileInfo(name, 1, "1") for name in names)))
    assert [(group.location, group.format, len(group.files)) for group in found.groups] == [
        ("d/t", "toy", 3),
        ("d/u.csv", "csv", 1),
    ]


def test_a_table_of_it_is_found_in_a_parquet_table_and_the_other_way(tmp_path: Path) -> None:
    write_toy(tmp_path / "part.toy", ROWS.slice(0, 100))
    pq.write_table(ROWS, tmp_path / "all.parquet")
    pq.write_table(ROWS.slice(50, 20), tmp_path / "few.parquet")
    edges = {(edge.child, edge.parent) for edge in r2d2.find(tmp_path).edges}
    assert edges == {
        ("part.toy", "all.parquet"),
        ("few.parquet", "part.toy"),
        ("few.parquet", "all.parquet"),
    }


def test_a_table_of_it_that_a_plan_deletes_comes_back_equal(tmp_path: Path) -> None:
    lake, run, place = tmp_path / "lake", tmp_path / "run", tmp_path / "back"
    write_toy(lake / "part.toy", ROWS.slice(0, 100))
    pq.write_table(ROWS, lake / "all.parquet")
    settings = r2d2.Settings()
    write_find(run, r2d2.find(lake, settings), settings, str(lake))
    plan = make_plan(run, PlanSettings(prices=Prices(storage_usd_per_gb_month=1e9)))
    (entry,) = [table for table in plan["tables"] if table["choice"] == "delete"]
    assert (entry["table"], entry["layout"]["format"]) == ("part.toy", "toy")
    (lake / "part.toy").unlink()
    (back,) = rebuild(plan, run, ["part.toy"], place)
    assert back.files == ("part.toy",)
    again = pa.ipc.open_stream(str(place / "part.toy")).read_all()
    assert again.sort_by("id").equals(ROWS.slice(0, 100))


def test_a_partitioned_table_of_it_is_written_back(tmp_path: Path) -> None:
    for key in (1, 2):
        write_toy(tmp_path / f"lake/t/k={key}/x.toy", ROWS.slice(key, 10))
    (table,) = take_inventory(LocalStorage(str(tmp_path / "lake")), r2d2.Settings()).tables
    assert [column.name for column in table.columns] == ["id", "kind", "k"]
    _, written = come_back(tmp_path / "lake", tmp_path / "copy", "t")
    assert written.files == ("t/k=1/part-00000.toy", "t/k=2/part-00000.toy")
