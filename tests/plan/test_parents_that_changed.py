"""Changes of a parent since the plan, by format and writer: the tables that come back, and why not.

The lake is a copy, without the plan's deleted tables; `rebuild` reads it where it is.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from pyarrow import csv

import r2d2
from r2d2.cli.plan_text import table_lines
from r2d2.plan import make_plan
from r2d2.plan.plan_form import Data
from r2d2.plan.rebuild import LostTable, RebuiltTable, rebuild
from r2d2.report import write_find
from r2d2.settings.plan import PlanSettings, Prices

DEAR = PlanSettings(prices=Prices(storage_usd_per_gb_month=1e9))
COUNT = 1500
LANDS = ("DE", "FR", "NO")
ROWS = pa.table(
    {
        "id": range(COUNT),
        "land": [LANDS[i % 3] for i in range(COUNT)],
        "name": [f"name {i * 7 % (COUNT - 1)}" for i in range(COUNT)],
        "size": pa.array([i % 50 for i in range(COUNT)], pa.int32()),
        "box": [i // 50 for i in range(COUNT)],
    }
)
RANDOM = np.random.default_rng(3)
CHILDREN = {
    "german": ROWS.filter(pc.equal(ROWS["land"], "DE")),
    "names": ROWS.select(["id", "name"]),
    "kinds": ROWS.select(["land", "size"]).group_by(["land", "size"]).aggregate([]),
    "picked": ROWS.filter(pa.array(RANDOM.random(COUNT) < 0.2)).slice(5).drop(["box"]),
    "spots": ROWS.filter(pa.array(RANDOM.random(COUNT) < 0.3)).select(["size", "box"]),
}
RECIPES = {
    "german": "select",
    "names": "project",
    "kinds": "distinct",
    "picked": "keys",
    "spots": "positions",
}
LATER = {
    land: pa.table(
        {
            "id": [COUNT],
            "land": [land],
            "name": ["later"],
            "size": pa.array([3], pa.int32()),
            "box": [99],
        }
    )
    for land in LANDS
}


@dataclass(frozen=True)
class Parent:
    """The table `all` of a lake, in one format, as its usual writers change it."""

    kind: str
    lake: Path

    @property
    def path(self) -> Path:
        return self.lake / {"parquet": "all.parquet", "csv": "all.csv"}.get(self.kind, "all")

    def write(self, rows: pa.Table) -> None:
        """All rows, in place of those before."""
        if self.kind == "delta":
            write_deltalake(self.path, rows, mode="overwrite", schema_mode="overwrite")
        elif self.kind == "csv":
            csv.write_csv(rows, self.path)
        elif self.kind == "parquet":
            pq.write_table(rows, self.path)
        else:
            shutil.rmtree(self.path, ignore_errors=True)
            for land in LANDS:
                of_land = rows.filter(pc.equal(rows["land"], land)).drop(["land"])
                for number, start in enumerate(range(0, of_land.num_rows, 200)):
                    self.add_part(of_land.slice(start, 200), land, number)

    def add_part(self, rows: pa.Table, land: str, number: int) -> None:
        folder = self.path / f"land={land}"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, folder / f"part-{number:05}.parquet")

    def append(self, rows: pa.Table) -> None:
        if self.kind == "delta":
            write_deltalake(self.path, rows, mode="append")
        elif self.kind == "folder":
            self.add_part(rows.drop(["land"]), rows["land"][0].as_py(), 99)
        else:
            self.write(pa.concat_tables([ROWS, rows]))

    def delete(self, number: int) -> None:
        if self.kind == "delta":
            DeltaTable(self.path).delete(f"id = {number}")
        else:
            self.write(ROWS.filter(pc.not_equal(ROWS["id"], number)))

    def compact(self) -> None:
        if self.kind == "delta":
            DeltaTable(self.path).optimize.compact()
        elif self.kind == "folder":
            for land in LANDS:
                parts = sorted((self.path / f"land={land}").iterdir())
                rows = pa.concat_tables(pq.read_table(part, partitioning=None) for part in parts)
                for part in parts:
                    part.unlink()
                self.add_part(rows, land, 50)
        else:
            self.write(ROWS)

    def turn_round(self) -> None:
        if self.kind == "delta":
            DeltaTable(self.path).optimize.z_order(["name"])
        else:
            self.write(ROWS.take(pa.array(range(COUNT - 1, -1, -1))))

    def touch(self) -> None:
        for path in [self.path, *self.path.rglob("*")]:
            os.utime(path, (1, 1))

    def rename(self) -> None:
        self.path.rename(self.path.with_name("moved" + self.path.suffix))

    def remove(self) -> None:
        if self.path.is_dir():
            shutil.rmtree(self.path)
        else:
            self.path.unlink()

    def vacuum(self) -> None:
        """Appends a row, and removes the files of all versions before (Delta alone)."""
        self.append(LATER["DE"])
        if self.kind == "delta":
            self.compact()
            table = DeltaTable(self.path)
            table.vacuum(0, enforce_retention_duration=False, dry_run=False)

    def checkpoint(self) -> None:
        """Appends a row, and sums up the log (Delta alone)."""
        self.append(LATER["DE"])
        if self.kind == "delta":
            DeltaTable(self.path).create_checkpoint()


NOT_THE_SAME = "what came out is not the table that the plan saw; "
CHANGED = NOT_THE_SAME + "all"
VACUUMED = " changed since the plan, and its version 1 cannot be read: "
GONE = "its parent all"
ANY = ""
NO_SIZE = "all{ending}: the recipe's parent has no column size; all"


@dataclass(frozen=True)
class Case:
    """A change and the children that it costs, each with the problem that is told.

    `spots`, the rows at some positions, may be lost or not where a writer names files at random.
    """

    change: Callable[[Parent], None]
    lost: Mapping[str, str] = field(default_factory=dict)
    lost_of_delta: Mapping[str, str] = field(default_factory=dict)
    also_of_folder: Mapping[str, str] = field(default_factory=dict)
    spots_of_delta_are_open: bool = False


CASES = {
    "copied": Case(lambda parent: None),
    "touched": Case(Parent.touch),
    "compacted": Case(Parent.compact),
    "in another order": Case(Parent.turn_round, {"spots": CHANGED}),
    "rows appended that the predicate excludes": Case(
        lambda parent: parent.append(LATER["NO"]), {"names": CHANGED}
    ),
    "rows appended that it includes": Case(
        lambda parent: parent.append(LATER["DE"]),
        {"german": CHANGED, "names": CHANGED},
        also_of_folder={"spots": CHANGED},
    ),
    "rows deleted that it excludes": Case(
        lambda parent: parent.delete(1), {"names": CHANGED, "spots": ANY}
    ),
    "rows deleted that it includes": Case(
        lambda parent: parent.delete(0),
        {"german": CHANGED, "names": CHANGED, "spots": ANY},
    ),
    "other rows": Case(
        lambda parent: parent.write(ROWS.set_column(0, "id", pc.add(ROWS["id"], 1))),
        {"german": CHANGED, "names": CHANGED, "picked": CHANGED},
    ),
    "a column added": Case(
        lambda parent: parent.write(ROWS.append_column("more", pa.array(range(COUNT))))
    ),
    "a column dropped": Case(
        lambda parent: parent.write(ROWS.drop(["size"])),
        dict.fromkeys(
            ("german", "kinds", "picked", "spots"),
            "all{ending}: the recipe's parent has no column size; all",
        ),
    ),
    "a type widened": Case(
        lambda parent: parent.write(ROWS.set_column(3, "size", ROWS["size"].cast(pa.int64())))
    ),
    "renamed": Case(Parent.rename),
    "removed": Case(Parent.remove, dict.fromkeys(CHILDREN, GONE), dict.fromkeys(CHILDREN, GONE)),
    "vacuumed": Case(
        Parent.vacuum,
        {"german": CHANGED, "names": CHANGED},
        dict.fromkeys(("german", "names"), CHANGED + VACUUMED),
        {"spots": CHANGED},
        spots_of_delta_are_open=True,
    ),
    "with a checkpoint": Case(
        Parent.checkpoint, {"german": CHANGED, "names": CHANGED}, also_of_folder={"spots": CHANGED}
    ),
}


@dataclass(frozen=True)
class Planned:
    """A lake without what its plan deletes, and the plan."""

    kind: str
    lake: Path
    run: Path
    plan: Data

    @property
    def ending(self) -> str:
        return ".csv" if self.kind == "csv" else ".parquet"


@pytest.fixture(scope="module", params=["parquet", "folder", "csv", "delta"])
def planned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Planned:
    kind, folder = request.param, tmp_path_factory.mktemp("planned")
    parent = Parent(kind, folder / "lake")
    parent.lake.mkdir()
    if kind == "delta":
        parent.write(ROWS.slice(0, 1000))
        parent.append(ROWS.slice(1000))
    else:
        parent.write(ROWS)
    for name, rows in CHILDREN.items():
        if kind == "csv":
            csv.write_csv(rows, parent.lake / f"{name}.csv")
        else:
            pq.write_table(rows, parent.lake / f"{name}.parquet")
    settings = r2d2.Settings()
    write_find(folder / "run", r2d2.find(parent.lake, settings), settings, str(parent.lake))
    plan = make_plan(folder / "run", DEAR)
    recipes = {t["table"]: t["recipe"] for t in plan["tables"] if t["choice"] == "delete"}
    gone = {
        name: recipe["residual"]["kept"] if recipe["kind"] == "rows" else recipe["kind"]
        for name, recipe in recipes.items()
    }
    found = Planned(kind, parent.lake, folder / "run", plan)
    assert gone == {name + found.ending: recipe for name, recipe in RECIPES.items()}
    for name in gone:
        (parent.lake / name).unlink()
    return found


@pytest.mark.parametrize("name", CASES)
def test_what_a_changed_parent_gives_is_the_table_of_the_plan_or_nothing(
    planned: Planned, name: str, tmp_path: Path
) -> None:
    case, lake, place = CASES[name], tmp_path / "lake", tmp_path / "back"
    shutil.copytree(planned.lake, lake)
    case.change(Parent(planned.kind, lake))
    wanted = [child + planned.ending for child in CHILDREN]
    lost, back = {}, set()
    for found in rebuild(planned.plan, planned.run, wanted, place, str(lake)):
        child = found.table.removesuffix(planned.ending)
        if isinstance(found, LostTable):
            lost[child] = found.problem
        elif isinstance(found, RebuiltTable):
            back.add(child)
    expected = dict(case.lost_of_delta if planned.kind == "delta" else case.lost)
    if planned.kind == "folder":
        expected |= case.also_of_folder
    if planned.kind == "delta" and case.spots_of_delta_are_open and "spots" in lost:
        expected["spots"] = CHANGED
    assert lost.keys() == expected.keys(), lost
    assert back == CHILDREN.keys() - lost.keys()
    for child, problem in lost.items():
        begin = "" if planned.kind in ("folder", "delta") else planned.ending
        assert lost[child].startswith(expected[child].format(ending=begin)), problem
    for child, rows in CHILDREN.items():
        path = place / (child + planned.ending)
        assert path.exists() == (child in back)
        if child in back:
            own = csv.read_csv(path) if planned.kind == "csv" else pq.read_table(path)
            assert sorted(own.to_pylist(), key=str) == sorted(rows.to_pylist(), key=str)


def test_a_delta_parent_is_told_to_be_read_at_its_version(planned: Planned, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(planned.lake, lake)
    Parent(planned.kind, lake).append(LATER["NO"])
    (found,) = rebuild(
        planned.plan, planned.run, ["german" + planned.ending], tmp_path / "to", str(lake)
    )
    assert isinstance(found, RebuiltTable)
    told = "all is read at version 1, as the plan saw it"
    if planned.kind != "delta":
        told = f"{Parent(planned.kind, lake).path.name} changed since the plan"
    assert found.parents_told == (told,)


def test_a_delta_table_that_was_made_anew_at_the_same_version_gives_nothing_wrong(
    planned: Planned, tmp_path: Path
) -> None:
    lake, place = tmp_path / "lake", tmp_path / "to"
    shutil.copytree(planned.lake, lake)
    parent = Parent(planned.kind, lake)
    parent.remove()
    parent.write(ROWS.slice(0, 1000))
    parent.append(ROWS.slice(1001))
    (found,) = rebuild(planned.plan, planned.run, ["names" + planned.ending], place, str(lake))
    assert isinstance(found, LostTable)
    assert not (place / ("names" + planned.ending)).exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("spots", "wrong if rows are added or deleted or files are rewritten"),
        ("picked", "right if files are rewritten, perhaps if rows are added or deleted"),
        ("names", "right if files are rewritten, wrong if rows are added or deleted"),
    ],
)
def test_the_plan_tells_which_changes_a_recipe_survives(
    planned: Planned, name: str, told: str
) -> None:
    parent = Parent(planned.kind, planned.lake).path.name
    lines = list(table_lines(planned.plan, name + planned.ending))
    assert f"  when {parent} changes: {told}" in lines
